import assert from "node:assert/strict";
import { rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { smallSpill } from "../../test/support/small-spill.ts";
import { TestFolder } from "../../test/support/test-folder.ts";
import { State } from "../history/mod.ts";
import { ObservedRecords } from "./observed-records.ts";
import { recordFlags, ScanRow, ScanRowBuilder } from "./scan-row.ts";

function rowOf(names: readonly string[], ctime = 2): Uint8Array {
  const builder = new ScanRowBuilder(8, 1);
  for (const name of names) {
    const times = { mtimeNs: 1n, ctimeNs: BigInt(ctime), birth: 3, xattrs: 0, flags: 0 };
    builder.add({ name, mode: 0o100644, uid: 0, gid: 0, inode: 5n, size: 7, ...times });
  }
  return builder.finish();
}

test("rows that are taken in are all there, however many", () => {
  using aside = smallSpill();
  const records = new ObservedRecords(aside);
  const names: string[] = [];
  for (let row = 0; row < 30; row += 1) {
    const some = Array.from({ length: row * 7 }, (_, index) => `${row}-${index}`);
    records.putRow(rowOf(some));
    names.push(...some);
  }
  assert.deepEqual(
    records.takeRecords(10n).map(({ name }) => name),
    names.toSorted(),
  );
});

test("of a name that was seen twice the later counts, in a row as in records, and what is young is unsure", () => {
  using aside = smallSpill();
  const records = new ObservedRecords(aside);
  records.putRow(rowOf(["b", "a"], 5));
  records.putRow(rowOf(["a"], 50));
  const row = ScanRow.decode(records.takeRow(10n, (8n << 32n) | 1n));
  assert(row !== undefined);
  assert.deepEqual(
    [...row.starts].map((at) => [row.name(at), Number(row.ctimeNs(at)), row.flags(at)]),
    [
      ["a", 50, recordFlags.unsure],
      ["b", 5, 0],
    ],
  );
  assert.deepEqual([row.deviceMajor, row.deviceMinor], [8, 1]);
});

test("what is missing from a row of another kind is told, not taken for nothing", () => {
  assert.equal(ScanRow.decode(rowOf(["a"]).subarray(4)), undefined);
  using aside = smallSpill();
  const records = new ObservedRecords(aside);
  assert.throws(() => records.putRow(rowOf(["a"]).subarray(4)), TypeError);
});

test("of a large directory that was checked out every removal is seen", async () => {
  using folder = new TestFolder();
  using state = State.open(":memory:");
  for (let index = 0; index < 400; index += 1) writeFileSync(join(folder.path, `file ${index}`), `${index}\n`);
  await folder.commit();
  assert(folder.tree !== undefined);
  const copy = join(folder.place, "copy");
  await folder.checkout(copy, folder.tree, { state });
  assert.deepEqual(await folder.statusLines(undefined, { path: copy, state }), []);
  for (const index of [0, 7, 200, 399]) rmSync(join(copy, `file ${index}`));
  const lines = await folder.statusLines(undefined, { path: copy, state });
  assert.deepEqual(
    lines.filter((line) => line.startsWith("remove")),
    ["remove file 0", "remove file 200", "remove file 399", "remove file 7"],
  );
});
