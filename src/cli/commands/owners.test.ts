/** What an ordinary user is told, and gets, of files that belong to others in the box. Made by root, then run as nobody. */
import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import {
  chownSync,
  lstatSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { runAsNobody } from "../../../test/support/as-nobody.ts";
import { runCli, type Seen } from "../../../test/support/cli.ts";

/** Where root has left a remote, when this is run as nobody. */
const place = process.env["TEST_PLACE"] ?? "";
const isNobody = place !== "";

const notice =
  "Some files belong to others in the box and to you here: only root can set owners. Commits keep them as they are.\n";

async function inFolder<T>(
  body: (run: (...args: string[]) => Promise<Seen>, folder: string) => Promise<T>,
): Promise<T> {
  const top = mkdtempSync(join(tmpdir(), "ourobox-owners-"));
  const env = { XDG_CONFIG_HOME: join(top, "config"), OUROBOX_USER_NAME: "Ada" };
  const folder = join(top, "box");
  mkdirSync(folder);
  try {
    return await body((...args) => runCli(args, { cwd: folder, env }), folder);
  } finally {
    rmSync(top, { recursive: true, force: true });
  }
}

async function ok(run: (...args: string[]) => Promise<Seen>, ...args: string[]): Promise<Seen> {
  const seen = await run(...args);
  assert.equal(seen.status, 0, seen.err);
  return seen;
}

test("what an ordinary user is told of owners", { skip: isNobody || process.geteuid?.() !== 0 }, async (t) => {
  await inFolder(async (run, folder) => {
    const remote = mkdtempSync(join(tmpdir(), "ourobox-owners-remote-"));
    try {
      await ok(run, "init", "--plain");
      for (const [name, owner] of [
        ["own", 65_534],
        ["other", 1234],
      ] as const) {
        mkdirSync(join(folder, name));
        writeFileSync(join(folder, name, "f"), `${name}\n`);
        symlinkSync("f", join(folder, name, "s"));
        execFileSync("chown", ["-hR", `${owner}:${owner}`, join(folder, name)]);
      }
      chownSync(folder, 65_534, 65_534);
      await ok(run, "commit");
      await ok(run, "remote", "add", "origin", join(remote, "box"));
      await ok(run, "push");
      execFileSync("chmod", ["-R", "a+rwX", remote]);
      const ran = runAsNobody(import.meta.filename, "^ordinary: ", { TEST_PLACE: join(remote, "box") });
      if (ran === undefined) t.skip("nobody may not read this checkout");
      else assert.equal(ran.status, 0, ran.output);
    } finally {
      rmSync(remote, { recursive: true, force: true });
    }
  });
});

const options = { skip: !isNobody };

test("ordinary: skipped owners are said once, status 0, and the next status is clean", options, async () => {
  await inFolder(async (run, folder) => {
    const { err } = await ok(run, "clone", place, "copy");
    assert.equal(err.split(notice).length, 2, err);
    const copy = join(folder, "copy");
    assert.equal(lstatSync(join(copy, "other/f")).uid, 65_534);
    assert.deepEqual(await run("status", "--porcelain", "-C", copy), { out: "", err: "", status: 0 });
    writeFileSync(join(copy, "other/f"), "changed\n");
    const restored = await ok(run, "restore", ".", "-C", copy);
    assert.equal(restored.err.split(notice).length, 2, restored.err);
    assert.match((await ok(run, "ls", "--json", "-C", copy, "other")).out, /"uid":1234/);
  });
});

test("ordinary: where all belongs to the user, or owners are not wanted, nothing is said", options, async () => {
  await inFolder(async (run, folder) => {
    await ok(run, "clone", place, "copy");
    const copy = join(folder, "copy");
    writeFileSync(join(copy, "own/f"), "changed\n");
    rmSync(join(copy, "own/s"));
    assert.doesNotMatch((await ok(run, "restore", "own", "-C", copy)).err, /only root/);
    await ok(run, "config", "set", "files.ownership", "skip", "-C", copy);
    rmSync(join(copy, "other"), { recursive: true });
    assert.doesNotMatch((await ok(run, "restore", ".", "-C", copy)).err, /only root/);
  });
});

test("ordinary: with files.ownership=keep files are made, one warning tells of owners, status 3", options, async () => {
  await inFolder(async (run, folder) => {
    await ok(run, "clone", "--bare", place, "copy");
    const copy = join(folder, "copy");
    const target = join(folder, "target");
    await ok(run, "config", "set", "files.ownership", "keep", "-C", copy);
    const { err, status } = await run("restore", "--target", target, "-C", copy);
    assert.equal(status, 3, err);
    assert.match(
      err,
      /^warning: Some files belong to you here, for their owner could not be set: .*\nRestored 4 files /,
    );
    assert.equal(readFileSync(join(target, "other/s"), "utf8"), "other\n");
    assert.equal(readFileSync(join(target, "own/f"), "utf8"), "own\n");
  });
});
