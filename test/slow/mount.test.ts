/** Mounts of commits, used by real programs: what they read is what a restore writes. */
import assert from "node:assert/strict";
import { execFileSync, spawnSync } from "node:child_process";
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, truncateSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, type TestContext, test } from "node:test";
import { setXattr } from "../../src/base/posix.ts";
import type { Prng } from "../../src/base/prng.ts";
import { BoxMount } from "../support/box-mount.ts";
import { skipWithout } from "../support/debian-program.ts";
import { fuseProblem } from "../support/fuse-mount.ts";
import { Program } from "../support/program.ts";
import { changeFolder, walkFolder } from "../support/random-folder.ts";
import { testSeeds } from "../support/seeds.ts";

const problem = await fuseProblem();
const skip = problem === undefined ? false : `no mount here: ${problem}`;
const place = mkdtempSync(join(tmpdir(), "ourobox-mount-slow-"));
const program = new Program(join(place, "home"));
after(() => rmSync(place, { recursive: true, force: true }));

let boxes = 0;
async function makeBox(fill: (path: string) => void): Promise<string> {
  boxes += 1;
  const box = join(place, `box ${boxes}`);
  mkdirSync(box);
  fill(box);
  for (const args of [["init"], ["commit", "-m", "all"]]) {
    const { status, err } = await program.run(args, { cwd: box });
    assert.equal(status, 0, err);
  }
  return box;
}

async function mounted(box: string, use: (mount: BoxMount) => Promise<void>): Promise<void> {
  await using mount = await BoxMount.start(program, { box, directory: `${box} mounted` });
  assert.equal(mount.started.status, 0, mount.started.err);
  await use(mount);
  const { status, err } = await program.run(["umount", mount.directory], { cwd: place });
  assert.equal(status, 0, err);
  assert.equal(await mount.hasEnded(), true);
}

/** More than changes of names: attributes, holes, files of many chunks, a large directory. */
function fillRandomly(prng: Prng, path: string): void {
  for (let step = 0; step < 300; step += 1) changeFolder(prng, path);
  for (let index = 0; index < 6; index += 1) {
    const file = join(path, `large ${index}`);
    writeFileSync(file, Buffer.from(prng.bytes(prng.int(1, 3_000_000))));
    if (prng.chance(0.5)) truncateSync(file, prng.int(1, 40_000_000));
    setXattr(file, "user.random", prng.bytes(prng.int(0, 900)));
  }
  mkdirSync(join(path, "many"));
  for (let index = 0; index < 3000; index += 1) writeFileSync(join(path, "many", `${prng.u32()}`), "");
}

if (skip === false) {
  testSeeds("mount: a random tree is what a restore of it is, in all that a program can see", 4, async (prng) => {
    const box = await makeBox((path) => fillRandomly(prng, path));
    const target = `${box} restored`;
    const restored = await program.run(["restore", "--target", target], { cwd: box });
    assert.equal(restored.status, 0, restored.err);
    await mounted(box, async (mount) => {
      const { out, status } = await mount.runProgram("compare-folders.ts", target, mount.directory);
      assert.deepEqual([out, status], ["0 differences\n", 0]);
    });
  });
}

const git = (path: string, ...args: readonly string[]): string =>
  execFileSync("git", ["-c", "user.name=A", "-c", "user.email=a@b.c", "-c", "init.defaultBranch=main", ...args], {
    cwd: path,
    encoding: "utf8",
  });

/** A repository with some history, beside files of all kinds. */
function fillForPrograms(path: string): void {
  const repository = join(path, "repository");
  cpSources(repository);
  git(repository, "init", "-q");
  for (let commit = 0; commit < 5; commit += 1) {
    for (const name of walkFolder(repository)
      .filter((each) => each.endsWith(".ts"))
      .slice(commit * 20, commit * 20 + 20))
      writeFileSync(join(repository, name), `// ${commit}\n${readFileSync(join(repository, name), "utf8")}`);
    git(repository, "add", ".");
    git(repository, "commit", "-q", "-m", `commit ${commit}`);
  }
  git(repository, "gc", "-q");
}

function cpSources(to: string): void {
  execFileSync("cp", ["-a", join(import.meta.dirname, "../../src"), to]);
}

const missing = skip === false ? skipWithout("git") || skipWithout("rsync") || skipWithout("tar") : skip;
test("mount: tar, rsync, git, find, cmp and mapped files read what is there", { skip: missing }, async () => {
  const box = await makeBox(fillForPrograms);
  const target = `${box} restored`;
  const restored = await program.run(["restore", "--target", target], { cwd: box });
  assert.equal(restored.status, 0, restored.err);
  await mounted(box, async (mount) => {
    const run = async (command: string): Promise<string> => {
      const { out, status } = await mount.run(command);
      assert.equal(status, 0, `${command}: ${out}`);
      return out;
    };
    assert.equal(await run(`tar -cf - . | tar -df - -C '${target}'`), "");
    assert.equal(await run(`rsync -aHAXn --checksum --delete -i ./ '${target}/'`), "");
    const found = "find . -printf '%p %y %s %m\\n' | LC_ALL=C sort | grep -v ' d '";
    assert.equal(await run(found), await run(`cd '${target}' && ${found}`));
    const safe = "git -c safe.directory='*' -C repository";
    assert.equal(await run(`GIT_OPTIONAL_LOCKS=0 ${safe} status --porcelain`), "");
    await run(`${safe} fsck --full --strict`);
    assert.match(await run(`${safe} log --oneline`), /commit 4\n.*commit 3\n/);
    assert.equal(await run(`diff -r . '${target}'`), "");
    if (skipWithout("python3") === false) {
      const script =
        "import mmap,sys; f=open(sys.argv[1],'rb'); m=mmap.mmap(f.fileno(),0,prot=mmap.PROT_READ); sys.stdout.buffer.write(m[:])";
      const pack = "repository/.git/objects/pack/*.pack";
      await run(`for f in ${pack}; do python3 -c "${script}" $f | cmp - '${target}'/$f; done`);
    }
  });
});

test("mount: ten thousand opens leave nothing behind", { skip }, async () => {
  const box = await makeBox((path) => {
    for (let index = 0; index < 1000; index += 1) writeFileSync(join(path, `f${index}`), `${index}`.repeat(index));
  });
  await mounted(box, async (mount) => {
    const { server } = mount;
    const descriptors = (): number => readdirSync(`/proc/${server}/fd`).length;
    const memory = (): number =>
      Number(/^VmRSS:\s+(\d+)/m.exec(readFileSync(`/proc/${server}/status`, "utf8"))?.[1]) * 1024;
    const round = "cat f* | wc -c; ls -l > /dev/null; echo 3 > /proc/sys/vm/drop_caches 2>/dev/null; true";
    await mount.run(round);
    const before = { descriptors: descriptors(), memory: memory() };
    for (let index = 0; index < 10; index += 1) await mount.run(round);
    assert.ok(descriptors() <= before.descriptors, `${descriptors()} descriptors, ${before.descriptors} before`);
    assert.ok(memory() < before.memory + 40e6, `${memory()} bytes, ${before.memory} before`);
  });
});

test("mount: sixteen readers of large files read what is there", { skip }, async () => {
  const box = await makeBox((path) => {
    for (let index = 0; index < 4; index += 1)
      writeFileSync(join(path, `f${index}`), Buffer.alloc(20_000_000, `content of ${index} `.repeat(index + 1)));
  });
  await mounted(box, async (mount) => {
    const reader = `for f in f0 f1 f2 f3; do cmp $f '${box}'/$f || echo differs; done`;
    const { out } = await mount.run(`for n in $(seq 16); do (${reader}) & done; wait`);
    assert.equal(out, "");
  });
});

const asOrdinary = "mount: an ordinary user mounts, reads and unmounts";
const noFusermount = skip !== false ? skip : skipWithout("fusermount3", ["-V"]);
test(asOrdinary, { skip: noFusermount }, async (t) => {
  if (process.getuid?.() === 0) return runAsNobody(t);
  const box = await makeBox((path) => writeFileSync(join(path, "f"), "content\n"));
  await mounted(box, async (mount) => {
    assert.equal((await mount.run("cat f")).out, "content\n");
    assert.equal((await mount.run("stat -c %U f")).out, (await mount.run("id -un")).out);
  });
});

/** Runs that test once more, as an ordinary user, in a namespace with a device that is everybody's. */
function runAsNobody(t: TestContext): void {
  const device = mkdtempSync("/dev/shm/ourobox-device-");
  const script = `mount --make-rprivate / && mknod -m 666 ${device}/fuse c 10 229 && mount --bind ${device}/fuse /dev/fuse &&
    exec setpriv --reuid 65534 --regid 65534 --clear-groups ${process.execPath} --test --test-name-pattern='${asOrdinary}' ${import.meta.filename}`;
  const { NODE_TEST_CONTEXT: _, ...env } = process.env;
  const run = spawnSync("unshare", ["-m", "sh", "-c", script], { encoding: "utf8", env, timeout: 120_000 });
  rmSync(device, { recursive: true });
  assert.equal(run.status, 0, run.stdout + run.stderr);
  if (/# SKIP|﹣/.test(run.stdout)) t.skip(run.stdout);
}
