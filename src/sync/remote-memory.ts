/**
 * What a box remembers of one remote, so that nothing is read twice: which heads it has taken in, what its index files say, and
 * which packs have been on both sides. All of it can be forgotten: it costs time, never data.
 *
 * Kept as one value of the state, under the remote's URL.
 */
import { ByteReader, ByteWriter, fromHex, toHex } from "../base/bytes.ts";
import { isKind } from "../base/errors.ts";
import {
  decodeIndexFile,
  encodeIndexFile,
  type Hash,
  hashBytes,
  type IndexFile,
  indexFileLimits,
} from "../format/mod.ts";
import type { State } from "../history/mod.ts";
import { forgetUnsettled } from "./unsettled.ts";

const version = 3;
const headsMax = 1_000_000;
const filesMax = 1_000_000;
const tagBytesMax = 1000;

/** What a listing said of a head when it was taken in. */
export interface KnownHead {
  readonly tag: string;
  readonly size: number;
}

/** Names are in hex. */
export class RemoteMemory {
  /** Heads that need not be read again as long as the listing says the same, by writer. */
  readonly heads: Map<string, KnownHead> = new Map();
  readonly indexFiles: Map<string, IndexFile> = new Map();
  /** Packs that have been both here and there. One that is no longer here was removed here, and is not fetched again. */
  readonly shared: Set<string> = new Set();
  /** Of `shared` those whose objects are not known to be what the pack says: they are no reason for not pushing an object. */
  readonly unproven: Set<string> = new Set();
  /** Packs that are here only, all of whose objects are in packs that are there. */
  readonly covered: Set<string> = new Set();
  /** The packs whose objects were looked at to find `covered`. */
  readonly compared: Set<string> = new Set();

  /** What lists of condemned packs say, by the list. */
  readonly condemned: Map<string, readonly string[]> = new Map();
  /** The retention that was last written there for each own writer: the hash of what it says. */
  readonly retentions: Map<string, string> = new Map();

  static load(state: Pick<State, "value">, url: string): RemoteMemory {
    try {
      const bytes = state.value(keyOf(url));
      return bytes === undefined ? new RemoteMemory() : decode(bytes);
    } catch (thrown) {
      if (isKind(thrown, "corrupt")) return new RemoteMemory();
      throw thrown;
    }
  }

  /** Notes a pack that is both here and there. */
  noteShared({ name, proven }: { readonly name: Hash; readonly proven: boolean }): void {
    const key = toHex(name);
    this.shared.add(key);
    if (proven) this.unproven.delete(key);
    else this.unproven.add(key);
  }

  save(state: Pick<State, "setValue">, url: string): void {
    state.setValue(keyOf(url), encode(this));
  }
}

/** Forgets a remote. */
export function forgetRemote(state: Pick<State, "setValue">, url: string): void {
  state.setValue(keyOf(url), undefined);
  forgetUnsettled(state, url);
}

function keyOf(url: string): string {
  return `remote ${url}`;
}

function encode(memory: RemoteMemory): Uint8Array {
  const writer = new ByteWriter(64 * 1024).u8(version);
  writer.varint(memory.heads.size);
  for (const [name, { tag, size }] of memory.heads) writer.text(name).text(tag).varint(size);
  writer.varint(memory.indexFiles.size);
  for (const [name, index] of memory.indexFiles)
    writer.bytes(fromHex(name, hashBytes)).lengthBytes(encodeIndexFile(index));
  for (const names of [memory.shared, memory.unproven, memory.covered, memory.compared]) {
    writer.varint(names.size);
    for (const name of names) writer.bytes(fromHex(name, hashBytes));
  }
  writer.varint(memory.condemned.size);
  for (const [name, packs] of memory.condemned) {
    writer.bytes(fromHex(name, hashBytes)).varint(packs.length);
    for (const pack of packs) writer.bytes(fromHex(pack, hashBytes));
  }
  writer.varint(memory.retentions.size);
  for (const [name, hash] of memory.retentions) writer.text(name).bytes(fromHex(hash, hashBytes));
  return writer.finish();
}

function decode(bytes: Uint8Array): RemoteMemory {
  const what = "what is remembered of a remote";
  const reader = new ByteReader(bytes, what);
  const memory = new RemoteMemory();
  if (reader.u8() !== version) return memory;
  for (let left = reader.varint(headsMax, "heads"); left > 0; left -= 1) {
    const name = reader.text(16, "writer");
    memory.heads.set(name, {
      tag: reader.text(tagBytesMax, "tag"),
      size: reader.varint(Number.MAX_SAFE_INTEGER, "size"),
    });
  }
  for (let left = reader.varint(filesMax, "index files"); left > 0; left -= 1) {
    const name = toHex(reader.bytes(hashBytes));
    memory.indexFiles.set(name, decodeIndexFile(reader.lengthBytes(indexFileLimits.bytes, "index file"), what));
  }
  for (const names of [memory.shared, memory.unproven, memory.covered, memory.compared]) {
    for (let left = reader.varint(filesMax * 100, "packs"); left > 0; left -= 1)
      names.add(toHex(reader.bytes(hashBytes)));
  }
  for (let left = reader.varint(filesMax, "condemned lists"); left > 0; left -= 1) {
    const name = toHex(reader.bytes(hashBytes));
    const packs: string[] = [];
    for (let each = reader.varint(filesMax * 100, "packs"); each > 0; each -= 1)
      packs.push(toHex(reader.bytes(hashBytes)));
    memory.condemned.set(name, packs);
  }
  for (let left = reader.varint(headsMax, "retentions"); left > 0; left -= 1)
    memory.retentions.set(reader.text(16, "writer"), toHex(reader.bytes(hashBytes)));
  reader.end();
  return memory;
}
