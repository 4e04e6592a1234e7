/**
 * A live mount that is killed again and again while a large unreal file is written in it, beside the commits that it makes: what was synced is there, whatever a commit
 * has taken in of it, and the file never comes whole.
 */
import assert from "node:assert/strict";
import { mkdtempSync, readdirSync, readFileSync, renameSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, test } from "node:test";
import { setTimeout as delay } from "node:timers/promises";
import { Prng } from "../../src/base/prng.ts";
import { BoxMount } from "../support/box-mount.ts";
import { fuseProblem } from "../support/fuse-mount.ts";
import { bytesAfter } from "../support/large-work.ts";
import { Program, succeed } from "../support/program.ts";
import { testSeeds } from "../support/seeds.ts";

const problem = await fuseProblem();
const kills = 10;
const size = 20_000_000;
const place = mkdtempSync(join(tmpdir(), "ourobox-staged-slow-"));
const program = new Program(join(place, "home"));
after(() => rmSync(place, { recursive: true, force: true }));

function ok(cwd: string, ...args: readonly string[]): Promise<string> {
  return succeed(program.run(args, { cwd }));
}

function bytesIn(folder: string): number {
  const files = readdirSync(folder, { recursive: true, withFileTypes: true }).filter((each) => each.isFile());
  return files.reduce((sum, { parentPath, name }) => sum + statSync(join(parentPath, name)).size, 0);
}

/** Of a step that was interrupted all is there, or nothing: it is one write. */
function requireSteps(found: Buffer, base: Buffer, done: number): number {
  for (const steps of [done, done + 1]) if (found.equals(bytesAfter(base, steps))) return steps;
  assert.fail(`after ${done} steps the file has other bytes`);
}

interface Boxes {
  readonly full: string;
  readonly lean: string;
  readonly remote: string;
  readonly directory: string;
  readonly base: Buffer;
}

/** A box with a large file, and an unreal clone of it. */
async function makeBoxes(name: string): Promise<Boxes> {
  const at = (what: string): string => join(place, `${name} ${what}`);
  const [full, lean, remote, directory] = [at("full"), at("lean"), at("remote"), at("mount")];
  const base = Buffer.from(new Prng(1).bytes(size));
  await ok(place, "init", full);
  writeFileSync(join(full, "big"), base);
  await ok(full, "commit", "-m", "first");
  await ok(full, "remote", "add", "origin", remote);
  await ok(full, "push");
  await ok(place, "clone", "--unreal", remote, lean);
  return { full, lean, remote, directory, base };
}

async function killedRounds(prng: Prng): Promise<void> {
  const { full, lean, directory, base } = await makeBoxes("killed");
  let done = 0;
  for (let round = 0; round < kills; round += 1) {
    await using mount = await BoxMount.start(program, { box: lean, directory, args: ["--commit-after", "200ms"] });
    assert.equal(mount.started.status, 0, mount.started.err);
    const big = join(directory, "big");
    const working = mount.runProgram("large-work.ts", big, `${done + 1}`);
    await delay(prng.int(300, 2500));
    mount.kill();
    const { out } = await working;
    const steps = out.split("\n").filter((line) => /^\d+$/.test(line));
    done = Number(steps.at(-1) ?? done);
    await mount[Symbol.asyncDispose]();
    await using again = await BoxMount.start(program, { box: lean, directory, args: ["--commit-after", "off"] });
    assert.equal(again.started.status, 0, again.started.err);
    const copy = join(place, "copy");
    assert.equal((await again.run(`cat big > '${copy}'`)).out, "");
    done = requireSteps(readFileSync(copy), base, done);
  }
  assert(done > kills, `only ${done} steps were done`);
  await ok(lean, "commit", "-m", "last");
  assert.deepEqual(readdirSync(lean), [".ourobox"]);
  assert.deepEqual(readdirSync(join(lean, ".ourobox/staged")), []);
  await ok(lean, "push");
  await ok(full, "pull");
  assert.equal(await ok(full, "conflicts"), "");
  requireSteps(readFileSync(join(full, "big")), base, done);
  await ok(lean, "check");
}

if (problem === undefined)
  testSeeds(
    "live mount, unreal: killed while a large file is written, it has lost nothing that was synced",
    1,
    killedRounds,
  );

if (problem === undefined)
  test("live mount, unreal: cp makes a copy without a remote, which is there after a kill", async () => {
    const { full, lean, remote, directory, base } = await makeBoxes("copied");
    renameSync(remote, `${remote} away`);
    const names = ["again", "copy", "dir/kept", "install"];
    {
      await using mount = await BoxMount.start(program, { box: lean, directory, args: ["--commit-after", "off"] });
      const copies =
        "cp big copy && mkdir dir && cp -p big dir/kept && install -m 600 big install && cp copy again && cp big again";
      assert.deepEqual(await mount.run(`${copies} && sync again install dir/kept`), { status: 0, out: "" });
      mount.kill();
    }
    await using mount = await BoxMount.start(program, {
      box: lean,
      directory,
      args: ["--commit-after", "off", "--wait"],
    });
    const { out } = await mount.run(
      `stat -c '%n %s %a' ${names.join(" ")}; [ dir/kept -nt big -o big -nt dir/kept ] || echo as old`,
    );
    const modes = ["644", "644", "644", "600"];
    assert.equal(out, `${names.map((name, at) => `${name} ${size} ${modes[at]}\n`).join("")}as old\n`);
    assert.deepEqual(readdirSync(lean).sort(), [".ourobox", "dir"]);
    assert.deepEqual(readdirSync(join(lean, "dir")), []);
    renameSync(`${remote} away`, remote);
    await ok(lean, "commit", "-m", "last");
    const before = bytesIn(remote);
    await ok(lean, "push");
    const sent = bytesIn(remote) - before;
    assert(sent < 100_000, `${sent}`);
    await ok(full, "pull");
    for (const name of names) assert(readFileSync(join(full, name)).equals(base), name);
    assert.equal((await mount.run("cmp copy dir/kept")).out, "");
    await ok(lean, "check");
  });
