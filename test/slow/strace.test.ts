/**
 * The real program under strace, which lets the Nth sync, rename or link of each thread fail with EIO or kills the program at it, for N from 1
 * until the command gets through: after each the box is whole, and the same command run again ends well.
 */
import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { mkdirSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { Prng } from "../../src/base/prng.ts";
import { skipWithout } from "../support/debian-program.ts";
import { jsonLines, type Ran } from "../support/program.ts";
import { fillFolder, workOn } from "../support/slow-folder.ts";
import { copyFolder, describeRan, requireSame, type SlowMachine, SlowPlace } from "../support/slow-machine.ts";

const calls = ["fsync", "fdatasync", "syncfs", "rename", "renameat", "renameat2", "link"] as const;
const faults = ["error=EIO", "signal=KILL"] as const;
const size = { files: 12, largeFiles: 2, largeBytes: 300_000 };
const callsMax = 200;

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
  readonly verify: () => Promise<void>;
}

const scenarios: Readonly<Record<string, Scenario>> = {
  commit: {
    machine: a,
    args: ["commit", "-m", "third"],
    changes: [a.folder],
    async verify() {
      await a.requireClean("after a commit");
      await requireRestored(a, "HEAD", a.folder);
    },
  },
  push: {
    machine: a,
    args: ["push"],
    changes: [a.folder, remote],
    async verify() {
      const fresh = b.at(place.path("fresh"));
      rmSync(fresh.folder, { recursive: true, force: true });
      await fresh.ok(["clone", remote, fresh.folder], { cwd: place.top });
      requireSame(place.path("second"), fresh.folder, "what was pushed");
    },
  },
  pull: {
    machine: b,
    args: ["pull"],
    changes: [b.folder],
    async verify() {
      requireSame(place.path("second"), b.folder, "what was pulled");
      await b.requireClean("after a pull");
    },
  },
  clone: {
    machine: c,
    args: ["clone", remote, c.folder],
    cwd: place.top,
    changes: [c.folder],
    canBeDone: "exists",
    async verify() {
      requireSame(place.path("second"), c.folder, "what was cloned");
      await c.requireClean("after a clone");
    },
  },
  restore: {
    machine: b,
    args: ["restore", "--source", "HEAD~1", "."],
    changes: [b.folder],
    async verify() {
      requireSame(place.path("first"), b.folder, "what was restored");
    },
  },
  gc: {
    machine: a,
    args: ["gc"],
    changes: [a.folder],
    async verify() {
      a.requireTidy("after a gc");
      await requireRestored(a, "HEAD", place.path("second"));
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
});

after(() => place[Symbol.dispose]());

test("a commit that fails or is killed at any sync or rename loses nothing", { skip }, async (t) => {
  await atEveryCall("commit", t.diagnostic.bind(t), () => workOn(new Prng(2), a.folder, 8));
});

test("a push that fails or is killed at any sync or rename loses nothing", { skip }, async (t) => {
  // Back to the second commit, which the remote does not have.
  copyFiles(place.path("second"), a.folder);
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
  await atEveryCall("clone", t.diagnostic.bind(t));
});

test("a restore that fails or is killed at any sync or rename ends well when run again", { skip }, async (t) => {
  await b.ok(["pull"]);
  await atEveryCall("restore", t.diagnostic.bind(t));
});

async function atEveryCall(name: string, say: (text: string) => void, prepare?: () => void): Promise<void> {
  const scenario = scenarios[name];
  assert(scenario !== undefined);
  prepare?.();
  const kept = new Map(scenario.changes.map((folder, index) => [folder, place.path(`template-${index}`)]));
  for (const [folder, template] of kept) copyFiles(folder, template);
  const reset = (): void => {
    for (const [folder, template] of kept) copyFiles(template, folder);
    scenario.machine.told.clear();
  };
  const counts: string[] = [];
  for (const call of await callsOf(scenario)) {
    for (const fault of faults) {
      for (let count = 1; ; count += 1) {
        assert(count <= callsMax, "it never gets through");
        reset();
        if (!(await runInjured(scenario, { call, fault, count }))) {
          counts.push(`${call} ${fault} ${count - 1}`);
          break;
        }
      }
    }
  }
  reset();
  say(`${name}: ${counts.join(", ")}`);
  assert(counts.length > 0);
}

/** Which of the calls a command makes at all. It is run to its end. */
async function callsOf({ machine, args, cwd }: Scenario): Promise<string[]> {
  const { ran, trace } = await runTraced(machine, args, { cwd, flags: [] });
  assert.equal(ran.status, 0, describeRan(ran));
  return calls.filter((call) => new RegExp(`\\b${call}\\(`).test(trace));
}

interface Injection {
  readonly call: string;
  readonly fault: (typeof faults)[number];
  readonly count: number;
}

/** @returns Whether anything was injured. */
async function runInjured(scenario: Scenario, { call, fault, count }: Injection): Promise<boolean> {
  const { machine, args, cwd, verify, canBeDone } = scenario;
  const what = `${args[0]} with ${fault} at ${call} ${count}`;
  const flags = ["-e", `inject=${call}:${fault}:when=${count}`];
  const { ran, trace } = await runTraced(machine, args, { cwd, flags });
  if (ran.status !== undefined && !trace.includes("(INJECTED)")) {
    assert.equal(ran.status, 0, `${what}: ${describeRan(ran)}`);
    return false;
  }
  assert.notEqual(errorKind(ran), "bug", `${what}: ${describeRan(ran)}`);
  if (machine.hasBox) await machine.requireSound(what);
  const again = await machine.run(args, cwd === undefined ? {} : { cwd });
  const isDone = canBeDone !== undefined && errorKind(again) === canBeDone;
  assert(again.status === 0 || isDone, `${what}, then ${describeRan(again)}`);
  await verify();
  await machine.requireTold(what);
  return true;
}

async function runTraced(
  machine: SlowMachine,
  args: readonly string[],
  { cwd, flags }: { readonly cwd: string | undefined; readonly flags: readonly string[] },
): Promise<{ readonly ran: Ran; readonly trace: string }> {
  const path = place.path("trace");
  const below = ["strace", "-f", "--seccomp-bpf", "-qq", "-o", path, "-e", `trace=${calls.join(",")}`, ...flags];
  const ran = await machine.run(args, { below, ...(cwd === undefined ? {} : { cwd }) });
  return { ran, trace: readFileSync(path, "utf8") };
}

function errorKind({ err }: Ran): string | undefined {
  const [error] = jsonLines(err).flatMap((line) => line["error"] ?? []) as { readonly kind?: string }[];
  return error?.kind;
}

async function requireRestored(machine: SlowMachine, source: string, like: string): Promise<void> {
  const target = place.path("restored");
  rmSync(target, { recursive: true, force: true });
  await machine.ok(["restore", "--source", source, "--target", target]);
  requireSame(like, target, `what ${source} holds`);
}

function keepFiles(name: string): void {
  copyFolder(a.folder, place.path(name));
  rmSync(place.path(`${name}/.ourobox`), { recursive: true });
}

/**
 * Makes a folder what another is. `.ourobox` itself stays where it is, if it is in both: another one in its place would be a copied box.
 */
function copyFiles(from: string, to: string): void {
  const names = (folder: string): string[] => {
    try {
      return readdirSync(folder);
    } catch {
      return [];
    }
  };
  const [wanted, found] = [names(from), names(to)];
  if (wanted.length === 0) {
    rmSync(to, { recursive: true, force: true });
    return;
  }
  mkdirSync(to, { recursive: true });
  for (const name of found) {
    if (name !== ".ourobox") rmSync(join(to, name), { recursive: true });
    else if (wanted.includes(name)) emptyFolder(join(to, name));
  }
  execFileSync("cp", ["-a", `${from}/.`, to]);
}

function emptyFolder(folder: string): void {
  for (const name of readdirSync(folder)) rmSync(join(folder, name), { recursive: true });
}
