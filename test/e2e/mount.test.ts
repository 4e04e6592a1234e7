import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  renameSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, test } from "node:test";
import { setTimeout as delay } from "node:timers/promises";
import { findMount } from "../../src/front/fuse/mod.ts";
import { readingCases } from "../../src/vfs/filesystem-reading.suite.ts";
import { BoxMount, mountHolds } from "../support/box-mount.ts";
import { readOutcomes } from "../support/case-outcomes.ts";
import { KernelClient } from "../support/fs-client-kernel.ts";
import { fuseProblem } from "../support/fuse-mount.ts";
import { Program } from "../support/program.ts";

const problem = await fuseProblem();
const skip = problem === undefined ? false : `no mount here: ${problem}`;
const uid = process.getuid?.() ?? 0;
const place = mkdtempSync(join(tmpdir(), "ourobox-mounts-"));
const program = new Program(join(place, "home"));
const box = join(place, "box");
process.umask(0o022);
after(() => rmSync(place, { recursive: true, force: true }));

async function ourobox(...args: readonly string[]): Promise<string> {
  const { status, out, err } = await program.runHere(args, { cwd: box });
  assert.equal(status, 0, `${args.join(" ")}: ${err}`);
  return out;
}

let made: Promise<void> | undefined;
/** A box with two commits, of which the second is tagged, made once. */
function makeBox(): Promise<void> {
  made ??= (async () => {
    mkdirSync(box);
    await ourobox("init");
    writeFileSync(join(box, "f"), "first\n");
    await ourobox("commit", "-m", "first");
    for (const [index, { asRoot, make }] of readingCases.entries()) {
      if (asRoot === true && uid !== 0) continue;
      mkdirSync(join(box, `case-${index}`));
      await make(new KernelClient(join(box, `case-${index}`), uid));
    }
    mkdirSync(join(box, "refused/d"), { recursive: true });
    writeFileSync(join(box, "refused/f"), "x");
    writeFileSync(join(box, "f"), "second\n");
    await ourobox("commit", "-m", "second");
    await ourobox("tag", "v2");
  })();
  return made;
}

let mounts = 0;
function newDirectory(): string {
  mounts += 1;
  return join(place, `mount ${mounts}`);
}

function mountTest(name: string, args: string[], body: (mount: BoxMount) => Promise<void>): void {
  test(`mount: ${name}`, { skip }, async () => {
    await makeBox();
    await using mount = await BoxMount.start(program, { box, directory: newDirectory(), args });
    assert.equal(mount.started.status, 0, mount.started.err);
    await body(mount);
  });
}

mountTest("what was committed is read through the kernel, and nothing is written", ["v2"], async (mount) => {
  const { out, status } = await mount.runProgram("mount-reading.ts", mount.directory);
  const { problems, count } = readOutcomes(out);
  assert.deepEqual([status, problems], [0, []], out);
  assert.ok(count > readingCases.length);
});

mountTest("an umount ends the process that serves, and what it held", ["HEAD"], async (mount) => {
  assert.equal((await mount.run("cat f")).out, "second\n");
  assert.equal(mountHolds(box).length, 1);
  const listed = await ourobox("mount", "--list", "--json");
  const rows = listed.split("\n").flatMap((line) => (line === "" ? [] : [JSON.parse(line) as Record<string, string>]));
  const row = rows.find(({ directory }) => directory === mount.directory);
  assert.equal(row?.["box"], box);
  assert.match(row?.["commit"] ?? "", /^[0-9a-f]{12}$/);
  // By a symlink that leads there, too.
  symlinkSync(mount.directory, `${mount.directory} link`);
  const { status, err } = await program.run(["umount", `${mount.directory} link`], { cwd: place });
  assert.equal(status, 0, err);
  assert.equal(await mount.hasEnded(), true);
});

mountTest("a mount in use stays, and who uses it is told; lazily it goes", ["HEAD~"], async (mount) => {
  const user = spawn("sleep", ["60"], { cwd: mount.directory, stdio: "ignore" });
  const ended = once(user, "exit");
  try {
    const isOver = uid === 0 && (await mount.run("mount --bind /dev/null f")).status === 0;
    const refused = await program.run(["umount", mount.directory], { cwd: place });
    assert.equal(refused.status, 11, refused.err);
    assert.match(refused.err, new RegExp(`sleep \\(${user.pid}: working directory\\)`));
    if (isOver) {
      assert.ok(refused.err.includes(`, the mount on ${mount.directory}/f\n`), refused.err);
      assert.equal((await mount.run("umount f")).status, 0);
    }
    assert.equal(mount.isMounted, true);
    const lazily = await program.run(["umount", "--lazy", mount.directory], { cwd: place });
    assert.equal(lazily.status, 0, lazily.err);
    assert.equal(mount.isMounted, false);
    assert.notEqual(mount.server, undefined);
  } finally {
    user.kill();
  }
  await ended;
  assert.equal(await mount.hasEnded(), true);
});

test("mount: what goes wrong in the process that serves is told by the one that started it", { skip }, async () => {
  await makeBox();
  const directory = newDirectory();
  writeFileSync(join(place, "plain"), "");
  const cases: readonly (readonly [args: string[], status: number, says: RegExp])[] = [
    [["mount", "HEAD", directory], 1, /Cannot mount on .*: there is no such folder\nMake it first/],
    [["mount", "HEAD", join(place, "plain")], 1, /it is not a directory/],
    [["mount", "HEAD", box], 2, /it is in the folder of the box itself|the box itself is in it/],
    [["mount", "HEAD", place], 2, /the box itself is in it/],
    [["mount", "nothing", directory], 1, /Cannot find nothing/],
    [["mount", "-o", "wrong", "HEAD", directory], 2, /Cannot use -o wrong/],
    [["mount", "-o", "umask=9", "HEAD", directory], 2, /three octal digits/],
    [["umount", place], 1, /no box is mounted there/],
  ];
  for (const [args, status, says] of cases) {
    const ran = await program.run(args, { cwd: box });
    assert.equal(ran.status, status, ran.err);
    assert.match(ran.err, says);
  }
  assert.deepEqual(mountHolds(box), []);
});

for (const signal of ["SIGINT", "SIGTERM"] as const) {
  test(`mount: in the foreground, ${signal} ends it, busy or not`, { skip }, async () => {
    await makeBox();
    const directory = newDirectory();
    mkdirSync(directory);
    const launcher = join(import.meta.dirname, "../../bin/ourobox.mjs");
    const env = { ...process.env, HOME: join(place, "home"), XDG_CONFIG_HOME: join(place, "home/config") };
    const child = spawn(launcher, ["mount", "-f", "HEAD", directory], {
      cwd: box,
      env,
      stdio: ["ignore", "ignore", "pipe"],
    });
    let err = "";
    child.stderr.setEncoding("utf8").on("data", (text: string) => {
      err += text;
    });
    const ended = once(child, "exit");
    try {
      while (!err.includes("until Ctrl-C")) await once(child.stderr, "data");
      child.kill(signal);
      assert.deepEqual(await ended, [0, null], err);
      assert.equal(findMount(directory), undefined);
      assert.deepEqual(mountHolds(box), []);
    } finally {
      child.kill("SIGKILL");
    }
  });
}

mountTest(
  "when its process is killed whoever asks it hears of that, and it can be mounted again",
  ["v2"],
  async (mount) => {
    const isIn = join(place, "is in");
    // What the kernel has kept it goes on giving out; this it never keeps.
    const reader = mount.run(
      `cat f > '${isIn}'; while cat .ourobox/status; do :; done > /dev/null; cat .ourobox/status`,
    );
    while (!existsSync(isIn) || readFileSync(isIn, "utf8") === "") await delay(10);
    mount.kill();
    assert.match((await reader).out, /not connected|aborted/i);
    const inIt = await program.run(["-C", mount.directory, "status"], { cwd: place });
    assert.match(inIt.err, /the process of the mount that is there has died\nRun `ourobox umount`/);
    const { status, err } = await program.run(["umount", mount.directory], { cwd: place });
    assert.equal(status, 0, err);
    await using again = await BoxMount.start(program, { box, directory: mount.directory });
    assert.equal(again.started.status, 0, again.started.err);
    assert.equal((await again.run("cat f")).out, "second\n");
    assert.ok(mountHolds(box, { all: true }).length > 1);
    await ourobox("gc");
    assert.equal(mountHolds(box, { all: true }).length, 1, "what the dead process held is gone");
  },
);

mountTest("history, tags and times are in .ourobox, which is not listed", ["HEAD~"], async (mount) => {
  const run = async (command: string): Promise<string> => (await mount.run(command)).out;
  assert.equal(await run("ls -a"), ".\n..\nf\n");
  assert.equal(await run("ls .ourobox"), "conflicts\nhistory\nlog\nstatus\n");
  assert.equal(await run("ls .ourobox/history"), "by-commit\nby-tag\nby-time\n");
  assert.equal(await run("cat .ourobox/history/by-tag/v2/f"), "second\n");
  assert.equal(await run("cat f .ourobox/history/by-time/now/f"), "first\nsecond\n");
  assert.equal(await run("cat .ourobox/history/by-time/*Z-*/f"), "first\nsecond\n");
  assert.equal(await run("ls .ourobox/history/by-commit | wc -l"), "2\n");
  const id = (await ourobox("log", "--json", "-n", "1")).match(/"(?:id|commit)":"([0-9a-f]{64})"/)?.[1] ?? "";
  assert.equal(await run(`cat .ourobox/history/by-commit/${id.slice(0, 8)}/f`), "second\n");
  assert.match(await run("cat .ourobox/status"), /^commit +[0-9a-f]{64}\nbox /);
  assert.match(await run("cat .ourobox/history/by-commit/0000/f; cat .ourobox/log"), /No such file/);
  await ourobox("tag", "later");
  assert.equal(await run("cat .ourobox/history/by-tag/later/f"), "second\n");
  assert.equal(await run("ls .ourobox/history/by-tag"), "later\nv2\n");
  await ourobox("tag", "-d", "later");
  assert.equal(await run("ls .ourobox/history/by-tag"), "v2\n");
});

test("mount: content that is not here is brought; what cannot be is an error at once, and the log says why", {
  skip,
}, async () => {
  await makeBox();
  const [remote, away, lean] = ["remote", "away", "lean"].map((name) => join(place, name)) as [string, string, string];
  await ourobox("remote", "add", "origin", remote);
  await ourobox("push");
  const cloned = await program.runHere(["clone", "--unreal", remote, lean], { cwd: place });
  assert.equal(cloned.status, 0, cloned.err);
  await using mount = await BoxMount.start(program, { box: lean, directory: newDirectory() });
  assert.equal(mount.started.status, 0, mount.started.err);
  renameSync(remote, away);
  assert.match((await mount.run("ls -lR > /dev/null && cat f")).out, /Input\/output error/);
  assert.match((await mount.run("cat .ourobox/log")).out, /Cannot read f: /);
  renameSync(away, remote);
  // One that did not answer is left alone for a while.
  const untilHere = "for n in $(seq 60); do cat f 2> /dev/null && break; sleep 0.5; done";
  assert.equal((await mount.run(untilHere)).out, "second\n");
  const { out } = await mount.run(`diff -r case-0 '${box}/case-0'`);
  assert.equal(out, "");
});
