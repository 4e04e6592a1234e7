/** Copies of large unreal files in the live mount: they have the same content, and nothing is brought or sent for them. */
import assert from "node:assert/strict";
import { mkdtempSync, readFileSync, renameSync, rmSync, statSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, test } from "node:test";
import { setImmediate } from "node:timers/promises";
import { type FsClient, readAll, writeAll } from "../../test/support/fs-client.ts";
import { SmallChunks, StagedPair, someBytes, writeTo } from "../../test/support/staged-pair.ts";
import { changesIn, filesIn, namesIn } from "../../test/support/unreal-pair.ts";
import { equalContents } from "../history/mod.ts";
import { encodeAcl } from "../vfs/acl.ts";

const world = new SmallChunks(mkdtempSync(join(tmpdir(), "ouro-live-copies-")));
after(() => rmSync(world.folder, { recursive: true }));
process.umask(0o022);

const size = 100_000;
const big = someBytes(1, size);
const newFile = { write: true, create: true, exclusive: true } as const;

/** As `cp` does. @returns How many bytes could be copied at once, and the new file. */
async function copy(client: FsClient, from: string, to: string, how: Parameters<FsClient["open"]>[1] = newFile) {
  const source = await client.open(from, { read: true });
  const fd = await client.open(to, how);
  const count = await client.copy(source, 0, fd, 0, 2 ** 31);
  await client.close(source);
  return { count, fd };
}

function hasContentOf(both: StagedPair, path: string, other: string): boolean {
  const [a, b] = [path, other].map((each) => both.entry(each).data[0].value);
  return a?.kind === 1 && b?.kind === 1 && equalContents(a.content, b.content);
}

test("live filesystem: a copy of a large unreal file is unreal, and brings and sends nothing", async () => {
  await using both = await StagedPair.make(world, { "d/big": big });
  const { client, pair } = both;
  renameSync(pair.remote, `${pair.remote}-away`);
  const { count, fd } = await copy(client, "d/big", "copy");
  assert.equal(count, size);
  const { inode, size: copied } = await client.statFile(fd);
  assert.equal(copied, size);
  await client.fsync(fd);
  await both.kill();
  assert.equal((await client.stat("copy")).inode, inode);
  assert(hasContentOf(both, "copy", "d/big"));
  assert.deepEqual(filesIn(pair.pathB), {});
  assert.deepEqual(await changesIn(pair.b), []);
  assert.equal(both.chunks("copy").missing, both.chunks("copy").all.size);
  renameSync(`${pair.remote}-away`, pair.remote);
  assert((await readAll(both.client, "copy")).equals(big));
  await pair.b.push();
  await pair.a.pull();
  assert(readFileSync(join(pair.pathA, "copy")).equals(big));
});

test("live filesystem: a copy comes into a new directory, in place of what was there, and with the mode that it was made with", async () => {
  await using both = await StagedPair.make(world, {
    "d/big": big,
    "d/old": someBytes(2, 70_000),
    small: someBytes(3, 9),
  });
  const { client, pair } = both;
  await client.mkdir("new");
  const made = await copy(client, "d/big", "new/big", { ...newFile, mode: 0o600 });
  assert.equal(made.count, size);
  const inOld = await client.open("d/again", newFile);
  const { mtimeNs } = await client.stat("d");
  const source = await client.open("d/big", { read: true });
  assert.equal(await client.copy(source, 0, inOld, 0, size), size);
  assert.equal((await client.stat("d")).mtimeNs, mtimeNs);
  await client.rename("d", "moved");
  const replaced = await copy(client, "moved/big", "moved/old", { write: true, truncate: true });
  assert.equal(replaced.count, size);
  for (const fd of [made.fd, replaced.fd, source, inOld]) await client.close(fd);
  await both.commit();
  assert.deepEqual(namesIn(pair.b), ["moved/again", "moved/big", "moved/old", "new/big", "small"]);
  for (const path of ["moved/again", "moved/old", "new/big"]) assert(hasContentOf(both, path, "moved/big"), path);
  assert.equal((await client.stat("new/big")).mode & 0o777, 0o600);
  assert.deepEqual(filesIn(pair.pathB), {});
  await assert.rejects(copy(client, "small", "other"), { code: "EXDEV" });
});

test("live filesystem: a copy has the name of one that was deleted", async () => {
  await using both = await StagedPair.make(world, { "d/big": big });
  const { client, pair } = both;
  for (let count = 0; count < 3; count += 1) {
    if (count > 0) await client.unlink("d/copy");
    const made = await copy(client, "d/big", "d/copy");
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

test("live filesystem: a file with the name of one that was deleted can be made unreal", async () => {
  await using both = await StagedPair.make(world, { "d/small": Buffer.from("small"), other: Buffer.from("other") });
  const { client, pair } = both;
  await client.unlink("d/small");
  await writeAll(client, "d/small", "again");
  await both.commit();
  await pair.b.push();
  await client.stat("other");
  await pair.b.unrealize([Buffer.from("d/small")]);
  assert.equal((await readAll(client, "d/small")).toString(), "again");
  assert.deepEqual(await changesIn(pair.b), []);
});

test("live filesystem: a copy gets times, an owner and a mode, as an ACL too, and is not brought for it", async () => {
  await using both = await StagedPair.make(world, { "d/big": big });
  const { client, pair } = both;
  const { fd } = await copy(client, "d/big", "d/copy", { ...newFile, mode: 0o600 });
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
  assert(hasContentOf(both, "d/copy", "d/big"));
});

test("live filesystem: a copy in pieces has what was copied, and then all of it; a hole stays one", async () => {
  await using both = await StagedPair.make(world, { "d/big": big });
  const { client } = both;
  const source = await client.open("d/big", { read: true });
  const fd = await client.open("copy", { ...newFile, read: true });
  await client.truncateFile(fd, 90_000);
  assert.equal(await client.copy(source, 30_000, fd, 30_000, 20_000), 20_000);
  const expected = Buffer.alloc(90_000);
  big.copy(expected, 30_000, 30_000, 50_000);
  assert((await readAll(client, "copy")).equals(expected));
  assert.equal(await client.seek(fd, 0, "data"), 30_000);
  await client.write(fd, 40_000, Buffer.from("written"));
  expected.write("written", 40_000);
  await both.kill();
  assert((await readAll(both.client, "copy")).equals(expected));
  const [again, from] = [
    await both.client.open("copy", { write: true }),
    await both.client.open("d/big", { read: true }),
  ];
  assert.equal(await both.client.copy(from, 0, again, 0, 60_000), 60_000);
  assert.equal(await both.client.copy(from, 60_000, again, 60_000, 60_000), 40_000);
  assert.equal(await both.client.copy(from, size, again, size, 60_000), 0);
  await both.commit();
  assert(hasContentOf(both, "copy", "d/big"));
});

test("live filesystem: what is in a file stays there when a copy into it does not fit", async () => {
  await using both = await StagedPair.make(world, { "d/big": big });
  const { client } = both;
  await writeTo(client, "d/big", 5, Buffer.from("changed"));
  const source = await client.open("d/big", { read: true });
  const fd = await client.open("copy", { ...newFile, read: true });
  await assert.rejects(client.copy(source, 0, fd, 1, size), { code: "EXDEV" });
  await client.write(fd, 10, Buffer.from("own"));
  await assert.rejects(client.copy(source, 0, fd, 0, size), { code: "EXDEV" });
  assert.equal((await client.read(fd, 0, 20)).toString("latin1"), `${"\0".repeat(10)}own`);
  // What was changed in the source is committed for a copy.
  const { count, fd: whole } = await copy(client, "d/big", "whole");
  assert.equal(count, size);
  await client.close(whole);
  assert.equal((await readAll(client, "whole")).toString("latin1", 5, 12), "changed");
});

test("live filesystem: two who copy and write at once, and a copy that is deleted while it is open", async () => {
  await using both = await StagedPair.make(world, { "d/big": big });
  const { client, pair } = both;
  const source = await client.open("d/big", { read: true });
  const [fd, other] = [
    await client.open("copy", { ...newFile, read: true }),
    await client.open("copy", { write: true }),
  ];
  const copied = client.copy(source, 0, fd, 0, 50_000);
  const second = client.copy(source, 50_000, other, 50_000, 50_000);
  // The first one is at work.
  await setImmediate();
  const written = client.write(other, 7, Buffer.from("meanwhile"));
  assert.deepEqual(await Promise.all([copied, second]), [50_000, 50_000]);
  await written;
  const expected = Buffer.from(big);
  expected.write("meanwhile", 7);
  assert((await client.read(fd, 0, size)).equals(expected));
  await client.unlink("copy");
  await client.write(fd, 3, Buffer.from("x"));
  expected.write("x", 3);
  assert((await client.read(fd, 0, size)).equals(expected));
  for (const each of [source, fd, other]) await client.close(each);
  await both.commit();
  assert.deepEqual(namesIn(pair.b), ["d/big"]);
  assert.deepEqual(await changesIn(pair.b), []);
  assert.equal(both.stagedCount, 0);
});

test("live filesystem: a copy is in the folder where it is to be real, and unreal beside what was made unreal", async () => {
  await using both = await StagedPair.make(world, { "d/big": big, "real/small": Buffer.from("small") });
  const { client, pair } = both;
  await pair.b.realize([Buffer.from("real")]);
  await assert.rejects(copy(client, "d/big", "real/copy"), { code: "EXDEV" });
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
