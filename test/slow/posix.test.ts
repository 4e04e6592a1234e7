/**
 * What POSIX and Linux's manual pages say of each call, in a live mount: some 14,000 cases (test/support/posix), made by raw system calls, as root and as others. The machine's own file system
 * is the control: a case that fails there is wrong. What fails in the mount alone is a bug, or is of FUSE itself and listed here and in doc/mount.md with its reason.
 *
 * To run some of them in any directory, as root: `node test/support/posix/run.ts DIRECTORY "rename: " chown`. Devices cannot be opened in it: it is mounted nodev.
 */
import assert from "node:assert/strict";
import { spawn, spawnSync } from "node:child_process";
import { once } from "node:events";
import { chmodSync, mkdirSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, test } from "node:test";
import { BoxMount } from "../support/box-mount.ts";
import { fuseProblem } from "../support/fuse-mount.ts";
import { Program } from "../support/program.ts";

const problem = await fuseProblem();
const isRoot = process.getuid?.() === 0;
const skip = isRoot ? (problem === undefined ? false : `no mount here: ${problem}`) : "needs root, who can be others";
const runner = join(import.meta.dirname, "../support/posix/run.ts");
const runMsMax = 400_000;
const casesMin = 14_000;
const place = mkdtempSync(join(tmpdir(), "ourobox-posix-"));
chmodSync(place, 0o755);
const program = new Program(join(place, "home"));
after(() => rmSync(place, { recursive: true, force: true }));

interface Difference {
  readonly cases: RegExp;
  readonly why: string;
}

/** What the kernel's FUSE does otherwise, whatever serves it. */
const differences: readonly Difference[] = [
  {
    cases: /^chown: .* of a file 6(767|666) by other: mode:/,
    why: "Who writes to a setgid file that its group may not execute, and is not in that group, leaves the mark: FUSE_HANDLE_KILLPRIV_V2 says to clear it with the group's execute bit only",
  },
  {
    cases: /^what marks which times: copy_file_range: what is marked of d\/f: must be a/,
    why: "The kernel asks for the access time of what was copied from as late as its attributes expire: a second",
  },
  { cases: /^fallocate: FALLOC_FL_(COLLAPSE|INSERT)_RANGE: .*EOPNOTSUPP/, why: "FUSE's fallocate has neither" },
];

/** Of a box that has a part of its files only: a directory's links are its subdirectories, and not all of them are known to be there. */
const partDifference = /^rename kinds: .*: links of the directories: /;
/** What is tried on what was made in another box, and is not in the folder before. */
const preparedParts = ["rename kinds: ", "removing: ", "open: file", "open: full directory", "open: link to"];
const preparedMin = 2_000;

interface Outcome {
  readonly count: number;
  readonly failures: readonly string[];
}

/** @param out What run.ts has printed. */
function readOutcome(out: string): Outcome {
  const failures = [...out.matchAll(/^not ok (.*)$/gm)].map(([, text = ""]) => text);
  const [, count, failed] = /^(\d+) cases, (\d+) failed$/m.exec(out) ?? [];
  assert.equal(Number(failed), failures.length, `the run did not come to its end: ${out.slice(-2000)}`);
  return { count: Number(count), failures };
}

/** @param onLate What frees a process that hangs there, beside its own end. */
async function runCases(
  directory: string,
  onLate: () => void = () => {},
  ...parts: readonly string[]
): Promise<Outcome> {
  const child = spawn(process.execPath, [runner, directory, ...parts], { stdio: ["ignore", "pipe", "inherit"] });
  let out = "";
  child.stdout.setEncoding("utf8").on("data", (text: string) => {
    out += text;
  });
  const timer = setTimeout(() => {
    onLate();
    child.kill("SIGKILL");
  }, runMsMax);
  await once(child, "close");
  clearTimeout(timer);
  return readOutcome(out);
}

/** As the mount is, so that the same rules hold for setuid programs and devices. */
function bind(directory: string): void {
  for (const args of [
    ["--bind", directory, directory],
    ["-o", "remount,bind,nosuid,nodev", directory],
  ]) {
    const { status, stderr } = spawnSync("mount", args, { encoding: "utf8" });
    assert.equal(status, 0, stderr);
  }
}

test("posix: every case is true of the machine's own file system", { skip }, async () => {
  const directory = join(place, "control");
  mkdirSync(directory);
  bind(directory);
  try {
    const { count, failures } = await runCases(directory);
    assert.deepEqual(failures, []);
    assert.ok(count > casesMin, `only ${count} cases`);
  } finally {
    spawnSync("umount", ["-l", directory]);
  }
});

test("posix: every case but those of FUSE itself is true of a live mount", { skip }, async () => {
  const box = join(place, "box");
  mkdirSync(box);
  assert.equal((await program.run(["init"], { cwd: box })).status, 0);
  const args = ["--commit-after", "off", "-o", "allow_other"];
  await using mount = await BoxMount.start(program, { box, directory: join(place, "live"), args });
  assert.equal(mount.started.status, 0, mount.started.err);
  const { count, failures } = await runCases(mount.directory, () => mount.kill());
  assert.ok(count > casesMin, `only ${count} cases`);
  assert.deepEqual(
    failures.filter((each) => !differences.some(({ cases }) => cases.test(each))),
    [],
  );
  for (const { cases, why } of differences)
    assert.ok(
      failures.some((each) => cases.test(each)),
      `is none any more, here and in doc/mount.md: ${why}`,
    );
});

test("posix: what is not on this machine is opened, removed and renamed as if it were", { skip }, async () => {
  const [source, remote, box] = ["source", "remote", "part"].map((name) => join(place, name)) as [
    string,
    string,
    string,
  ];
  mkdirSync(source);
  const ok = async (cwd: string, ...args: readonly string[]): Promise<void> => {
    const { status, err } = await program.run(args, { cwd });
    assert.equal(status, 0, `${args.join(" ")}: ${err}`);
  };
  await ok(source, "init");
  assert.deepEqual((await runCases(source, undefined, "--prepare", ...preparedParts)).failures, []);
  await ok(source, "commit", "-m", "first");
  await ok(source, "remote", "add", "r", remote);
  await ok(source, "push", "r");
  await ok(place, "clone", "--unreal", remote, box);
  chmodSync(box, 0o755);
  const args = ["--commit-after", "off", "-o", "allow_other"];
  await using mount = await BoxMount.start(program, { box, directory: join(place, "part live"), args });
  assert.equal(mount.started.status, 0, mount.started.err);
  const onLate = (): void => mount.kill();
  const { count, failures } = await runCases(mount.directory, onLate, "--prepared", ...preparedParts);
  assert.ok(count > preparedMin, `only ${count} cases`);
  assert.deepEqual(
    failures.filter((each) => !partDifference.test(each)),
    [],
  );
});
