/**
 * On a disk that is full, or becomes so at any time: commit, push, clone, restore and gc say so and change nothing that counts; with
 * more room the same command ends well.
 */
import assert from "node:assert/strict";
import { mkdirSync, rmSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { Prng } from "../../src/base/prng.ts";
import { skipUnlessRoot } from "../support/debian-program.ts";
import { describeRan, errorOf, type Ran } from "../support/program.ts";
import { fillFolder, workOn } from "../support/slow-folder.ts";
import { requireSame, type SlowMachine, SlowPlace } from "../support/slow-machine.ts";
import { SmallDisk } from "../support/small-disk.ts";

const skip = skipUnlessRoot();
const size = { files: 60, largeFiles: 2, largeBytes: 700_000 };
/** With the last of these every command gets through. */
const roomsKib = [0, 8, 28, 60, 100, 180, 350, 700, 1200, 2200, 6000];

test("a commit on a full disk loses nothing, and is made when there is room", { skip }, async (t) => {
  using place = new SlowPlace();
  using disk = new SmallDisk(place.path("disk"));
  const a = place.machine("a").at(join(disk.path, "a"));
  await fill(a);
  await a.ok(["commit", "-m", "first"]);
  workOn(new Prng(2), a.folder, 20);
  fillFolder(new Prng(3), join(a.folder, "more"), size);
  await withLittleRoom(disk, a, { args: ["commit", "-m", "second"], say: t.diagnostic.bind(t) });
  await a.requireClean("after the commit");
  await requireRestored(place, a);
});

test("a push to a full disk loses nothing, and is made when there is room", { skip }, async (t) => {
  using place = new SlowPlace();
  using disk = new SmallDisk(place.path("disk"));
  const a = place.machine("a");
  const remote = join(disk.path, "remote");
  await fill(a);
  await a.ok(["remote", "add", "origin", remote]);
  await a.ok(["commit", "-m", "first"]);
  await a.ok(["push"]);
  const isWhole = async (): Promise<void> => {
    const b = place.machine("b");
    rmSync(b.folder, { recursive: true, force: true });
    await b.ok(["clone", remote, b.folder], { cwd: place.top });
    await b.requireSound("a clone of the remote");
  };
  fillFolder(new Prng(3), join(a.folder, "more"), size);
  await a.ok(["commit", "-m", "second"]);
  await withLittleRoom(disk, a, { args: ["push"], say: t.diagnostic.bind(t), isWhole });
  await isWhole();
  requireSame(a.folder, place.path("b"), "what was pushed");
});

test("a clone to a full disk is made when there is room", { skip }, async (t) => {
  using place = new SlowPlace();
  using disk = new SmallDisk(place.path("disk"));
  const a = place.machine("a");
  const remote = place.path("remote");
  await fill(a);
  await a.ok(["remote", "add", "origin", remote]);
  await a.ok(["commit", "-m", "first"]);
  await a.ok(["push"]);
  const b = place.machine("b").at(join(disk.path, "b"));
  await withLittleRoom(disk, b, { args: ["clone", remote, b.folder], cwd: place.top, say: t.diagnostic.bind(t) });
  requireSame(a.folder, b.folder, "what was cloned");
  await b.requireClean("after the clone");
  b.requireTidy("after the clone");
});

test("a restore on a full disk loses nothing, and is made when there is room", { skip }, async (t) => {
  using place = new SlowPlace();
  using disk = new SmallDisk(place.path("disk"));
  const a = place.machine("a").at(join(disk.path, "a"));
  await fill(a);
  await a.ok(["commit", "-m", "first"]);
  const [first = ""] = await a.log();
  const kept = place.path("kept");
  await a.ok(["restore", "--target", kept]);
  rmSync(join(a.folder, "large"), { recursive: true });
  workOn(new Prng(2), a.folder, 20);
  await a.ok(["commit", "-m", "second"]);
  workOn(new Prng(3), a.folder, 5);
  await withLittleRoom(disk, a, { args: ["restore", "--source", first, "."], say: t.diagnostic.bind(t) });
  requireSame(kept, a.folder, "what was restored");
});

test("a gc on a full disk loses nothing, and is done when there is room", { skip }, async (t) => {
  using place = new SlowPlace();
  using disk = new SmallDisk(place.path("disk"));
  const a = place.machine("a").at(join(disk.path, "a"));
  await fill(a);
  await a.ok(["commit", "-m", "first"]);
  fillFolder(new Prng(3), join(a.folder, "more"), size);
  await a.ok(["commit", "-m", "second"]);
  await withLittleRoom(disk, a, { args: ["gc"], say: t.diagnostic.bind(t) });
  a.requireTidy("after the gc");
  await requireRestored(place, a);
});

async function fill(machine: SlowMachine): Promise<void> {
  mkdirSync(machine.folder);
  fillFolder(new Prng(1), machine.folder, size);
  await machine.ok(["init"]);
}

interface LittleRoom {
  readonly args: readonly string[];
  readonly cwd?: string;
  readonly say: (text: string) => void;
  /** Whether what else is on the disk is whole. */
  readonly isWhole?: () => Promise<void>;
}

/** Runs a command with more and more room until it gets through, and looks at the box each time; then once more. */
async function withLittleRoom(disk: SmallDisk, machine: SlowMachine, request: LittleRoom): Promise<void> {
  const { args, cwd = machine.folder, say, isWhole } = request;
  const failed: number[] = [];
  for (const roomKib of roomsKib) {
    disk.leave(roomKib);
    const ran = await machine.run(args, { cwd });
    if (ran.status === 0) break;
    failed.push(roomKib);
    requireNoSpace(ran, roomKib);
    disk.enlarge();
    if (machine.hasBox) await machine.requireSound(`${args[0]} with ${roomKib} KiB of room`);
    await isWhole?.();
  }
  disk.enlarge();
  say(`${args[0]} failed with ${failed.join(", ")} KiB of room`);
  assert(failed.length > 1 && failed.length < roomsKib.length, `it failed ${failed.length} times`);
  const again = await machine.run(args, { cwd });
  assert(again.status === 0 || errorOf(again).kind === "exists", describeRan(again));
  await machine.requireSound(`${args[0]} with room enough`);
}

function requireNoSpace(ran: Ran, roomKib: number): void {
  const { kind, hint, status } = errorOf(ran);
  const what = `with ${roomKib} KiB of room: ${describeRan(ran)}`;
  assert.deepEqual({ kind, status, exit: ran.status }, { kind: "no-space", status: 1, exit: 1 }, what);
  assert.match(hint ?? "", /space/, what);
}

async function requireRestored(place: SlowPlace, machine: SlowMachine): Promise<void> {
  const target = place.path("restored");
  await machine.ok(["restore", "--target", target]);
  requireSame(machine.folder, target, "what the head holds");
}
