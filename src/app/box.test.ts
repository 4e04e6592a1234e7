import assert from "node:assert/strict";
import { cpSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, test } from "node:test";
import { TestWorld } from "../../test/support/app-world.ts";
import { Box, cloneBox } from "./mod.ts";

const world = new TestWorld(mkdtempSync(join(tmpdir(), "ouro-app-")));
after(() => rmSync(world.folder, { recursive: true }));

let count = 0;

/** Two folders of one box, the second a clone of what the first has pushed. */
async function twoFolders(): Promise<{ a: Box; b: Box; pathA: string; pathB: string }> {
  count += 1;
  const [pathA, pathB, remote] = ["a", "b", "remote"].map((name) => join(world.folder, `${name}${count}`)) as [
    string,
    string,
    string,
  ];
  const a = await Box.init(pathA, world.initOptions, world.context());
  mkdirSync(join(pathA, "d"));
  for (const name of ["one", "two", "d/three"]) writeFileSync(join(pathA, name), `first ${name}\n`);
  await a.commit({ message: "first", all: true });
  await a.addRemote("origin", remote);
  await a.push();
  await cloneBox(remote, pathB, { bare: false }, world.context());
  return { a, b: await Box.open(pathB, world.context()), pathA, pathB };
}

test("a pull goes on beside uncommitted changes that it does not touch", async () => {
  const { a, b, pathA, pathB } = await twoFolders();
  writeFileSync(join(pathA, "d/three"), "second\n");
  writeFileSync(join(pathA, "d/four"), "new\n");
  await a.commit({ message: "second", all: true });
  await a.push();
  writeFileSync(join(pathB, "two"), "mine\n");
  writeFileSync(join(pathB, "d/mine"), "mine\n");
  const { moved } = await b.pull();
  assert.deepEqual(moved, a.head()?.commit);
  assert.equal(readFileSync(join(pathB, "d/three"), "utf8"), "second\n");
  assert.equal(readFileSync(join(pathB, "d/four"), "utf8"), "new\n");
  assert.equal(readFileSync(join(pathB, "two"), "utf8"), "mine\n");
  const { changes } = await b.status();
  assert.deepEqual(
    changes
      .filter(({ what }) => !what.has("mtime") || what.has("content"))
      .map(({ type, path }) => `${type} ${Buffer.from(path)}`),
    ["add d/mine", "change two"],
  );
});

test("a pull commits what is changed here and in its way, and then joins it", async () => {
  const { a, b, pathA, pathB } = await twoFolders();
  for (const name of ["one", "two"]) writeFileSync(join(pathA, name), "second\n");
  await a.commit({ message: "second", all: true });
  await a.push();
  writeFileSync(join(pathB, "two"), "mine\n");
  const { saved, moved } = await b.pull();
  assert(saved !== undefined && moved !== undefined);
  assert.equal(readFileSync(join(pathB, "one"), "utf8"), "second\n");
  assert.equal(readFileSync(join(pathB, "two"), "utf8"), "mine\n");
  const [conflict] = b.conflicts([]);
  assert.equal(Buffer.from(conflict?.path ?? []).toString(), "two");
});

test("heads that have gone apart are joined by the same commit wherever it is done", async () => {
  const { a, b, pathA, pathB } = await twoFolders();
  for (const [box, path] of [
    [a, pathA],
    [b, pathB],
  ] as const) {
    writeFileSync(join(path, path === pathA ? "one" : "two"), `of ${path}\n`);
    await box.commit({ message: "apart", all: true });
  }
  await a.push();
  await b.push();
  await a.pull();
  await b.pull();
  assert.deepEqual(a.head()?.commit, b.head()?.commit);
  for (const path of [pathA, pathB]) {
    assert.equal(readFileSync(join(path, "one"), "utf8"), `of ${pathA}\n`);
    assert.equal(readFileSync(join(path, "two"), "utf8"), `of ${pathB}\n`);
  }
});

test("a commit that is made while a pull looks for its goal is not lost", async () => {
  const { a, pathA, pathB } = await twoFolders();
  writeFileSync(join(pathA, "one"), "second\n");
  await a.commit({ message: "second", all: true });
  await a.push();
  let committed: Promise<{ readonly id?: Uint8Array }> | undefined;
  const context = world.context();
  const progress = {
    ...context.progress,
    done(): void {
      committed ??= box.commit({ message: "meanwhile", all: true });
    },
  };
  writeFileSync(join(pathB, "two"), "mine\n");
  await using box = await Box.open(pathB, { ...context, progress });
  await box.pull();
  const { id } = (await committed) ?? {};
  assert(id !== undefined);
  const ids = [...box.log({ paths: [], withChanges: false })].map((commit) => Buffer.from(commit.id).toString("hex"));
  assert(ids.includes(Buffer.from(id).toString("hex")), "the head has what was committed meanwhile");
  assert.equal(readFileSync(join(pathB, "one"), "utf8"), "second\n");
  assert.equal(readFileSync(join(pathB, "two"), "utf8"), "mine\n");
});

test("a box whose state.sqlite is lost goes on from the file of its head", async () => {
  const { a, pathA } = await twoFolders();
  const head = a.head()?.commit;
  await a.tag("v1", head as Uint8Array, { force: false });
  await a[Symbol.asyncDispose]();
  for (const ending of ["", "-wal", "-shm"]) rmSync(join(pathA, `.ourobox/state.sqlite${ending}`), { force: true });
  await using again = await Box.open(pathA, world.context());
  assert.deepEqual(again.head()?.commit, head);
  assert.deepEqual(
    again.tags().map(({ name }) => name),
    ["v1"],
  );
  assert.deepEqual((await again.status()).changes, []);
});

test("a copied box takes a new writer id", async () => {
  const { a, pathA } = await twoFolders();
  const { writer } = a.writer();
  const path = join(pathA, ".ourobox/writer");
  const text = readFileSync(path, "utf8");
  await a[Symbol.asyncDispose]();
  const copy = `${pathA}-copy`;
  cpSync(pathA, copy, { recursive: true });
  assert.equal(readFileSync(join(copy, ".ourobox/writer"), "utf8"), text);
  await using box = await Box.open(copy, world.context());
  writeFileSync(join(copy, "one"), "in the copy\n");
  const { id } = await box.commit({ message: "in the copy", all: true });
  assert.notEqual(id, undefined);
  assert.notEqual(box.writer().writer, writer);
});

test("a pull that was killed half-way is ended before anything is committed", async () => {
  const { a, b, pathA, pathB } = await twoFolders();
  for (const name of ["one", "two", "d/three"]) writeFileSync(join(pathA, name), `second ${name}\n`);
  rmSync(join(pathA, "two"));
  await a.commit({ message: "second", all: true });
  await a.push();
  const { packs } = await b.fetch();
  assert.ok(packs > 0);
  // What a kill leaves: the folder is on its way, and some of it is there.
  b.state.setValue("moving", a.head()?.commit);
  writeFileSync(join(pathB, "one"), "second one\n");
  rmSync(join(pathB, "two"));
  const { id } = await b.commit({ message: "not half a move", all: true });
  assert.equal(id, undefined);
  assert.deepEqual(b.head()?.commit, a.head()?.commit);
  assert.equal(readFileSync(join(pathB, "d/three"), "utf8"), "second d/three\n");
  assert.deepEqual((await b.status()).changes, []);
});
