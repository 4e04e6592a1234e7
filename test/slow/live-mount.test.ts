/**
 * The process of a live mount, of a box or of a branch beside its folder, is killed at random times under a writing load: all that was synced is in the folder with its
 * bytes, of the step that was interrupted a part at most, and the next mount goes on. In the end everything is in a commit.
 */
import assert from "node:assert/strict";
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after } from "node:test";
import { setTimeout as delay } from "node:timers/promises";
import type { Prng } from "../../src/base/prng.ts";
import { BoxMount } from "../support/box-mount.ts";
import { fuseProblem } from "../support/fuse-mount.ts";
import { type Contents, contentsAfter, nameOf } from "../support/live-work.ts";
import { jsonLines, Program, succeed } from "../support/program.ts";
import { testSeeds } from "../support/seeds.ts";

const problem = await fuseProblem();
const kills = 25;
const place = mkdtempSync(join(tmpdir(), "ourobox-live-slow-"));
const program = new Program(join(place, "home"));
after(() => rmSync(place, { recursive: true, force: true }));

function ok(cwd: string, ...args: readonly string[]): Promise<string> {
  return succeed(program.run(args, { cwd }));
}

/** @param interrupted The name of which any beginning may be there, or nothing. */
function requireContents(folder: string, expected: Contents, interrupted?: string): void {
  const names = new Set(readdirSync(folder).filter((name) => name !== ".ourobox"));
  for (const [name, bytes] of expected)
    if (name !== interrupted) {
      assert.ok(names.delete(name), `${name} is missing`);
      assert.ok(readFileSync(join(folder, name)).equals(bytes), `${name} has other bytes`);
    }
  if (interrupted !== undefined) names.delete(interrupted);
  assert.deepEqual([...names], []);
}

/** What may be there when `done` steps are known to be done and the next may have been begun. */
function requireBetween(folder: string, done: number): void {
  const [before, after] = [contentsAfter(done), contentsAfter(done + 1)];
  const name = nameOf(done + 1);
  try {
    requireContents(folder, after);
  } catch {
    requireContents(folder, before, name);
    if (!readdirSync(folder).includes(name)) return;
    const found = readFileSync(join(folder, name));
    const goal = after.get(name) ?? before.get(name);
    assert.ok(goal?.subarray(0, found.length).equals(found), `${name} has other bytes than were written`);
    assert.ok(found.length >= (before.get(name)?.length ?? 0), `${name} has lost what was there`);
  }
}

/** What is mounted. */
interface Kind {
  /** How to, the first time and then. */
  readonly args: readonly [readonly string[], readonly string[]];
  /** Where what is written there is, from the box's folder. */
  readonly files: string;
  /** What others do with the box while it is written to. */
  readonly beside: readonly (readonly string[])[];
  /** Done in the end, for the box's folder to have all. */
  readonly end: readonly (readonly string[])[];
}

const theBox: Kind = { args: [[], []], files: ".", beside: [], end: [] };
const aBranch: Kind = {
  args: [
    ["-c", "side"],
    ["-b", "side"],
  ],
  files: ".ourobox/branches/side/files",
  beside: [["gc"]],
  end: [["switch", "side"]],
};

async function killedRounds(prng: Prng, kind: Kind): Promise<void> {
  const box = mkdtempSync(join(place, "box-"));
  await ok(box, "init");
  await ok(box, "commit", "-m", "nothing yet");
  const files = join(box, kind.files);
  const directory = `${box}-live`;
  mkdirSync(directory);
  const args = ["--commit-after", "200ms"];
  let done = 0;
  for (let round = 0; round < kills; round += 1) {
    const how = [...args, ...kind.args[round === 0 ? 0 : 1]];
    await using mount = await BoxMount.start(program, { box, directory, args: how });
    assert.equal(mount.started.status, 0, mount.started.err);
    const working = mount.runProgram("live-work.ts", directory, `${done + 1}`);
    const others = kind.beside.map((words) => ok(box, ...words));
    await delay(prng.int(100, 1500));
    mount.kill();
    const { out } = await working;
    await Promise.all(others);
    const steps = out.split("\n").filter((line) => /^\d+$/.test(line));
    done = Number(steps.at(-1) ?? done);
    requireBetween(files, done);
    assert.match(out.slice(-300), /not connected|abort|ENOTCONN/i);
  }
  assert.ok(done > kills, `only ${done} steps were done`);
  const last = await BoxMount.start(program, { box, directory, args: [...args, ...kind.args[1]] });
  assert.equal(last.started.status, 0, last.started.err);
  await ok(place, "umount", directory);
  for (const words of kind.end) await ok(box, ...words);
  assert.equal(jsonLines(await ok(box, "status", "--json"))[0]?.["changes"], 0);
  await ok(box, "check", "--read-data");
  const target = `${box}-restored`;
  await ok(box, "restore", "--target", target);
  requireBetween(target, done);
}

if (problem === undefined) {
  const name = "killed while it is written to, it has lost nothing that was synced";
  testSeeds(`live mount: ${name}`, 2, (prng) => killedRounds(prng, theBox));
  testSeeds(`branch mount: ${name}`, 1, (prng) => killedRounds(prng, aBranch));
}
