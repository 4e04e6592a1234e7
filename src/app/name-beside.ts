/** Names for values that are put beside the one that keeps the name: "report (Ada, 2026-11-29 10.15).odt". */
import { toText, utf8 } from "../base/bytes.ts";
import { type Entry, kinds } from "../format/mod.ts";
import type { ConflictValue } from "./conflicts.ts";

const nameBytesMax = 255;

/** @param take Takes a name if it is free, and says whether it was. */
export function nameBeside(
  { name, kind }: Pick<Entry, "name" | "kind">,
  { author = "unknown", timeMs }: Pick<ConflictValue, "author" | "timeMs">,
  take: (name: Uint8Array) => boolean,
): Uint8Array {
  const text = toText(name);
  const dot = kind === kinds.directory ? -1 : text.lastIndexOf(".");
  const [stem, ending] = dot > 0 ? [text.slice(0, dot), text.slice(dot)] : [text, ""];
  const time = timeMs === undefined ? "" : `, ${timeText(timeMs)}`;
  const who = `${author}${time}`.replaceAll(/[/\p{Cc}]/gu, "_");
  for (let number = 1; ; number += 1) {
    const mark = utf8(` (${who}${number === 1 ? "" : `, ${number}`})${ending}`);
    // A very long author leaves no room for the name itself.
    const end = fit(mark, nameBytesMax - 1);
    const free = Buffer.concat([fit(utf8(stem), nameBytesMax - end.length), end]);
    if (take(free)) return free;
  }
}

/** In UTC, as it is to be the same wherever it is made. */
function timeText(timeMs: number): string {
  return new Date(timeMs).toISOString().slice(0, 16).replace("T", " ").replace(":", ".");
}

/** The beginning of a text that has room, cut between characters. */
function fit(text: Uint8Array, length: number): Uint8Array {
  if (text.length <= length) return text;
  let end = length;
  while (end > 0 && ((text[end] as number) & 0xc0) === 0x80) end -= 1;
  return text.subarray(0, end);
}
