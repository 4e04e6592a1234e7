import assert from "node:assert/strict";
import {
  chmodSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, test } from "node:test";
import { TestWorld } from "../../test/support/app-world.ts";
import { isKind } from "../base/errors.ts";
import { type FolderWriter, posixWriter } from "../workdir/mod.ts";
import { Box, cloneBox } from "./mod.ts";

const world = new TestWorld(mkdtempSync(join(tmpdir(), "ouro-absent-")));
after(() => rmSync(world.folder, { recursive: true }));

let count = 0;

/** A folder whose disk does not take names that begin with "refused", until it does. */
class Picky {
  refuses = true;
  refusesUnlink = false;
  readonly writer: FolderWriter = {
    ...posixWriter,
    makeDirectory: (directory, name) => {
      this.#check(name);
      posixWriter.makeDirectory(directory, name);
    },
    createFile: (directory, name, mode) => {
      this.#check(name);
      return posixWriter.createFile(directory, name, mode);
    },
    makeSymlink: (directory, name, target) => {
      this.#check(name);
      posixWriter.makeSymlink(directory, name, target);
    },
    rename: (fromDirectory, from, directory, name) => {
      this.#check(name);
      posixWriter.rename(fromDirectory, from, directory, name);
    },
    unlink: (directory, name) => {
      if (this.refusesUnlink) this.#check(name);
      posixWriter.unlink(directory, name);
    },
  };

  #check(name: Uint8Array): void {
    if (this.refuses && Buffer.from(name).toString().startsWith("refused"))
      throw Object.assign(new Error("EACCES: permission denied"), { code: "EACCES" });
  }
}

interface Pair extends AsyncDisposable {
  readonly a: Box;
  readonly pathA: string;
  readonly pathB: string;
  readonly remote: string;
  readonly picky: Picky;
  /** Commits all in the first folder and pushes it. */
  pushAll(): Promise<void>;
  /** The second folder's box, after a clone. */
  clone(): Promise<Box>;
}

async function pair(): Promise<Pair> {
  count += 1;
  const [pathA, pathB, remote] = ["a", "b", "remote"].map((name) => join(world.folder, `${name}${count}`)) as [
    string,
    string,
    string,
  ];
  const a = await Box.init(pathA, world.initOptions, world.context());
  await a.addRemote("origin", remote);
  const picky = new Picky();
  let b: Box | undefined;
  return {
    a,
    pathA,
    pathB,
    remote,
    picky,
    async pushAll(): Promise<void> {
      await a.commit({ message: "all", all: true });
      await a.push();
    },
    async clone(): Promise<Box> {
      const context = world.context({ folderWriter: picky.writer });
      await cloneBox(remote, pathB, { bare: false }, context);
      b = await Box.open(pathB, context);
      return b;
    },
    async [Symbol.asyncDispose](): Promise<void> {
      await a[Symbol.asyncDispose]();
      await b?.[Symbol.asyncDispose]();
    },
  };
}

async function absentIn(box: Box): Promise<string[]> {
  return (await box.status()).absent.map((path) => Buffer.from(path).toString());
}

async function changesIn(box: Box): Promise<string[]> {
  return (await box.status()).changes
    .filter(({ what }) => !(what.size === 1 && what.has("mtime")))
    .map(({ type, path }) => `${type} ${Buffer.from(path)}`);
}

test("what a clone could not make is shown as absent, stays in every commit, and comes with a restore", async () => {
  await using two = await pair();
  const { a, pathA, pathB, picky } = two;
  mkdirSync(join(pathA, "refused-folder/deep"), { recursive: true });
  writeFileSync(join(pathA, "refused-folder/deep/file"), "deep\n");
  mkdirSync(join(pathA, "d"));
  for (const name of ["d/refused", "d/taken", "refused-file"]) writeFileSync(join(pathA, name), `${name}\n`);
  await two.pushAll();
  const b = await two.clone();
  const absent = ["d/refused", "refused-file", "refused-folder"];
  assert.deepEqual(await absentIn(b), absent);
  assert.deepEqual(await changesIn(b), []);
  assert.equal(world.said.filter((line) => line.includes("refused-folder")).length, 1, "a folder is told of once");

  writeFileSync(join(pathB, "d/taken"), "changed\n");
  rmSync(join(pathB, "d/taken"));
  writeFileSync(join(pathB, "d/new"), "new\n");
  await b.commit({ message: "beside them", all: true });
  assert.deepEqual(await absentIn(b), absent);
  await b.push();
  await a.pull();
  for (const name of ["d/refused", "refused-file", "refused-folder/deep/file"])
    assert(existsSync(join(pathA, name)), name);

  picky.refuses = false;
  const source = b.head()?.commit as Uint8Array;
  await b.restore({ source, paths: [Buffer.from("d")], dryRun: false });
  assert.deepEqual(await absentIn(b), ["refused-file", "refused-folder"]);
  await b.restore({ source, paths: [], dryRun: false });
  assert.equal(readFileSync(join(pathB, "refused-folder/deep/file"), "utf8"), "deep\n");
  assert.equal(readFileSync(join(pathB, "d/refused"), "utf8"), "d/refused\n");
  assert.deepEqual(await absentIn(b), []);
  assert.deepEqual(await changesIn(b), []);
});

test("a file that a pull could not replace is absent afterwards, and no edit", async () => {
  await using two = await pair();
  const { a, pathA, pathB, picky } = two;
  for (const name of ["refused", "taken"]) writeFileSync(join(pathA, name), "first\n");
  await two.pushAll();
  picky.refuses = false;
  const b = await two.clone();
  for (const name of ["refused", "taken"]) writeFileSync(join(pathA, name), "second\n");
  await two.pushAll();
  picky.refuses = true;
  const { partial, moved } = await b.pull();
  assert(partial);
  assert.deepEqual(moved, a.head()?.commit);
  assert(!existsSync(join(pathB, "refused")));
  assert.deepEqual(await absentIn(b), ["refused"]);
  assert.deepEqual(await changesIn(b), []);
  assert.equal((await b.commit({ message: "nothing", all: true })).id, undefined);

  picky.refuses = false;
  writeFileSync(join(pathA, "taken"), "third\n");
  await two.pushAll();
  await b.pull();
  assert.equal(readFileSync(join(pathB, "refused"), "utf8"), "second\n", "the next move brings it");
  assert.deepEqual(await absentIn(b), []);
});

test("a pull that can neither replace a file nor take it away ends, and goes on when it can", async () => {
  await using two = await pair();
  const { a, pathA, pathB, picky } = two;
  writeFileSync(join(pathA, "refused"), "first\n");
  await two.pushAll();
  picky.refuses = false;
  const b = await two.clone();
  writeFileSync(join(pathA, "refused"), "second\n");
  await two.pushAll();
  const before = b.head();
  picky.refuses = true;
  picky.refusesUnlink = true;
  await assert.rejects(b.pull(), (error) => isKind(error, "permission") && error.subject === "refused");
  assert.deepEqual(b.head(), before);
  assert.equal(readFileSync(join(pathB, "refused"), "utf8"), "first\n");
  picky.refuses = false;
  await b.pull();
  assert.deepEqual(b.head()?.commit, a.head()?.commit);
  assert.equal(readFileSync(join(pathB, "refused"), "utf8"), "second\n");
});

test("a directory that could not be moved to its new name is back where it was, with all that is in it", async () => {
  await using two = await pair();
  const { pathA, pathB } = two;
  mkdirSync(join(pathA, "d"));
  writeFileSync(join(pathA, ".ouroboxignore"), "*.tmp\n");
  writeFileSync(join(pathA, "d/file"), "file\n");
  await two.pushAll();
  const b = await two.clone();
  writeFileSync(join(pathB, "d/mine.tmp"), "ignored\n");
  renameSync(join(pathA, "d"), join(pathA, "refused-d"));
  await two.pushAll();
  assert((await b.pull()).partial);
  assert.equal(readFileSync(join(pathB, "d/mine.tmp"), "utf8"), "ignored\n");
  assert.deepEqual(await absentIn(b), ["refused-d"]);
});

test("what was made where something is absent is an edit of it", async () => {
  await using two = await pair();
  const { a, pathA, pathB } = two;
  writeFileSync(join(pathA, "refused"), "first\n");
  await two.pushAll();
  const b = await two.clone();
  writeFileSync(join(pathB, "refused"), "mine\n");
  assert.deepEqual(await changesIn(b), ["change refused"]);
  assert.deepEqual(await absentIn(b), []);
  await b.commit({ message: "mine", all: true });
  await b.push();
  await a.pull();
  assert.equal(readFileSync(join(pathA, "refused"), "utf8"), "mine\n");
});

test("names are removed from a directory that may not be written to", async () => {
  await using two = await pair();
  const { pathA, pathB, picky } = two;
  mkdirSync(join(pathA, "d"));
  for (const name of ["d/one", "d/two"]) writeFileSync(join(pathA, name), "x\n");
  chmodSync(join(pathA, "d"), 0o555);
  await two.pushAll();
  picky.refuses = false;
  const plain = picky.writer.unlink;
  // As for an ordinary user.
  Object.assign(picky.writer, {
    unlink(directory: number, name: Uint8Array): void {
      if ((posixWriter.stat(directory).mode & 0o200) === 0)
        throw Object.assign(new Error("EACCES: permission denied"), { code: "EACCES" });
      plain(directory, name);
    },
  });
  const b = await two.clone();
  chmodSync(join(pathA, "d"), 0o755);
  rmSync(join(pathA, "d/one"));
  chmodSync(join(pathA, "d"), 0o555);
  await two.pushAll();
  const { partial } = await b.pull();
  assert(!partial);
  assert(!existsSync(join(pathB, "d/one")));
  assert.equal(statSync(join(pathB, "d")).mode & 0o777, 0o555);
});
