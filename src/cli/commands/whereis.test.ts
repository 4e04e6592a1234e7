import assert from "node:assert/strict";
import { renameSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { CliBox } from "../../../test/support/cli-box.ts";
import { Prng } from "../../base/prng.ts";

const box = new CliBox({ "a.txt": "first\n", "d/b.txt": "second\n" });
const at = (name: string): string => join(box.top, name);

interface Where {
  readonly bytes: number;
  readonly here: number;
  readonly remotes: readonly {
    remote: string;
    bytes: number;
    asOf: string | null;
    hasCommit: boolean;
    atLeast?: true;
  }[];
}

async function whereIs(...args: string[]): Promise<Where> {
  return JSON.parse(await box.ok("whereis", "--json", ...args)) as Where;
}

test("whereis says how much of a file, folder or commit is here and on each remote", async () => {
  await box.ok("remote", "add", "one", at("one"));
  await box.ok("remote", "add", "two", at("two"));
  await box.ok("push", "one");
  box.write("d/new.txt", "third, a little longer\n");
  await box.ok("commit", "-m", "Second");
  const text = await box.ok("whereis", "a.txt", "d");
  assert.match(
    text,
    /^a\.txt: 6 B\n {2}this machine +all *\n {2}one +all +as of 2026-11-01 \d\d:\d\d\n {2}two +never looked at *\n/,
  );
  assert.match(text, /^d: 30 B\n {2}this machine +all *\n {2}one +7 B +as of/m);
  const commit = await whereIs("HEAD");
  assert.deepEqual([commit.bytes, commit.here], [36, 36]);
  assert.deepEqual(
    commit.remotes.map(({ bytes, hasCommit }) => [bytes, hasCommit]),
    [
      [13, false],
      [0, false],
    ],
  );
  const before = await whereIs("HEAD^:");
  assert.deepEqual(
    before.remotes.map(({ bytes, hasCommit }) => [bytes, hasCommit]),
    [
      [13, true],
      [0, false],
    ],
  );
  await box.ok("push");
  for (const { bytes, hasCommit, asOf } of (await whereIs("HEAD")).remotes) {
    assert.deepEqual([bytes, hasCommit], [36, true]);
    assert.match(asOf ?? "", /^2026-11-01T/);
  }
  assert.equal((await box.run("whereis", "nothing")).status, 1);
});

test("what was packed anew here is found on the remote in the packs of then; one that is away is said to have at least so much", async () => {
  const prng = new Prng(1);
  for (let count = 0; count < 6; count += 1) {
    box.write(`files/${count}`, Buffer.from(prng.bytes(3000)).toString("base64"));
    await box.ok("commit", "-m", `File ${count}`);
  }
  await box.ok("remote", "add", "one", at("one"));
  await box.ok("push");
  const before = await whereIs("files");
  await box.ok("gc");
  const after = await whereIs("files");
  assert.deepEqual(after, before);
  assert.equal(after.remotes[0]?.bytes, after.bytes);
  renameSync(at("one"), at("away"));
  const { status, out, err } = await box.run("whereis", "files", "--json");
  assert.equal(status, 3, err);
  assert.equal((JSON.parse(out) as Where).remotes[0]?.atLeast, true);
});

test("a clone knows from the start what is on the remote, also of one named by a path from where it was made", async () => {
  await box.ok("remote", "add", "one", at("one"));
  await box.ok("push");
  await box.ok("clone", "--unreal", "../one", "../copy");
  const { bytes, here, remotes } = await whereIs("-C", at("copy"), "HEAD");
  assert.deepEqual([here, remotes.map((remote) => remote.bytes)], [0, [bytes]]);
});
