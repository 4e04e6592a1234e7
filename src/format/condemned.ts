/**
 * Condemned lists: names of packs that a prune is going to delete, so that pushers no longer count on them. This version reads
 * them; later ones write them. Format: doc/format.md, section 8.
 */
import { ByteReader, ByteWriter } from "../base/bytes.ts";
import type { Hash } from "./entry.ts";
import { hashBytes } from "./hash.ts";

const namesMax = 2 ** 20;

export function encodeCondemned(names: readonly Hash[]): Uint8Array {
  const writer = new ByteWriter(16 + names.length * hashBytes).varint(names.length);
  for (const name of names) writer.bytes(name);
  return writer.finish();
}

/** @throws OuroError "corrupt". */
export function decodeCondemned(bytes: Uint8Array, what: string): Hash[] {
  const reader = new ByteReader(bytes, what);
  const count = reader.varint(namesMax, "number of names");
  if (count * hashBytes > reader.remaining) throw reader.corrupt(`it is too short for ${count} names`);
  const names = Array.from({ length: count }, () => reader.bytes(hashBytes));
  reader.end();
  return names;
}
