/** Whether content that a commit names is to be had: here, or in a pack that a remote lists, as was last seen. */
import { toHex } from "../base/bytes.ts";
import type { Hash } from "../format/mod.ts";
import { knownPacks } from "../sync/mod.ts";
import type { OpenBox } from "./open-box.ts";
import { remotesOf } from "./remote-list.ts";
import { isUnreal } from "./unreal-setting.ts";

/** In a box whose content is elsewhere any chunk may be in the packs that were not looked into. */
export function knownContent(box: OpenBox): (hash: Hash) => boolean {
  const { store, state } = box;
  const listed = new Set<string>();
  const here = new Set(store.packs().map(({ name }) => toHex(name)));
  let hasUnseen = false;
  for (const { url } of remotesOf(box)) {
    const { packs, covered } = knownPacks(state, url);
    for (const [name, pack] of packs) {
      listed.add(name);
      hasUnseen ||= pack.class === "content" && !here.has(name);
    }
    for (const name of covered) listed.add(name);
  }
  const mayBeUnseen = hasUnseen && isUnreal(box);
  return (hash) => {
    const place = store.findChunk(hash);
    return mayBeUnseen || place?.isHere === true || (place !== undefined && listed.has(toHex(place.pack)));
  };
}
