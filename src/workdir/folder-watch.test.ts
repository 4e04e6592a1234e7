import assert from "node:assert/strict";
import { mkdirSync, mkdtempSync, renameSync, rmSync, utimesSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, test } from "node:test";
import { FolderWatch } from "./folder-watch.ts";

const top = mkdtempSync(join(tmpdir(), "ouro-watch-"));
after(() => rmSync(top, { recursive: true }));

let count = 0;

function makeFolder(): string {
  count += 1;
  const folder = join(top, String(count));
  mkdirSync(join(folder, "d/e"), { recursive: true });
  mkdirSync(join(folder, ".ourobox/packs"), { recursive: true });
  writeFileSync(join(folder, "d/e/file"), "1");
  return folder;
}

test("every kind of change is noticed once, at any depth", () => {
  const folder = makeFolder();
  using watch = new FolderWatch(folder);
  assert.equal(watch.poll(), false);
  const changes: Record<string, () => void> = {
    written: () => writeFileSync(join(folder, "d/e/file"), "2"),
    touched: () => utimesSync(join(folder, "d/e/file"), 1, 1),
    made: () => writeFileSync(join(folder, "d/new"), ""),
    renamed: () => renameSync(join(folder, "d/new"), join(folder, "new")),
    removed: () => rmSync(join(folder, "new")),
    "a rule": () => writeFileSync(join(folder, ".ouroboxignore"), "x"),
  };
  for (const [name, change] of Object.entries(changes)) {
    change();
    assert.equal(watch.poll(), true, name);
    assert.equal(watch.poll(), false, name);
  }
  assert(watch.isComplete);
});

test("new directories are watched, with what is in them already, and moved ones stay so", () => {
  const folder = makeFolder();
  using watch = new FolderWatch(folder);
  mkdirSync(join(top, "outside/deep/er"), { recursive: true });
  renameSync(join(top, "outside"), join(folder, "inside"));
  assert.equal(watch.poll(), true);
  writeFileSync(join(folder, "inside/deep/er/file"), "1");
  assert.equal(watch.poll(), true);
  renameSync(join(folder, "inside"), join(folder, "d/moved"));
  assert.equal(watch.poll(), true);
  writeFileSync(join(folder, "d/moved/deep/er/file"), "2");
  assert.equal(watch.poll(), true);
  rmSync(join(folder, "d"), { recursive: true });
  assert.equal(watch.poll(), true);
  watch.poll();
  assert.equal(watch.poll(), false);
});

test("what happens in the box's own folder is nothing", () => {
  const folder = makeFolder();
  using watch = new FolderWatch(folder);
  writeFileSync(join(folder, ".ourobox/packs/pack"), "1");
  mkdirSync(join(folder, ".ourobox.0123456789abcdef.tmp"));
  writeFileSync(join(folder, ".ourobox.0123456789abcdef.tmp/x"), "1");
  utimesSync(join(folder, ".ourobox"), 1, 1);
  assert.equal(watch.poll(), false);
});
