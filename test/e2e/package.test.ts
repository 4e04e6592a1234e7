/**
 * The published package as a user gets it: packed, installed, and run with an older Node on PATH.
 *
 * Needs the npm registry, or npm's cache filled by the installation of the checkout.
 */
import assert from "node:assert/strict";
import { type ChildProcess, spawn, spawnSync } from "node:child_process";
import { once } from "node:events";
import * as fs from "node:fs";
import { tmpdir } from "node:os";
import { delimiter, join } from "node:path";
import { after, before, test } from "node:test";
import { setTimeout as delay } from "node:timers/promises";
import manifest from "../../package.json" with { type: "json" };

const checkout = join(import.meta.dirname, "../..");
const work = fs.realpathSync(fs.mkdtempSync(join(tmpdir(), "ourobox-package-")));
const globalBin = join(work, "global/bin");
const localDir = join(work, "local");
/** The package as it is in the tarball, with its dependencies but without the Node that it brings along. */
const bareDir = join(work, "bare/package");

/** PATH as it was outside of npm, and nothing of what npm and `node --test` tell their children. */
const env: NodeJS.ProcessEnv = Object.fromEntries(
  Object.entries(process.env).filter(([name]) => !/^(NODE_|npm_(?!config_(registry|cache|userconfig)$))/.test(name)),
);
env.PATH = (process.env.PATH ?? "")
  .split(delimiter)
  .filter((folder) => !/node_modules|node-gyp-bin/.test(folder))
  .join(delimiter);
env.XDG_CACHE_HOME = join(work, "cache");

const installTriesMax = 3;
const installMsMax = 90_000;

interface RunOptions {
  readonly cwd?: string;
  readonly path?: string;
}

function run(program: string, args: readonly string[], { cwd = work, path }: RunOptions = {}) {
  const result = spawnSync(program, args, { cwd, encoding: "utf8", env: { ...env, PATH: path ?? env.PATH } });
  assert.equal(result.error, undefined);
  return { status: result.status, out: result.stdout, err: result.stderr };
}

/** Runs a program that must succeed. @returns What it wrote to stdout. */
function ok(program: string, args: readonly string[], options?: RunOptions): string {
  const { status, out, err } = run(program, args, options);
  assert.equal(status, 0, `${program} ${args.join(" ")}: status ${status}\n${out}${err}`);
  return out;
}

/** npm waits for an answer that was lost on the way for as long as one lets it: it is asked again. */
function install(args: readonly string[], cwd: string): void {
  const how = { cwd, env, encoding: "utf8", timeout: installMsMax, killSignal: "SIGKILL" } as const;
  for (let tries = 1; ; tries += 1) {
    const { status, stderr } = spawnSync("npm", ["install", ...args], how);
    if (status === 0) return;
    assert.ok(tries < installTriesMax, `npm install ${args.join(" ")}: status ${status}\n${stderr}`);
  }
}

/** The first node on PATH that could not run the program, with its version; undefined if there is none. */
function findOldNode(): { path: string; version: string } | undefined {
  for (const folder of (env.PATH ?? "").split(delimiter)) {
    const path = join(folder, "node");
    if (!fs.existsSync(path)) continue;
    const version = ok(path, ["-p", "process.versions.node"]).trim();
    if (Number.parseInt(version, 10) < 26) return { path, version };
  }
  return undefined;
}

const oldNode = findOldNode();
const skip = oldNode === undefined ? "no Node older than 26 is on PATH" : false;
const versionLine = new RegExp(`^ourobox ${manifest.version.replaceAll(".", "\\.")}\\b`);
const pinnedNode = `node_modules/node-linux-${process.arch}/bin/node`;

const noCommands = fs.existsSync(join(checkout, "src/cli/commands/commit.ts"))
  ? false
  : "there is no commit command yet";

let tarballFiles: string[] = [];

before(() => {
  ok("npm", ["pack", "--pack-destination", work], { cwd: checkout });
  const tarball = join(work, `ourobox-${manifest.version}.tgz`);
  tarballFiles = ok("tar", ["-tzf", tarball]).trim().split("\n");
  const flags = ["--prefer-offline", "--no-audit", "--no-fund", "--loglevel=error", "--fetch-timeout=30000"];
  install(["-g", "--prefix", join(work, "global"), ...flags, tarball], work);
  fs.mkdirSync(localDir);
  fs.writeFileSync(join(localDir, "package.json"), "{}");
  install([...flags, tarball], localDir);
  fs.mkdirSync(join(work, "bare"));
  ok("tar", ["-xzf", tarball, "-C", join(work, "bare")]);
  fs.mkdirSync(join(bareDir, "node_modules"));
  for (const name of ["koffi", "@koromix", "@napi-rs"]) {
    fs.symlinkSync(join(checkout, "node_modules", name), join(bareDir, "node_modules", name));
  }
});

after(() => fs.rmSync(work, { recursive: true, force: true }));

test("the tarball holds the program, its documents, and nothing else", () => {
  const odd = tarballFiles.filter(
    (file) => !/^package\/(bin\/ourobox\.mjs|dist\/|doc\/|(README|CHANGELOG)\.md$|LICENSE$|package\.json$)/.test(file),
  );
  assert.deepEqual(odd, []);
  for (const file of ["bin/ourobox.mjs", "dist/main.js", "dist/LICENSES.txt", "LICENSE"]) {
    assert(tarballFiles.includes(`package/${file}`), file);
  }
});

test("installed globally, both names run it", (t) => {
  t.diagnostic(`Node on PATH: ${ok("node", ["--version"]).trim()}`);
  for (const name of ["ourobox", "ob"]) assert.match(ok(join(globalBin, name), ["--version"]), versionLine);
});

test("installed in a project, npx runs it", () => {
  assert.match(ok("npx", ["--no-install", "ourobox", "--version"], { cwd: localDir }), versionLine);
  assert.match(ok("npx", ["--no-install", "ob", "--version"], { cwd: localDir }), versionLine);
});

test("it is found through any chain of symlinks, and run by relative name", () => {
  const link = join(work, "one");
  fs.symlinkSync("global/bin/ob", link);
  fs.symlinkSync(link, join(work, "two"));
  assert.match(ok(join(work, "two"), ["--version"]), versionLine);
  assert.match(ok("./two", ["--version"]), versionLine);
  assert.match(ok("sh", ["ourobox.mjs", "--version"], { cwd: join(checkout, "bin") }), versionLine);
  assert.match(ok("./bin/ourobox.mjs", ["--version"], { cwd: checkout }), versionLine);
});

test("an old Node given the file starts the right one, and hands on its status", { skip }, () => {
  const file = join(work, "global/lib/node_modules/ourobox/bin/ourobox.mjs");
  assert(oldNode !== undefined);
  assert.match(ok(oldNode.path, [file, "--version"]), versionLine);
  const args = ["no-such-command"];
  assert.equal(run(oldNode.path, [file, ...args]).status, run(file, args).status);
});

test("an old Node that is killed leaves nothing behind", { skip }, async () => {
  assert(oldNode !== undefined);
  const file = join(work, "global/lib/node_modules/ourobox/bin/ourobox.mjs");
  const box = join(work, "killed");
  ok(oldNode.path, [file, "init", box]);
  ok(oldNode.path, [file, "-C", box, "remote", "add", "origin", join(work, "killed-remote")]);
  fs.writeFileSync(join(box, "a"), "a\n");
  ok(oldNode.path, [file, "-C", box, "commit"]);
  const env = { ...process.env, OUROBOX_PASSPHRASE_COMMAND: `echo > ${work}/waits; exec sleep 100` };
  const child = spawn(oldNode.path, [file, "-C", box, "push"], { env, stdio: "ignore" });
  for (let round = 0; !fs.existsSync(join(work, "waits")); round++) {
    assert(round < 200, "it does not start");
    await delay(100);
  }
  child.kill("SIGKILL");
  for (let round = 0; findProcesses(box).length > 0; round++) {
    assert(round < 50, "it goes on");
    await delay(100);
  }
});

test("without its own Node it runs on the one on PATH, if that is new enough", () => {
  const bin = join(bareDir, "bin/ourobox.mjs");
  const newPath = join(checkout, "node_modules/.bin");
  assert.match(ok(bin, ["--version"], { path: newPath }), versionLine);
  assert.match(ok(join(newPath, "node"), [bin, "--version"], { path: newPath }), versionLine);
});

test("without any Node that can run it, it says what to do", () => {
  const bin = join(bareDir, "bin/ourobox.mjs");
  const none = run(bin, ["--version"], { path: join(work, "local") });
  assert.equal(none.status, 1);
  assert.match(none.err, /there is no Node\.js.*\n.*npm install/);
  if (oldNode === undefined) return;
  const old = run(bin, ["--version"]);
  assert.equal(old.status, 1);
  assert.match(old.err, /this is Node\.js \d.* \(must be 26 or later\).*\n.*npm install/);
});

test("the bundle, with its worker threads, makes a box and commits", { skip: noCommands }, () => {
  const box = join(work, "box");
  const bin = join(globalBin, "ourobox");
  fs.mkdirSync(box);
  for (let i = 0; i < 50; i++) fs.writeFileSync(join(box, `file ${i}`), `content ${i}\n`.repeat(1000));
  env.HOME = work;
  ok(bin, ["init", box]);
  ok(bin, ["-C", box, "commit", "-m", "first"]);
  assert.equal(ok(bin, ["-C", box, "status", "--porcelain"]), "");
  assert.equal(ok(bin, ["-C", box, "cat", "file 7"]), "content 7\n".repeat(1000));
});

test("what was started is the program itself: killing it leaves nothing behind", async () => {
  const script = `exec "$0" --version "$(printf '\\377')"`;
  const child = spawnBlocked("sh", ["-c", script, join(globalBin, "ourobox")]);
  const pid = child.pid ?? 0;
  await settled(pid, /\/node$/);
  assert.equal(fs.readlinkSync(`/proc/${pid}/exe`), join(work, "global/lib/node_modules/ourobox", pinnedNode));
  assert.deepEqual(findProcesses(work), [pid]);
  assert.equal(fs.readFileSync(`/proc/${pid}/task/${pid}/children`, "utf8"), "");
  // Bytes that are no UTF-8 get through.
  assert(fs.readFileSync(`/proc/${pid}/cmdline`).includes(Buffer.from("\0--version\0\xff\0", "latin1")));
  const exit = once(child, "exit");
  child.kill("SIGKILL");
  assert.deepEqual(await exit, [null, "SIGKILL"]);
  assert.deepEqual(findProcesses(work), []);
});

test("how long a start takes is told", (t) => {
  for (const bin of [join(globalBin, "ourobox"), join(checkout, "bin/ourobox.mjs")]) {
    const timesMs = Array.from({ length: 11 }, () => {
      const startMs = performance.now();
      ok(bin, ["--version"]);
      return performance.now() - startMs;
    }).sort((a, b) => a - b);
    t.diagnostic(`${bin.replace(work, "…")} --version: median ${timesMs[5]?.toFixed(0)} ms`);
  }
});

/**
 * Starts a program whose output goes to a pipe that is full and that nobody reads, so that it can't end:
 * it is caught at the first thing it says.
 */
function spawnBlocked(program: string, args: readonly string[]): ChildProcess {
  const path = join(work, "full");
  ok("mkfifo", [path]);
  const holder = fs.openSync(path, fs.constants.O_RDWR | fs.constants.O_NONBLOCK);
  for (const size of [4096, 1]) {
    try {
      for (;;) fs.writeSync(holder, Buffer.alloc(size));
    } catch (error) {
      assert.equal((error as NodeJS.ErrnoException).code, "EAGAIN");
    }
  }
  const pipe = fs.openSync(path, "w");
  const child = spawn(program, args, { cwd: work, env, stdio: ["ignore", pipe, pipe] });
  child.once("exit", () => {
    fs.closeSync(pipe);
    fs.closeSync(holder);
  });
  return child;
}

/** Waits until a process runs the given program and has stopped using the processor. */
async function settled(pid: number, program: RegExp): Promise<void> {
  for (let before = "", round = 0; ; round++) {
    assert(round < 200, `process ${pid} does not settle`);
    const [user, system] = fs
      .readFileSync(`/proc/${pid}/stat`, "utf8")
      .replace(/^.*\) /s, "")
      .split(" ")
      .slice(11, 13);
    const now = `${user} ${system}`;
    if (program.test(fs.readlinkSync(`/proc/${pid}/exe`)) && now === before) return;
    before = now;
    await delay(100);
  }
}

/** The processes that have `text` in their command line. */
function findProcesses(text: string): number[] {
  return fs.readdirSync("/proc").flatMap((name) => {
    if (!/^\d+$/.test(name)) return [];
    try {
      return fs.readFileSync(`/proc/${name}/cmdline`).includes(text) ? [Number(name)] : [];
    } catch {
      return []; // It has ended.
    }
  });
}
