/** Whether content that a commit names is to be had: here, or in a pack that a remote lists, as was last seen. */
import { toHex } from "../base/bytes.ts";
import type { Hash } from "../format/mod.ts";
import { knownPacks } from "../sync/mod.ts";
import type { OpenBox } from "./open-box.ts";
import { remotesOf } from "./remote-list.ts";
import { isUnreal } from "./unreal-setting.ts";

/**
 * Where it is not known what a remote lists, or what is in a pack that one lists, content may be there: what was given up here, and in a box whose content is elsewhere
 * any.
 */
export function knownContent(box: OpenBox): (hash: Hash) => boolean {
  const { store, state } = box;
  const listed = new Set<string>();
  const here = new Set(store.packs().map(({ name }) => toHex(name)));
  let hasUnseen = false;
  for (const { url } of remotesOf(box)) {
    const { packs, covered } = knownPacks(state, url);
    hasUnseen ||= packs.size === 0;
    for (const [name, pack] of packs) {
      listed.add(name);
      hasUnseen ||= pack.class === "content" && !here.has(name);
    }
    for (const name of covered) listed.add(name);
  }
  const mayBeUnseen = hasUnseen && isUnreal(box);
  return (hash) => {
    const place = store.findChunk(hash);
    if (place === undefined) return mayBeUnseen;
    return place.isHere || hasUnseen || listed.has(toHex(place.pack));
  };
}
