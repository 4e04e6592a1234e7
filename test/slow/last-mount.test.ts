/** A live mount that was taken away lazily: it ends with who is in it, and until then the next one waits. */
import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdirSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, test } from "node:test";
import { setTimeout as delay } from "node:timers/promises";
import { BoxMount } from "../support/box-mount.ts";
import { fuseProblem } from "../support/fuse-mount.ts";
import { Program, succeed } from "../support/program.ts";

const problem = await fuseProblem();
const skip = problem === undefined ? false : `no mount here: ${problem}`;
const place = mkdtempSync(join(tmpdir(), "ourobox-last-mount-"));
const program = new Program(join(place, "home"));
/** More than after which it is said. */
const inItMs = 4000;
after(() => rmSync(place, { recursive: true, force: true }));

test("the next live mount waits for who is still in the last one, and says so", { skip }, async () => {
  const box = join(place, "box");
  const directory = join(place, "mount");
  mkdirSync(box);
  await succeed(program.run(["init"], { cwd: box }));
  await using first = await BoxMount.start(program, { box, directory, args: [] });
  assert.equal(first.started.status, 0, first.started.err);
  const user = spawn("sleep", ["600"], { cwd: directory, stdio: "ignore" });
  const ended = once(user, "exit");
  try {
    await succeed(program.run(["umount", "--lazy", directory], { cwd: place }));
    const starting = BoxMount.start(program, { box, directory, args: [] });
    await delay(inItMs);
    user.kill();
    await using next = await starting;
    assert.equal(next.started.status, 0, next.started.err);
    assert.ok(next.started.err.startsWith(`Waiting for the last mount, on ${directory}, to end: `), next.started.err);
    assert.equal((await next.run("echo x > f && cat f")).out, "x\n");
  } finally {
    user.kill();
  }
  await ended;
});
