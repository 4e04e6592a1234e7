import assert from "node:assert/strict";
import {
  appendFileSync,
  closeSync,
  ftruncateSync,
  mkdirSync,
  openSync,
  readdirSync,
  rmSync,
  statSync,
  symlinkSync,
  utimesSync,
  writeSync,
} from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { testSeeds } from "../../test/support/seeds.ts";
import { ingestAll, readBack, TestBox } from "../../test/support/test-box.ts";
import { utf8 } from "../base/bytes.ts";
import { isKind } from "../base/errors.ts";
import { lstat } from "../base/posix.ts";
import type { Prng } from "../base/prng.ts";
import type { IngestFile, IngestResult } from "./ingest-batch.ts";

interface Sample {
  readonly file: IngestFile;
  readonly bytes: Uint8Array;
}

function randomBytes(prng: Prng): Uint8Array {
  const shape = prng.int(0, 9);
  if (shape === 0) return new Uint8Array(0);
  if (shape < 5) return utf8(`line ${prng.int(0, 5)}\n`.repeat(prng.int(1, 2000)));
  if (shape === 5) return prng.bytes(prng.int(1, 200_000));
  if (shape === 6) return new Uint8Array(prng.int(1, 100_000));
  return prng.bytes(prng.int(1, 3000));
}

function randomSamples(prng: Prng, box: TestBox, count: number): Sample[] {
  return Array.from({ length: count }, (_, index) => {
    const bytes = randomBytes(prng);
    return { bytes, file: box.file(`file-${index}`, bytes) };
  });
}

function itemsOf(result: IngestResult | undefined): unknown[] {
  if (result === undefined || "error" in result) throw new Error("there are no items");
  return [...result.items].map((item) =>
    item.form === "hole" ? [item.length] : [item.length, Buffer.from(item.hash).toString("hex")],
  );
}

testSeeds("files read back from the store, whichever thread took them in", 4, async (prng) => {
  using box = new TestBox({ suite: prng.pick(["aes-256-gcm", "plain"] as const) });
  const samples = randomSamples(prng, box, prng.int(1, 100));
  const store = box.open();
  const results = await ingestAll(
    store,
    samples.map(({ file }) => file),
    prng.pick([0, 1, 2]),
  );
  samples.forEach(({ bytes, file }, index) => {
    const result = results[index];
    assert.deepEqual(Buffer.from(readBack(store, result)), Buffer.from(bytes));
    assert(result !== undefined && !("error" in result));
    assert.equal(result.size, bytes.length);
    assert.equal(result.unstable, false);
    assert.deepEqual(result.stat, lstat(file.path));
  });
  assert.deepEqual(await Array.fromAsync(store.check({ readData: true })), []);
  assert.deepEqual(readdirSync(store.temporaryFolder), []);
});

testSeeds("workers, this thread and hashing alone find the same chunks", 2, async (prng) => {
  using box = new TestBox();
  const files = randomSamples(prng, box, 150).map(({ file }) => file);
  const store = box.open();
  const all: unknown[] = [];
  for (const options of [
    { workers: 0, hashOnly: true },
    { workers: 2, hashOnly: true },
    { workers: 2 },
    { workers: 0 },
  ]) {
    await using ingest = store.openIngest(options);
    const parts = [files.slice(0, 50), files.slice(50, 149), files.slice(149)];
    const results = await Promise.all(parts.map((part) => ingest.ingest(part)));
    await ingest.finish();
    all.push(results.flat().map(itemsOf));
    if (options.hashOnly) assert.deepEqual(store.packs(), []);
  }
  for (const other of all.slice(1)) assert.deepEqual(other, all[0]);
  const stored = store.packs().reduce((sum, { objects }) => sum + objects, 0);
  const distinct = new Set((all[0] as unknown[][][]).flat().map((item) => JSON.stringify(item)));
  assert.equal(stored, distinct.size, "each chunk is stored once");
});

test("a large file goes through in pieces, and an edit in it stores little", async () => {
  using box = new TestBox({ chunk: { min: 16_384, avg: 65_536, max: 262_144 } });
  const store = box.open();
  const bytes = Buffer.alloc(20_000_000);
  for (let at = 0; at < bytes.length; at += 4) bytes.writeUInt32LE(Math.imul(at ^ (at >>> 9), 0x9e3779b1) >>> 0, at);
  let seen = 0;
  await using ingest = store.openIngest({ workers: 1, onBytes: (count) => (seen += count) });
  const [first] = await ingest.ingest([box.file("large", bytes)]);
  await ingest.finish();
  assert.equal(seen, bytes.length);
  assert(readBack(store, first).every((byte, at) => byte === bytes[at]));
  const before = store.packs().reduce((sum, { size }) => sum + size, 0);
  const edited = Buffer.concat([bytes.subarray(0, 9_000_000), Buffer.from("!"), bytes.subarray(9_000_000)]);
  const [second] = await ingestAll(store, [box.file("edited", edited)], 1);
  assert.equal(readBack(store, second).length, edited.length);
  const added = store.packs().reduce((sum, { size }) => sum + size, 0) - before;
  assert(added < 1_000_000, `${added} bytes`);
});

/** Goal: this thread and a worker share the work, in pieces, and nothing is mixed up. Method: files larger than a piece, beside small ones. */
testSeeds("large files that several threads take in at once come back whole", 1, async (prng) => {
  using box = new TestBox({ suite: "plain", chunk: { min: 16_384, avg: 65_536, max: 262_144 } });
  const store = box.open();
  const contents = Array.from({ length: 8 }, (_, index) => {
    const bytes = Buffer.alloc(index % 2 === 0 ? 9_000_000 + index : 3000, prng.bytes(1 + prng.int(40_000, 90_000)));
    bytes.writeUInt32LE(index, prng.int(0, 2000));
    return bytes;
  });
  const files = contents.map((bytes, index) => box.file(`f${index}`, bytes));
  await using ingest = store.openIngest({ workers: 2 });
  const results = (await Promise.all(files.map((file) => ingest.ingest([file])))).flat();
  await ingest.finish();
  for (const [index, bytes] of contents.entries()) assert(bytes.equals(readBack(store, results[index])));
  assert.deepEqual(readdirSync(store.temporaryFolder), []);
});

test("an abort in the middle of large files leaves nothing behind", async () => {
  using box = new TestBox();
  const store = box.open();
  const files = Array.from({ length: 6 }, (_, index) =>
    box.file(`f${index}`, Buffer.alloc(12_000_000, `${index} file`)),
  );
  const controller = new AbortController();
  await using ingest = store.openIngest({
    workers: 2,
    signal: controller.signal,
    onBytes: () => controller.abort(),
  });
  await assert.rejects(Promise.all(files.map((file) => ingest.ingest([file]))), (error) => isKind(error, "aborted"));
  await ingest.abort();
  assert.deepEqual(readdirSync(store.temporaryFolder), []);
});

test("holes stay holes", async () => {
  using box = new TestBox();
  const store = box.open();
  const path = join(box.top, "sparse");
  const fd = openSync(path, "w");
  ftruncateSync(fd, 50_000_000);
  writeSync(fd, Buffer.alloc(5000, 1), 0, 5000, 10_000_000);
  writeSync(fd, Buffer.alloc(5000, 2), 0, 5000, 30_000_000);
  closeSync(fd);
  const { size, blocks } = statSync(path);
  const [result] = await ingestAll(store, [{ path: Buffer.from(path), size, blocks }]);
  assert(result !== undefined && !("error" in result));
  const items = [...result.items];
  const forms = items.map(({ form }) => form);
  assert.equal(forms[0], "hole");
  assert.equal(forms.at(-1), "hole");
  assert.equal(forms.filter((form) => form === "hole").length, 3);
  assert.equal(result.size, 50_000_000);
  const back = readBack(store, result);
  assert.equal(back[10_000_000], 1);
  assert.equal(back[30_004_999], 2);
  assert(store.packs().every((pack) => pack.size < 100_000));
});

test("what cannot be read is a failure of that file alone", async () => {
  using box = new TestBox();
  const store = box.open();
  const good = box.file("good", "good");
  const at = (name: string): IngestFile => ({ path: Buffer.from(join(box.top, name)), size: 1, blocks: 1 });
  mkdirSync(join(box.top, "folder"));
  symlinkSync("good", join(box.top, "link"));
  const kinds = (await ingestAll(store, [at("missing"), good, at("folder"), at("link"), good])).map((result) =>
    "error" in result ? result.error.kind : "fine",
  );
  assert.deepEqual(kinds, ["not-found", "fine", "stale", "invalid", "fine"]);
});

/** Goal: no mixture of two states passes for one. Method: change the file from the callback that tells of its bytes. */
test("a file that changes while it is read is read again, and called unstable in the end", async () => {
  using box = new TestBox();
  const store = box.open();
  const file = box.file("changing", "first");
  const path = Buffer.from(file.path).toString();
  for (const [changes, unstable] of [
    [1, false],
    [2, false],
    [99, true],
  ] as const) {
    let left: number = changes;
    await using ingest = store.openIngest({
      workers: 0,
      onBytes() {
        if (left-- > 0) appendFileSync(path, "more");
      },
    });
    const [result] = await ingest.ingest([file]);
    await ingest.finish();
    assert(result !== undefined && !("error" in result));
    assert.equal(result.unstable, unstable);
    if (!unstable) assert.equal(result.size, statSync(path).size);
  }
  let touched = false;
  await using ingest = store.openIngest({
    workers: 0,
    onBytes() {
      if (!touched) utimesSync(path, 1, 1);
      touched = true;
    },
  });
  const [result] = await ingest.ingest([file]);
  assert(result !== undefined && !("error" in result) && !result.unstable && result.stat.mtimeNs === 1_000_000_000n);
});

test("an abort leaves nothing behind and fails what is under way", async () => {
  using box = new TestBox();
  const store = box.open();
  const files = Array.from({ length: 200 }, (_, index) => box.file(`f${index}`, utf8(`${index} `.repeat(5000))));
  for (const workers of [0, 2]) {
    const controller = new AbortController();
    await using ingest = store.openIngest({ workers, signal: controller.signal });
    const first = ingest.ingest(files.slice(0, 100));
    if (workers === 0) await first;
    controller.abort();
    const second = ingest.ingest(files.slice(100));
    await assert.rejects(Promise.all([first, second]), (error) => isKind(error, "aborted"));
    await ingest.abort();
    assert.deepEqual(readdirSync(store.temporaryFolder), []);
  }
  assert.deepEqual(await Array.fromAsync(store.check({ readData: true })), []);
});

test("a store that cannot be written fails the run, in this thread and in workers", async () => {
  using box = new TestBox();
  const store = box.open();
  const files = Array.from({ length: 100 }, (_, index) => box.file(`f${index}`, utf8(`${index} `.repeat(5000))));
  rmSync(store.temporaryFolder, { recursive: true });
  for (const workers of [0, 2]) {
    await using ingest = store.openIngest({ workers });
    await assert.rejects(
      async () => {
        await ingest.ingest(files);
        await ingest.finish();
      },
      (error) => isKind(error, "not-found"),
    );
  }
});

test("callers that ask for room are never given more than the workers can take", async () => {
  using box = new TestBox();
  const store = box.open();
  const files = Array.from({ length: 64 }, (_, index) => box.file(`f${index}`, utf8(`${index} `.repeat(500))));
  await using ingest = store.openIngest({ workers: 2 });
  const all: Promise<IngestResult[]>[] = [];
  for (let times = 0; times < 30; times += 1) {
    await ingest.whenRoom();
    all.push(ingest.ingest(files));
  }
  assert.equal((await Promise.all(all)).flat().length, 64 * 30);
  await ingest.finish();
  assert.equal(
    store.packs().reduce((sum, { objects }) => sum + objects, 0),
    new Set((await all[0])?.flatMap((result) => itemsOf(result)).map(String)).size,
  );
});
