import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import { existsSync, mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { after, test } from "node:test";
import { TestWorld } from "../../test/support/app-world.ts";
import { assertFails } from "../../test/support/assert-fails.ts";
import { readAll } from "../../test/support/fs-client.ts";
import { DirectClient } from "../../test/support/fs-client-direct.ts";
import { toHex } from "../base/bytes.ts";
import type { Hash } from "../format/mod.ts";
import { Box, cloneBox, type MountedCommit, openMount } from "./mod.ts";
import { heldCommits } from "./mount-holds.ts";

const top = mkdtempSync(join(tmpdir(), "ouro-mounted-"));
after(() => rmSync(top, { recursive: true }));
const request = { force: true, message: "" };

function mounted(box: Box, commit: Hash): MountedCommit {
  return openMount(box, { commit, directory: "/nowhere", owners: {} });
}

const textOf = async (client: DirectClient, path: string): Promise<string> => (await readAll(client, path)).toString();

test("what only a mount needs stays until it ends, whatever gc does", async () => {
  const world = new TestWorld(join(top, "held"));
  const path = join(world.folder, "box");
  mkdirSync(path, { recursive: true });
  const content = randomBytes(300_000);
  let lost: Hash;
  {
    await using box = await Box.init(path, world.initOptions, world.context());
    writeFileSync(join(path, "f"), "first");
    await box.commit({ message: "first", all: true });
    const first = box.resolve("HEAD");
    await box.makeBranch("other", first);
    await box.switch({ name: "other" });
    writeFileSync(join(path, "f"), content);
    await box.commit({ message: "second", all: true });
    lost = box.resolve("HEAD");
    await box.switch({ name: "main" });
    await box.deleteBranch("other", { force: true });
  }
  const state = new DatabaseSync(join(path, ".ourobox/state.sqlite"));
  state.exec("DELETE FROM operations; DELETE FROM branches");
  state.close();
  await using box = await Box.open(path, world.context());
  const mount = mounted(box, lost);
  const client = new DirectClient(mount.filesystem);
  assert.deepEqual(heldCommits(box).map(toHex), [toHex(lost)]);
  {
    await using other = await Box.open(path, world.context());
    await other.gc({ dryRun: false });
  }
  assert.ok((await readAll(client, "f")).equals(content));
  mount[Symbol.dispose]();
  assert.deepEqual(heldCommits(box), []);
  assert.deepEqual(readdirSync(join(path, ".ourobox/mounts")), []);
  await box.gc({ dryRun: false });
  assert.throws(() => mounted(box, lost), { kind: "not-found" });
  assert.deepEqual(readdirSync(join(path, ".ourobox/mounts")), []);
});

test("a dead process holds nothing, and what it has left is removed", async () => {
  const world = new TestWorld(join(top, "dead"));
  const path = join(world.folder, "box");
  mkdirSync(path, { recursive: true });
  await using box = await Box.init(path, world.initOptions, world.context());
  mkdirSync(join(path, ".ourobox/mounts"));
  const left = join(path, ".ourobox/mounts/0123456789abcdef");
  writeFileSync(left, `${"ab".repeat(32)}\n`);
  assert.deepEqual(heldCommits(box), []);
  assert.equal(existsSync(left), false);
});

test("all values of a conflict are in .ourobox/conflicts, and its status says so", async () => {
  const [one, two] = [new TestWorld(join(top, "one")), new TestWorld(join(top, "two"))];
  const [a, b] = [join(one.folder, "box"), join(two.folder, "box")];
  mkdirSync(join(a, "d"), { recursive: true });
  writeFileSync(join(a, "d/f"), "both\n");
  await using first = await Box.init(a, one.initOptions, one.context());
  await first.addRemote("origin", join(top, "remote"));
  await first.sync([], request);
  await cloneBox(join(top, "remote"), b, { bare: false }, two.context());
  await using second = await Box.open(b, two.context());
  writeFileSync(join(a, "d/f"), "from one\n");
  await first.sync([], request);
  writeFileSync(join(b, "d/f"), "from two\n");
  await second.sync([], request);
  using mount = mounted(second, second.resolve("HEAD"));
  const client = new DirectClient(mount.filesystem);
  assert.equal((await client.getxattr("d/f", "user.ourobox.status")).toString(), "conflict");
  assert.deepEqual(await client.readdir(".ourobox/conflicts"), ["d"]);
  const values = await client.readdir(".ourobox/conflicts/d/f");
  assert.match(values.join(), /^1-[0-9a-f]{16},2-[0-9a-f]{16}$/);
  const texts = await Promise.all(values.map((name) => textOf(client, `.ourobox/conflicts/d/f/${name}`)));
  assert.deepEqual([...texts].sort(), ["from one\n", "from two\n"]);
  assert.equal(texts[0], await textOf(client, "d/f"));
  const inodes = await Promise.all(
    [...values.map((name) => `.ourobox/conflicts/d/f/${name}`), "d/f"].map((name) => client.stat(name)),
  );
  assert.equal(new Set(inodes.map(({ inode }) => inode)).size, 3);
  await assertFails("ENOENT", client.stat(".ourobox/conflicts/none"));
});

test("a commit is not mounted in the box's own folder, whose next commit would take it in", async () => {
  const world = new TestWorld(join(top, "inside"));
  const path = join(world.folder, "box");
  mkdirSync(join(path, "d"), { recursive: true });
  await using box = await Box.init(path, world.initOptions, world.context());
  writeFileSync(join(path, "f"), "first");
  await box.commit({ message: "first", all: true });
  const commit = box.resolve("HEAD");
  for (const directory of [path, join(path, "d")])
    assert.throws(() => openMount(box, { commit, directory, owners: {} }), { kind: "usage", message: /in the folder/ });
  assert.deepEqual(heldCommits(box), []);
});
