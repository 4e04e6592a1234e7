/** Names as people and scripts see them: base's quoting, and members of --json objects. */
import { asBuffer, findText, toText } from "../base/bytes.ts";
import type { JsonValue } from "./output.ts";

export { quoteBytes, quotePath, quoteText } from "../base/quote.ts";

/** Names joined by "/", from the box's root on, which is empty. */
export type Path = Uint8Array;
const dot: Path = Uint8Array.of(0x2e);

/** Bytes as members of a --json object: text; where it is not UTF-8 also the bytes themselves, as `<name>Bytes` in base64. */
export function jsonBytes(name: string, bytes: Uint8Array): { readonly [key: string]: JsonValue } {
  const text = findText(bytes);
  if (text !== undefined) return { [name]: text };
  return { [name]: toText(bytes), [`${name}Bytes`]: asBuffer(bytes).toString("base64") };
}

export function jsonPath(path: Path, name = "path"): { readonly [key: string]: JsonValue } {
  return jsonBytes(name, path.length === 0 ? dot : path);
}
