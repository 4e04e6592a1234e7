/** A folder that is changed while it is committed: whatever a commit catches, its tree has no node twice, and the next one has what is there. */
import assert from "node:assert/strict";
import { mkdirSync, readdirSync, readFileSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { Worker } from "node:worker_threads";
import { TestFolder } from "../../test/support/test-folder.ts";
import { dotKey } from "../format/mod.ts";
import { directoryOf, walkEntries } from "../history/mod.ts";

/** The nodes of the last commit's tree, by path. */
function nodesOf(folder: TestFolder): Map<string, string> {
  const root = folder.reader.root(folder.tree as Uint8Array);
  const directory = directoryOf(root);
  assert(directory !== undefined);
  const nodes = new Map<string, string>();
  for (const { path, entry } of walkEntries(folder.reader, directory, new Uint8Array()))
    nodes.set(Buffer.from(path).toString(), dotKey(entry.id));
  return nodes;
}

function requireOnce(folder: TestFolder): void {
  const nodes = nodesOf(folder);
  assert.equal(new Set(nodes.values()).size, nodes.size, JSON.stringify([...nodes], undefined, 1));
}

test("racing: a file that was put over a renamed one, and is gone when it is read, leaves one node", async () => {
  using folder = new TestFolder();
  for (const name of ["1", "2"]) writeFileSync(join(folder.path, name), `${name}\n`);
  await folder.commit();
  const before = nodesOf(folder);
  renameSync(join(folder.path, "1"), join(folder.path, "2"));
  writeFileSync(join(folder.path, "1"), "another\n");
  folder.beforeReading = () => rmSync(join(folder.path, "1"), { force: true });
  await folder.commit();
  assert.deepEqual([...nodesOf(folder)], [["2", before.get("1")]]);
  await folder.commit();
  assert.deepEqual([...nodesOf(folder)], [["2", before.get("1")]]);
});

const renamer = `
  const fs = require("node:fs"), { workerData } = require("node:worker_threads");
  let seed = 1;
  const below = (n) => { seed = (Math.imul(seed, 1103515245) + 12345) >>> 0; return (seed >>> 8) % n; };
  const path = () => workerData + "/" + below(3) + "/" + below(8);
  for (;;) try {
    const kind = below(8);
    if (kind === 0) fs.writeFileSync(path(), "text " + seed);
    else if (kind === 1) fs.unlinkSync(path());
    else if (kind === 2) fs.renameSync(workerData + "/" + below(3), workerData + "/" + below(3));
    else if (kind === 3) fs.mkdirSync(workerData + "/" + below(3));
    else fs.renameSync(path(), path());
  } catch {}`;

test("racing: while files and folders are renamed all the time, no commit has a node twice", async () => {
  using folder = new TestFolder({ nowMs: Date.now });
  for (const at of [0, 1, 2]) {
    mkdirSync(join(folder.path, `${at}`));
    for (let file = 0; file < 8; file += 1) writeFileSync(join(folder.path, `${at}/${file}`), `${at} ${file}\n`);
  }
  await folder.commit();
  const worker = new Worker(renamer, { eval: true, workerData: folder.path });
  try {
    for (let commits = 0; commits < 150; commits += 1) {
      await folder.commit();
      requireOnce(folder);
    }
  } finally {
    await worker.terminate();
  }
  await folder.commit();
  const there = readdirSync(folder.path, { recursive: true, encoding: "utf8" }).filter((name) => name !== ".ourobox");
  assert.deepEqual([...nodesOf(folder).keys()].sort(), there.sort());
  assert(there.every((name) => !/\/\d$/.test(name) || readFileSync(join(folder.path, name)).length > 0));
});
