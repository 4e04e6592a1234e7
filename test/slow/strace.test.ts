/**
 * The real program under strace, which lets the Nth sync, rename or link of each thread fail with EIO, or kills the program at it: after
 * each the box is whole, and the same command run again ends well.
 *
 * Of every kind of call that a command makes, the first, the last and the middle one are always met; then those between, until the time for
 * the command is over.
 */
import assert from "node:assert/strict";
import { mkdirSync, readFileSync, rmSync } from "node:fs";
import { after, before, beforeEach, test } from "node:test";
import { Prng } from "../../src/base/prng.ts";
import { skipWithout } from "../support/debian-program.ts";
import { describeRan, errorOf, type Ran } from "../support/program.ts";
import { fillFolder, workOn } from "../support/slow-folder.ts";
import { copyFiles, requireSame, type SlowMachine, SlowPlace } from "../support/slow-machine.ts";

const calls = ["fsync", "fdatasync", "syncfs", "rename", "renameat", "renameat2", "link", "linkat"] as const;
const faults = ["error=EIO", "signal=KILL"] as const;
const size = { files: 12, largeFiles: 2, largeBytes: 300_000 };
const secondsEach = 30;
/** koffi's, of what by then is `/dev/null`, at the end of a process: no disk can fail it. */
const ofOutput = /\bfsync\([12]\)/;
/** A program that takes as long hangs. */
const hangsMs = 30_000;

const skip = skipWithout("strace", ["-f", "-e", "trace=fsync", "true"]);
const place = new SlowPlace();
const [a, b] = [place.machine("a"), place.machine("b")];
const remote = place.path("remote");
const c = a.at(place.path("c"));

interface Scenario {
  readonly machine: SlowMachine;
  readonly args: readonly string[];
  readonly cwd?: string;
  /** The folders that the command changes. */
  readonly changes: readonly string[];
  /** An error that means that it was done already. */
  readonly canBeDone?: string;
  /** The right result is there. */
  readonly verify: (what: string) => Promise<void>;
}

const scenarios: Readonly<Record<string, Scenario>> = {
  commit: {
    machine: a,
    args: ["commit", "-m", "third"],
    changes: [a.folder],
    async verify(what) {
      await a.requireClean(what);
      await requireRestored(a.folder, what);
    },
  },
  push: {
    machine: a,
    args: ["push"],
    changes: [a.folder, remote],
    async verify(what) {
      const fresh = b.at(place.path("fresh"));
      rmSync(fresh.folder, { recursive: true, force: true });
      await fresh.look(["clone", remote, fresh.folder], place.top);
      requireSame(place.path("second"), fresh.folder, what);
    },
  },
  pull: {
    machine: b,
    args: ["pull"],
    changes: [b.folder],
    async verify(what) {
      requireSame(place.path("second"), b.folder, what);
      await b.requireClean(what);
      b.requireTidy(what);
    },
  },
  clone: {
    machine: c,
    args: ["clone", remote, c.folder],
    cwd: place.top,
    changes: [c.folder],
    canBeDone: "exists",
    async verify(what) {
      requireSame(place.path("second"), c.folder, what);
      await c.requireClean(what);
      c.requireTidy(what);
    },
  },
  restore: {
    machine: b,
    args: ["restore", "--source", "HEAD~1", "."],
    changes: [b.folder],
    async verify(what) {
      requireSame(place.path("first"), b.folder, what);
      b.requireTidy(what);
    },
  },
  gc: {
    machine: a,
    args: ["gc"],
    changes: [a.folder],
    async verify(what) {
      a.requireTidy(what);
      await requireRestored(place.path("second"), what);
    },
  },
};

before(async () => {
  if (skip !== false) return;
  const prng = new Prng(1);
  mkdirSync(a.folder);
  fillFolder(prng, a.folder, size);
  await a.ok(["init"]);
  await a.ok(["remote", "add", "origin", remote]);
  await a.ok(["commit", "-m", "first"]);
  keepFiles("first");
  await a.ok(["push"]);
  await b.ok(["clone", remote, b.folder], { cwd: place.top });
  workOn(prng, a.folder, 8);
  await a.ok(["commit", "-m", "second"]);
  keepFiles("second");
  for (const folder of [a.folder, b.folder, remote]) copyFiles(folder, `${folder}-begin`);
});

/** The first commit is everywhere, the second in one box. */
beforeEach(() => {
  if (skip !== false) return;
  for (const folder of [a.folder, b.folder, remote]) copyFiles(`${folder}-begin`, folder);
  for (const machine of [a, b, c]) machine.told.clear();
});

after(() => place[Symbol.dispose]());

test("a commit that fails or is killed at any sync or rename loses nothing", { skip }, async (t) => {
  workOn(new Prng(2), a.folder, 8);
  await atEveryCall("commit", t.diagnostic.bind(t));
});

test("a push that fails or is killed at any sync or rename loses nothing", { skip }, async (t) => {
  await atEveryCall("push", t.diagnostic.bind(t));
});

test("a gc that fails or is killed at any sync or rename loses nothing", { skip }, async (t) => {
  await atEveryCall("gc", t.diagnostic.bind(t));
});

test("a pull that fails or is killed at any sync or rename ends well when run again", { skip }, async (t) => {
  await a.ok(["push"]);
  await atEveryCall("pull", t.diagnostic.bind(t));
});

test("a clone that fails or is killed at any sync or rename ends well when run again", { skip }, async (t) => {
  await a.ok(["push"]);
  await atEveryCall("clone", t.diagnostic.bind(t));
});

test("a restore that fails or is killed at any sync or rename ends well when run again", { skip }, async (t) => {
  await a.ok(["push"]);
  await b.ok(["pull"]);
  await atEveryCall("restore", t.diagnostic.bind(t));
});

async function atEveryCall(name: string, say: (text: string) => void): Promise<void> {
  const scenario = scenarios[name];
  assert(scenario !== undefined);
  const kept = new Map(scenario.changes.map((folder, index) => [folder, place.path(`template-${index}`)]));
  for (const [folder, template] of kept) copyFiles(folder, template);
  const told = [...scenario.machine.told];
  const counts = await callsOf(scenario);
  assert(counts.size > 0);
  const injured = new Map<string, number>();
  for (const injection of injectionsOf(counts)) {
    for (const [folder, template] of kept) copyFiles(template, folder);
    scenario.machine.told.clear();
    for (const id of told) scenario.machine.told.add(id);
    const key = `${injection.call} ${injection.fault}`;
    if (await runInjured(scenario, injection)) injured.set(key, (injured.get(key) ?? 0) + 1);
  }
  say(
    `${name}: ${[...injured].map(([key, times]) => `${key} ${times} of ${counts.get(key.split(" ")[0] ?? "")}`).join(", ")}`,
  );
  for (const call of counts.keys())
    for (const fault of faults)
      assert(injured.has(`${call} ${fault}`), `${name}: nothing was injured by ${fault} at ${call}`);
}

/** How often a command makes each of the calls, in that thread which makes it most often. It is run to its end. */
async function callsOf({ machine, args, cwd }: Scenario): Promise<Map<string, number>> {
  const { ran, trace } = await runTraced(machine, args, { cwd, flags: [] });
  assert.equal(ran.status, 0, describeRan(ran));
  const byThread = new Map<string, number>();
  const most = new Map<string, number>();
  for (const line of trace.split("\n")) {
    const [, thread, call] = /^(\d+) +(\w+)\(/.exec(line) ?? [];
    if (call === undefined || ofOutput.test(line)) continue;
    const count = (byThread.get(`${thread} ${call}`) ?? 0) + 1;
    byThread.set(`${thread} ${call}`, count);
    most.set(call, Math.max(count, most.get(call) ?? 0));
  }
  return most;
}

interface Injection {
  readonly call: string;
  readonly fault: (typeof faults)[number];
  /** From 1. */
  readonly count: number;
}

/** All there are, the telling ones first, and no more when the time is over. */
function* injectionsOf(counts: ReadonlyMap<string, number>): Iterable<Injection> {
  const endMs = performance.now() + secondsEach * 1000;
  const orders = new Map([...counts].map(([call, count]) => [call, spreadOrder(count)]));
  for (let rank = 0; rank < Math.max(...counts.values()); rank += 1) {
    for (const [call, order] of orders) {
      const count = order[rank];
      if (count === undefined) continue;
      for (const fault of faults) {
        if (rank >= 3 && performance.now() > endMs) return;
        yield { call, fault, count };
      }
    }
  }
}

/** The numbers from 1 to `count`: the first, the last, then always the middle of the largest gap. */
function spreadOrder(count: number): number[] {
  const order = count === 1 ? [1] : [1, count];
  for (let gaps: [number, number][] = [[1, count]]; gaps.length > 0; ) {
    gaps = gaps.flatMap(([from, to]): [number, number][] => {
      if (to - from < 2) return [];
      const middle = (from + to) >>> 1;
      order.push(middle);
      return [
        [from, middle],
        [middle, to],
      ];
    });
  }
  return order;
}

/** @returns Whether anything was injured. */
async function runInjured(scenario: Scenario, { call, fault, count }: Injection): Promise<boolean> {
  const { machine, args, cwd, verify, canBeDone } = scenario;
  const what = `${args[0]} with ${fault} at ${call} ${count}`;
  const flags = ["-e", `inject=${call}:${fault}:when=${count}`];
  const { ran, trace } = await runTraced(machine, args, { cwd, flags });
  assert(ran.ms < hangsMs, `${what} hangs`);
  if (ran.status !== undefined && !trace.includes("(INJECTED)")) {
    assert.equal(ran.status, 0, `${what}: ${describeRan(ran)}`);
    return false;
  }
  const { kind } = errorOf(ran);
  assert(
    ran.status === undefined || ran.status === 0 || (kind !== undefined && kind !== "bug"),
    `${what}: ${describeRan(ran)}`,
  );
  if (machine.hasBox) await machine.requireSound(what);
  const again = await machine.run(args, cwd === undefined ? {} : { cwd });
  const isDone = canBeDone !== undefined && errorOf(again).kind === canBeDone;
  assert(again.status === 0 || isDone, `${what}, then ${describeRan(again)}`);
  await verify(what);
  await machine.requireTold(what);
  return true;
}

async function runTraced(
  machine: SlowMachine,
  args: readonly string[],
  { cwd, flags }: { readonly cwd: string | undefined; readonly flags: readonly string[] },
): Promise<{ readonly ran: Ran; readonly trace: string }> {
  const path = place.path("trace");
  // With seccomp it is faster, but kills nothing.
  const how = flags.some((flag) => flag.includes("signal")) ? [] : ["--seccomp-bpf"];
  const below = ["strace", "-f", ...how, "-qq", "-o", path, "-e", `trace=${calls.join(",")}`, ...flags];
  const ran = await machine.run(args, { below, killAfterMs: hangsMs, ...(cwd === undefined ? {} : { cwd }) });
  return { ran, trace: readFileSync(path, "utf8") };
}

async function requireRestored(like: string, what: string): Promise<void> {
  const target = place.path("restored");
  rmSync(target, { recursive: true, force: true });
  await a.look(["restore", "--target", target]);
  requireSame(like, target, what);
}

function keepFiles(name: string): void {
  copyFiles(a.folder, place.path(name));
  rmSync(place.path(`${name}/.ourobox`), { recursive: true });
}
