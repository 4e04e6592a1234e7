/**
 * Real programs at work in a live mount, each in a mount of its own, in other processes that end or are killed in time. What must be so after each: the mount answers and has
 * nothing to report, ends when it is asked to, and its last commit, restored elsewhere, is what the folder is.
 */
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { mkdirSync, mkdtempSync, realpathSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { delimiter, join } from "node:path";
import { after, type TestContext, test } from "node:test";
import { BoxMount } from "./box-mount.ts";
import { fuseProblem } from "./fuse-mount.ts";
import { jsonLines, Program, succeed } from "./program.ts";

const afterwardsMsMax = 20_000;
const umountMsMax = 180_000;

/** PATH as it was outside of npm, and nothing of what npm and `node --test` tell their children, or a person has told git. */
const env: NodeJS.ProcessEnv = {
  ...Object.fromEntries(Object.entries(process.env).filter(([name]) => !/^(NODE_|npm_|GIT_)/.test(name))),
  PATH: (process.env["PATH"] ?? "")
    .split(delimiter)
    .filter((folder) => !/node_modules|node-gyp-bin/.test(folder))
    .join(delimiter),
  GIT_CONFIG_GLOBAL: "/dev/null",
  GIT_CONFIG_NOSYSTEM: "1",
  GIT_AUTHOR_NAME: "A",
  GIT_AUTHOR_EMAIL: "a@b.c",
  GIT_COMMITTER_NAME: "A",
  GIT_COMMITTER_EMAIL: "a@b.c",
  LC_ALL: "C.UTF-8",
  NODE: process.execPath,
  CHECKOUT: join(import.meta.dirname, "../.."),
  SUPPORT: import.meta.dirname,
};

/** The Debian package of each program, where it has another name. gencat comes with the headers of C. */
const packages: Readonly<Record<string, string>> = {
  cc: "gcc",
  ar: "binutils",
  gencat: "libc6-dev",
  setfattr: "attr",
  setfacl: "acl",
};

export interface Work {
  /** It is skipped when one of these programs is missing. */
  readonly needs: readonly string[];
  /**
   * For `sh -eu` on the machine's own disk, before the box is made: what is there is in the box. `$OUTSIDE` is a folder on that disk, `$CHECKOUT` and
   * `$SUPPORT` are this project and its test/support, `$NODE` is Node.
   */
  readonly prepare?: string;
  /** For `sh -eu` in the mount. */
  readonly script: string;
  readonly limitMs?: number;
  /** The mount is of a clone that has only metadata. */
  readonly isUnreal?: boolean;
  /** How long it must be quiet before a commit. */
  readonly commitAfter?: string;
}

const problem = await fuseProblem();
const place = realpathSync(mkdtempSync(join(tmpdir(), "ourobox-programs-")));
const program = new Program(join(place, "home"));
after(() => rmSync(place, { recursive: true, force: true }));

function whySkipped(needs: readonly string[]): string | false {
  if (problem !== undefined) return `no mount here: ${problem}`;
  for (const name of needs)
    if (spawnSync("sh", ["-c", `command -v ${name}`], { env, stdio: "ignore" }).status !== 0)
      return `${name} is not installed (Debian: apt install ${packages[name] ?? name})`;
  return false;
}

function ok(cwd: string, ...args: readonly string[]): Promise<string> {
  return succeed(program.run(args, { cwd, limitMs: umountMsMax }));
}

export function programTest(name: string, work: Work): void {
  test(`live mount: ${name}`, { skip: whySkipped(work.needs) }, (t) => prove(t, work));
}

let works = 0;
async function prove(t: TestContext, work: Work): Promise<void> {
  const { prepare, script, limitMs = 60_000, isUnreal = false, commitAfter = "2s" } = work;
  works += 1;
  const [made, outside] = [join(place, `box-${works}`), join(place, `outside-${works}`)];
  for (const folder of [made, outside]) mkdirSync(folder);
  const shell = { env: { ...env, OUTSIDE: outside }, limitMs };
  if (prepare !== undefined) {
    const prepared = spawnSync("sh", ["-euc", prepare], {
      cwd: made,
      env: shell.env,
      encoding: "utf8",
      timeout: limitMs,
    });
    assert.equal(prepared.status, 0, prepared.stdout + prepared.stderr);
  }
  await ok(made, "init");
  await ok(made, "commit", "-m", "first");
  const box = isUnreal ? await cloneUnreal(made) : made;
  await using mount = await BoxMount.start(program, {
    box,
    directory: `${box}-live`,
    args: ["--commit-after", commitAfter],
  });
  assert.equal(mount.started.status, 0, mount.started.err);
  const startMs = performance.now();
  const words = ["timeout", "-k", "2", `${limitMs / 1000}`, "sh", "-euc", `cd '${mount.directory}'; ${script}`];
  const { status, out } = await mount.run("", words, { ...shell, limitMs: limitMs + 5000 });
  t.diagnostic(`${((performance.now() - startMs) / 1000).toFixed(1)} s`);
  assert.equal(status, 0, out.slice(-6000));
  const after = [
    "timeout",
    "-k",
    "2",
    "10",
    "sh",
    "-c",
    `cd '${mount.directory}' && ls -a > /dev/null && cat .ourobox/log`,
  ];
  const answer = await mount.run("", after, { limitMs: afterwardsMsMax });
  assert.deepEqual(answer, { status: 0, out: "" });
  const target = `${box}-restored`;
  if (isUnreal) {
    // The folder has only a part of it: what is compared is the mount itself.
    await ok(box, "commit", "-m", "last");
    await ok(box, "restore", "--target", target);
    await compare(mount, target, mount.directory);
  }
  await ok(place, "umount", mount.directory);
  assert.equal(await mount.hasEnded(), true);
  assert.equal(jsonLines(await ok(box, "status", "--json"))[0]?.["changes"], 0);
  if (!isUnreal) {
    await ok(box, "restore", "--target", target);
    await compare(mount, target, box);
  }
  for (const folder of [made, outside, box, target]) rmSync(folder, { recursive: true, force: true });
}

async function compare(mount: BoxMount, one: string, two: string): Promise<void> {
  assert.deepEqual(await mount.runProgram("compare-folders.ts", one, two), { status: 0, out: "0 differences\n" });
}

async function cloneUnreal(box: string): Promise<string> {
  const [remote, clone] = [`${box}-remote`, `${box}-clone`];
  await ok(box, "remote", "add", "origin", remote);
  await ok(box, "push");
  await ok(place, "clone", "--unreal", remote, clone);
  return clone;
}
