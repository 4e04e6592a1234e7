/** Copies of large unreal files in the live mount, as in src/app/live-copies.test.ts: where they come to stand, and what they are given. */
import assert from "node:assert/strict";
import { mkdtempSync, rmSync, statSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, test } from "node:test";
import { encodeAcl } from "../../src/vfs/acl.ts";
import { readAll } from "../support/fs-client.ts";
import { copyFile, newFile, SmallChunks, StagedPair, someBytes } from "../support/staged-pair.ts";
import { changesIn, filesIn, namesIn } from "../support/unreal-pair.ts";

const world = new SmallChunks(mkdtempSync(join(tmpdir(), "ouro-copies-slow-")));
after(() => rmSync(world.folder, { recursive: true }));
process.umask(0o022);

const size = 100_000;
const big = someBytes(1, size);

test("live filesystem: a copy comes into a new directory, in place of what was there, and with the mode that it was made with", async () => {
  await using both = await StagedPair.make(world, {
    "d/big": big,
    "d/old": someBytes(2, 70_000),
    small: someBytes(3, 9),
  });
  const { client, pair } = both;
  await client.mkdir("new");
  const made = await copyFile(client, "d/big", "new/big", { ...newFile, mode: 0o600 });
  assert.equal(made.count, size);
  const inOld = await client.open("d/again", newFile);
  const { mtimeNs } = await client.stat("d");
  const source = await client.open("d/big", { read: true });
  assert.equal(await client.copy(source, 0, inOld, 0, size), size);
  assert.equal((await client.stat("d")).mtimeNs, mtimeNs);
  await client.rename("d", "moved");
  const replaced = await copyFile(client, "moved/big", "moved/old", { write: true, truncate: true });
  assert.equal(replaced.count, size);
  for (const fd of [made.fd, replaced.fd, source, inOld]) await client.close(fd);
  await both.commit();
  assert.deepEqual(namesIn(pair.b), ["moved/again", "moved/big", "moved/old", "new/big", "small"]);
  for (const path of ["moved/again", "moved/old", "new/big"]) assert(both.isShared(path, "moved/big"), path);
  assert.equal((await client.stat("new/big")).mode & 0o777, 0o600);
  assert.deepEqual(filesIn(pair.pathB), {});
  await assert.rejects(copyFile(client, "small", "other"), { code: "EXDEV" });
});

test("live filesystem: a copy has the name of one that was deleted", async () => {
  await using both = await StagedPair.make(world, { "d/big": big });
  const { client, pair } = both;
  for (let count = 0; count < 3; count += 1) {
    if (count > 0) await client.unlink("d/copy");
    const made = await copyFile(client, "d/big", "d/copy");
    assert.equal(made.count, size);
    await client.close(made.fd);
  }
  assert.deepEqual((await client.readdir("d")).sort(), ["big", "copy"]);
  await both.commit();
  assert.deepEqual(namesIn(pair.b), ["d/big", "d/copy"]);
});

test("live filesystem: a copy in the place of what was deleted and is open goes to another file", async () => {
  await using both = await StagedPair.make(world, { "d/big": big, "d/old": someBytes(2, 70_000) });
  const { client, pair } = both;
  const old = await client.open("d/old", { read: true });
  await client.unlink("d/old");
  const source = await client.open("d/big", { read: true });
  const fd = await client.open("d/old", newFile);
  // Not what the one that is deleted is.
  await client.copy(source, 0, fd, 0, size).catch(() => client.write(fd, 0, big));
  assert((await readAll(client, "d/old")).equals(big));
  assert((await client.read(old, 0, size)).equals(someBytes(2, 70_000)));
  for (const each of [old, source, fd]) await client.close(each);
  await both.commit();
  assert.deepEqual(await changesIn(pair.b), []);
  assert.deepEqual(namesIn(pair.b), ["d/big", "d/old"]);
});

test("live filesystem: a copy gets times, an owner and a mode, as an ACL too, and is not brought for it", async () => {
  await using both = await StagedPair.make(world, { "d/big": big });
  const { client, pair } = both;
  const { fd } = await copyFile(client, "d/big", "d/copy", { ...newFile, mode: 0o600 });
  await client.setTime("d/copy", 5_000_000_000n);
  const acl = encodeAcl(
    [0o6, 0o4, 0].map((bits, at) => ({ tag: [0x01, 0x04, 0x20][at] as number, bits, id: 2 ** 32 - 1 })),
  );
  await client.setxattr("d/copy", "system.posix_acl_access", acl);
  await client.close(fd);
  const { mode, mtimeNs } = await client.stat("d/copy");
  assert.deepEqual([mode & 0o7777, mtimeNs], [0o640, 5_000_000_000n]);
  await both.commit();
  assert.deepEqual(filesIn(pair.pathB), {});
  assert(both.isShared("d/copy", "d/big"));
});

test("live filesystem: a copy is in the folder where it is to be real", async () => {
  await using both = await StagedPair.make(world, { "d/big": big, "real/small": Buffer.from("small") });
  const { client, pair } = both;
  await pair.b.realize([Buffer.from("real")]);
  await assert.rejects(copyFile(client, "d/big", "real/copy"), { code: "EXDEV" });
  assert.equal(statSync(join(pair.pathB, "real/copy")).size, 0);
});

test("live filesystem: what is made unreal beside the mount is written to by who has it open", async () => {
  await using both = await StagedPair.make(world, { "d/small": Buffer.from("small") });
  const { client, pair } = both;
  await pair.makeReal("d/small");
  const fd = await client.open("d/small", { write: true });
  await pair.b.unrealize([Buffer.from("d/small")]);
  await client.stat("d/small");
  await client.write(fd, 0, Buffer.from("SM"));
  await client.close(fd);
  assert.equal((await readAll(client, "d/small")).toString(), "SMall");
  assert.deepEqual(filesIn(pair.pathB), { "d/small": "SMall" });
});
