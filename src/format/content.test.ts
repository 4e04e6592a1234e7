import assert from "node:assert/strict";
import { test } from "node:test";
import { mutate, randomItems } from "../../test/support/random-trees.ts";
import { testSeeds } from "../../test/support/seeds.ts";
import { ByteReader, ByteWriter, equalBytes, toHex } from "../base/bytes.ts";
import { isKind } from "../base/errors.ts";
import { buildContent, contentItems, contentRange, decodeListNode, readContent, writeContent } from "./content.ts";
import type { Content, ContentItem, Hash } from "./entry.ts";
import { getHasher } from "./hash.ts";

class Lists {
  readonly nodes = new Map<string, Uint8Array>();
  readonly put = (bytes: Uint8Array): Hash => {
    const hash = getHasher("blake3").hash(bytes);
    this.nodes.set(toHex(hash), bytes);
    return hash;
  };
  readonly get = (hash: Hash): Uint8Array => {
    const bytes = this.nodes.get(toHex(hash));
    if (bytes === undefined) throw new Error("no such node");
    return bytes;
  };
}

const sizeOf = (items: readonly ContentItem[]): number => items.reduce((sum, { length }) => sum + length, 0);
const small = (items: readonly ContentItem[]): ContentItem[] =>
  items.map((item) => ({ ...item, length: Math.min(item.length, 1_000_000) }));

testSeeds("the items of a content are those it was built of, and any range is a part of them", 30, (prng) => {
  const lists = new Lists();
  const items = small(randomItems(prng, prng.pick([0, 1, 8, 9, 10, 100, 3000])));
  const content = buildContent(items, lists.put);
  assert.equal(content.size, sizeOf(items));
  assert.equal(content.list === undefined, items.length <= 8);
  assert.deepEqual(
    [...contentItems(content, lists.get)].map((item) => item.length),
    items.map(({ length }) => length),
  );
  for (let round = 0; round < 5; round += 1) {
    const start = prng.int(0, content.size);
    const end = prng.int(start, content.size);
    let at = 0;
    const wanted = items.map((item) => {
      at += item.length;
      return { item, offset: at - item.length };
    });
    const within = wanted.filter(({ item, offset }) => offset < end && offset + item.length > start);
    const found = [...contentRange(content, start, end, lists.get)];
    assert.deepEqual(
      found.map(({ offset }) => offset),
      within.map(({ offset }) => offset),
    );
  }
});

testSeeds("an edit in a long file makes few new list nodes", 5, (prng) => {
  const lists = new Lists();
  const items = small(randomItems(prng, 20_000));
  const content = buildContent(items, lists.put);
  const before = lists.nodes.size;
  items.splice(
    prng.int(0, 19_000),
    prng.int(0, 2),
    { form: "chunk", hash: prng.bytes(32), length: 5 },
    { form: "chunk", hash: prng.bytes(32), length: 6 },
  );
  const edited = buildContent(items, lists.put);
  assert.ok(!equalBytes(edited.list?.hash ?? prng.bytes(32), content.list?.hash ?? prng.bytes(32)));
  assert.ok(lists.nodes.size - before <= 8, `${lists.nodes.size - before} new nodes`);
});

test("a file of one chunk over and over has nodes of at most 1,024 items, each kept once", () => {
  const lists = new Lists();
  for (const fill of [0, 1]) {
    const item: ContentItem = { form: "chunk", hash: new Uint8Array(32).fill(fill), length: 10 };
    const content = buildContent(
      Array.from({ length: 10_000 }, () => item),
      lists.put,
    );
    assert.equal([...contentItems(content, lists.get)].length, 10_000);
  }
  assert.ok(lists.nodes.size < 20, `${lists.nodes.size} nodes`);
});

testSeeds(
  "content in an entry is read as it was written; damage is refused or is another's only encoding",
  20,
  (prng) => {
    const content = buildContent(small(randomItems(prng, prng.int(0, 12))), new Lists().put);
    const writer = new ByteWriter();
    writeContent(writer, content);
    const bytes = writer.finish();
    const read = (from: Uint8Array): Content => {
      const reader = new ByteReader(from, "content");
      const result = readContent(reader);
      reader.end();
      return result;
    };
    assert.equal(read(bytes).size, content.size);
    for (let round = 0; round < 100; round += 1) {
      const damaged = mutate(prng, bytes);
      try {
        const again = new ByteWriter();
        writeContent(again, read(damaged));
        assert.ok(equalBytes(again.finish(), damaged));
      } catch (error) {
        assert.ok(isKind(error, "corrupt"), String(error));
      }
    }
  },
);

testSeeds("a damaged list node is refused, or noticed by what refers to it", 10, (prng) => {
  const lists = new Lists();
  const content = buildContent(small(randomItems(prng, 400)), lists.put);
  const bytes = lists.get(content.list?.hash ?? prng.bytes(32));
  for (let round = 0; round < 200; round += 1) {
    const damaged = mutate(prng, bytes);
    if (equalBytes(damaged, bytes)) continue;
    try {
      decodeListNode(damaged, "list node");
    } catch (error) {
      assert.ok(isKind(error, "corrupt"), String(error));
    }
  }
  const liar: Content = { size: content.size + 1, ...(content.list === undefined ? {} : { list: content.list }) };
  assert.throws(
    () => [...contentItems(liar, lists.get)],
    (error) => isKind(error, "corrupt"),
  );
});

test("a list too short for one, empty items and neighbouring holes are refused", () => {
  const lists = new Lists();
  const hole: ContentItem = { form: "hole", length: 5 };
  const chunk: ContentItem = { form: "chunk", hash: new Uint8Array(32).fill(1), length: 5 };
  assert.throws(
    () => buildContent([hole, hole], lists.put),
    (error) => isKind(error, "invalid"),
  );
  assert.throws(
    () => buildContent([{ ...chunk, length: 0 }], lists.put),
    (error) => isKind(error, "invalid"),
  );
  assert.throws(
    () => buildContent([{ ...chunk, length: 2 ** 24 }], lists.put),
    (error) => isKind(error, "invalid"),
  );
  const short = new ByteWriter().u8(1).u8(0).varint(1).varint(10).bytes(chunk.hash).finish();
  const content: Content = { size: 5, list: { level: 0, hash: lists.put(short) } };
  assert.throws(
    () => [...contentItems(content, lists.get)],
    (error) => isKind(error, "corrupt"),
  );
});
