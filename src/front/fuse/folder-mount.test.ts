import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { chmodSync, chownSync, mkdirSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import type { FuseDaemonOptions } from "../../../test/support/fuse-daemon.ts";
import { fuseProblem, type MountUser, TestMount } from "../../../test/support/fuse-mount.ts";
import { filesystemCases } from "../../vfs/filesystem.suite.ts";
import type { MountOptions } from "./mount.ts";

const problem = await fuseProblem();
const skip = problem === undefined ? false : `no mount here: ${problem}`;
const isRoot = process.getuid?.() === 0;
const self: MountUser = { uid: process.getuid?.() ?? 0, gid: process.getgid?.() ?? 0 };
const nobody: MountUser = { uid: 65_534, gid: 65_534 };

/** A folder, shown by a mount. */
async function withFolder(
  options: Partial<MountOptions>,
  body: (mount: TestMount, path: string) => Promise<void>,
  user: MountUser = self,
): Promise<string | undefined> {
  const path = mkdtempSync(join(tmpdir(), "ourobox-shown-"));
  try {
    chmodSync(path, 0o755);
    if (isRoot) chownSync(path, user.uid, user.gid);
    const shown: Partial<FuseDaemonOptions> = { ...options, folder: path };
    const mount = await TestMount.start(shown, user);
    if (typeof mount === "string") return mount;
    await using _ = mount;
    await body(mount, path);
    return undefined;
  } finally {
    rmSync(path, { recursive: true });
  }
}

async function runCases(mount: TestMount, user: MountUser): Promise<void> {
  const { status, out } = await mount.runProgramAs(user, "fuse-cases.ts", "ext4");
  const outcomes = out
    .split("\n")
    .filter((line) => line.startsWith("{"))
    .map((line) => JSON.parse(line) as { readonly name: string; readonly problem?: string });
  const problems = outcomes.flatMap((each) => (each.problem === undefined ? [] : [`${each.name}: ${each.problem}`]));
  assert.deepEqual([status, problems], [0, []], out);
  const wanted = filesystemCases.filter((each) => each.beyondExt4 !== true && (each.asRoot !== true || user.uid === 0));
  assert.equal(outcomes.length, wanted.length);
}

const behaviours: Readonly<Record<string, Partial<MountOptions>>> = {
  "as it comes": {},
  "that keeps nothing": { entryMs: 0, attributesMs: 0 },
  "that passes files through": { passthrough: true },
  "with locks of ours": { locks: true },
};
for (const [what, behaviour] of Object.entries(behaviours)) {
  test(`folder mount: a folder's mount ${what} does what every filesystem does`, { skip }, async () => {
    const why = await withFolder({ ...behaviour, allowSpecial: isRoot }, (mount) => runCases(mount, self));
    assert.equal(why, undefined);
  });
}

test("folder mount: others in root's mount do what they could in the folder", {
  skip: isRoot ? skip : "only root can",
}, async () => {
  for (const behaviour of [{}, { passthrough: true }]) {
    await withFolder({ ...behaviour, allowOther: true }, async (mount, path) => {
      mkdirSync(join(path, "open"));
      chownSync(join(path, "open"), nobody.uid, nobody.gid);
      await mount.run("chmod 777 .");
      await runCases(mount, nobody);
      await mount.run("mkdir shared && chmod 1777 shared && echo root > shared/roots && chmod 666 shared/roots");
      const script = `echo x > shared/mine; rm -f shared/roots; echo y >> shared/roots; cat shared/roots
        chmod 6755 shared/mine; chmod 4755 shared/mine; echo z >> shared/mine; stat -c %a:%u:%g shared/mine`;
      const { out } = await mount.run(script, nobody);
      assert.match(out, /not permitted[\s\S]*root\ny\n755:65534:65534/);
      assert.equal(statSync(join(path, "shared", "mine")).uid, nobody.uid);
      assert.equal((await mount.run("chmod 700 shared && echo done")).out, "done\n");
      assert.match((await mount.run("cat shared/mine", nobody)).out, /denied/);
    });
  }
});

const asUser = "folder mount: an ordinary user's folder does what every filesystem does";
test(asUser, { skip: isRoot ? skip : "root tries it as another user" }, async (t) => {
  // Where the device is root's alone, one for everybody is put over it, for a run of this test in a namespace of its own.
  if ((statSync("/dev/fuse").mode & 0o006) !== 0o006) return runWithOpenDevice(t);
  const why = await withFolder({}, (mount) => runCases(mount, nobody), nobody);
  if (why !== undefined) t.skip(why);
});

function runWithOpenDevice(t: TestContext): void {
  const device = mkdtempSync("/dev/shm/ourobox-device-");
  const script = `mount --make-rprivate / && mknod -m 666 ${device}/fuse c 10 229 && mount --bind ${device}/fuse /dev/fuse &&
    exec ${process.execPath} --test --test-name-pattern='${asUser.replace("'", ".")}' ${import.meta.filename}`;
  const { NODE_TEST_CONTEXT: _, ...env } = process.env;
  const run = spawnSync("unshare", ["-m", "sh", "-c", script], { encoding: "utf8", env, timeout: 120_000 });
  rmSync(device, { recursive: true });
  assert.equal(run.status, 0, run.stdout);
  if (/# SKIP|﹣/.test(run.stdout)) t.skip(run.stdout);
}

test("folder mount: mount and folder are one, and the box's own folder is in neither's way", { skip }, async () => {
  await withFolder({ entryMs: 0, attributesMs: 0 }, async (mount, path) => {
    mkdirSync(join(path, ".ourobox"));
    writeFileSync(join(path, "f"), "from the folder\n");
    assert.equal(
      (await mount.run("ls -A; cat f; echo from the mount > g; mkdir -p d/e; mv f d/e/")).out,
      "f\nfrom the folder\n",
    );
    assert.equal(readFileSync(join(path, "g"), "utf8"), "from the mount\n");
    assert.equal(readFileSync(join(path, "d", "e", "f"), "utf8"), "from the folder\n");
    writeFileSync(join(path, "g"), "changed beside it\n");
    rmSync(join(path, "d", "e", "f"));
    assert.equal(
      (await mount.run("cat g; ls d/e; stat .ourobox; mkdir .OUROBOX")).out.split("\n")[0],
      "changed beside it",
    );
    assert.match((await mount.run("stat .ourobox; mkdir .OUROBOX")).out, /No such file[\s\S]*not permitted/);
  });
});
