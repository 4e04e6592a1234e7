/** Content of changed files, against cutting the whole file: the same items, and a few chunks read for each change. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { testSeeds } from "../../test/support/seeds.ts";
import { Prng } from "../base/prng.ts";
import { Chunker, type ContentItem } from "../format/mod.ts";
import { editedItems, resyncBytesMax } from "./edited-content.ts";
import { FileEdits } from "./file-edits.ts";

const sizes = { min: 1024, avg: 4096, max: 16_384 };
const chunker = new Chunker(sizes);

/** A chunk is named by its bytes, in hex. */
function chunkOf(bytes: Uint8Array): ContentItem {
  return { form: "chunk", hash: Buffer.from(bytes), length: bytes.length };
}

function cutWhole(bytes: Uint8Array): ContentItem[] {
  const items: ContentItem[] = [];
  for (let at = 0; at < bytes.length; ) {
    const end = chunker.cut(bytes, at, bytes.length);
    items.push(chunkOf(bytes.subarray(at, end)));
    at = end;
  }
  return items;
}

function bytesOf(items: readonly ContentItem[]): Buffer {
  return Buffer.concat(items.map((item) => (item.form === "hole" ? Buffer.alloc(item.length) : item.hash)));
}

/** A file and the same in memory, changed alike. */
class Edited {
  bytes: Buffer;
  readonly base: readonly ContentItem[];
  readonly edits: FileEdits;
  #log = Buffer.alloc(0);
  chunksRead = 0;

  constructor(base: readonly ContentItem[]) {
    this.base = base;
    this.bytes = bytesOf(base);
    this.edits = new FileEdits(this.bytes.length);
  }

  write(offset: number, bytes: Buffer): void {
    this.edits.write(offset, bytes.length, this.#log.length);
    this.#log = Buffer.concat([this.#log, bytes]);
    if (offset + bytes.length > this.bytes.length) this.resizeBytes(offset + bytes.length);
    bytes.copy(this.bytes, offset);
  }

  resize(size: number): void {
    this.edits.resize(size);
    this.resizeBytes(size);
  }

  free(offset: number, length: number): void {
    this.edits.free(offset, length);
    this.bytes.fill(0, offset, Math.min(this.bytes.length, offset + length));
  }

  restore(offset: number, length: number): void {
    this.edits.restore(offset, length);
    this.resizeBytes(Math.max(this.bytes.length, offset + length));
    bytesOf(this.base).copy(this.bytes, offset, offset, offset + length);
  }

  resizeBytes(size: number): void {
    this.bytes = Buffer.concat([this.bytes, Buffer.alloc(Math.max(0, size - this.bytes.length))]).subarray(0, size);
  }

  async items(): Promise<ContentItem[]> {
    const { base, edits } = this;
    const found: ContentItem[] = [];
    const file = {
      edits,
      *itemsIn(start: number, end: number) {
        let offset = 0;
        for (const item of base) {
          if (offset < end && offset + item.length > start) yield { item, offset };
          offset += item.length;
        }
      },
      readChunk: async (item: ContentItem) => {
        this.chunksRead += 1;
        return item.form === "chunk" ? item.hash : new Uint8Array();
      },
      readLog: (at: number, length: number) => this.#log.subarray(at, at + length),
    };
    for await (const item of editedItems(file, chunker)) {
      const last = found.at(-1);
      if (item.form === "bytes") found.push(chunkOf(item.bytes));
      else if (item.form === "hole" && last?.form === "hole")
        found[found.length - 1] = { form: "hole", length: last.length + item.length };
      else found.push(item);
    }
    return found;
  }

  /** All bytes that were asked for piece by piece. */
  pieces(): Buffer {
    const whole = bytesOf(this.base);
    const parts = [...this.edits.pieces(0, this.edits.size)].map((piece) => {
      if (piece.from === "hole") return Buffer.alloc(piece.end - piece.start);
      if (piece.from === "base") return whole.subarray(piece.start, piece.end);
      return this.#log.subarray(piece.at, piece.at + piece.end - piece.start);
    });
    return Buffer.concat(parts);
  }
}

function randomBytes(prng: Prng, length: number): Buffer {
  return Buffer.from(prng.bytes(length));
}

function change(prng: Prng, edited: Edited, canFree: boolean): void {
  const size = edited.bytes.length;
  const at = prng.int(0, size);
  const what = prng.int(0, 10);
  if (what === 0) edited.resize(at);
  else if (what === 1 && canFree) edited.resize(size + prng.int(0, 30_000));
  else if (what === 2 && canFree) edited.free(at, prng.int(0, 30_000));
  else if (what === 10) {
    const baseSize = bytesOf(edited.base).length;
    const from = Math.min(prng.int(0, baseSize), canFree ? baseSize : size);
    edited.restore(from, prng.int(0, baseSize - from));
  } else if (what === 3) edited.write(size, randomBytes(prng, prng.int(1, 3000)));
  else if (what === 4 && canFree) edited.write(size + prng.int(0, 9000), randomBytes(prng, 10));
  else edited.write(at, randomBytes(prng, prng.int(1, prng.pick([10, 500, 20_000]))));
}

testSeeds(
  "edited content: what was written, cut short or added gives the items of the whole file",
  60,
  async (prng) => {
    const edited = new Edited(cutWhole(randomBytes(prng, prng.int(0, 200_000))));
    for (let left = prng.int(1, 8); left > 0; left -= 1) {
      change(prng, edited, false);
      assert(edited.pieces().equals(edited.bytes));
      assert.deepEqual(await edited.items(), cutWhole(edited.bytes));
    }
  },
);

testSeeds(
  "edited content: with holes, before and new, the bytes are right and holes are whole blocks",
  60,
  async (prng) => {
    const base: ContentItem[] = [];
    for (let left = prng.int(0, 5); left > 0; left -= 1) {
      base.push(...cutWhole(randomBytes(prng, 4096 * prng.int(1, 8))));
      base.push({ form: "hole", length: 4096 * prng.int(1, 8) });
    }
    const edited = new Edited(base);
    for (let left = prng.int(1, 8); left > 0; left -= 1) {
      change(prng, edited, true);
      assert(edited.pieces().equals(edited.bytes));
      const items = await edited.items();
      assert(bytesOf(items).equals(edited.bytes));
      let at = 0;
      for (const { form, length } of items) {
        if (form === "hole" && at + length < edited.bytes.length) assert.equal(length % 4096, 0);
        if (form === "hole") assert.equal(at % 4096, 0);
        assert(length > 0 && (form === "hole" || length <= sizes.max));
        at += length;
      }
    }
  },
);

test("edited content: a small write in the middle reads the chunks around it, and the others stay", async () => {
  const prng = new Prng(7);
  const edited = new Edited(cutWhole(randomBytes(prng, 4_000_000)));
  edited.write(2_000_000, randomBytes(prng, 4096));
  const items = await edited.items();
  assert.deepEqual(items, cutWhole(edited.bytes));
  assert(edited.chunksRead <= 6, `${edited.chunksRead}`);
  const other = new Set(edited.base.map(({ length, ...item }) => ("hash" in item ? item.hash.toString() : length)));
  assert(items.filter((item) => item.form === "chunk" && !other.has(item.hash.toString())).length <= 4);
});

test("edited content: a chunk that is written anew as a whole is not read", async () => {
  const prng = new Prng(8);
  const edited = new Edited(cutWhole(randomBytes(prng, 400_000)));
  const [first, second] = edited.base as [ContentItem, ContentItem];
  edited.write(first.length, Buffer.from((second as { hash: Uint8Array }).hash));
  assert.deepEqual(await edited.items(), edited.base);
  assert.equal(edited.chunksRead, 0);
});

test("edited content: where cuts never agree again they are made to", async () => {
  const edited = new Edited(cutWhole(Buffer.alloc(12_000_000, "x")));
  const odd = sizes.max / 2;
  // A file whose bytes repeat themselves has cuts at the largest size alone.
  edited.resize(odd);
  edited.write(odd, Buffer.alloc(1, "y"));
  edited.write(odd + 1, Buffer.alloc(7_000_000, "x"));
  const whole = new Edited(cutWhole(Buffer.alloc(12_000_000, "x")));
  whole.write(sizes.max + 5, randomBytes(new Prng(9), 5000));
  for (const each of [edited, whole]) assert(bytesOf(await each.items()).equals(each.bytes));
  assert(whole.chunksRead < (3 * resyncBytesMax) / sizes.max, `${whole.chunksRead}`);
});
