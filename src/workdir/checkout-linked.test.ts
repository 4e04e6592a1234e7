import assert from "node:assert/strict";
import { linkSync, statSync, utimesSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { TestFolder } from "../../test/support/test-folder.ts";
import { equalDots } from "../format/mod.ts";
import { editTree, State } from "../history/mod.ts";

test("when one name of a linked file gets another time than the others, the others keep theirs", async () => {
  using folder = new TestFolder();
  using state = State.open(":memory:");
  for (const name of ["one", "two"]) {
    if (name === "one") writeFileSync(join(folder.path, name), "the same\n");
    else linkSync(join(folder.path, "one"), join(folder.path, name));
  }
  utimesSync(join(folder.path, "one"), 1e9, 1e9);
  await folder.commit();
  const from = folder.tree;
  assert(from !== undefined);
  const copy = join(folder.place, "copy");
  await folder.checkout(copy, from, { state });
  assert.equal(statSync(join(copy, "one")).ino, statSync(join(copy, "two")).ino);

  // As a join may leave it: both in one group, one of them touched.
  const entry = folder.entry("two");
  assert(entry.meta.link !== undefined && equalDots(entry.meta.link, folder.entry("one").meta.link ?? entry.id));
  using sink = folder.store.openMetaWriter();
  const touched = { ...entry, mtimeDot: { clock: 50n, writer: 9n, counter: 0 }, mtimeNs: 1_500_000_000_000_000_000n };
  const to = editTree(folder.reader, sink, from, [{ path: Buffer.from("two"), entry: touched }]);
  sink.finish();
  await folder.checkout(copy, to, { state, from });
  assert.equal(statSync(join(copy, "one")).mtimeMs, 1e12);
  assert.equal(statSync(join(copy, "two")).mtimeMs, 1.5e12);
  folder.tree = to;
  assert.deepEqual(await folder.statusLines(undefined, { path: copy, state }), []);
});
