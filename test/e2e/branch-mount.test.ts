/** Commits mounted to be written as branches beside the box's folder, by the real program and the kernel. */
import assert from "node:assert/strict";
import {
  chmodSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, test } from "node:test";
import { setTimeout as delay } from "node:timers/promises";
import { BoxMount } from "../support/box-mount.ts";
import { fuseProblem } from "../support/fuse-mount.ts";
import { jsonLines, Program, type Ran, succeed } from "../support/program.ts";

const problem = await fuseProblem();
const skip = problem === undefined ? false : `no mount here: ${problem}`;
const place = mkdtempSync(join(tmpdir(), "ourobox-branch-"));
chmodSync(place, 0o755);
const program = new Program(join(place, "home"));
const waitMsMax = 30_000;
const stepMs = 50;
process.umask(0o022);
after(() => rmSync(place, { recursive: true, force: true }));

/** In this process, but for what must be a program of its own. */
const run = (cwd: string, ...args: readonly string[]): Promise<Ran> =>
  args[0] === "mount" && args[1] !== "--list" ? program.run(args, { cwd }) : program.runHere(args, { cwd });
const ok = (cwd: string, ...args: readonly string[]): Promise<string> => succeed(run(cwd, ...args));

let boxes = 0;
/** A box with two commits: of `f` as "first", then as "second". */
async function makeBox(): Promise<string> {
  boxes += 1;
  const box = join(place, `box ${boxes}`);
  mkdirSync(join(box, "d"), { recursive: true });
  writeFileSync(join(box, "d/g"), "g\n");
  await ok(box, "init");
  for (const text of ["first\n", "second\n"]) {
    writeFileSync(join(box, "f"), text);
    await ok(box, "commit", "-m", text.trim());
  }
  return box;
}

async function mount(box: string, name: string, ...args: string[]): Promise<BoxMount> {
  return BoxMount.start(program, { box, directory: `${box} ${name}`, args });
}

async function until(what: string, isTrue: () => boolean | Promise<boolean>): Promise<void> {
  for (let left = waitMsMax; left > 0; left -= stepMs) {
    if (await isTrue()) return;
    await delay(stepMs);
  }
  assert.fail(`in ${waitMsMax / 1000} s it did not come about that ${what}`);
}

test("branch mount: an earlier commit is written to beside the folder, by two mounts at once, and taken in later", {
  skip,
}, async () => {
  const box = await makeBox();
  await using side = await mount(box, "side", "-c", "side/way", "--commit-after", "1s", "HEAD~");
  assert.equal(side.started.status, 0, side.started.err);
  await using live = await mount(box, "live", "--commit-after", "off");
  assert.equal(live.started.status, 0, live.started.err);
  assert.equal(
    (await side.run("cat f d/g; mv d moved; echo 2 >> moved/g; echo new > new; ls")).out,
    "first\ng\nf\nmoved\nnew\n",
  );
  assert.equal((await live.run("cat f; echo third > f")).out, "second\n");
  await until("it is committed", async () => (await run(box, "cat", "side/way:moved/g")).out === "g\n2\n");
  assert.deepEqual(readdirSync(box).sort(), [".ourobox", "d", "f"]);
  assert.match(await ok(box, "mount", "--list"), /box \d+ side +branch side\/way +\//);
  const rows = jsonLines(await ok(box, "branch", "--json"));
  assert.deepEqual(
    rows.map(({ branch, current, mountedOn }) => [branch, current, mountedOn]),
    [
      ["main", true, null],
      ["side/way", false, side.directory],
    ],
  );
  assert.equal((await run(join(side.directory, "moved"), "status", "--json")).status, 0);
  writeFileSync(join(side.directory, "moved/h"), "h\n");
  assert.match(await ok(join(side.directory, "moved"), "status"), /side\/way[\s\S]*h/);
  await ok(box, "-C", join(side.directory, "moved"), "commit", "-m", "by hand");
  assert.equal(jsonLines(await ok(side.directory, "log", "--json", "-n", "1"))[0]?.["message"], "by hand");
  assert.match((await side.run("cat .ourobox/status")).out, /mode +live\nbranch +side\/way\n/);
  assert.match((await run(side.directory, "switch", "main")).err, /this is the branch side\/way/);
  for (const args of [
    ["switch", "side/way"],
    ["branch", "-d", "-f", "side/way"],
    ["mount", "-b", "side/way", `${box} live`],
  ])
    assert.match((await run(box, ...args)).err, /mounted (already, )?on .*box \d+ side/);
  await ok(box, "umount", live.directory);
  await ok(box, "umount", side.directory);
  await ok(box, "commit", "-m", "third");
  await ok(box, "merge", "side/way");
  assert.equal(readFileSync(join(box, "moved/g"), "utf8") + readFileSync(join(box, "f"), "utf8"), "g\n2\nthird\n");
  await ok(box, "switch", "side/way");
  assert.equal(readFileSync(join(box, "f"), "utf8"), "first\n");
  assert.deepEqual(readdirSync(join(box, ".ourobox/branches")), []);
  await ok(box, "check", "--read-data");
});

test("branch mount: what was written before its process was killed is there, and the next mount commits it", {
  skip,
}, async () => {
  const box = await makeBox();
  await using side = await mount(box, "side", "-c", "side", "--commit-after", "1h");
  assert.equal((await side.run("echo written > f; echo new > d/new; rm d/g; sync f d/new d")).status, 0);
  side.kill();
  await until("its process has ended", () => side.server === undefined);
  await ok(box, "umount", side.directory);
  assert.match((await run(box, "switch", "side")).err, /not committed[\s\S]*mount -b side DIR/);
  assert.match((await run(box, "branch", "-d", "side")).err, /not committed/);
  await ok(box, "gc");
  await using again = await mount(box, "again", "-b", "side", "--commit-after", "1s");
  assert.equal(again.started.status, 0, again.started.err);
  assert.equal((await again.run("cat f d/new; ls d")).out, "written\nnew\nnew\n");
  await until("the next mount commits", async () => (await run(box, "cat", "side:d/new")).out === "new\n");
  await ok(box, "umount", again.directory);
  assert.equal(readFileSync(join(box, "f"), "utf8"), "second\n");
  await ok(box, "switch", "side");
  assert.equal(readFileSync(join(box, "f"), "utf8"), "written\n");
  assert.deepEqual(readdirSync(join(box, "d")), ["new"]);
  await ok(box, "check", "--read-data");
});

test("branch mount: one that is dated far ahead only when asked for; with -o ro it is not written, and nothing is committed", {
  skip,
}, async () => {
  const box = await makeBox();
  const [remote, other, directory] = [`${box} remote`, `${box} other`, place];
  await ok(box, "remote", "add", "origin", remote);
  await ok(box, "push");
  await ok(place, "clone", remote, other);
  await ok(box, "switch", "-c", "far");
  writeFileSync(join(box, "f"), "ahead\n");
  for (const command of ["commit", "push"]) {
    const { err, status } = await program.runHere([command], { cwd: box, aheadMs: 50 * 3600 * 1000 });
    assert.equal(status, 0, err);
  }
  await ok(other, "fetch");
  assert.match((await run(other, "mount", "-b", "far", directory)).err, /more than a day ahead[\s\S]*--accept-clock/);
  await using far = await mount(other, "far", "-b", "far", "--accept-clock", "-o", "ro");
  assert.equal(far.started.status, 0, far.started.err);
  assert.match((await far.run("cat f; echo more > f; rm f; mkdir x")).out, /^ahead\n(.*Read-only file system\n){3}$/);
  const before = await ok(other, "log", "--json", "far");
  await ok(place, "umount", far.directory);
  assert.equal(await ok(other, "log", "--json", "far"), before);
});

test("branch mount: pushed from there, gone on with elsewhere, and no branch is left of one that could not be mounted", {
  skip,
}, async () => {
  const box = await makeBox();
  const [remote, other] = [`${box} remote`, `${box} other`];
  await ok(box, "remote", "add", "origin", remote);
  await ok(box, "push");
  await ok(place, "clone", "--unreal", remote, other);
  {
    await using side = await mount(other, "side", "-c", "side", "--commit-after", "1s", "origin/main");
    assert.equal(side.started.status, 0, side.started.err);
    await side.run("echo elsewhere > f");
    await ok(side.directory, "sync");
    await ok(other, "umount", side.directory);
  }
  await ok(box, "fetch");
  await using side = await mount(box, "side", "-b", "side", "--commit-after", "1s");
  assert.equal(side.started.status, 0, side.started.err);
  assert.equal((await side.run("cat f; echo and back > f")).out, "elsewhere\n");
  await ok(side.directory, "sync");
  await ok(other, "fetch");
  assert.equal(await ok(other, "cat", "origin/side:f"), "and back\n");
  assert.equal(existsSync(join(other, "f")), false);
  const failed = await run(box, "mount", "-c", "no", box);
  assert.equal(failed.status, 2, failed.err);
  for (const args of [
    ["-c", "main", side.directory],
    ["-b", "main", side.directory],
    ["-c", "two", "-o", "ro", side.directory],
    ["-b", "side", "HEAD", side.directory],
    ["-b", "side", "-c", "two", side.directory],
  ])
    assert.notEqual((await run(box, "mount", ...args)).status, 0, args.join(" "));
  assert.deepEqual(
    jsonLines(await ok(box, "branch", "--json")).map(({ branch }) => branch),
    ["main", "side"],
  );
});
