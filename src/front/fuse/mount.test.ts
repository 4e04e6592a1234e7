import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { existsSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { release, tmpdir } from "node:os";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import { setTimeout } from "node:timers/promises";
import { readOutcomes } from "../../../test/support/case-outcomes.ts";
import { fuseProblem, type MountUser, TestMount } from "../../../test/support/fuse-mount.ts";
import { filesystemCases } from "../../vfs/filesystem.suite.ts";
import type { MountOptions } from "./mount.ts";
import { findMount } from "./mount-table.ts";

const problem = await fuseProblem();
const skip = problem === undefined ? false : `no mount here: ${problem}`;
const isRoot = process.getuid?.() === 0;
const nobody: MountUser = { uid: 65_534, gid: 65_534 };

/** FUSE_PASSTHROUGH came with Linux 6.9. */
const [kernelMajor = 0, kernelMinor = 0] = release().split(".").map(Number);
const noPassthrough =
  kernelMajor < 6 || (kernelMajor === 6 && kernelMinor < 9) ? `Linux ${release()} has none` : undefined;

/** A test with a mount of its own. */
function mountTest(
  name: string,
  options: Partial<MountOptions> & { readonly backing?: string; readonly rootOnly?: boolean; readonly lacks?: string },
  body: (mount: TestMount) => Promise<void>,
): void {
  const { rootOnly, lacks, ...rest } = options;
  const reason = rootOnly === true && !isRoot ? "only root can" : (lacks ?? skip);
  test(`fuse mount: ${name}`, { skip: reason }, async () => {
    const mount = await TestMount.start(rest);
    assert.ok(typeof mount !== "string", String(mount));
    await using _ = mount;
    await body(mount);
  });
}

async function runCases(mount: TestMount): Promise<void> {
  const { status, out } = await mount.runProgram("fuse-cases.ts");
  const { problems, count } = readOutcomes(out);
  assert.deepEqual([status, problems], [0, []], out);
  assert.ok(count >= filesystemCases.filter(({ asRoot }) => asRoot !== true).length);
}

/** Requests since they were last asked for. */
async function countsOf(mount: TestMount): Promise<Readonly<Record<string, number>>> {
  return (await mount.ask({ kind: "counts" })) as Readonly<Record<string, number>>;
}

async function untilAsked(mount: TestMount, request: string): Promise<void> {
  while ((await countsOf(mount))[request] === undefined) await setTimeout(10);
}

const longMs = 3_600_000;
const behaviours: Readonly<Record<string, Partial<MountOptions>>> = {
  "as it comes": {},
  "that keeps nothing": { entryMs: 0, attributesMs: 0 },
  "that keeps everything": {
    entryMs: longMs,
    attributesMs: longMs,
    negativeMs: longMs,
    tellsChanges: true,
    withoutFlushes: true,
  },
  "that writes back": { writebackCache: true },
  "with locks of ours": { locks: true },
};
for (const [what, behaviour] of Object.entries(behaviours)) {
  mountTest(`a mount ${what} does what every filesystem does`, { ...behaviour, allowSpecial: isRoot }, runCases);
}

const asUser = "fuse mount: an ordinary user mounts, uses and unmounts";
test(asUser, { skip: isRoot ? skip : "root tries it as another user" }, async (t) => {
  // Where the device is root's alone, one for everybody is put over it, for a run of this test in a namespace of its own.
  if ((statSync("/dev/fuse").mode & 0o006) !== 0o006) return runWithOpenDevice(t);
  const mount = await TestMount.start({}, nobody);
  if (typeof mount === "string") return t.skip(mount);
  await using _ = mount;
  await runCases(mount);
  assert.equal(await mount.ask({ kind: "unmount" }), "unmounted");
  assert.equal(mount.isMounted, false);
});

function runWithOpenDevice(t: TestContext): void {
  const device = mkdtempSync("/dev/shm/ourobox-device-");
  const script = `mount --make-rprivate / && mknod -m 666 ${device}/fuse c 10 229 && mount --bind ${device}/fuse /dev/fuse &&
    exec ${process.execPath} --test --test-name-pattern='${asUser}' ${import.meta.filename}`;
  const { NODE_TEST_CONTEXT: _, ...env } = process.env;
  const { status, stdout } = spawnSync("unshare", ["-m", "sh", "-c", script], {
    encoding: "utf8",
    env,
    timeout: 120_000,
  });
  rmSync(device, { recursive: true });
  assert.equal(status, 0, stdout);
  if (/# SKIP|﹣/.test(stdout)) t.skip(stdout);
}

mountTest("nothing is mounted after an unmount, and the server knows", {}, async (mount) => {
  assert.equal((await mount.run("echo content > f && cat f")).out, "content\n");
  assert.equal(mount.isMounted, true);
  assert.equal(await mount.ask({ kind: "unmount" }), "unmounted");
  assert.equal(mount.isMounted, false);
});

mountTest("somebody else's umount ends the server, too", { rootOnly: true }, async (mount) => {
  const ended = mount.ended();
  await mount.run(`cd / && umount '${mount.directory}'`);
  assert.equal(await ended, true);
});

mountTest("a mount in use is not unmounted, but lazily", {}, async (mount) => {
  const user = mount.run("exec 3>f; echo begun >&2; sleep 1; echo end >&3; cat f");
  await untilAsked(mount, "create");
  assert.match(String(await mount.ask({ kind: "unmount" })), /in use|busy/i);
  assert.equal(await mount.ask({ kind: "unmount", lazy: true }), "unmounted");
  assert.equal(mount.isMounted, false);
  assert.match((await user).out, /begun\nend\n/);
});

mountTest("when the server dies, everybody is told at once", {}, async (mount) => {
  await mount.run("echo content > f");
  await mount.ask({ kind: "slow", name: "f", ms: 3_600_000 });
  const reader = mount.run("cat < f");
  await untilAsked(mount, "read");
  mount.killServer();
  assert.match((await reader).out, /connection|not connected|aborted/i);
  assert.match((await mount.run("ls")).out, /not connected/i);
});

mountTest("a mount can be aborted while somebody waits in it", { rootOnly: true }, async (mount) => {
  await mount.run("echo content > f");
  await mount.ask({ kind: "slow", name: "f", ms: 3_600_000 });
  const reader = mount.run("cat < f");
  await untilAsked(mount, "read");
  await mount.ask({ kind: "abort" });
  assert.match((await reader).out, /abort|not connected/i);
});

mountTest("a read that waits keeps nobody else waiting, and ends by a signal", {}, async (mount) => {
  await mount.run("echo content > f; echo other > g");
  await mount.ask({ kind: "slow", name: "f", ms: 3_600_000 });
  const { out, status } = await mount.run("timeout 2 cat f & cat g; ls; wait $!; echo $?");
  assert.deepEqual([out, status], ["other\nf\ng\n124\n", 0]);
});

mountTest("reads that wait do so side by side", {}, async (mount) => {
  const names = ["1", "2", "3", "4", "5", "6", "7", "8"];
  await mount.run(`for n in ${names.join(" ")}; do echo $n > $n; done`);
  for (const name of names) await mount.ask({ kind: "slow", name, ms: 500 });
  const { out } = await mount.run(`for n in ${names.join(" ")}; do cat $n & done; wait`);
  assert.deepEqual(out.trim().split("\n").sort(), names);
  assert.ok(((await countsOf(mount))["waitedAtOnce"] ?? 0) > 1);
});

const keepsAll = { entryMs: longMs, attributesMs: longMs, negativeMs: longMs, tellsChanges: true } as const;

mountTest("what is kept is believed until the kernel is told", keepsAll, async (mount) => {
  const show = async (): Promise<string> => (await mount.run("cat f g 2>&1")).out;
  await mount.run("echo one > f");
  const before = "one\ncat: g: No such file or directory\n";
  assert.equal(await show(), before);
  await mount.ask({ kind: "replace", name: "f", content: "two\n", tell: false });
  await mount.ask({ kind: "make", name: "g", tell: false });
  assert.equal(await show(), before);
  await mount.ask({ kind: "replace", name: "f", content: "another\n", tell: true });
  await mount.ask({ kind: "remove", name: "g", tell: true });
  await mount.ask({ kind: "make", name: "g", tell: true });
  assert.equal(await show(), "another\n");
  assert.equal((await mount.run("ls")).out, "f\ng\n");
  await mount.ask({ kind: "remove", name: "g", tell: true });
  assert.equal(await show(), "another\ncat: g: No such file or directory\n");
});

const noPrune = kernelMajor < 6 || (kernelMajor === 6 && kernelMinor < 18) ? `Linux ${release()} cannot` : undefined;
mountTest(
  "the kernel forgets what nobody uses when it is asked to, and nothing else",
  { ...keepsAll, ...(noPrune === undefined ? {} : { lacks: noPrune }) },
  async (mount) => {
    const names = Array.from({ length: 600 }, (_, index) => `f${index}`);
    await mount.run("mkdir d; for n in $(seq 0 599); do echo $n > f$n; done; ls -l > /dev/null");
    const user = mount.run("exec 3<f7; cd d; sleep 2; cat <&3; pwd; ls -l /proc/self/fd/3");
    await setTimeout(500);
    await mount.ask({ kind: "counts" });
    await mount.ask({ kind: "forget", names: [...names, "d"] });
    await setTimeout(500);
    const counts = await countsOf(mount);
    assert.ok((counts["forget"] ?? 0) + (counts["batchForget"] ?? 0) > 0, JSON.stringify(counts));
    const { out } = await user;
    assert.equal(
      out.replace(/^l.*$/m, (line) => line.replace(/.*-> /, "")),
      `7\n${mount.directory}/d\n${mount.directory}/f7\n`,
    );
    assert.equal((await mount.run("cat f7 f8")).out, "7\n8\n");
  },
);

mountTest("content can be put into the kernel's cache before anybody reads", keepsAll, async (mount) => {
  await mount.run("echo content > f; cat f; exec 3<f");
  await mount.ask({ kind: "store", name: "f", content: "CONTENT" });
  assert.equal((await mount.run("cat f")).out, "CONTENT\n");
});

mountTest("what was listed with its attributes is not asked for again", keepsAll, async (mount) => {
  await mount.run("mkdir d; cd d; seq 1000 | xargs touch");
  await mount.run("echo 2 > /proc/sys/vm/drop_caches");
  await mount.run("ls -l d > /dev/null");
  await mount.ask({ kind: "counts" });
  assert.equal((await mount.run("ls -l d | wc -l")).out.trim(), "1001");
  const counts = await countsOf(mount);
  assert.deepEqual([counts["lookup"] ?? 0, counts["readdir"] ?? 0, counts["readdirplus"] ?? 0], [0, 0, 0]);
});

const hasSelinux = existsSync("/sys/fs/selinux");
mountTest(
  "where there is no SELinux, a listing does not ask for a label of each file",
  { ...keepsAll, ...(hasSelinux ? { lacks: "this kernel answers for labels by itself" } : {}) },
  async (mount) => {
    await mount.run("seq 100 | xargs touch");
    await mount.ask({ kind: "counts" });
    assert.equal((await mount.run("ls -l | wc -l")).out.trim(), "101");
    // One each is about ACLs.
    assert.ok(((await countsOf(mount))["getxattr"] ?? 0) < 110);
  },
);

mountTest(
  "without opens, a read-only mount is asked for content alone",
  { ...keepsAll, withoutOpens: true, withoutFlushes: true },
  async (mount) => {
    await mount.ask({ kind: "make", name: "f", tell: true });
    await mount.ask({ kind: "replace", name: "f", content: "content\n", tell: true });
    await mount.run("ls; cat f");
    await mount.ask({ kind: "counts" });
    assert.equal((await mount.run("ls; cat f; cat f")).out, "f\ncontent\ncontent\n");
    const counts = await countsOf(mount);
    for (const kind of ["open", "opendir", "release", "releasedir", "flush"]) assert.equal(counts[kind] ?? 0, 0, kind);
  },
);

mountTest("a read-only mount is read-only", { readOnly: true }, async (mount) => {
  assert.match((await mount.run("touch f")).out, /read-only/i);
});

mountTest(
  "flock is ours where it is asked for: it waits, is interrupted, and ends with its holder",
  { locks: true },
  async (mount) => {
    const command =
      "touch f; flock f sleep 1.2 & sleep 0.3; timeout 0.3 flock f true; echo $?; flock -n f true; echo $?; flock f echo got; wait";
    assert.equal((await mount.run(command)).out, "124\n1\ngot\n");
    const counts = await countsOf(mount);
    assert.ok((counts["setlkw"] ?? 0) >= 3 && (counts["setlk"] ?? 0) >= 1);
  },
);

mountTest("others are kept out", { rootOnly: true }, async (mount) => {
  assert.match((await mount.run("ls", nobody)).out, /permission denied|can't cd/i);
});

mountTest(
  "permission bits and sticky directories count for others",
  { allowOther: true, rootOnly: true },
  async (mount) => {
    await mount.run("mkdir -m 1777 tmp; mkdir -m 700 own; echo secret > tmp/f; chmod 600 tmp/f; echo open > tmp/g");
    const asOther =
      "cat tmp/f; ls own; cat tmp/g; touch new; rm -f tmp/g; chmod 777 tmp; touch tmp/h; stat -c '%u %g %a' tmp/h";
    const { out } = await mount.run(`(${asOther}) 2>&1`, nobody);
    assert.equal(out.match(/permission denied/gi)?.length, 3, out);
    assert.equal(out.match(/not permitted/gi)?.length, 2, out);
    assert.match(out, /\nopen\n/);
    assert.match(out, /\n65534 65534 644\n$/);
  },
);

const special = { allowOther: true, rootOnly: true, allowSpecial: true } as const;
mountTest("a write of someone without privileges clears setuid and setgid", special, async (mount) => {
  await mount.run("for n in a b c d; do echo content > $n; chmod 6777 $n; done");
  const direct = "dd if=/dev/zero of=d bs=4096 count=1 oflag=direct conv=notrunc status=none";
  await mount.run(`echo x >> a; truncate -s 1 b; : > c; ${direct}`, nobody);
  assert.equal((await mount.run("stat -c %a a b c d | tr '\\n' ' '")).out, "777 777 777 777 ");
  await mount.run("chmod 6777 a; echo x >> a");
  assert.equal((await mount.run("stat -c %a a")).out, "6777\n");
});

mountTest("ACLs count, and are inherited", { allowOther: true, rootOnly: true }, async (mount) => {
  if ((await mount.run("setfacl --version")).status !== 0) return;
  await mount.run("mkdir -m 755 d; echo secret > f; chmod 600 f; setfacl -m u:65534:r f; setfacl -m u:65534:rwx d");
  await mount.run("setfacl -d -m u:65534:rw d");
  const { out } = await mount.run("cat f; touch d/made; getfacl -cn d/made", nobody);
  assert.match(out, /^secret\n.*user:65534:rw-/s);
  assert.match((await mount.run("setfacl -b f; ls -l f")).out, /^-rw-------/);
  assert.match((await mount.run("cat f", nobody)).out, /permission denied/i);
});

const backing = join(tmpdir(), `ourobox-backing-${process.pid}`);
mountTest(
  "files with a backing are read and written by the kernel itself",
  { passthrough: true, backing, rootOnly: true, ...(noPassthrough === undefined ? {} : { lacks: noPassthrough }) },
  async (mount) => {
    writeFileSync(backing, "behind it");
    try {
      await mount.run("touch f g; cat f");
      await mount.ask({ kind: "counts" });
      // As many readers at once as like to, and a writer beside them.
      const { out } = await mount.run(
        "exec 3<f 4<f 5<>g; truncate -s 9 f; printf BEHIND >&5; dd if=f bs=9 count=1 status=none <&3; cat <&4",
      );
      const counts = await countsOf(mount);
      assert.match(out, /BEHIND it/);
      assert.deepEqual([counts["read"] ?? 0, counts["write"] ?? 0], [0, 0]);
      assert.equal(readFileSync(backing, "utf8"), "BEHIND it");
    } finally {
      rmSync(backing);
    }
  },
);

test("fuse mount: no test has left a mount or a folder", { skip }, () => {
  const left = TestMount.directories.filter((directory) => findMount(directory) !== undefined || existsSync(directory));
  assert.deepEqual(left, []);
  assert.equal(existsSync(backing), false);
});
