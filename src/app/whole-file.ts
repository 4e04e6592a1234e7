/** Reading a small file's content at once. For what is handed out in pieces: box-history.ts. */
import { type Content, contentItems } from "../format/mod.ts";
import type { OpenBox } from "./open-box.ts";

/**
 * @param content Of a size that the caller has looked at.
 * @returns Bytes that the caller owns.
 * @throws OuroError "not-found", "corrupt".
 */
export function readWhole({ store }: OpenBox, content: Content): Buffer {
  const bytes = Buffer.alloc(content.size);
  let at = 0;
  for (const item of contentItems(content, (hash) => store.getMeta(hash, "list"))) {
    if (item.form === "chunk") bytes.set(store.getChunk(item.hash, item.length), at);
    at += item.length;
  }
  return bytes;
}
