import assert from "node:assert/strict";
import { test } from "node:test";
import { ingestAll, readBack, TestBox } from "../../test/support/test-box.ts";
import { utf8 } from "../base/bytes.ts";
import type { Disk } from "../base/disk.ts";
import { isKind } from "../base/errors.ts";
import { nodeDisk } from "../base/node-disk.ts";
import type { Hash } from "../format/mod.ts";
import type { IngestResult } from "./ingest-batch.ts";
import type { Store } from "./store.ts";

/** The real disk, of which one operation fails, or it and all that follow. */
function failingDisk(
  at: number,
  code: string,
  options: { readonly forEver: boolean },
): { disk: Disk; count: () => number } {
  let count = 0;
  const wrap =
    <A extends unknown[], R>(name: string, operation: (...args: A) => R) =>
    (...args: A): R => {
      count += 1;
      if (count === at || (options.forEver && count > at)) {
        throw Object.assign(new Error(`${code}: made up, ${name}`), { code });
      }
      return operation(...args);
    };
  const entries = Object.entries(nodeDisk).map(([name, operation]) =>
    // Closing always works: a process that has ended has closed everything.
    name === "close" ? [name, operation] : [name, wrap(name, operation as (...args: unknown[]) => unknown)],
  );
  return { disk: Object.fromEntries(entries) as Disk, count: () => count };
}

const contents = ["one ".repeat(4000), "two ".repeat(4000), "three ".repeat(100), "four"].map(utf8);

/** Some commits and a gc; what each step has promised when it is over. */
async function work(box: TestBox, disk: Disk, promised: { results: IngestResult[]; trees: Hash[] }): Promise<void> {
  using store: Store = box.open({ disk });
  for (const [index, bytes] of contents.entries()) {
    const [result] = await ingestAll(store, [box.file(`f${index}`, bytes)]);
    promised.results.push(result as IngestResult);
    using writer = store.openMetaWriter();
    const tree = writer.put("tree", bytes);
    writer.finish();
    promised.trees.push(tree);
    store.endWriting();
  }
  await store.gc({ isLiveChunk: () => true, isLiveMeta: () => true, remark: () => undefined });
}

async function verify(box: TestBox, promised: { results: IngestResult[]; trees: Hash[] }): Promise<void> {
  using store = box.open();
  promised.results.forEach((result, index) => {
    assert.deepEqual(Buffer.from(readBack(store, result)), Buffer.from(contents[index] as Uint8Array));
  });
  promised.trees.forEach((tree, index) => {
    assert.deepEqual(Buffer.from(store.getMeta(tree, "tree")), Buffer.from(contents[index] as Uint8Array));
  });
  assert.deepEqual(await Array.fromAsync(store.check({ readData: true })), []);
}

/**
 * Goal: no failure of the disk, at no moment, loses what a finished step has promised or leaves a box that does not open.
 * Method: fail the 1st, 2nd, … operation, once or from then on, until a run meets none; open again with a good disk.
 */
for (const [code, forEver] of [
  ["EIO", false],
  ["ENOSPC", true],
] as const) {
  test(`every operation of the disk may fail with ${code}, ${forEver ? "and all after it" : "once"}`, async () => {
    let failures = 0;
    for (let at = 1; ; at += 1) {
      using box = new TestBox();
      const promised = { results: [], trees: [] };
      const { disk, count } = failingDisk(at, code, { forEver });
      try {
        await work(box, disk, promised);
      } catch (error) {
        if (!isKind(error)) throw error;
        failures += 1;
      }
      await verify(box, promised);
      if (count() < at) break;
    }
    assert(failures > 50, `${failures} failures`);
  });
}
