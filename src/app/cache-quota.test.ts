/** The cache's quota: never more is kept, what is real or nowhere else never goes, and all can be read as long as a remote is there. */
import assert from "node:assert/strict";
import {
  existsSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  utimesSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, test } from "node:test";
import { TestWorld } from "../../test/support/app-world.ts";
import { readAll } from "../../test/support/fs-client.ts";
import { DirectClient } from "../../test/support/fs-client-direct.ts";
import { testSeeds } from "../../test/support/seeds.ts";
import { contentOf, filesIn, UnrealPair, writeAll } from "../../test/support/unreal-pair.ts";
import { isKind } from "../base/errors.ts";
import { Prng } from "../base/prng.ts";
import { contentItems, hashKey } from "../format/mod.ts";
import { type AppContext, Box, findContentSource, openMount } from "./mod.ts";

const world = new TestWorld(mkdtempSync(join(tmpdir(), "ouro-quota-")));
after(() => rmSync(world.folder, { recursive: true }));

const path = (text: string): Uint8Array => Buffer.from(text);
const text = (prng: Prng, bytes: number): string => Buffer.from(prng.bytes(bytes)).toString("base64");

/** Files of some frames each. */
function someFiles(prng: Prng, count: number): Record<string, string> {
  return Object.fromEntries(
    Array.from({ length: count }, (_, at) => [`d${at % 3}/f${at}`, text(prng, prng.int(20_000, 250_000))]),
  );
}

/** Opens the unreal box anew, with a quota. */
async function openWith(pair: UnrealPair, size: string, more: Partial<AppContext> = {}): Promise<Box> {
  const context = world.context();
  const env = { ...context.env, OUROBOX_CACHE_SIZE: size, OUROBOX_CACHE_FREE: "0%" };
  return await Box.open(pair.pathB, { ...context, env, ...more });
}

/** What the packs of content take on the disk, but for their ends. */
function bytesOnDisk(box: Box): number {
  return box.store.packs().reduce((sum, { name, class: kind, directorySize }) => {
    if (kind !== "content") return sum;
    const ends = Math.ceil((directorySize + 32) / 4096 + 1) * 4096 + 4096;
    return sum + statSync(box.store.packPath(name)).blocks * 512 - ends;
  }, 0);
}

async function requireSound(box: Box): Promise<void> {
  assert.deepEqual(await Array.fromAsync(box.check({ readData: true })), []);
}

testSeeds(
  "whatever is read, marked, made and given up, the cache stays within its quota and all can be read",
  8,
  async (prng) => {
    const files = someFiles(prng, 14);
    await using pair = await UnrealPair.make(world, files);
    const names = Object.keys(files);
    const quota = prng.int(300_000, 900_000);
    const real = new Set<string>();
    let hasPackedAnew = false;
    let box = await openWith(pair, String(quota));
    for (let step = 0; step < 40; step += 1) {
      const name = prng.pick(names);
      const what = prng.int(0, 9);
      if (what < 5) assert.equal(await contentOf(box, name), files[name]);
      else if (what === 5) {
        await box.realize([path(name)]);
        real.add(name);
      } else if (what === 6 && real.has(name)) {
        await box.push();
        try {
          await box.unrealize([path(name)]);
          real.delete(name);
        } catch (thrown) {
          // What gc has packed anew here is not known to be elsewhere until something is pushed.
          if (!hasPackedAnew || !isKind(thrown, "not-found")) throw thrown;
        }
      } else if (what === 7) await box.shrinkCache({ to: prng.int(0, quota), dryRun: prng.chance(0.3) });
      else if (what === 8) {
        const made = `d1/own${step}`;
        files[made] = text(prng, 30_000);
        names.push(made);
        real.add(made);
        writeAll(pair.pathB, { [made]: files[made] });
        await box.commit({ message: "own", all: true });
        if (prng.chance(0.5)) await box.push();
      } else {
        await box[Symbol.asyncDispose]();
        box = await openWith(pair, String(quota));
        if (prng.chance(0.3)) box.store.rebuildIndex();
        if (prng.chance(0.3) && (await box.gc({ dryRun: false })).packsWritten > 0) hasPackedAnew = true;
      }
      // An index that was made anew takes all for cache until it looks.
      const { bytes, limit } = await box.cache();
      if (bytes > quota) await box.shrinkCache({ dryRun: false });
      assert((await box.cache()).bytes <= quota, `${bytes} of ${limit} bytes`);
    }
    for (const name of names) assert.equal(await contentOf(box, name), files[name]);
    await requireSound(box);
    // What is real can be read without any remote.
    renameSync(pair.remote, `${pair.remote}-away`);
    for (const name of real) assert.equal(await contentOf(box, name), files[name], `${name} is real`);
    await box[Symbol.asyncDispose]();
  },
);

test("an unreal box of which all is read twice never takes more on the disk than its quota", async () => {
  const files = someFiles(new Prng(1), 20);
  await using pair = await UnrealPair.make(world, files);
  await using box = await openWith(pair, "800K");
  for (let round = 0; round < 2; round += 1) {
    for (const [name, bytes] of Object.entries(files)) {
      assert.equal(await contentOf(box, name), bytes);
      assert(bytesOnDisk(box) <= 800 * 1024, `${bytesOnDisk(box)} bytes on the disk`);
    }
  }
  assert((await box.cache()).bytes > 300_000, "it keeps what it may");
  await requireSound(box);
});

test("what is written out is not kept beyond the quota either, however large", async () => {
  const files = { big: text(new Prng(2), 12_000_000), "d/small": "small\n" };
  await using pair = await UnrealPair.make(world, files);
  await using box = await openWith(pair, "500K");
  const target = join(world.folder, "target");
  const source = box.head()?.commit as Uint8Array;
  const { partial } = await box.restore({ source, paths: [], target, dryRun: false });
  assert(!partial);
  assert.deepEqual(filesIn(target), files);
  assert(bytesOnDisk(box) <= 500 * 1024, `${bytesOnDisk(box)} bytes on the disk`);
  await box.restore({ source, paths: [path("big")], dryRun: false });
  assert.equal(readFileSync(join(pair.pathB, "big"), "utf8"), files.big);
  assert(bytesOnDisk(box) <= 500 * 1024, `${bytesOnDisk(box)} bytes on the disk`);
  assert.deepEqual([...(await box.status()).changes], []);
});

test("nothing goes that too few other places have: what is read then is not kept, and that is said once", async () => {
  const files = someFiles(new Prng(3), 8);
  await using pair = await UnrealPair.make(world, files);
  const env = { ...world.context().env, OUROBOX_CACHE_SIZE: "400K", OUROBOX_CACHE_FREE: "0%", OUROBOX_COPIES: "2" };
  await using box = await openWith(pair, "400K", { env });
  world.said.length = 0;
  for (let round = 0; round < 2; round += 1)
    for (const name of Object.keys(files)) assert.equal(await contentOf(box, name), files[name]);
  const { bytes } = await box.cache();
  assert(bytes > 0 && bytes <= 400 * 1024);
  assert.equal(world.said.filter((each) => each.includes("the cache has no room for it")).length, 1);
  const report = await box.shrinkCache({ to: 0, dryRun: false });
  assert.deepEqual({ bytes: report.bytes, partial: report.partial }, { bytes: 0, partial: true });
  assert(report.uncopied > 0);
});

test("what was written here and is not pushed never goes, though the same bytes were read before", async () => {
  const files = someFiles(new Prng(4), 4);
  await using pair = await UnrealPair.make(world, files);
  const [name = ""] = Object.keys(files);
  await using box = await openWith(pair, "10M");
  assert.equal(await contentOf(box, name), files[name]);
  writeAll(pair.pathB, { copy: files[name] as string });
  await box.commit({ message: "a copy", all: true });
  rmSync(join(pair.pathB, "copy"));
  await box.shrinkCache({ to: 0, dryRun: false });
  renameSync(pair.remote, `${pair.remote}-away`);
  assert.equal(await contentOf(box, "copy"), files[name]);
  renameSync(`${pair.remote}-away`, pair.remote);
});

test("what no commit names goes before what one names, and of that what was not read longest", async () => {
  const [old, one, two] = [5, 6, 7].map((seed) => text(new Prng(seed), 150_000)) as [string, string, string];
  await using pair = await UnrealPair.make(world, { old });
  rmSync(join(pair.pathA, "old"));
  for (const [name, bytes] of Object.entries({ one, two })) {
    writeAll(pair.pathA, { [name]: bytes });
    await pair.pushA();
  }
  {
    await using box = await openWith(pair, "10M");
    await box.pull();
    const first = [...box.log({ paths: [], withChanges: false })].at(-1)?.id as Uint8Array;
    const entry = box.find(first, path("old"));
    assert(entry !== undefined);
    assert.equal(await contentOf(box, "one"), one);
    assert.equal(await contentOf(box, "two"), two);
    await Array.fromAsync(box.readFile(entry));
    await box.forget({ policy: { last: 1 }, tags: "all", dryRun: false });
  }
  // What was lent is gone with the process.
  await using box = await openWith(pair, "10M");
  const isHere = async (commit: Uint8Array, name: string): Promise<boolean> => {
    const entry = box.find(commit, path(name));
    assert(entry !== undefined);
    const { bytes, here } = await box.contentShare(entry);
    return here === bytes;
  };
  const head = box.head()?.commit as Uint8Array;
  const { length } = box.store.packs().filter(({ class: kind }) => kind === "content");
  assert.equal(length, 3);
  const order: string[] = [];
  while (box.store.cache.size.bytes > 0) {
    await box.shrinkCache({ to: box.store.cache.size.bytes - 1, dryRun: false });
    for (const name of ["one", "two"]) if (!order.includes(name) && !(await isHere(head, name))) order.push(name);
    if (order.length === 0 && box.store.cache.size.bytes > 0) assert(await isHere(head, "one"));
    if (!order.includes("old") && (await oldFramesHere(box)) === 0) order.push("old");
  }
  assert.deepEqual(order.slice(0, 2), ["old", "one"]);
});

/** How many frames of the oldest pack of content are in the cache. */
async function oldFramesHere(box: Box): Promise<number> {
  const [head] = [...box.log({ paths: [], withChanges: false })];
  const named = new Set<string>();
  for (const name of ["one", "two"]) {
    const entry = box.find(head?.id as Uint8Array, path(name));
    const value = entry?.data[0].value;
    if (value === undefined || !("content" in value)) continue;
    for (const item of contentItems(value.content, (hash) => box.store.getMeta(hash, "list")))
      if (item.form === "chunk") named.add(hashKey(box.store.findChunk(item.hash)?.pack as Uint8Array));
  }
  return [...box.store.cache.oldestFirst()].filter(({ pack }) => !named.has(hashKey(pack))).length;
}

test("the share of the disk that is to be free stays free, and a full disk keeps nobody from reading", async () => {
  const files = someFiles(new Prng(8), 10);
  await using pair = await UnrealPair.make(world, files);
  const free = { bytes: 50_000_000 };
  const diskSpace = (): { total: number; free: number } => ({ total: 100_000_000, free: free.bytes });
  const env = { ...world.context().env, OUROBOX_CACHE_SIZE: "100%", OUROBOX_CACHE_FREE: "20%" };
  await using box = await openWith(pair, "100%", { env, diskSpace });
  const [first = "", second = "", third = ""] = Object.keys(files);
  assert.equal(await contentOf(box, first), files[first]);
  const kept = box.store.cache.size.bytes;
  assert(kept > 0);
  free.bytes = 20_000_000;
  assert.equal(await contentOf(box, second), files[second]);
  assert(box.store.cache.size.bytes <= kept, "it takes the place of what was there");
  free.bytes = 0;
  assert.equal(await contentOf(box, third), files[third]);
  assert.equal(box.store.cache.size.bytes, 0, "the disk is to get its room back");
});

test("what is realized stays whatever the quota, and what was cache by then stays too", async () => {
  const files = someFiles(new Prng(9), 6);
  await using pair = await UnrealPair.make(world, files);
  await using box = await openWith(pair, "200K");
  const [first = ""] = Object.keys(files);
  await contentOf(box, first);
  await box.realize([path("")]);
  assert.deepEqual(filesIn(pair.pathB), files);
  assert.deepEqual(box.store.cache.size, { frames: 0, bytes: 0 });
  await box.shrinkCache({ to: 0, dryRun: false });
  renameSync(pair.remote, `${pair.remote}-away`);
  for (const [name, bytes] of Object.entries(files)) assert.equal(await contentOf(box, name), bytes);
});

test("in a real box what was let go of and is read again is cache, and nothing else is", async () => {
  const files = someFiles(new Prng(10), 6);
  await using pair = await UnrealPair.make(world, files);
  const { a, pathA } = pair;
  await a.unrealize([path("d0")]);
  assert.deepEqual(a.store.cache.size, { frames: 0, bytes: 0 });
  const [first = ""] = Object.keys(files);
  assert.equal(await contentOf(a, first), files[first]);
  assert(a.store.cache.size.bytes > 0);
  const { left } = await a.shrinkCache({ to: 0, dryRun: false });
  assert.equal(left, 0);
  a.store.rebuildIndex();
  await a.shrinkCache({ to: 0, dryRun: false });
  renameSync(pair.remote, `${pair.remote}-away`);
  for (const name of Object.keys(filesIn(pathA))) assert.equal(await contentOf(a, name), files[name]);
  assert(readdirSync(pathA).length > 1);
  writeFileSync(join(pathA, "last"), "last");
});

test("what was packed anew on the remote since it was read may go, and is found where it is now", async () => {
  const files = { keep: text(new Prng(11), 150_000), drop: text(new Prng(12), 500_000) };
  await using pair = await UnrealPair.make(world, files);
  const { pathA, remote } = pair;
  await using box = await openWith(pair, "10M");
  assert.equal(await contentOf(box, "keep"), files.keep);
  const [read] = [...box.store.cache.oldestFirst()].map(({ pack }) => Buffer.from(pack).toString("hex"));
  rmSync(join(pathA, "drop"));
  for (let round = 1; existsSync(join(remote, "packs", read as string)); round += 1) {
    assert(round < 8, "what was read is in another pack there by now");
    await using a = await Box.open(pathA, world.context());
    writeAll(pathA, { "new.txt": `new ${round}` });
    await a.commit({ message: "new", all: true });
    await a.forget({ policy: { last: 1 }, tags: "all", dryRun: false });
    await a.push();
    await a.pruneRemote("origin", { dryRun: false });
    for (const name of readdirSync(join(remote, "condemned"))) {
      const then = new Date(Date.now() - 2 * 86_400_000);
      utimesSync(join(remote, "condemned", name), then, then);
    }
  }
  await box.pull(undefined, { force: true });
  const before = await box.shrinkCache({ to: 0, dryRun: false });
  assert(before.uncopied > 0, "it is not known yet where else it is");
  // Somebody looks into the packs that are there now.
  assert.match(await contentOf(box, "new.txt"), /^new/);
  await using again = await openWith(pair, "10M");
  const { left, uncopied } = await again.shrinkCache({ to: 0, dryRun: false });
  // A frame in which there is something of what was dropped, too, is the last copy of that.
  assert(uncopied <= 1 && left < before.left / 2, `${left} of ${before.left} bytes are left`);
  assert.equal(await contentOf(again, "keep"), files.keep);
});

for (const copies of ["1", "2"]) {
  const what = copies === "1" ? "makes room as it reads" : "says in its log that nothing can go";
  test(`a mount that is read from all sides at once keeps to the quota, and ${what}`, async () => {
    const files = someFiles(new Prng(13), 12);
    await using pair = await UnrealPair.make(world, files);
    const env = {
      ...world.context().env,
      OUROBOX_CACHE_SIZE: "500K",
      OUROBOX_CACHE_FREE: "0%",
      OUROBOX_COPIES: copies,
    };
    let logged = 0;
    for (let round = 0; round < 2; round += 1) {
      await using box = await openWith(pair, "500K", { env });
      await using source = findContentSource(box);
      assert(source !== undefined);
      const commit = box.head()?.commit as Uint8Array;
      using mount = openMount(box, { commit, directory: "/nowhere", owners: {}, source });
      const client = new DirectClient(mount.filesystem);
      await Promise.all(
        Object.entries(files).map(async ([name, bytes]) => {
          assert.equal((await readAll(client, name)).toString(), bytes);
          assert(bytesOnDisk(box) <= 500 * 1024, `${bytesOnDisk(box)} bytes on the disk`);
        }),
      );
      // What was read last is kept now.
      await source[Symbol.asyncDispose]();
      assert(bytesOnDisk(box) <= 500 * 1024, `${bytesOnDisk(box)} bytes on the disk`);
      assert((await box.cache()).bytes > 300_000, "it keeps what it may");
      logged += mount.log.size;
    }
    assert.equal(logged, copies === "1" ? 0 : 1);
  });
}

test("what says how the folder is to be read is never cache: a commit needs no remote", async () => {
  const files = {
    ".ouroboxattributes": "*.app atomic\n",
    "d/.ouroboxattributes": "*.txt merge=text\n",
    "d/one": "one",
  };
  for (const isLost of [false, true]) {
    await using pair = await UnrealPair.make(world, { ...files, big: text(new Prng(14), 200_000) });
    await using box = await openWith(pair, "10M");
    await box.restore({ source: box.head()?.commit as Uint8Array, paths: [path("d/one")], dryRun: false });
    await contentOf(box, "big");
    if (isLost) box.store.rebuildIndex();
    await box.shrinkCache({ to: 0, dryRun: false });
    renameSync(pair.remote, `${pair.remote}-away`);
    writeAll(pair.pathB, { "x.app/new": "new", "d/two.txt": "two" });
    // In another process: what was lent is gone.
    await using offline = await openWith(pair, "10M");
    await offline.commit({ message: "offline", all: true });
    assert.equal(offline.find(offline.head()?.commit as Uint8Array, path("x.app"))?.meta.atomic, true);
    assert.deepEqual([...(await offline.status()).changes], []);
  }
});
