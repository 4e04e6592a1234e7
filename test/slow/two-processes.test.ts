/**
 * Many processes at work on one box and on one remote at once: none fails, none waits for a dead one, and nothing is lost.
 */
import assert from "node:assert/strict";
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { Prng } from "../../src/base/prng.ts";
import { describeRan, jsonLines } from "../support/program.ts";
import { fillFolder } from "../support/slow-folder.ts";
import { requireSame, type SlowMachine, SlowPlace } from "../support/slow-machine.ts";

const size = { files: 40, largeFiles: 2, largeBytes: 300_000 };
const commitsEach = 30;
const pushRounds = 12;
const deaths = 16;

test("two processes commit while a third cleans up and a fourth checks: none fails, no commit is lost", async (t) => {
  using place = new SlowPlace();
  const a = place.machine("a");
  await fill(a);
  let isOver = false;
  const counts = { commits: 0, gcs: 0, busy: 0, checks: 0 };

  async function commitInLoop(name: string, prng: Prng): Promise<void> {
    const folder = join(a.folder, name);
    mkdirSync(folder);
    for (let round = 1; round <= commitsEach; round += 1) {
      for (let file = 0; file < 4; file += 1) writeFileSync(join(folder, `f${prng.int(0, 20)}`), prng.bytes(5000));
      // What the other writes just now is taken as it was in the last commit, and is the other's to commit: partly done, 3.
      const ran = await a.run(["commit", "-m", `${name} ${round}`]);
      assert(ran.status === 0 || (ran.status === 3 && /changed while/.test(ran.err)), describeRan(ran));
      counts.commits += 1;
    }
  }
  async function cleanInLoop(): Promise<void> {
    while (!isOver) {
      const ran = await a.run(["gc"]);
      // It gives up when others write all the time: 11, as its page says.
      assert(ran.status === 0 || ran.status === 11, describeRan(ran));
      counts.gcs += 1;
      if (ran.status === 11) counts.busy += 1;
    }
  }
  async function checkInLoop(): Promise<void> {
    while (!isOver) {
      await a.requireSound("beside commits and gcs");
      counts.checks += 1;
    }
  }
  const committing = Promise.all([commitInLoop("one", new Prng(1)), commitInLoop("two", new Prng(2))]);
  const ended = committing.finally(() => {
    isOver = true;
  });
  await Promise.all([ended, cleanInLoop(), checkInLoop()]);

  await a.ok(["commit", "-m", "last"]);
  await a.requireSound("at the end");
  await a.requireClean("at the end");
  a.requireTidy("at the end");
  const target = place.path("restored");
  await a.ok(["restore", "--target", target]);
  requireSame(a.folder, target, "what the last commit holds");
  t.diagnostic(JSON.stringify({ ...counts, told: a.told.size }));
  assert(counts.gcs > counts.busy, "no gc ever got through");
});

test("two clones that push to one folder at once both succeed, always", async () => {
  using place = new SlowPlace();
  const [a, b] = [place.machine("a"), place.machine("b")];
  const remote = place.path("remote");
  await fill(a);
  await a.ok(["remote", "add", "origin", remote]);
  await a.ok(["push"]);
  await b.ok(["clone", remote, b.folder], { cwd: place.top });
  for (let round = 1; round <= pushRounds; round += 1) {
    for (const machine of [a, b]) {
      writeFileSync(join(machine.folder, "round"), `${round} of ${machine.folder}`);
      await machine.ok(["commit", "-m", `round ${round}`]);
    }
    await Promise.all([a.ok(["push"]), b.ok(["push"])]);
  }
  await Promise.all([a.ok(["fetch"]), b.ok(["fetch"])]);
  for (const [one, other] of [
    [a, b],
    [b, a],
  ] as const) {
    await one.requireSound("after the pushes");
    const [head = ""] = await other.log();
    const ran = await one.run(["log", head]);
    const found = new Set(jsonLines(ran.out).map(({ commit }) => commit));
    assert.deepEqual(
      [...other.told].filter((id) => !found.has(id)),
      [],
    );
  }
});

test("a process that is killed leaves no lock", async (t) => {
  using place = new SlowPlace();
  const a = place.machine("a");
  await fill(a);
  const [first = ""] = await a.log();
  const prng = new Prng(3);
  let killed = 0;
  for (let death = 0; death < deaths; death += 1) {
    writeFileSync(join(a.folder, "large/l0"), prng.bytes(200_000));
    const args = prng.pick([["commit"], ["gc"], ["restore", "--source", first, "work"]]);
    const ran = await a.run(args, { killAfterMs: prng.int(90, 350) });
    if (ran.status === undefined) killed += 1;
    // A gc needs the box for itself, a commit the folder.
    await a.ok(["gc"]);
    await a.ok(["commit", "-m", `after death ${death}`]);
  }
  t.diagnostic(`${killed} of ${deaths} were killed`);
  await a.requireSound("after all deaths");
});

async function fill(machine: SlowMachine): Promise<void> {
  mkdirSync(machine.folder);
  fillFolder(new Prng(7), machine.folder, size);
  await machine.ok(["init"]);
  await machine.ok(["commit", "-m", "first"]);
}
