/** Everything in a live mount keeps its inode number: over remounts, and when it becomes real or unreal by whatever way. No two things have the same one. */
import assert from "node:assert/strict";
import { linkSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, test } from "node:test";
import { TestWorld } from "../../test/support/app-world.ts";
import type { FsClient } from "../../test/support/fs-client.ts";
import { DirectClient } from "../../test/support/fs-client-direct.ts";
import { testSeeds } from "../../test/support/seeds.ts";
import { UnrealPair } from "../../test/support/unreal-pair.ts";
import type { Prng } from "../base/prng.ts";
import { type Caller, type Filesystem, rootInode } from "../vfs/mod.ts";
import { openLiveFilesystem } from "./live-filesystem.ts";
import { Box } from "./mod.ts";

const world = new TestWorld(mkdtempSync(join(tmpdir(), "ouro-kept-numbers-")));
after(() => rmSync(world.folder, { recursive: true }));
const caller: Caller = { uid: 0, gid: 0, pid: 0, signal: new AbortController().signal };
const files = { a: "a\n", "d/one": "one\n", "d/two": "two\n", "d/deep/three": "three\n", "e/four": "four\n" };

/** "inode.generation" of everything, by path. Nothing is known of it to the filesystem afterwards. */
async function numbersIn(filesystem: Filesystem): Promise<Map<string, string>> {
  const found = new Map<string, string>();
  const walk = async (inode: number, above: string): Promise<void> => {
    const names: Uint8Array[] = [];
    const give = ({ name }: { readonly name: Uint8Array }): boolean => names.push(new Uint8Array(name)) > 0;
    await filesystem.readdir(inode, 0, { after: 0, plus: false, give }, caller);
    for (const name of names.slice(2)) {
      const { attributes } = (await filesystem.lookup(inode, name, caller)) ?? assert.fail();
      const path = `${above}${Buffer.from(name)}`;
      found.set(path, `${attributes.inode}.${attributes.generation}`);
      if (attributes.kind === "directory") await walk(attributes.inode, `${path}/`);
      filesystem.forget(attributes.inode, 1);
    }
  };
  await walk(rootInode, "");
  return found;
}

/** An unreal clone and its mount, which comes and goes. */
class Mounted implements AsyncDisposable {
  readonly pair: UnrealPair;
  readonly beside: Box;
  live: ReturnType<typeof openLiveFilesystem>;

  private constructor(pair: UnrealPair, beside: Box) {
    this.pair = pair;
    this.beside = beside;
    this.live = this.#open();
  }

  static async make(): Promise<Mounted> {
    const pair = await UnrealPair.make(world, files);
    linkSync(join(pair.pathA, "e/four"), join(pair.pathA, "link"));
    await pair.pushA();
    await pair.b.pull();
    return new Mounted(pair, await Box.open(pair.pathB, world.context()));
  }

  get client(): FsClient {
    return new DirectClient(this.live.filesystem);
  }

  numbers(): Promise<Map<string, string>> {
    return numbersIn(this.live.filesystem);
  }

  #open(): ReturnType<typeof openLiveFilesystem> {
    return openLiveFilesystem(this.pair.b, { settle: () => this.commit(), onChange: () => {}, directory: "/mnt" });
  }

  /** With the commit that a mount's end makes. */
  async remount(): Promise<void> {
    await this.commit();
    await this.live[Symbol.asyncDispose]();
    this.live = this.#open();
  }

  /** A path, and all other names of files at or below it. */
  async namesOf(path: string): Promise<Uint8Array[]> {
    const all = await this.numbers();
    const isBelow = (each: string): boolean => each === path || each.startsWith(`${path}/`);
    const below = new Set([...all].flatMap(([each, number]) => (isBelow(each) ? [number] : [])));
    const names = [...all].flatMap(([each, number]) => (below.has(number) && !isBelow(each) ? [each] : []));
    return [path, ...names].map((each) => Buffer.from(each));
  }

  async commit(): Promise<void> {
    this.live.flush();
    await this.beside.commit({ message: "on the way", all: true });
    await this.beside.push();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.live[Symbol.asyncDispose]();
    await this.beside[Symbol.asyncDispose]();
    await this.pair[Symbol.asyncDispose]();
  }
}

const becoming: Readonly<Record<string, (mounted: Mounted) => Promise<unknown>>> = {
  "a file is changed": ({ client }) => client.chmod("d/one", 0o600),
  "a file is emptied": ({ client }) => client.truncate("d/one", 0),
  "a file of two names is changed": ({ client }) => client.chmod("link", 0o600),
  "something is made in a directory": ({ client }) => client.mkdir("d/deep/new"),
  "a directory is renamed": ({ client }) => client.chmod("d", 0o700),
  "something is realized beside it": ({ beside }) => beside.realize([Buffer.from("d")]),
  "something is restored beside it": ({ beside }) => {
    const source = beside.head()?.commit as Uint8Array;
    return beside.restore({ source, paths: ["d/deep", "e", "link"].map((path) => Buffer.from(path)), dryRun: false });
  },
};

for (const [what, become] of Object.entries(becoming))
  test(`kept numbers: when ${what}, it has its number, and after a remount`, async () => {
    await using mounted = await Mounted.make();
    const before = await mounted.numbers();
    await become(mounted);
    for (const where of ["at once", "after a remount"]) {
      const now = await mounted.numbers();
      for (const [path, number] of before) assert.equal(now.get(path), number, `${path} ${where}`);
      await mounted.remount();
    }
  });

test("kept numbers: what was made here, and is made unreal, has its number, though a new file has its inode", async () => {
  await using mounted = await Mounted.make();
  const { client, beside, pair } = mounted;
  for (let index = 0; index < 10; index += 1) await client.mkdir(`new${index}`);
  for (let index = 0; index < 10; index += 1) writeFileSync(join(pair.pathB, `new${index}/file`), `${index}\n`);
  await mounted.commit();
  const before = await mounted.numbers();
  await beside.unrealize(Array.from({ length: 10 }, (_, index) => Buffer.from(`new${index}`)));
  mkdirSync(join(pair.pathB, "others"));
  for (let index = 0; index < 50; index += 1) writeFileSync(join(pair.pathB, `others/${index}`), "");
  for (let round = 0; round < 2; round += 1) {
    const now = await mounted.numbers();
    for (const [path, number] of before) assert.equal(now.get(path), number, path);
    assert.equal(new Set(now.values()).size, now.size - 1, "only the linked file has its number twice");
    await mounted.remount();
  }
});

type Act = (mounted: Mounted, path: string, other: string) => Promise<unknown>;

/** By what becomes of the numbers: "same" where everything stays under its name. */
const acts: readonly (readonly [name: string, effect: "same" | "rename" | "link" | "any", act: Act])[] = [
  ["chmod", "same", ({ client }, path) => client.chmod(path, 0o700)],
  ["empty", "same", ({ client }, path) => client.truncate(path, 0)],
  ["new file", "same", ({ client }, path) => client.mknod(`${path}/new`, { kind: "file", mode: 0o644 })],
  ["new directory", "same", ({ client }, path) => client.mkdir(`${path}/made`)],
  ["unlink", "any", ({ client }, path) => client.unlink(path)],
  ["rmdir", "any", ({ client }, path) => client.rmdir(path)],
  ["rename", "rename", ({ client }, path, other) => client.rename(path, `${other}-moved`, "no-replace")],
  ["link", "link", ({ client }, path, other) => client.link(path, `${other}-linked`)],
  ["realize", "same", async (mounted, path) => mounted.beside.realize(await mounted.namesOf(path))],
  ["unrealize", "same", async (mounted, path) => mounted.beside.unrealize(await mounted.namesOf(path))],
  ["commit", "same", (mounted) => mounted.commit()],
  ["remount", "same", (mounted) => mounted.remount()],
];

/** What is expected after an act: a name that moved has the number it had. */
function expected(
  before: ReadonlyMap<string, string>,
  effect: string,
  path: string,
  other: string,
): Map<string, string> {
  const to = `${other}-moved`;
  const isBelow = (each: string): boolean => each === path || each.startsWith(`${path}/`);
  return new Map(
    [...before].map(([each, number]) => [
      effect === "rename" && isBelow(each) ? `${to}${each.slice(path.length)}` : each,
      number,
    ]),
  );
}

testSeeds(
  "kept numbers: whatever is done, all that stays has its number, and no two things one",
  8,
  async (prng: Prng) => {
    await using mounted = await Mounted.make();
    const done: string[] = [];
    let before = await mounted.numbers();
    for (let step = 0; step < 40; step += 1) {
      const paths = [...before.keys()];
      const [name, effect, act] = prng.pick(acts);
      const [path, other] = [prng.pick(paths), prng.pick(paths)];
      done.push(`${name} ${path} ${other}`);
      let isDone = true;
      try {
        await act(mounted, path, other);
      } catch (thrown) {
        if (!(thrown instanceof Error) || !("code" in thrown || "kind" in thrown)) throw thrown;
        isDone = false;
      }
      const now = await mounted.numbers();
      const told = done.join("\n");
      for (const [each, number] of isDone ? expected(before, effect, path, other) : before)
        if (now.has(each)) assert.equal(now.get(each), number, `${each} after\n${told}`);
        else assert.ok(["any", "rename"].includes(effect), `${each} is gone after\n${told}`);
      const byNumber = Map.groupBy(now, ([, number]) => number.split(".")[0]);
      for (const [number, group] of byNumber) {
        if (group.length === 1) continue;
        const [[first] = [""], ...others] = group;
        const one = await mounted.client.stat(first);
        assert.ok(one.nlink >= 2 && one.kind === "file", `${number} is ${group.map(([each]) => each)} after\n${told}`);
        for (const [each] of others) assert.deepEqual(await mounted.client.stat(each), one, told);
      }
      before = now;
    }
  },
);
