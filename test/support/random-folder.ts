/** Random changes to a real folder, as people and programs make them, and whether a tree says what is in a folder. */
import assert from "node:assert/strict";
import {
  appendFileSync,
  chmodSync,
  existsSync,
  linkSync,
  lstatSync,
  lutimesSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  renameSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";
import { lstat } from "../../src/base/posix.ts";
import type { Prng } from "../../src/base/prng.ts";
import { contentItems, dotKey, type Entry, kinds } from "../../src/format/mod.ts";
import type { TestFolder } from "./test-folder.ts";

/** Every path below, directories before what is in them. */
export function walkFolder(root: string, path = ""): string[] {
  return readdirSync(join(root, path))
    .sort()
    .flatMap((name) => {
      const inner = path === "" ? name : `${path}/${name}`;
      return [inner, ...(lstatSync(join(root, inner)).isDirectory() ? walkFolder(root, inner) : [])];
    });
}

export function freshPath(prng: Prng, root: string): string {
  const directories = ["", ...walkFolder(root).filter((path) => lstatSync(join(root, path)).isDirectory())];
  for (;;) {
    const path = join(prng.pick(directories), `${prng.pick(["a", "b", "c", "d"])}${prng.int(0, 30)}`);
    if (!existsSync(join(root, path)) && lstatSync(join(root, path), { throwIfNoEntry: false }) === undefined)
      return path;
  }
}

function writeRandom(prng: Prng, path: string): void {
  writeFileSync(path, prng.chance(0.1) ? "" : Buffer.from(prng.bytes(prng.int(1, prng.chance(0.2) ? 9000 : 60))));
}

/** One thing that people and programs do to a folder. */
export function changeFolder(prng: Prng, root: string): void {
  const all = walkFolder(root);
  const fresh = join(root, freshPath(prng, root));
  const kind = prng.int(0, 15);
  if (kind < 4 || all.length < 3) {
    if (prng.chance(0.3)) mkdirSync(fresh);
    else writeRandom(prng, fresh);
    return;
  }
  const path = join(root, prng.pick(all));
  const stat = lstatSync(path);
  const isFile = stat.isFile();
  if (kind <= 5 && isFile) writeRandom(prng, path);
  if (kind === 6 && isFile) appendFileSync(path, "more");
  if (kind === 7) lutimesSync(path, prng.int(0, 2_000_000_000), prng.int(0, 2_000_000_000));
  if (kind === 8 && !stat.isSymbolicLink()) chmodSync(path, prng.pick([0o700, 0o755, 0o1777]));
  if (kind >= 9 && kind <= 11 && !fresh.startsWith(`${path}/`)) renameSync(path, fresh);
  if (kind === 12) rmSync(path, { recursive: true });
  if (kind === 13) symlinkSync(prng.pick(["x", "../y", "/etc"]), fresh);
  if (kind === 14 && isFile) linkSync(path, fresh);
  if (kind === 15) replaceOrSwap(prng, path, join(root, prng.pick(all)));
}

/** Saved as editors do, or two things swapped. */
function replaceOrSwap(prng: Prng, path: string, other: string): void {
  const temporary = `${path}.tmp`;
  if (lstatSync(path).isFile() && prng.chance(0.5)) {
    writeRandom(prng, temporary);
    renameSync(temporary, path);
    return;
  }
  if (other === path || other.startsWith(`${path}/`) || path.startsWith(`${other}/`)) return;
  renameSync(path, temporary);
  renameSync(other, path);
  renameSync(temporary, other);
}

function contentOf(folder: TestFolder, entry: Entry): Buffer {
  const { value } = entry.data[0];
  if (value.kind !== kinds.file) throw new Error("not a file");
  const items = contentItems(value.content, (hash) => folder.store.getMeta(hash, "list"));
  return Buffer.concat(
    Array.from(items, (item) =>
      item.form === "hole" ? Buffer.alloc(item.length) : folder.store.getChunk(item.hash, item.length),
    ),
  );
}

/** The tree says exactly what is in the folder. */
export function compareFolder(folder: TestFolder, path: string): void {
  const entries = folder.entries();
  assert.deepEqual([...entries.keys()].sort(), ["", ...walkFolder(path)].sort());
  const groups = new Map<bigint, string>();
  for (const [name, entry] of entries) {
    const stat = lstat(join(path, name));
    assert.equal(entry.kind, kinds[stat.kind], name);
    assert.equal(entry.meta.mode, stat.mode, name);
    assert.equal(entry.mtimeNs, stat.mtimeNs, `mtime of ${name}`);
    const { value } = entry.data[0];
    if (value.kind === kinds.symlink)
      assert.equal(Buffer.from(value.target).toString(), readlinkSync(join(path, name)));
    if (value.kind !== kinds.file) continue;
    assert(contentOf(folder, entry).equals(readFileSync(join(path, name))), name);
    if (stat.nlink < 2) continue;
    assert(entry.meta.link !== undefined, `${name} is linked`);
    const group = groups.get(stat.inode) ?? dotKey(entry.meta.link);
    assert.equal(dotKey(entry.meta.link), group, `${name} is in the group of its file`);
    groups.set(stat.inode, group);
  }
  const ids = [...entries.values()].map(({ id }) => dotKey(id));
  assert.equal(new Set(ids).size, ids.length, "every id is there once");
}
