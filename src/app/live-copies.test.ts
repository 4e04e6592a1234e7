/** Copies of large unreal files in the live mount: they have the same content, and nothing is brought or sent for them. */
import assert from "node:assert/strict";
import { mkdtempSync, readFileSync, renameSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, test } from "node:test";
import { setImmediate } from "node:timers/promises";
import { readAll, writeAll } from "../../test/support/fs-client.ts";
import { copyFile, newFile, SmallChunks, StagedPair, someBytes, writeTo } from "../../test/support/staged-pair.ts";
import { changesIn, filesIn, namesIn } from "../../test/support/unreal-pair.ts";

const world = new SmallChunks(mkdtempSync(join(tmpdir(), "ouro-live-copies-")));
after(() => rmSync(world.folder, { recursive: true }));
process.umask(0o022);

const size = 100_000;
const big = someBytes(1, size);

test("live filesystem: a copy of a large unreal file is unreal, and brings and sends nothing", async () => {
  await using both = await StagedPair.make(world, { "d/big": big });
  const { client, pair } = both;
  renameSync(pair.remote, `${pair.remote}-away`);
  const { count, fd } = await copyFile(client, "d/big", "copy");
  assert.equal(count, size);
  const { inode, size: copied } = await client.statFile(fd);
  assert.equal(copied, size);
  await client.fsync(fd);
  await both.kill();
  assert.equal((await client.stat("copy")).inode, inode);
  assert(both.isShared("copy", "d/big"));
  assert.deepEqual(filesIn(pair.pathB), {});
  assert.deepEqual(await changesIn(pair.b), []);
  assert.equal(both.chunks("copy").missing, both.chunks("copy").all.size);
  renameSync(`${pair.remote}-away`, pair.remote);
  assert((await readAll(both.client, "copy")).equals(big));
  await pair.b.push();
  await pair.a.pull();
  assert(readFileSync(join(pair.pathA, "copy")).equals(big));
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
  assert(both.isShared("copy", "d/big"));
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
  const { count, fd: whole } = await copyFile(client, "d/big", "whole");
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
