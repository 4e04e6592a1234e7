/** `mount --wait`, through the kernel: who reads or changes what cannot be had waits, and all others do not. */
import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { mkdirSync, mkdtempSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, test } from "node:test";
import { setTimeout as delay } from "node:timers/promises";
import { BoxMount } from "../support/box-mount.ts";
import { fuseProblem } from "../support/fuse-mount.ts";
import { Program, succeed } from "../support/program.ts";

const problem = await fuseProblem();
const skip = problem === undefined ? false : `no mount here: ${problem}`;
const place = mkdtempSync(join(tmpdir(), "ourobox-mount-wait-"));
const program = new Program(join(place, "home"));
const waitMsMax = 30_000;
const stepMs = 50;
after(() => rmSync(place, { recursive: true, force: true }));

function ok(cwd: string, ...args: readonly string[]): Promise<string> {
  return succeed(program.runHere(args, { cwd }));
}

let made = 0;
/** An unreal clone, and its remote. */
async function makeBoxes(): Promise<{ readonly lean: string; readonly remote: string }> {
  made += 1;
  const [full, lean, remote] = ["full", "lean", "remote"].map((name) => join(place, `${name} ${made}`)) as [
    string,
    string,
    string,
  ];
  mkdirSync(full);
  // Content that is not in one frame.
  for (const name of ["one", "two"]) writeFileSync(join(full, name), `${name}\n`.repeat(1_000_000));
  await ok(full, "init", "--plain");
  await ok(full, "commit", "-m", "first");
  await ok(full, "remote", "add", "origin", remote);
  await ok(full, "push");
  await ok(place, "clone", "--unreal", remote, lean);
  return { lean, remote };
}

async function mounted(box: string, ...args: string[]): Promise<BoxMount> {
  const mount = await BoxMount.start(program, { box, directory: `${box} mount`, args });
  assert.equal(mount.started.status, 0, mount.started.err);
  return mount;
}

async function untilItWaits(mount: BoxMount, times = 1): Promise<void> {
  for (let left = waitMsMax; left > 0; left -= stepMs) {
    const { out } = await mount.run("cat .ourobox/log");
    if (out.split("Waiting for content").length > times) return;
    await delay(stepMs);
  }
  assert.fail("nothing waits");
}

for (const [what, args, read] of [
  ["a live mount", ["--wait"], "md5sum < one; echo more >> two; tail -c 9 two"],
  ["a commit", ["--wait", "HEAD"], "md5sum < one; tail -c 9 two"],
] as const)
  test(`mount --wait: in ${what} reads go on when the remote is back, and all else goes on meanwhile`, {
    skip,
  }, async () => {
    const { lean, remote } = await makeBoxes();
    await using mount = await mounted(lean, ...args);
    renameSync(remote, `${remote} away`);
    const reading = mount.run(read);
    await untilItWaits(mount);
    assert.match((await mount.run("stat -c %s one; ls")).out, /^4000000\none\ntwo\n$/);
    renameSync(`${remote} away`, remote);
    const { status, out } = await reading;
    assert.equal(status, 0, out);
    assert.ok(out.startsWith(`${createHash("md5").update("one\n".repeat(1_000_000)).digest("hex")}  -\n`), out);
    assert.match(out, what === "a commit" ? /\ntwo\ntwo\n$/ : /two\nmore\n$/);
    const { out: log } = await mount.run("cat .ourobox/log");
    assert.match(log, /Waiting for content: .*no remote that may have it answers/);
    assert.match(log, /Content comes again: what has waited goes on\n$/);
    assert.doesNotMatch(log, /Cannot (read|open|change)/);
  });

test("mount --wait: who waits is interrupted by a signal, and its time ends with an I/O error", { skip }, async () => {
  const { lean, remote } = await makeBoxes();
  await using mount = await mounted(lean, "--wait=4s");
  renameSync(remote, `${remote} away`);
  const { out } = await mount.run(
    "timeout -s INT 1 cat one; echo $?; timeout -s INT 1 sh -c 'echo more >> two'; echo $?",
  );
  assert.match(out, /^124\n(.*Interrupted.*\n)?124\n$/);
  const { out: late } = await mount.run("cat one; echo $?");
  assert.match(late, /Input\/output error\n1\n$/);
  assert.match((await mount.run("cat .ourobox/log")).out, /No longer waiting: /);
  assert.equal((await mount.run("ls")).out, "one\ntwo\n");
});

test("mount --wait: SIGTERM ends the mount and all that wait in it", { skip }, async () => {
  const { lean, remote } = await makeBoxes();
  await using mount = await mounted(lean, "--wait", "HEAD");
  renameSync(remote, `${remote} away`);
  const reading = mount.run("cat one");
  await untilItWaits(mount);
  process.kill(mount.server ?? assert.fail("no server"), "SIGTERM");
  const { status } = await reading;
  assert.equal(status, 1);
  assert.equal(await mount.hasEnded(), true);
});

test("mount --wait: a time that is none is refused", { skip }, async () => {
  const { lean } = await makeBoxes();
  const wrong = await BoxMount.start(program, { box: lean, directory: `${lean} no`, args: ["--wait=soon"] });
  assert.match(wrong.started.err, /Cannot use --wait=soon: it is a time up to 24h/);
});
