import assert from "node:assert/strict";
import { test } from "node:test";
import { MemoryMeta } from "../../test/support/memory-meta.ts";
import { testSeeds } from "../../test/support/seeds.ts";
import { ByteWriter, toHex } from "../base/bytes.ts";
import { isKind } from "../base/errors.ts";
import type { Prng } from "../base/prng.ts";
import { buildContent, type Content, type ContentItem, decodeListNode, type Hash } from "../format/mod.ts";
import { HashSet } from "../history/mod.ts";
import { walkContent } from "./content-walk.ts";

function someItems(prng: Prng, count: number): ContentItem[] {
  return Array.from({ length: count }, () => ({ form: "chunk", hash: prng.bytes(32), length: prng.int(1, 100) }));
}

interface Walked {
  readonly chunks: Set<string>;
  readonly nodes: number;
}

function walk(meta: MemoryMeta, content: Content, old?: Content): Walked {
  const chunks = new Set<string>();
  let nodes = 0;
  walkContent(content, old, {
    getList(hash: Hash) {
      nodes += 1;
      return meta.getMeta(hash, "list");
    },
    seen: new HashSet(),
    onChunk: (hash) => chunks.add(toHex(hash)),
  });
  return { chunks, nodes };
}

const namesOf = (items: readonly ContentItem[]): Set<string> =>
  new Set(items.flatMap((item) => (item.form === "chunk" ? [toHex(item.hash)] : [])));

testSeeds("content walk: all that is new is told, and of what is old little is read", 20, (prng) => {
  const meta = new MemoryMeta();
  const put = (bytes: Uint8Array): Hash => meta.put("list", bytes);
  const items = someItems(prng, prng.pick([0, 3, 9, 500, 20_000]));
  const content = buildContent(items, put);
  assert.deepEqual(walk(meta, content).chunks, namesOf(items));
  assert.deepEqual(walk(meta, content, content), { chunks: new Set(), nodes: 0 });
  const added = someItems(prng, prng.int(1, 3));
  const at = prng.int(0, items.length);
  const edited = buildContent(items.toSpliced(at, prng.int(0, 5), ...added), put);
  const walked = walk(meta, edited, content);
  for (const name of namesOf(added)) assert.ok(walked.chunks.has(name));
  for (const name of walked.chunks) assert.ok(namesOf(edited.items ?? []).has(name) || edited.list !== undefined);
  if (items.length === 20_000)
    assert.ok(walked.nodes < 60 && walked.chunks.size < 500, `${walked.nodes} nodes, ${walked.chunks.size} chunks`);
});

testSeeds("content walk: a list that has no end in sight is walked once a node", 2, (prng) => {
  const meta = new MemoryMeta();
  const put = (bytes: Uint8Array): Hash => meta.put("list", bytes);
  const items = someItems(prng, 1000);
  const honest = buildContent(items, put);
  assert.ok(honest.list !== undefined);
  const { hash, level } = honest.list;
  // Eight levels, each of a node that refers many times to the one below.
  let [below, length] = [hash, honest.size];
  for (let above = level + 1; above <= 8; above += 1) {
    const count = 2 ** 6;
    const writer = new ByteWriter().u8(1).u8(above).varint(count);
    for (let index = 0; index < count; index += 1) writer.varint(length).bytes(below);
    length *= count;
    below = put(writer.finish());
    if (length > 2 ** 46) break;
  }
  const nodes = countNodes(meta, below, length);
  assert.ok(nodes === undefined || nodes < 200, `${nodes}`);
});

/** Undefined when the decoder refuses it already. */
function countNodes(meta: MemoryMeta, top: Hash, size: number): number | undefined {
  try {
    const { level } = decodeListNode(meta.getMeta(top, "list"), "top");
    return walk(meta, { size, list: { level, hash: top } }).nodes;
  } catch (thrown) {
    if (isKind(thrown, "corrupt")) return undefined;
    throw thrown;
  }
}

test("content walk: a node that is not there is not found", () => {
  const content: Content = { size: 10, list: { level: 0, hash: new Uint8Array(32) } };
  assert.throws(
    () => walk(new MemoryMeta(), content),
    (thrown) => isKind(thrown, "not-found"),
  );
});
