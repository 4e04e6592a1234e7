/**
 * A live mount's filesystem over a box whose content is elsewhere: whatever a program does there has the outcome that it has in a plain folder with all files in
 * it, and a commit has what the folder would have.
 */
import assert from "node:assert/strict";
import {
  linkSync,
  lutimesSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  renameSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, test } from "node:test";
import { TestWorld } from "../../test/support/app-world.ts";
import { type FsClient, readAll, writeAll } from "../../test/support/fs-client.ts";
import { DirectClient } from "../../test/support/fs-client-direct.ts";
import { KernelClient } from "../../test/support/fs-client-kernel.ts";
import { testSeeds } from "../../test/support/seeds.ts";
import { changesIn, namesIn, UnrealPair } from "../../test/support/unreal-pair.ts";
import type { Prng } from "../base/prng.ts";
import { dotKey } from "../format/mod.ts";
import { Box } from "./box.ts";
import { openLiveFilesystem } from "./live-filesystem.ts";

const world = new TestWorld(mkdtempSync(join(tmpdir(), "ouro-live-")));
after(() => rmSync(world.folder, { recursive: true }));
process.umask(0o022);

const oldSeconds = 1_000_000_000;
const some = {
  a: "a\n",
  "d/one": "one\n",
  "d/two": "two\n",
  "d/deep/three": "three\n",
  "e/four": "four\n",
  "e/f/five": "5\n",
};

class LivePair implements AsyncDisposable {
  readonly pair: UnrealPair;
  /** As another process would have it. */
  readonly committer: Box;
  readonly live: ReturnType<typeof openLiveFilesystem>;
  /** How often a commit was due. */
  changes = 0;
  /** Of the box. */
  readonly client: FsClient;
  /** Of a folder with the same files, all of them there. */
  readonly plain: FsClient;

  private constructor(pair: UnrealPair, committer: Box, plain: string) {
    this.pair = pair;
    this.committer = committer;
    const onChange = (): void => {
      this.changes += 1;
    };
    this.live = openLiveFilesystem(pair.b, { settle: () => this.commit(), onChange, directory: "/mnt" });
    this.client = new DirectClient(this.live.filesystem);
    this.plain = new KernelClient(plain, 0);
  }

  static async make(files: Record<string, string>): Promise<LivePair> {
    const pair = await UnrealPair.make(world, files);
    const plain = mkdtempSync(join(world.folder, "plain-"));
    const made = new LivePair(pair, await Box.open(pair.pathB, world.context()), plain);
    for (const [path, content] of Object.entries(files)) {
      mkdirSync(join(plain, path, ".."), { recursive: true });
      await writeAll(made.plain, path, content);
    }
    for (const folder of [plain, pair.pathA]) {
      linkSync(join(folder, "a"), join(folder, "e/two"));
      linkSync(join(folder, "d/two"), join(folder, "d/new"));
      symlinkSync("nowhere", join(folder, "d/link"));
      mkdirSync(join(folder, "e/deep"));
      makeOld(folder);
    }
    await pair.pushA();
    await pair.b.pull();
    return made;
  }

  async commit(): Promise<void> {
    this.live.flush();
    await this.committer.commit({ message: "on the way", all: true });
    const ids = [...idsIn(this.committer)];
    assert.equal(new Set(ids).size, ids.length, "a tree has a node twice");
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.live[Symbol.asyncDispose]();
    await this.committer[Symbol.asyncDispose]();
    await this.pair[Symbol.asyncDispose]();
  }
}

/** Of all nodes in the head's tree. */
function* idsIn(box: Box): Generator<string> {
  const head = box.head()?.commit as Uint8Array;
  for (const { entry } of box.list(head, new Uint8Array(), { recursive: true })) yield dotKey(entry.id);
}

/** Gives all below a folder one time. */
function makeOld(folder: string): void {
  for (const name of readdirSync(folder, { recursive: true, encoding: "utf8" }))
    if (!name.startsWith(".ourobox")) lutimesSync(join(folder, name), oldSeconds, oldSeconds);
}

/** Everything that is seen: names, kinds, modes, whether it was changed, content. */
async function seen(client: FsClient, directory = ""): Promise<Record<string, string>> {
  const all: Record<string, string> = {};
  for (const name of (await client.readdir(directory)).sort()) {
    const path = directory === "" ? name : `${directory}/${name}`;
    const { kind, mode, mtimeNs } = await client.stat(path);
    const isOld = mtimeNs === BigInt(oldSeconds) * 1_000_000_000n;
    all[path] = `${kind} ${mode.toString(8)}${isOld ? " old" : ""}`;
    if (kind === "directory") Object.assign(all, await seen(client, path));
    if (kind === "file") all[path] += ` ${await readAll(client, path)}`;
    if (kind === "symlink") all[path] += ` ${await client.readlink(path)}`;
  }
  return all;
}

test("live filesystem: all names and bytes of an unreal box are there, and nothing comes into the folder", async () => {
  await using both = await LivePair.make(some);
  assert.deepEqual(await seen(both.client), await seen(both.plain));
  assert.deepEqual(await changesIn(both.pair.b), []);
});

interface Kept {
  readonly fd: number;
  readonly isWriter: boolean;
}

test("live filesystem: what others push one after the other is there when it is pulled", async () => {
  await using both = await LivePair.make(some);
  const { pair, client } = both;
  for (const name of ["first", "second", "third"]) {
    writeFileSync(join(pair.pathA, name), `${name}\n`);
    await pair.pushA();
    await both.committer.pull();
    assert.equal((await readAll(client, name)).toString(), `${name}\n`);
  }
});

test("live filesystem: what is deleted in a renamed directory stays deleted, whatever a commit has seen of it", async () => {
  await using both = await LivePair.make(some);
  const { client, pair } = both;
  await client.rename("d", "moved");
  await client.unlink("moved/one");
  await client.unlink("moved/deep/three");
  // It began before the deletions were noted.
  await both.committer.commit({ message: "too early", all: true });
  assert.deepEqual((await client.readdir("moved")).sort(), ["deep", "link", "new", "two"]);
  assert.deepEqual(await client.readdir("moved/deep"), []);
  await both.commit();
  assert.deepEqual(
    namesIn(pair.b).filter((name) => name.startsWith("moved/")),
    ["moved/new", "moved/two"],
  );
});

test("live filesystem: of a directory that was made here, and is deleted in the folder, what is unreal is still there", async () => {
  await using both = await LivePair.make(some);
  const { client, pair } = both;
  for (const made of ["one", "deep/three"]) {
    await client.chmod(`d/${made}`, 0o600);
    rmSync(join(pair.pathB, "d"), { recursive: true });
    assert.equal((await client.readdir("d")).includes("two"), true);
    await assert.rejects(client.stat(`d/${made}`), { code: "ENOENT" });
    assert.equal((await readAll(client, "d/two")).toString(), "two\n");
  }
  await both.commit();
  assert.deepEqual((await client.readdir("d")).sort(), ["link", "new", "two"]);
  assert.deepEqual(
    namesIn(pair.b).filter((name) => name.startsWith("d/")),
    ["d/new", "d/two"],
  );
});

test("live filesystem: a directory that was made here, and is moved in the folder, is there with all that is in it", async () => {
  await using both = await LivePair.make(some);
  const { client, pair } = both;
  await client.chmod("d/one", 0o600);
  renameSync(join(pair.pathB, "d"), join(pair.pathB, "moved"));
  await assert.rejects(client.readdir("d"), { code: "ENOENT" });
  assert.deepEqual((await client.readdir("moved")).sort(), ["deep", "link", "new", "one", "two"]);
  assert.deepEqual((await client.readdir("")).sort(), ["a", "e", "moved"]);
  await both.commit();
  assert.deepEqual((await client.readdir("moved")).sort(), ["deep", "link", "new", "one", "two"]);
});

test("live filesystem: where a directory of which a part is in the folder is deleted or moved there, a commit is due, once", async () => {
  await using both = await LivePair.make(some);
  const { client, pair } = both;
  await both.committer.realize([Buffer.from("d/one"), Buffer.from("e/four")]);
  assert.equal(both.changes, 0);
  renameSync(join(pair.pathB, "d"), join(pair.pathB, "moved"));
  rmSync(join(pair.pathB, "e"), { recursive: true });
  for (let times = 0; times < 3; times += 1) await client.readdir("");
  assert.equal(both.changes, 2);
  await both.commit();
  assert.deepEqual((await client.readdir("")).sort(), ["a", "e", "moved"]);
  assert.deepEqual((await client.readdir("moved")).sort(), ["deep", "link", "new", "one", "two"]);
  assert.deepEqual((await client.readdir("e")).sort(), ["deep", "f", "two"]);
  assert.equal(both.changes, 2);
  // It is in the folder again, and once more not.
  await writeAll(client, "e/again", "again");
  const before = both.changes;
  await both.commit();
  rmSync(join(pair.pathB, "e"), { recursive: true });
  await client.readdir("");
  assert.equal(both.changes, before + 1);
});

type Act = (client: FsClient, kept: Kept[]) => Promise<unknown>;

/** What one did: its answer or an errno. Which of two paths is looked at first is the kernel's to say: of those only that it failed. */
async function outcome(client: FsClient, { act, paths }: ReturnType<typeof anyAct>, kept: Kept[]): Promise<string> {
  try {
    const done = await act(client, kept);
    return done === undefined ? "" : String(done);
  } catch (thrown) {
    const { code } = thrown as { code?: string };
    if (code === undefined) throw thrown;
    return paths === 1 ? code : "failed";
  }
}

const names = ["a", "d", "e", "f", "one", "two", "deep", "new"];

function anyPath(prng: Prng): string {
  const depth = prng.int(1, 3);
  return Array.from({ length: depth }, () => prng.pick(names)).join("/");
}

function anyAct(prng: Prng): { readonly act: Act; readonly text: string; readonly paths: number } {
  const [path, other] = [anyPath(prng), anyPath(prng)];
  const text = `text ${prng.int(0, 999)}\n`;
  const mode = 0o700 + prng.int(0, 7);
  const isWriter = prng.chance(0.5);
  const acts: Record<string, Act> = {
    write: (client) => writeAll(client, path, text),
    append: async (client) => {
      const fd = await client.open(path, { write: true });
      await client.write(fd, 2, Buffer.from(text));
      await client.close(fd);
    },
    unlink: (client) => client.unlink(path),
    rmdir: (client) => client.rmdir(path),
    mkdir: (client) => client.mkdir(path),
    rename: (client) => client.rename(path, other),
    "rename again": (client) => client.rename(path, other),
    exchange: (client) => client.rename(path, other, "exchange"),
    "no-replace": (client) => client.rename(path, other, "no-replace"),
    link: (client) => client.link(path, other),
    symlink: (client) => client.symlink(text, `${path}-link`),
    chmod: (client) => client.chmod(path, mode),
    truncate: (client) => client.truncate(path, 3),
    empty: (client) => client.truncate(path, 0),
    read: async (client) => (await readAll(client, path)).toString(),
    "open to keep": async (client, kept) => {
      if ((await client.stat(path)).kind !== "file") return;
      kept.push({ fd: await client.open(path, { read: true, write: isWriter }), isWriter });
    },
    "write what is kept": async (client, [kept]) => {
      if (kept?.isWriter === true) await client.write(kept.fd, 1, Buffer.from(text));
    },
    "cut what is kept": async (client, [kept]) => {
      if (kept?.isWriter === true) await client.truncateFile(kept.fd, 2);
    },
    "read what is kept": async (client, [kept]) => (kept === undefined ? "" : await client.read(kept.fd, 0, 100)),
    "close what is kept": async (client, kept) => {
      const closed = kept.shift();
      if (closed !== undefined) await client.close(closed.fd);
    },
  };
  const which = Object.keys(acts);
  const chosen = prng.pick(which);
  const act = acts[chosen] as Act;
  const paths = /rename|exchange|replace|link/.test(chosen) && chosen !== "unlink" ? 2 : 1;
  return { act, text: `${chosen} ${path} ${paths === 2 ? other : ""}`, paths };
}

testSeeds("live filesystem: random calls have the outcomes that they have in a plain folder", 10, async (prng) => {
  await using both = await LivePair.make(some);
  const done: string[] = [];
  const [keptHere, keptThere]: [Kept[], Kept[]] = [[], []];
  const compare = async (): Promise<void> =>
    assert.deepEqual(await seen(both.client), await seen(both.plain), done.join("\n"));
  for (let step = 0; step < 60; step += 1) {
    if (prng.chance(1 / 12)) {
      done.push("commit");
      await both.commit();
      await compare();
    }
    const chosen = anyAct(prng);
    done.push(chosen.text);
    const ours = await outcome(both.client, chosen, keptHere);
    const plain = await outcome(both.plain, chosen, keptThere);
    assert.equal(ours, plain, done.join("\n"));
    await compare();
  }
  for (const { fd } of keptHere) await both.client.close(fd);
  for (const { fd } of keptThere) await both.plain.close(fd);
  await both.commit();
  const there = Object.entries(await seen(both.plain)).flatMap(([path, what]) =>
    what.startsWith("file") ? [path] : [],
  );
  assert.deepEqual(namesIn(both.pair.b), there.sort(), done.join("\n"));
  await compare();
  assert.deepEqual(await changesIn(both.pair.b), [], done.join("\n"));
});
