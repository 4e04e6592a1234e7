import assert from "node:assert/strict";
import { readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { testSeeds } from "../../test/support/seeds.ts";
import { ingestAll, readBack, TestBox } from "../../test/support/test-box.ts";
import { nodeDisk } from "../base/node-disk.ts";
import { type IngestResult, Store } from "./mod.ts";

function openForCheckout(box: TestBox): Store {
  const { directory, secrets, chunk } = box;
  const random = (): Uint8Array => new Uint8Array();
  return Store.open({ directory, secrets, chunk, disk: nodeDisk, random, readOnly: true, usesChunksAtOnce: true });
}

function read(store: Store, result: IngestResult): Buffer {
  if ("error" in result) throw result.error;
  // Copied at once: the memory is used again.
  return Buffer.concat(
    Array.from(result.items, (item) =>
      Buffer.from(item.form === "chunk" ? store.getChunk(item.hash, item.length) : []),
    ),
  );
}

/** Goal: chunks read one after another are the right ones. Method: read files in their order, in any order and again, out of several packs. */
testSeeds("chunks that are used at once read back in any order", 3, async (prng) => {
  using box = new TestBox({ suite: prng.pick(["aes-256-gcm", "plain"] as const) });
  const writer = box.open();
  const results: IngestResult[] = [];
  for (let pack = 0; pack < 12; pack += 1) {
    const files = Array.from({ length: prng.int(1, 20) }, (_, file) =>
      box.file(`${pack}-${file}`, prng.chance(0.3) ? "x".repeat(prng.int(1, 90_000)) : prng.bytes(prng.int(1, 20_000))),
    );
    results.push(...(await ingestAll(writer, files)));
  }
  using store = openForCheckout(box);
  const shuffled = Array.from({ length: results.length }, () => prng.pick(results));
  for (const result of [...results, ...shuffled, ...results]) {
    assert.deepEqual(read(store, result), Buffer.from(readBack(writer, result)));
  }
});

test("a pack whose directory is damaged still gives its chunks", async () => {
  using box = new TestBox();
  const writer = box.open();
  const bytes = Buffer.from(Array.from({ length: 50_000 }, (_, index) => (index * index) % 251));
  const results = await ingestAll(writer, [box.file("a", bytes), box.file("b", Buffer.from(bytes).reverse())]);
  const [name = ""] = readdirSync(join(box.directory, "packs"));
  const path = join(box.directory, "packs", name);
  const pack = readFileSync(path);
  pack[pack.length - 40] = (pack[pack.length - 40] as number) ^ 1;
  writeFileSync(path, pack);
  using store = openForCheckout(box);
  assert.deepEqual(read(store, results[0] as IngestResult), bytes);
  assert.deepEqual(read(store, results[1] as IngestResult), Buffer.from(bytes).reverse());
});
