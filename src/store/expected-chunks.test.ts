/** Chunks that will be read soon. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { contentParts, type PackParts } from "../../test/support/pack-parts.ts";
import { testSeeds } from "../../test/support/seeds.ts";
import { ingestAll, TestBox } from "../../test/support/test-box.ts";
import { toHex } from "../base/bytes.ts";
import { Prng } from "../base/prng.ts";
import { defaultChunkSizes, type Hash } from "../format/mod.ts";
import { lackingChunks, type MissingChunk } from "./content-source.ts";
import type { Store } from "./store.ts";

async function makePack(prng: Prng): Promise<PackParts> {
  using from = new TestBox({ chunk: defaultChunkSizes });
  const store = from.open();
  await ingestAll(store, [from.file("a", prng.bytes(600_000)), from.file("b", Buffer.alloc(600_000, "b"))]);
  const [pack] = contentParts(store);
  assert(pack !== undefined && pack.frames.length > 3);
  return pack;
}

const hexOf = (chunks: readonly { readonly hash: Hash }[]): string[] => chunks.map(({ hash }) => toHex(hash));

/** @returns Whether it is here: then it is right. */
function isRightOrLacking(store: Store, { hash, length }: MissingChunk): boolean {
  try {
    assert.equal(toHex(store.hasher.hash(store.getChunk(hash, length))), toHex(hash));
    return true;
  } catch (thrown) {
    if (lackingChunks(thrown).length === 0) throw thrown;
    return false;
  }
}

test("what cannot be read here is named, in the order asked for, whether it is known elsewhere or nowhere", async () => {
  const pack = await makePack(new Prng(1));
  using box = new TestBox();
  const store = box.open();
  const chunks = pack.objects.flat();
  assert.deepEqual(hexOf(store.expectChunks(chunks)), hexOf(chunks));
  store.sparse.add([pack.ends]);
  assert.deepEqual(hexOf(store.expectChunks(chunks)), hexOf(chunks));
  const [kept, lent, ...rest] = pack.frames;
  assert(kept !== undefined && lent !== undefined);
  store.sparse.take(pack.name, [kept]);
  store.sparse.lend(pack.name, [lent]);
  const missing = pack.frames.flatMap((frame, at) => (rest.includes(frame) ? (pack.objects[at] ?? []) : []));
  assert.deepEqual(hexOf(store.expectChunks(chunks)), hexOf(missing));
});

testSeeds("what was expected is read right, or is missing, whatever becomes of it meanwhile", 3, async (prng) => {
  const pack = await makePack(prng);
  using box = new TestBox();
  const store = box.open();
  store.sparse.add([pack.ends]);
  store.sparse.take(pack.name, pack.frames);
  const chunks = pack.objects.flat();
  for (let step = 0; step < 12; step += 1) {
    const gone = [...pack.frames.keys()].filter(() => prng.chance(0.3));
    assert.deepEqual(store.expectChunks(chunks), []);
    using other = box.open();
    const offsets = gone.map((frame) => pack.frames[frame]?.offset ?? 0);
    // By another process, or by this one.
    prng.pick([store, other]).sparse.evict(pack.name, offsets);
    if (prng.chance(0.3)) store.rebuildIndex();
    // What another process gives up may be in memory here.
    for (const [frame, objects] of pack.objects.entries())
      for (const object of objects) assert(isRightOrLacking(store, object) || gone.includes(frame));
    store.sparse.take(pack.name, pack.frames);
  }
});
