/** In a live filesystem everything keeps the number it is known by, whatever becomes real around it: who is in a directory stays there. */
import assert from "node:assert/strict";
import { existsSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, test } from "node:test";
import { setTimeout as delay } from "node:timers/promises";
import { TestWorld } from "../../test/support/app-world.ts";
import { UnrealPair } from "../../test/support/unreal-pair.ts";
import { type Answer, type Caller, type Filesystem, rootInode } from "../vfs/mod.ts";
import { openLiveFilesystem } from "./live-filesystem.ts";
import { Box } from "./mod.ts";

const world = new TestWorld(mkdtempSync(join(tmpdir(), "ouro-live-numbers-")));
after(() => rmSync(world.folder, { recursive: true }));
const caller: Caller = {
  uid: process.getuid?.() ?? 0,
  gid: process.getgid?.() ?? 0,
  pid: 0,
  signal: AbortSignal.abort(),
};
const directory = { mode: 0o755, umask: 0 };

/** Someone who has found names, and forgets them in the end. */
class Visitor {
  readonly #filesystem: Filesystem;
  readonly #lookups: number[] = [];

  constructor(filesystem: Filesystem) {
    this.#filesystem = filesystem;
  }

  /** @returns The number; undefined where there is no such name. */
  async find(parent: number, name: string): Promise<number | undefined> {
    const found = await this.#filesystem.lookup(parent, Buffer.from(name), caller);
    if (found !== undefined) this.#lookups.push(found.attributes.inode);
    return found?.attributes.inode;
  }

  async at(parent: number, name: string): Promise<number> {
    const inode = await this.find(parent, name);
    assert.ok(inode !== undefined, name);
    return inode;
  }

  async makeDirectory(parent: number, name: string): Promise<void> {
    this.#lookups.push((await this.#filesystem.mkdir(parent, Buffer.from(name), directory, caller)).attributes.inode);
  }

  leave(): void {
    for (const inode of this.#lookups) this.#filesystem.forget(inode, 1);
  }
}

async function visit(
  use: (visitor: Visitor, pair: UnrealPair, filesystem: Filesystem) => Promise<void>,
): Promise<void> {
  await using pair = await UnrealPair.make(world, { "a/b/f": "f\n", "a/b/g": "g\n", "a/h": "h\n" });
  await using live = openLiveFilesystem(pair.b, { settle: async () => {}, onChange: () => {}, directory: "/mnt" });
  const visitor = new Visitor(live.filesystem);
  await use(visitor, pair, live.filesystem);
  visitor.leave();
  assert.ok(live.folder.held.inodes <= 2, `${live.folder.held.inodes} inodes are live`);
}

for (const [what, change] of [
  ["a new directory below", (visitor: Visitor, b: number) => visitor.makeDirectory(b, "new")],
  [
    "a file below that is changed",
    async (visitor: Visitor, b: number, filesystem: Filesystem) => {
      await filesystem.setattr(await visitor.at(b, "g"), { mode: 0o600 }, caller);
    },
  ],
] as const)
  test(`live numbers: ${what} makes directories real, which stay what they are to who knows them`, async () => {
    await visit(async (visitor, { pathB }, filesystem) => {
      const a = await visitor.at(rootInode, "a");
      const b = await visitor.at(a, "b");
      const f = await visitor.at(b, "f");
      await change(visitor, b, filesystem);
      assert.ok(existsSync(join(pathB, "a/b")));
      assert.equal(await visitor.find(rootInode, "a"), a);
      assert.equal(await visitor.find(a, "b"), b);
      assert.equal(await visitor.find(b, "f"), f);
      assert.equal(await visitor.find(b, ".."), a);
    });
  });

/** As another process does it. */
async function realizeBeside({ pathB }: UnrealPair, path: string): Promise<void> {
  await using other = await Box.open(pathB, world.context());
  await other.realize([Buffer.from(path)]);
}

test("live numbers: who is in an unreal directory finds there what is made real beside the mount", async () => {
  await visit(async (visitor, pair) => {
    const a = await visitor.at(rootInode, "a");
    const b = await visitor.at(a, "b");
    await realizeBeside(pair, "a/b/f");
    assert.ok(existsSync(join(pair.pathB, "a/b/f")));
    for (const name of ["f", "g"]) await visitor.at(b, name);
    assert.equal(await visitor.find(a, "b"), b);
    assert.equal(await visitor.find(rootInode, "a"), a);
    await visitor.makeDirectory(b, "new");
    assert.ok(existsSync(join(pair.pathB, "a/b/new")));
    await visitor.at(b, "new");
  });
});

test("live numbers: a directory that was renamed has what is unreal in it, though a commit does not know of that yet", async () => {
  await visit(async (visitor, { pathB }, filesystem) => {
    const a = await visitor.at(rootInode, "a");
    const b = await visitor.at(a, "b");
    const from = { parent: a, name: Buffer.from("b") };
    await filesystem.rename(from, { parent: rootInode, name: Buffer.from("moved") }, "replace", caller);
    writeFileSync(join(pathB, "picked"), "picked");
    {
      await using other = await Box.open(pathB, world.context());
      await other.add([Buffer.from("picked")]);
      await other.commit({ message: "picked", all: false });
    }
    await delay(10);
    await visitor.at(b, "f");
    assert.equal(await visitor.find(rootInode, "moved"), b);
    assert.throws(() => filesystem.rmdir(rootInode, Buffer.from("moved"), caller), { code: "ENOTEMPTY" });
  });
});

test("live numbers: a directory moved out of a renamed one has what is unreal in it, though a commit has only the first rename", async () => {
  await visit(async (visitor, { b: box, pathB }, filesystem) => {
    const a = await visitor.at(rootInode, "a");
    const b = await visitor.at(a, "b");
    const rename = (parent: number, from: string, to: string): Answer<void> =>
      filesystem.rename(
        { parent, name: Buffer.from(from) },
        { parent: rootInode, name: Buffer.from(to) },
        "replace",
        caller,
      );
    await rename(rootInode, "a", "x");
    // The mount does not notice the commit before the second rename.
    const { version } = box.state;
    Object.defineProperty(box.state, "version", { value: version, configurable: true });
    {
      await using other = await Box.open(pathB, world.context());
      await other.commit({ message: "a is x", all: true });
    }
    await rename(a, "b", "moved");
    Reflect.deleteProperty(box.state, "version");
    await delay(10);
    await visitor.at(b, "f");
    assert.equal(await visitor.find(rootInode, "moved"), b);
    await visitor.at(b, "g");
  });
});
