/**
 * A cache with a small quota, with the real program: many processes that read, clear, clean up and check at once, some of them killed at any moment; and a
 * disk without room. What is read is right, nothing is damaged, and the quota holds.
 */
import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { Prng } from "../../src/base/prng.ts";
import { skipUnlessRoot } from "../support/debian-program.ts";
import { describeRan, type Ran } from "../support/program.ts";
import { type SlowMachine, SlowPlace } from "../support/slow-machine.ts";
import { SmallDisk } from "../support/small-disk.ts";

const quotaKib = 1024;
/** What packs say of themselves, and what a file system takes to remember where many pieces are. */
const endsKib = 128;
/** What one process writes at a time. */
const writtenKib = 4096;
const readsEach = 40;

interface Setup {
  readonly b: SlowMachine;
  readonly remote: string;
  readonly files: ReadonlyMap<string, string>;
}

/** A box of some megabytes, and an unreal clone of it. */
async function setUp(place: SlowPlace, folder: string): Promise<Setup> {
  const prng = new Prng(1);
  const a = place.machine("a");
  const files = new Map<string, string>();
  mkdirSync(a.folder);
  for (let at = 0; at < 16; at += 1) {
    const text = Buffer.from(prng.bytes(prng.int(1000, 300_000))).toString("base64");
    files.set(`f${at}`, text);
    writeFileSync(join(a.folder, `f${at}`), text);
  }
  const remote = place.path("remote");
  await a.ok(["init"]);
  for (const args of [["commit", "-m", "First"], ["remote", "add", "origin", remote], ["push"]]) await a.ok(args);
  const b = place.machine("b").at(folder);
  await b.ok(["clone", "--unreal", remote, folder], { cwd: place.top });
  await b.ok(["cache", "set", `${quotaKib}K`, "--free", "0%"]);
  return { b, remote, files };
}

function packsKib({ folder }: SlowMachine): number {
  return Number(/^\d+/.exec(execFileSync("du", ["-sk", join(folder, ".ourobox/packs")]).toString())?.[0]);
}

async function cat({ b }: Setup, name: string, killAfterMs?: number): Promise<Ran> {
  return await b.program.run(["cat", name], { cwd: b.folder, ...(killAfterMs === undefined ? {} : { killAfterMs }) });
}

test("processes that read, shrink, clean up and check one cache at once, and are killed in between", async (t) => {
  using place = new SlowPlace();
  const setup = await setUp(place, place.path("b"));
  const { b, files } = setup;
  const metaKib = packsKib(b);
  const counts = { reads: 0, killed: 0, mostKib: 0 };
  let isOver = false;

  async function read(prng: Prng): Promise<void> {
    for (let round = 0; round < readsEach; round += 1) {
      const name = prng.pick([...files.keys()]);
      const ran = await cat(setup, name, prng.chance(0.25) ? prng.int(200, 1500) : undefined);
      counts.mostKib = Math.max(counts.mostKib, packsKib(b) - metaKib);
      if (ran.status === undefined) {
        counts.killed += 1;
        continue;
      }
      assert.equal(ran.status, 0, describeRan(ran));
      assert.equal(ran.out, files.get(name), name);
      counts.reads += 1;
    }
  }
  async function disturb(prng: Prng): Promise<void> {
    while (!isOver) {
      const args = prng.pick([["cache", "clear"], ["cache", "shrink", "300K"], ["gc"], ["check", "--read-data"]]);
      const ran = await b.run(args);
      // 3: another has what was to be given up. 11: others write all the time.
      const allowed = args[0] === "cache" ? [0, 3] : args[0] === "gc" ? [0, 11] : [0];
      assert(allowed.includes(ran.status ?? -1), describeRan(ran));
    }
  }
  const reading = Promise.all([read(new Prng(2)), read(new Prng(3)), read(new Prng(4))]).finally(() => {
    isOver = true;
  });
  await Promise.all([reading, disturb(new Prng(5))]);
  t.diagnostic(JSON.stringify({ ...counts, quotaKib }));
  assert(counts.killed > 3 && counts.reads > readsEach);
  assert(counts.mostKib <= quotaKib + 3 * writtenKib + endsKib);
  await b.ok(["cache", "shrink"]);
  assert(packsKib(b) - metaKib <= quotaKib + endsKib, `${packsKib(b) - metaKib} KiB`);
  await b.requireSound("at the end");
  await b.requireClean("at the end");
  for (const [name, text] of files) assert.equal((await cat(setup, name)).out, text);
  await b.ok(["cache", "clear"]);
  assert(packsKib(b) - metaKib <= endsKib, `${packsKib(b) - metaKib} KiB`);
  await b.ok(["gc"]);
  b.requireTidy("at the end");
});

test("on a disk without room what is known can still be read, and nothing of it is kept", {
  skip: skipUnlessRoot(),
}, async () => {
  using place = new SlowPlace();
  using disk = new SmallDisk(place.path("disk"));
  const setup = await setUp(place, join(disk.path, "b"));
  const { b, files } = setup;
  // So that it is known what is in the packs.
  assert.equal((await cat(setup, "f0")).out, files.get("f0"));
  await b.ok(["cache", "set", "30M"]);
  // With less no database can be opened.
  for (const roomKib of [600, 200, 120]) {
    disk.leave(roomKib);
    for (const [name, text] of files) {
      const ran = await cat(setup, name);
      assert.equal(ran.status, 0, `with ${roomKib} KiB of room: ${describeRan(ran)}`);
      assert.equal(ran.out, text);
    }
  }
  disk.enlarge();
  await b.requireSound("with room again");
  for (const [name, text] of files) assert.equal((await cat(setup, name)).out, text);
  await b.ok(["cache", "clear"]);
});
