/** What has cost people their files elsewhere, done on purpose to two machines that share a remote. */
import assert from "node:assert/strict";
import { cpSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, test } from "node:test";
import { compareTrees } from "../../scripts/compare-trees.ts";
import { Box, cloneBox } from "../../src/app/mod.ts";
import { isKind } from "../../src/base/errors.ts";
import { TestWorld } from "../support/app-world.ts";
import { requireOwnIds } from "../support/own-ids.ts";

const top = mkdtempSync(join(tmpdir(), "ouro-disaster-"));
after(() => rmSync(top, { recursive: true }));

const request = { force: false, message: "" };
let count = 0;

/** A machine of its own: a home with a key, and a folder. */
class Machine {
  readonly world: TestWorld;
  readonly folder: string;

  constructor(home: string) {
    mkdirSync(home, { recursive: true });
    this.world = new TestWorld(home);
    this.folder = join(home, "box");
  }

  async in<T>(body: (box: Box) => Promise<T>): Promise<T> {
    await using box = await Box.open(this.folder, this.world.context());
    return await body(box);
  }

  async sync(): Promise<void> {
    await this.in((box) => box.sync([], request));
  }
}

/** Two machines with the same twelve files. */
async function pair(): Promise<{ a: Machine; b: Machine; place: string }> {
  count += 1;
  const place = join(top, String(count));
  const [a, b] = [new Machine(join(place, "a")), new Machine(join(place, "b"))];
  await (await Box.init(a.folder, a.world.initOptions, a.world.context()))[Symbol.asyncDispose]();
  mkdirSync(join(a.folder, "docs"));
  for (let file = 0; file < 12; file += 1) writeFileSync(join(a.folder, `docs/file ${file}`), `${file}\n`);
  await a.in((box) => box.addRemote("origin", join(place, "remote")));
  await a.sync();
  await cloneBox(join(place, "remote"), b.folder, { bare: false }, b.world.context());
  return { a, b, place };
}

/** Syncs until both have seen all, and holds that both have the same. */
async function settle(a: Machine, b: Machine): Promise<void> {
  for (let round = 0; round < 3; round += 1) {
    await a.sync();
    await b.sync();
  }
  assert.deepEqual(compareTrees(a.folder, b.folder).differences, []);
  await a.in(async (box) => requireOwnIds(box));
}

test("a folder that another box is fed from, and that is not mounted this time, deletes nothing", async () => {
  const { a, b, place } = await pair();
  const source = join(place, "source");
  mkdirSync(source);
  writeFileSync(join(source, "photo"), "light\n");
  const fed = new Machine(join(place, "fed"));
  await (await Box.init(fed.folder, { ...fed.world.initOptions, bare: true }, fed.world.context()))[
    Symbol.asyncDispose
  ]();
  const commit = (): Promise<unknown> => fed.in((box) => box.commit({ message: "", all: true, from: source }));
  await commit();
  // What a mount leaves behind when it is gone: an empty directory that is another one.
  renameSync(source, `${source} on its disk`);
  mkdirSync(source);
  await assert.rejects(commit(), (thrown) => isKind(thrown, "stale"));
  rmSync(source, { recursive: true });
  await assert.rejects(commit(), (thrown) => isKind(thrown, "not-found"));
  renameSync(`${source} on its disk`, source);
  await commit();
  await settle(a, b);
});

test("a folder that is gone with its box is no box, and the other machine keeps all", async () => {
  const { a, b } = await pair();
  renameSync(a.folder, `${a.folder} on its disk`);
  await assert.rejects(a.sync(), (thrown) => isKind(thrown, "no-box"));
  mkdirSync(a.folder);
  await assert.rejects(a.sync(), (thrown) => isKind(thrown, "no-box"));
  await b.sync();
  assert.equal(readdirSync(join(b.folder, "docs")).length, 12);
  rmSync(a.folder, { recursive: true });
  renameSync(`${a.folder} on its disk`, a.folder);
  await settle(a, b);
  assert.equal(readdirSync(join(a.folder, "docs")).length, 12);
});

test("a name that changes in its case alone is a rename, on both machines at once too", async () => {
  const { a, b } = await pair();
  renameSync(join(a.folder, "docs/file 1"), join(a.folder, "docs/File 1"));
  await a.sync();
  await b.sync();
  assert(readdirSync(join(b.folder, "docs")).includes("File 1"));
  assert(!readdirSync(join(b.folder, "docs")).includes("file 1"));
  // A directory on one side, what is in it on the other.
  renameSync(join(a.folder, "docs"), join(a.folder, "Docs"));
  renameSync(join(b.folder, "docs/File 1"), join(b.folder, "docs/FILE 1"));
  writeFileSync(join(b.folder, "docs/file 2"), "edited\n");
  await settle(a, b);
  const names = readdirSync(join(a.folder, "Docs")).sort();
  assert.equal(names.length, 12);
  assert.equal(names[0], "FILE 1");
  assert.equal(readFileSync(join(a.folder, "Docs/file 2"), "utf8"), "edited\n");
  assert(!readdirSync(a.folder).includes("docs"));
});

test("the image of a machine that runs twice is two writers, and what both do is joined", async () => {
  const { a, b, place } = await pair();
  writeFileSync(join(a.folder, "before"), "of the image\n");
  await a.in((box) => box.commit({ message: "", all: true }));
  cpSync(join(place, "a"), join(place, "copy"), { recursive: true, preserveTimestamps: true });
  const copy = new Machine(join(place, "copy"));
  // Both go on from the same state, at the same place as far as each can tell, with the same key.
  for (const [machine, text] of [
    [a, "of the machine\n"],
    [copy, "of its image\n"],
  ] as const) {
    writeFileSync(join(machine.folder, "before"), text);
    writeFileSync(join(machine.folder, `new ${text.trim()}`), text);
    await machine.in((box) => box.commit({ message: "", all: true }));
  }
  await settle(a, copy);
  await settle(b, copy);
  await settle(a, b);
  for (const name of ["new of the machine", "new of its image", "before"])
    assert(readdirSync(b.folder).includes(name), name);
  const conflicts = await b.in(async (box) => box.conflicts([]).map(({ values }) => values.length));
  assert.deepEqual(conflicts, [2], "both values of the file that both wrote are there");
});

test("an old backup of .ourobox beside today's files gives out nothing twice", async () => {
  const { a, b, place } = await pair();
  cpSync(join(a.folder, ".ourobox"), join(place, "backup"), { recursive: true, preserveTimestamps: true });
  writeFileSync(join(a.folder, "since"), "the backup\n");
  rmSync(join(a.folder, "docs/file 3"));
  await a.sync();
  await b.sync();
  for (const name of readdirSync(join(a.folder, ".ourobox")))
    rmSync(join(a.folder, ".ourobox", name), { recursive: true });
  cpSync(join(place, "backup"), join(a.folder, ".ourobox"), { recursive: true, preserveTimestamps: true });
  writeFileSync(join(a.folder, "since"), "edited after the restore\n");
  writeFileSync(join(b.folder, "docs/file 4"), "edited on b\n");
  await settle(a, b);
  assert(
    a.world.said.some((line) => line.includes("new writer id")),
    a.world.said.join("\n"),
  );
  assert.equal(readFileSync(join(a.folder, "docs/file 4"), "utf8"), "edited on b\n");
  assert(!readdirSync(join(b.folder, "docs")).includes("file 3"));
});
