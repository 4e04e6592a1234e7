/**
 * Large unreal files that are changed through the live mount, against plain files that are changed alike: the same bytes at each moment, whatever comes between (commits,
 * kills, renames, pulls), and no more of their content is brought than is around the changes.
 */
import assert from "node:assert/strict";
import { mkdirSync, mkdtempSync, readFileSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, test } from "node:test";
import { type FsClient, readAll, writeAll } from "../../test/support/fs-client.ts";
import { KernelClient } from "../../test/support/fs-client-kernel.ts";
import { testSeeds } from "../../test/support/seeds.ts";
import { SmallChunks, StagedPair, someBytes, writeTo } from "../../test/support/staged-pair.ts";
import { changesIn, filesIn, namesIn } from "../../test/support/unreal-pair.ts";
import { isKind } from "../base/errors.ts";
import type { Prng } from "../base/prng.ts";
import { kinds } from "../format/mod.ts";
import { Box } from "./box.ts";

const world = new SmallChunks(mkdtempSync(join(tmpdir(), "ouro-live-staged-")));
after(() => rmSync(world.folder, { recursive: true }));
process.umask(0o022);

test("live filesystem: a small write into a large unreal file brings a few chunks, the commit included, and the others stay", async () => {
  const size = 6_000_000;
  await using both = await StagedPair.make(world, { "d/big": someBytes(1, size) });
  const { client, pair } = both;
  const before = both.chunks("d/big");
  assert.equal(before.missing, before.all.size);
  await writeTo(client, "d/big", 3_000_000, someBytes(2, 4096));
  assert.equal((await client.stat("d/big")).size, size);
  assert.equal(both.chunks("d/big").missing, before.missing);
  assert.deepEqual(await changesIn(pair.b), ["change d/big"]);
  const { bytesAdded } = await both.commit();
  assert(bytesAdded < 100_000, `${bytesAdded}`);
  assert.deepEqual(await changesIn(pair.b), []);
  assert.deepEqual(filesIn(pair.pathB), {});
  const now = both.chunks("d/big");
  // A frame is fetched as a whole, and has neighbours in it.
  assert(before.all.size - now.missing < before.all.size / 2, `${now.missing} of ${before.all.size}`);
  assert(now.all.difference(before.all).size <= 4);
  assert.equal(both.stagedCount, 1);
  await client.stat("d/big");
  assert.equal(both.stagedCount, 0);
  await pair.b.push();
  await pair.a.pull();
  const there = readFileSync(join(pair.pathA, "d/big"));
  assert(there.equals(await readAll(client, "d/big")));
  assert(there.subarray(3_000_000, 3_004_096).equals(someBytes(2, 4096)));
});

test("live filesystem: what was written is there after a kill, for the next mount and for a commit without one", async () => {
  await using both = await StagedPair.make(world, { big: someBytes(1, 100_000), other: someBytes(2, 100_000) });
  await writeTo(both.client, "big", 5, Buffer.from("written"));
  await both.kill();
  assert.equal((await readAll(both.client, "big")).toString("latin1", 5, 12), "written");
  await writeTo(both.client, "other", 100_000, Buffer.from("more"));
  await both.unmount();
  assert.equal(both.stagedCount, 2);
  await both.committer.commit({ message: "by hand", all: true });
  assert.equal(both.stagedCount, 0);
  assert.deepEqual(await changesIn(both.pair.b), []);
  await both.mount();
  assert.equal((await readAll(both.client, "big")).toString("latin1", 5, 12), "written");
  assert.equal((await readAll(both.client, "other")).toString("latin1", 100_000), "more");
});

test("live filesystem: others' change of a file that was changed here is a conflict", async () => {
  await using both = await StagedPair.make(world, { "d/big": someBytes(1, 100_000) });
  const { client, pair } = both;
  await writeTo(client, "d/big", 5, Buffer.from("here"));
  writeFileSync(join(pair.pathA, "d/big"), "there\n");
  await pair.pushA();
  await both.committer.pull();
  const conflicts = pair.b.conflicts([]);
  assert.equal(conflicts.length, 1);
  const sizes = conflicts[0]?.values.map(({ value }) => (value.kind === kinds.file ? value.content.size : 0));
  assert.deepEqual(sizes?.sort(), [100_000, 6]);
});

test("live filesystem: a file that somebody puts into the folder meanwhile stays, and what was written comes beside", async () => {
  await using both = await StagedPair.make(world, { "d/big.bin": someBytes(1, 100_000) });
  const { client, pair } = both;
  await writeTo(client, "d/big.bin", 5, Buffer.from("here"));
  mkdirSync(join(pair.pathB, "d"));
  writeFileSync(join(pair.pathB, "d/big.bin"), "in the folder\n");
  await both.commit();
  const [beside = "", own] = namesIn(pair.b);
  assert.equal(own, "d/big.bin");
  assert.match(beside, /^d\/big \(.*\)\.bin$/);
  assert.equal(filesIn(pair.pathB)["d/big.bin"], "in the folder\n");
  assert.equal((await readAll(client, beside)).toString("latin1", 5, 9), "here");
  assert.deepEqual(await changesIn(pair.b), []);
});

test("live filesystem: a restore of a file that was changed commits what it was before", async () => {
  await using both = await StagedPair.make(world, { big: someBytes(1, 100_000) });
  const { client, pair, committer } = both;
  const source = committer.head()?.commit as Uint8Array;
  await writeTo(client, "big", 5, Buffer.from("here"));
  const { saved } = await committer.restore({ source, paths: [Buffer.from("big")], dryRun: false });
  assert(saved !== undefined);
  assert(readFileSync(join(pair.pathB, "big")).equals(someBytes(1, 100_000)));
  assert((await readAll(client, "big")).equals(someBytes(1, 100_000)));
});

test("live filesystem: on the way to another branch what was changed stays, and is not replaced", async () => {
  await using both = await StagedPair.make(world, { big: someBytes(1, 100_000), other: someBytes(2, 100_000) });
  const { client, pair, committer } = both;
  await committer.switch({ name: "side", create: committer.head()?.commit as Uint8Array });
  await writeTo(client, "big", 5, Buffer.from("side"));
  await both.commit();
  await writeTo(client, "other", 5, Buffer.from("here"));
  await committer.switch({ name: "main" });
  assert((await readAll(client, "big")).equals(someBytes(1, 100_000)));
  assert.equal((await readAll(client, "other")).toString("latin1", 5, 9), "here");
  assert.deepEqual(await changesIn(pair.b), ["change other"]);
  await writeTo(client, "big", 5, Buffer.from("main"));
  const there = committer.switch({ name: "side" });
  await assert.rejects(there, (error) => isKind(error, "diverged") && error.message.includes("big"));
  assert.equal((await readAll(client, "big")).toString("latin1", 5, 9), "main");
});

test("live filesystem: without the remote what was changed stays staged, and is committed when it is back", async () => {
  await using both = await StagedPair.make(world, { big: someBytes(1, 100_000) });
  const { client, pair } = both;
  await writeTo(client, "big", 50_000, Buffer.from("here"));
  renameSync(pair.remote, `${pair.remote}-away`);
  const away = await both.commit();
  assert(away.partial && away.id === undefined);
  assert.equal((await client.stat("big")).size, 100_000);
  assert.deepEqual(await changesIn(pair.b), ["change big"]);
  await assert.rejects(client.chmod("big", 0o600), { code: "EIO" });
  renameSync(`${pair.remote}-away`, pair.remote);
  // A remote that could not be reached is left alone for some seconds by who has tried.
  await using other = await Box.open(pair.pathB, world.context());
  assert((await other.commit({ message: "back", all: true })).id !== undefined);
  assert.deepEqual(await changesIn(pair.b), []);
  assert.equal((await readAll(client, "big")).toString("latin1", 50_000, 50_004), "here");
});

test("live filesystem: a file that is made real is what it was changed to", async () => {
  await using both = await StagedPair.make(world, { big: someBytes(1, 100_000) });
  const { client, pair, committer } = both;
  await writeTo(client, "big", 5, Buffer.from("here"));
  await committer.realize([Buffer.from("big")]);
  assert.equal(readFileSync(join(pair.pathB, "big")).toString("latin1", 5, 9), "here");
  assert.deepEqual(await changesIn(pair.b), []);
});

test("live filesystem: a large unreal file gets another name and mode without being brought, and without a remote", async () => {
  await using both = await StagedPair.make(world, { "d/big": someBytes(1, 100_000), "e/other": someBytes(2, 100_000) });
  const { client, pair } = both;
  renameSync(pair.remote, `${pair.remote}-away`);
  const { inode } = await client.stat("d/big");
  const fd = await client.open("d/big", { read: true });
  await client.rename("d/big", "e/moved");
  await client.chmod("e/moved", 0o640);
  assert.deepEqual(await client.readdir("d"), []);
  const { inode: still, mode } = await client.stat("e/moved");
  assert.deepEqual([still, mode], [inode, 0o640]);
  // Into a directory that no commit has seen, and over a name that none knows to be gone.
  await client.mkdir("new");
  await client.rename("e/moved", "new/big");
  await client.unlink("e/other");
  await client.rename("new/big", "e/other");
  await assert.rejects(client.stat("new/big"), { code: "ENOENT" });
  assert.deepEqual(filesIn(pair.pathB), {});
  assert.deepEqual(await client.readdir("e"), ["other"]);
  assert.equal(both.chunks("e/other").missing, both.chunks("e/other").all.size);
  renameSync(`${pair.remote}-away`, pair.remote);
  assert((await client.read(fd, 0, 100_000)).equals(someBytes(1, 100_000)));
  await client.close(fd);
  await both.kill();
  assert.equal((await client.stat("e/other")).inode, inode);
  assert.deepEqual(await changesIn(pair.b), []);
  await pair.b.push();
  await pair.a.pull();
  assert.deepEqual(Object.keys(filesIn(pair.pathA)), ["e/other"]);
  assert(readFileSync(join(pair.pathA, "e/other")).equals(someBytes(1, 100_000)));
});

test("live filesystem: in a large unreal file there is no more to reserve than there is on the disk", async () => {
  await using both = await StagedPair.make(world, { big: someBytes(1, 100_000) });
  const { client, pair } = both;
  const fd = await client.open("big", { write: true });
  const range = { offset: 0, length: 2 ** 50, keepSize: true };
  await assert.rejects(client.fallocate(fd, "reserve", range), { code: "ENOSPC" });
  await client.fallocate(fd, "reserve", { offset: 50_000, length: 70_000 });
  await client.close(fd);
  assert.equal((await client.stat("big")).size, 120_000);
  assert.deepEqual(filesIn(pair.pathB), {});
});

test("live filesystem: a large unreal file that is deleted is written to by who has it open, whatever comes in its place", async () => {
  await using both = await StagedPair.make(world, { "d/big": someBytes(1, 100_000), "d/other": someBytes(2, 100_000) });
  const { client, pair } = both;
  const expected = someBytes(1, 100_000);
  const fd = await client.open("d/big", { read: true, write: true });
  const other = await client.open("d/other", { read: true, write: true });
  await client.unlink("d/big");
  await writeAll(client, "d/big", "again");
  await client.rename("d/big", "d/other");
  for (const at of [5, 40_000]) {
    await both.commit();
    await client.readdir("d");
    const bytes = someBytes(at, 30_000);
    await client.write(fd, at, bytes);
    bytes.copy(expected, at);
    await client.write(other, at, bytes);
    assert((await client.read(fd, 0, 100_000)).equals(expected));
  }
  for (const each of [fd, other]) await client.close(each);
  await both.commit();
  assert.equal((await readAll(client, "d/other")).toString(), "again");
  assert.deepEqual(namesIn(pair.b), ["d/other"]);
  assert.equal(both.stagedCount, 0);
});

type Step = (client: FsClient, kept: number[]) => Promise<unknown>;

/** As programs do, in pieces of at least `offset` bytes. */
async function copyAll(client: FsClient, from: number, to: number, offset: number): Promise<void> {
  for (let at = 0; ; ) {
    const length = 50_000 + offset;
    try {
      const count = await client.copy(from, at, to, at, length);
      if (count === 0) return;
      at += count;
    } catch (thrown) {
      if ((thrown as { code?: string }).code !== "EXDEV") throw thrown;
      const bytes = await client.read(from, at, length);
      if (bytes.length === 0) return;
      await client.write(to, at, bytes);
      at += bytes.length;
    }
  }
}

function anyStep(prng: Prng): { readonly text: string; readonly step: Step } {
  const paths = ["big", "d/large", "d/e/huge", "new"];
  const [path, other] = [prng.pick(paths), prng.pick(paths)];
  const offset = prng.int(0, 150_000);
  const length = prng.int(1, prng.pick([50, 5000, 20_000]));
  const bytes = Buffer.from(prng.bytes(length));
  const onFile = (act: (client: FsClient, fd: number) => Promise<unknown>): Step => {
    return async (client) => {
      const fd = await client.open(path, { read: true, write: true });
      try {
        return await act(client, fd);
      } finally {
        await client.close(fd);
      }
    };
  };
  const copied = prng.pick(["copy", "d/copy"]);
  const copyIt: Step = async (client) => {
    const from = await client.open(path, { read: true });
    const to = await client.open(copied, { write: true, create: true, truncate: length % 4 > 0 });
    await copyAll(client, from, to, offset);
    await client.close(to);
    await client.close(from);
  };
  const steps: Record<string, Step> = {
    write: onFile((client, fd) => client.write(fd, offset, bytes)),
    "write again": onFile((client, fd) => client.write(fd, offset, bytes)),
    "write at two places": onFile(async (client, fd) => {
      await client.write(fd, offset, bytes);
      await client.write(fd, Math.floor(offset / 2), bytes);
    }),
    append: async (client) => {
      const fd = await client.open(path, { write: true, append: true });
      await client.write(fd, 0, bytes);
      await client.close(fd);
    },
    cut: (client) => client.truncate(path, offset),
    empty: (client) => client.truncate(path, length > 4000 ? 0 : offset),
    free: onFile((client, fd) => client.fallocate(fd, "punch-hole", { offset, length })),
    zero: onFile((client, fd) => client.fallocate(fd, "zero", { offset, length })),
    "zero within": onFile((client, fd) => client.fallocate(fd, "zero", { offset, length, keepSize: true })),
    reserve: onFile((client, fd) => client.fallocate(fd, "reserve", { offset, length })),
    read: onFile((client, fd) => client.read(fd, offset, length)),
    time: (client) => client.setTime(path, BigInt(offset) * 1_000_000_000n),
    copy: copyIt,
    "copy again": copyIt,
    "write to a copy": async (client) => {
      const fd = await client.open(copied, { write: true });
      await client.write(fd, offset, bytes);
      await client.close(fd);
    },
    "cut a copy": (client) => client.truncate(copied, offset),
    "unlink a copy": (client) => client.unlink(copied),
    "rename a copy": (client) => client.rename(copied, "copy"),
    chmod: (client) => client.chmod(path, 0o600 + (length % 8)),
    rename: (client) => client.rename(path, other),
    "rename the directory": async (client) => {
      await client.rename("d", "moved");
      await client.rename("moved", "d");
    },
    unlink: async (client) => (length % 4 === 0 ? client.unlink(path) : undefined),
    "open to keep": async (client, kept) => {
      kept.push(await client.open(path, { read: true, write: true }));
    },
    "write what is kept": async (client, [fd]) => (fd === undefined ? undefined : client.write(fd, offset, bytes)),
    "cut what is kept": async (client, [fd]) => (fd === undefined ? undefined : client.truncateFile(fd, offset + 1)),
    "read what is kept": async (client, [fd]) => (fd === undefined ? undefined : client.read(fd, 0, 200_000)),
    "close what is kept": async (client, kept) => {
      const fd = kept.shift();
      if (fd !== undefined) await client.close(fd);
    },
    "unlink what is open": onFile(async (client, fd) => {
      if (length % 4 !== 0) return undefined;
      await client.write(fd, offset, bytes);
      await client.unlink(path);
      await client.write(fd, offset + 3, bytes);
      return await client.read(fd, Math.max(0, offset - 100), length + 200);
    }),
  };
  const text = prng.pick(Object.keys(steps));
  return { text: `${text} ${path} ${offset} ${length} ${other}`, step: steps[text] as Step };
}

async function outcome(client: FsClient, step: Step, kept: number[]): Promise<unknown> {
  try {
    return await step(client, kept);
  } catch (thrown) {
    const { code } = thrown as { code?: string };
    if (code === undefined) throw thrown;
    return code;
  }
}

/** Names, sizes, modes and bytes. */
async function seen(client: FsClient, directory = ""): Promise<Record<string, unknown>> {
  const all: Record<string, unknown> = {};
  for (const name of (await client.readdir(directory)).sort()) {
    const path = directory === "" ? name : `${directory}/${name}`;
    const { kind, mode, size } = await client.stat(path);
    if (kind === "directory") Object.assign(all, await seen(client, path));
    else if (name !== "theirs") all[path] = `${mode} ${size} ${(await readAll(client, path)).toString("latin1")}`;
  }
  return all;
}

testSeeds(
  "live filesystem: large unreal files, changed at random between commits and kills, are what plain ones are",
  6,
  async (prng) => {
    await using both = await StagedPair.make(world, {
      big: someBytes(1, 100_000),
      "d/large": someBytes(2, 60_000),
      "d/e/huge": someBytes(3, 140_000),
    });
    const done: string[] = [];
    const [keptHere, keptThere]: [number[], number[]] = [[], []];
    for (let count = 0; count < 30; count += 1) {
      const chance = prng.int(0, 11);
      if (chance === 0) await both.commit();
      if (chance === 1) {
        await both.kill();
        keptHere.length = 0;
        for (const fd of keptThere.splice(0)) await both.plain.close(fd);
      }
      if (chance === 2) {
        writeFileSync(join(both.pair.pathA, "theirs"), `${count}`);
        await both.pair.pushA();
        await both.committer.pull();
      }
      done.push(["commit", "kill", "pull"][chance] ?? "");
      const { text, step } = anyStep(prng);
      done.push(text);
      const ours = await outcome(both.client, step, keptHere);
      assert.deepEqual(ours, await outcome(both.plain, step, keptThere), done.join("\n"));
      const [here, there] = [await seen(both.client), await seen(both.plain)];
      for (const path of new Set([...Object.keys(here), ...Object.keys(there)]))
        assert(here[path] === there[path], `${path} after\n${done.join("\n")}`);
    }
    for (const fd of keptHere) await both.client.close(fd);
    for (const fd of keptThere) await both.plain.close(fd);
    await both.commit();
    assert.deepEqual(await changesIn(both.pair.b), []);
    await both.client.readdir("");
    assert.equal(both.stagedCount, 0, done.join("\n"));
    await both.pair.b.push();
    await both.pair.a.pull();
    const there = new KernelClient(both.pair.pathA, 0);
    const names = Object.keys(await seen(both.plain));
    for (const path of names)
      assert((await readAll(there, path)).equals(await readAll(both.plain, path)), `${path} after\n${done.join("\n")}`);
    const committed = namesIn(both.pair.b).filter((name) => name !== "theirs");
    assert.deepEqual(committed, names.sort());
  },
);
