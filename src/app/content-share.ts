/** How much of some content is on this machine. */
import { Turns } from "../base/turns.ts";
import { contentItems, type Entry, kinds } from "../format/mod.ts";
import { directoryOf, walkEntries } from "../history/mod.ts";
import type { OpenBox } from "./open-box.ts";

export interface ContentShare {
  /** Of the files at and below a path, each name counted; holes are no content. */
  readonly bytes: number;
  /** Of those, what can be read here. */
  readonly here: number;
}

export async function contentShare(box: OpenBox, entry: Entry): Promise<ContentShare> {
  const { store, reader, context } = box;
  const turns = new Turns(context.signal);
  const directory = directoryOf(entry);
  const all = directory === undefined ? [{ entry }] : walkEntries(reader, directory, new Uint8Array());
  let [bytes, here] = [0, 0];
  for (const each of all) {
    await turns.step();
    const { value } = each.entry.data[0];
    if (value.kind !== kinds.file) continue;
    for (const item of contentItems(value.content, (hash) => store.getMeta(hash, "list"))) {
      if (item.form === "hole") continue;
      await turns.step();
      bytes += item.length;
      if (store.hasChunk(item.hash)) here += item.length;
    }
  }
  return { bytes, here };
}
