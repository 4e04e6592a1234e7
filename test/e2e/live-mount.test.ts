import assert from "node:assert/strict";
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import {
  chmodSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, type TestContext, test } from "node:test";
import { setTimeout as delay } from "node:timers/promises";
import { findMount } from "../../src/front/fuse/mod.ts";
import { runAsNobody } from "../support/as-nobody.ts";
import { BoxMount } from "../support/box-mount.ts";
import { fuseProblem } from "../support/fuse-mount.ts";
import { jsonLines, Program, type Ran, succeed } from "../support/program.ts";

const problem = await fuseProblem();
const skip = problem === undefined ? false : `no mount here: ${problem}`;
const isRoot = process.getuid?.() === 0;
const place = mkdtempSync(join(tmpdir(), "ourobox-live-"));
chmodSync(place, 0o755);
const program = new Program(join(place, "home"));
const launcher = join(import.meta.dirname, "../../bin/ourobox.mjs");
const waitMsMax = 30_000;
const stepMs = 50;
process.umask(0o022);
after(() => rmSync(place, { recursive: true, force: true }));

function ok(cwd: string, ...args: readonly string[]): Promise<string> {
  return succeed(program.runHere(args, { cwd }));
}

let boxes = 0;
/** A box of its own, with one commit. */
async function makeBox(files: Readonly<Record<string, string>> = { f: "first\n" }): Promise<string> {
  boxes += 1;
  const box = join(place, `box ${boxes}`);
  mkdirSync(join(box, "d"), { recursive: true });
  for (const [name, text] of Object.entries(files)) writeFileSync(join(box, name), text);
  await ok(box, "init");
  await ok(box, "commit", "-m", "first");
  return box;
}

/** Mounts a box live; the mount is beside it. */
async function mountLive(box: string, ...args: string[]): Promise<BoxMount> {
  const mount = await BoxMount.start(program, { box, directory: `${box} live`, args });
  assert.equal(mount.started.status, 0, mount.started.err);
  return mount;
}

async function until(what: string, isTrue: () => boolean | Promise<boolean>): Promise<void> {
  for (let left = waitMsMax; left > 0; left -= stepMs) {
    if (await isTrue()) return;
    await delay(stepMs);
  }
  assert.fail(`in ${waitMsMax / 1000} s it did not come about that ${what}`);
}

/** The last commit, as `log --json` has it. */
async function lastCommit(box: string): Promise<Record<string, unknown>> {
  return jsonLines(await ok(box, "log", "--json", "-n", "1"))[0] ?? {};
}

async function committed(box: string, name: string): Promise<string> {
  const { status, out } = await program.runHere(["cat", `HEAD:${name}`], { cwd: box });
  return status === 0 ? out : "";
}

test("live mount: what is written through it is in the folder at once, and in a commit soon after", {
  skip,
}, async () => {
  const box = await makeBox();
  await using mount = await mountLive(box, "--commit-after", "1s");
  const first = await lastCommit(box);
  const script = `cat f; echo second > f; mkdir d/e; echo new > d/e/new; mv d/e d/moved; ln -s f link; rm f
    echo kept > kept; chmod 640 kept; stat -c %a kept; ls -A`;
  assert.equal((await mount.run(script)).out, "first\n640\nd\nkept\nlink\n");
  assert.deepEqual(readdirSync(box).sort(), [".ourobox", "d", "kept", "link"]);
  assert.equal(readFileSync(join(box, "d/moved/new"), "utf8"), "new\n");
  await until("it is committed", async () => (await committed(box, "d/moved/new")) === "new\n");
  const last = await lastCommit(box);
  assert.deepEqual([last["parents"], last["automatic"]], [[first["commit"]], true]);
  assert.equal(await ok(box, "ls", "HEAD:"), "d/\nkept\nlink\n");
  assert.equal((await mount.run("cat .ourobox/state.sqlite; mkdir .ourobox")).status, 1);
});

test("live mount: an umount waits for the last commit, and the process ends", { skip }, async () => {
  const box = await makeBox();
  await using mount = await mountLive(box, "--commit-after", "1h");
  await mount.run("echo last > f");
  assert.equal(await committed(box, "f"), "first\n");
  const { status, err } = await program.run(["umount", mount.directory], { cwd: place });
  assert.equal(status, 0, err);
  assert.equal(await committed(box, "f"), "last\n");
  assert.equal(await mount.hasEnded(), true);
});

test("live mount: however it is unmounted it is committed, and a mount that follows at once waits for that", {
  skip,
}, async () => {
  const box = await makeBox();
  await using mount = await mountLive(box, "--commit-after", "1h");
  await mount.run("head -c 20000000 /dev/urandom > large; echo last > f");
  const [unmount, ...args] = isRoot ? ["umount"] : ["fusermount3", "-u"];
  const [status] = await once(spawn(unmount as string, [...args, mount.directory], { stdio: "ignore" }), "exit");
  assert.equal(status, 0);
  await using again = await BoxMount.start(program, { box, directory: `${box} again`, args: [] });
  assert.equal(again.started.status, 0, again.started.err);
  assert.equal(await committed(box, "f"), "last\n");
});

test("live mount: with --commit-after off, commits are made by hand only", { skip }, async () => {
  const box = await makeBox();
  await using mount = await mountLive(box, "--commit-after", "off");
  await mount.run("echo by hand > f");
  assert.equal((await program.run(["umount", mount.directory], { cwd: place })).status, 0);
  assert.equal(await mount.hasEnded(), true);
  assert.equal(await committed(box, "f"), "first\n");
  assert.equal(readFileSync(join(box, "f"), "utf8"), "by hand\n");
});

test("live mount: what is written to a file that stays open is committed, too", { skip }, async () => {
  const box = await makeBox();
  await using mount = await mountLive(box, "--commit-after", "1s");
  const done = join(place, "done writing");
  const writer = mount.run(`exec 3>> f; echo one >&3; while [ ! -e '${done}' ]; do sleep 0.1; done; echo two >&3`);
  try {
    await until("a first part is committed", async () => (await committed(box, "f")) === "first\none\n");
  } finally {
    writeFileSync(done, "");
  }
  await writer;
  await until("the rest is committed", async () => (await committed(box, "f")) === "first\none\ntwo\n");
});

test("live mount: when its process is killed the files are in the folder, and the next mount commits them", {
  skip,
}, async () => {
  const box = await makeBox();
  await using mount = await mountLive(box, "--commit-after", "1h");
  assert.equal((await mount.run("echo written > f; echo new > g; sync f g; cat f g")).out, "written\nnew\n");
  mount.kill();
  await until("its process has ended", () => mount.server === undefined);
  assert.equal(readFileSync(join(box, "g"), "utf8"), "new\n");
  const { status, err } = await program.run(["mount", mount.directory], { cwd: box });
  assert.equal(status, 1, err);
  assert.match(err, /has died[\s\S]*ourobox umount/);
  assert.equal((await program.run(["umount", mount.directory], { cwd: place })).status, 0);
  assert.equal(await committed(box, "g"), "");
  await using again = await mountLive(box, "--commit-after", "1s");
  await until("the next mount commits", async () => (await committed(box, "g")) === "new\n");
  assert.equal((await again.run("cat f")).out, "written\n");
});

test("live mount: what a sync, a restore and a switch do in the folder is seen, and what is open stays", {
  skip,
}, async () => {
  const box = await makeBox({ f: "first\n", open: "as it was opened\n" });
  const [remote, other] = [`${box} remote`, `${box} other`];
  await ok(box, "remote", "add", "origin", remote);
  await ok(box, "sync");
  await ok(place, "clone", remote, other);
  await using mount = await mountLive(box, "--commit-after", "1s");
  const [isOpen, isDone] = [join(place, "is open"), join(place, "is done")];
  const reader = mount.run(`exec 3< open; cat f d; ls d; : > '${isOpen}'
    while [ ! -e '${isDone}' ]; do sleep 0.1; done; cat <&3`);
  try {
    await until("a file is open", () => existsSync(isOpen));
    writeFileSync(join(other, "f"), "from the other\n");
    writeFileSync(join(other, "open"), "another content\n");
    writeFileSync(join(other, "d/new"), "new\n");
    await ok(other, "sync");
    await mount.run("echo mine > mine");
    await ok(box, "sync");
    await delay(1000);
    assert.equal((await mount.run("cat f d/new open mine")).out, "from the other\nnew\nanother content\nmine\n");
  } finally {
    writeFileSync(isDone, "");
  }
  assert.match((await reader).out, /as it was opened\n$/);
  await ok(box, "restore", "--source", "HEAD~2", "f");
  await ok(box, "commit", "-m", "restored");
  await delay(1000);
  assert.equal((await mount.run("cat f")).out, "first\n");
  await ok(box, "switch", "-c", "side");
  await mount.run("echo on the side > f");
  await ok(box, "commit", "-m", "side");
  await ok(box, "switch", "main");
  await delay(1000);
  assert.equal((await mount.run("cat f")).out, "first\n");
  await ok(other, "sync");
  assert.equal(readFileSync(join(other, "mine"), "utf8"), "mine\n");
});

test("live mount: commands in it work on its box, and those in a commit's mount are told what that is", {
  skip,
}, async () => {
  const box = await makeBox({ f: "first\n", "d/g": "below\n" });
  await using mount = await mountLive(box, "--commit-after", "off");
  const run = (directory: string, ...args: readonly string[]): Promise<Ran> =>
    program.run(["-C", directory, ...args], { cwd: place });
  const below = join(mount.directory, "d");
  assert.equal((await mount.run(`cd d; echo edited > g; '${launcher}' status`)).status, 0);
  assert.match((await run(below, "status")).out, /g/);
  assert.equal((await run(below, "commit", "-m", "by hand")).status, 0);
  assert.equal(await committed(box, "d/g"), "edited\n");
  assert.equal((await run(below, "cat", "HEAD~:./g")).out, "below\n");
  assert.equal((await run(below, "restore", "--source", "HEAD~", join(below, "g"))).status, 0);
  assert.equal((await run(below, "restore", "--target", "../../taken out", "g")).status, 0);
  assert.equal(readFileSync(join(place, "taken out/d/g"), "utf8"), "edited\n");
  const listed = jsonLines(await ok(box, "mount", "--list", "--json"));
  const row = { directory: mount.directory, commit: null, live: true, branch: null, box };
  assert.deepEqual(
    listed.find(({ directory }) => directory === mount.directory),
    row,
  );
  assert.match(await ok(box, "mount", "--list"), /box \d+ live +live +\//);

  await using commit = await BoxMount.start(program, { box, directory: join(place, "a commit") });
  assert.equal(commit.started.status, 0, commit.started.err);
  for (const args of [["status"], ["fetch"], ["mount", "HEAD", place], ["config", "set", "copies", "2"]]) {
    const { status, err } = await run(join(commit.directory, "d"), ...args);
    assert.equal(status, 10, err);
    assert.match(err, /a commit is a mount of commit [0-9a-f]{12} of the box .*box \d+, to be read[\s\S]*-C .*box/);
  }
  assert.equal((await run(commit.directory, "mount", "--list")).status, 0);
});

test("live mount: what cannot be is refused, and it is said why", { skip }, async () => {
  const box = await makeBox();
  const [unmounted, bare] = [await makeBox(), join(place, "bare")];
  await ok(place, "init", "--bare", bare);
  const [free, within, file] = [join(place, "free"), join(box, "d"), join(place, "a file")];
  mkdirSync(free);
  writeFileSync(file, "");
  await using mount = await mountLive(box);
  type Case = readonly [cwd: string, args: string[], status: number, says: RegExp];
  const cases: readonly Case[] = [
    [box, ["mount", free], 11, /it is mounted already, on .* live[\s\S]*ourobox umount/],
    [bare, ["mount", free], 2, /it is bare[\s\S]*ourobox mount HEAD DIR/],
    [box, ["mount", within], 2, /in the folder of the box itself/],
    [box, ["mount", box], 2, /the box itself is in it|in the folder of the box itself/],
    [box, ["mount", place], 2, /the box itself is in it/],
    [unmounted, ["mount", file], 1, /it is not a directory/],
  ];
  // Found before anything is started.
  const mistakes: readonly Case[] = [
    [box, ["mount", "HEAD"], 2, /no such folder[\s\S]*ourobox mount HEAD DIR/],
    [box, ["mount", "-o", "uid=1", free], 2, /-o uid with the box itself/],
    [box, ["mount", "--commit-after", "soon", free], 2, /--commit-after soon: it is a time/],
    [place, ["mount", free], 10, /Cannot find a box/],
  ];
  for (const [list, run] of [
    [cases, (args: string[], cwd: string) => program.run(args, { cwd })],
    [mistakes, (args: string[], cwd: string) => program.runHere(args, { cwd })],
  ] as const)
    for (const [cwd, args, status, says] of list) {
      const ran = await run(args, cwd);
      assert.equal(ran.status, status, ran.err);
      assert.match(ran.err, says);
    }
  assert.equal((await mount.run("cat f")).out, "first\n");
  assert.equal(findMount(free), undefined);
});

test("live mount: with -o ro nothing can be written through it", { skip }, async () => {
  const box = await makeBox();
  await using mount = await mountLive(box, "-o", "ro");
  assert.match((await mount.run("echo x > f; cat f")).out, /Read-only file system\nfirst\n/);
  writeFileSync(join(box, "f"), "written beside it\n");
  await delay(1000);
  assert.equal((await mount.run("cat f")).out, "written beside it\n");
});

/** A live mount in the foreground. */
class Foreground {
  readonly directory: string;
  readonly #child: ChildProcess;
  readonly #ended: Promise<unknown[]>;
  err = "";

  constructor(box: string, ...args: readonly string[]) {
    this.directory = `${box} foreground`;
    mkdirSync(this.directory);
    const env = { ...process.env, HOME: join(place, "home"), XDG_CONFIG_HOME: join(place, "home/config") };
    this.#child = spawn(launcher, ["mount", "-f", ...args, this.directory], {
      cwd: box,
      env: { ...env, OUROBOX_MOUNT_COMMIT_AFTER: "1h" },
      // A group of its own, as a shell makes it: a terminal sends signals to all of it.
      detached: true,
      stdio: ["ignore", "ignore", "pipe"],
    });
    this.#ended = once(this.#child, "exit");
    this.#child.stderr?.setEncoding("utf8").on("data", (text: string) => {
      this.err += text;
    });
  }

  async answers(): Promise<void> {
    await until("it answers", () => this.err.includes("until Ctrl-C"));
  }

  /** Runs a shell command in it, when it answers. */
  async run(command: string): Promise<void> {
    await this.answers();
    const script = `cd '${this.directory}' && ${command}`;
    await once(spawn("timeout", ["20", "sh", "-c", script], { stdio: "ignore" }), "exit");
  }

  /** Ends it, and who else is in its group. @returns The exit status. */
  async end(signal: NodeJS.Signals): Promise<unknown> {
    if (this.#child.exitCode === null && this.#child.pid !== undefined) process.kill(-this.#child.pid, signal);
    return (await this.#ended)[0];
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.end("SIGKILL");
    if (findMount(this.directory) !== undefined)
      await once(spawn("umount", ["-l", this.directory], { stdio: "ignore" }), "exit");
  }
}

for (const signal of ["SIGINT", "SIGTERM"] as const) {
  test(`live mount: in the foreground, ${signal} ends it after its last commit`, { skip }, async () => {
    const box = await makeBox();
    await using mount = new Foreground(box);
    await mount.run("echo written > f");
    assert.equal(await mount.end(signal), 0, mount.err);
    assert.equal(findMount(mount.directory), undefined);
    assert.equal(await committed(box, "f"), "written\n");
  });
}

test("live mount: a commit that fails is told, and made when it can be", { skip }, async () => {
  const box = await makeBox();
  await using mount = new Foreground(box, "--commit-after", "200ms");
  const [key, away] = [join(box, ".ourobox/keys"), join(place, "the key")];
  await mount.answers();
  renameSync(key, away);
  await mount.run("echo to be committed > f");
  await until("a failure is told", () => mount.err.includes("Not committed yet. "));
  renameSync(away, key);
  await until("it is committed all the same", async () => (await committed(box, "f")) === "to be committed\n");
  assert.equal(await mount.end("SIGTERM"), 0, mount.err);
});

const asUser = "live mount: an ordinary user's is written by that user, and committed";
test(asUser, { skip: isRoot ? skip : false }, async (t: TestContext) => {
  if (isRoot) {
    const ran = runAsNobody(import.meta.filename, asUser);
    if (ran === undefined) return t.skip("nobody may not read this checkout");
    assert.equal(ran.status, 0, ran.output);
    if (/# SKIP|﹣/.test(ran.output)) t.skip(ran.output);
    return undefined;
  }
  if (problem !== undefined) return t.skip(problem);
  const box = await makeBox();
  await using mount = await mountLive(box, "--commit-after", "1s");
  assert.equal((await mount.run("umask 027; echo mine > mine; stat -c %a:%u mine")).out, `640:${process.getuid?.()}\n`);
  await until("it is committed", async () => (await committed(box, "mine")) === "mine\n");
  const { status, err } = await program.run(["umount", mount.directory], { cwd: place });
  assert.equal(status, 0, err);
  assert.equal(await mount.hasEnded(), true);
});
