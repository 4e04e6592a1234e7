/** What is said of a key that is made here: by whom, and when. */
import { type KeyNote, keyLabelBytesMax, type WrappedKey, withNote } from "../format/mod.ts";
import type { OpenBox } from "./open-box.ts";
import { peerName } from "./peer-name.ts";

/** The key with its note: that it was made now and here. @throws OuroError "invalid" for a label that cannot be one. */
export function noteKey(box: OpenBox, key: WrappedKey, { label, kind }: Pick<KeyNote, "label" | "kind">): WrappedKey {
  const { secrets, context } = box;
  const note = { label, kind, madeMs: context.clock.nowMs(), peer: peerName(box, keyLabelBytesMax) };
  return withNote(key, note, { secrets, random: (length) => context.random(length) });
}
