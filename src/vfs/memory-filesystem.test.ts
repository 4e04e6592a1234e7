import assert from "node:assert/strict";
import { test } from "node:test";
import { assertFails } from "../../test/support/assert-fails.ts";
import { writeAll } from "../../test/support/fs-client.ts";
import { DirectClient } from "../../test/support/fs-client-direct.ts";
import { systemClock } from "../base/clock.ts";
import { filesystemCases } from "./filesystem.suite.ts";
import { type Caller, type DirectoryEntry, rootInode } from "./filesystem.ts";
import { MemoryFilesystem } from "./memory-filesystem.ts";

const caller: Caller = { uid: 0, gid: 0, pid: 1, signal: new AbortController().signal };
const name = (text: string): Uint8Array => Buffer.from(text);
const newFile = { mode: 0o644, umask: 0 };

for (const each of filesystemCases) {
  test(`memory filesystem: ${each.name}`, async () => {
    const filesystem = new MemoryFilesystem({ clock: systemClock });
    await each.run(new DirectClient(filesystem));
    // Nothing that was looked up or opened is left: what has no name takes no room.
    await empty(filesystem, rootInode);
    const { blocks, freeBlocks, files, freeFiles } = filesystem.statfs();
    assert.deepEqual([blocks - freeBlocks, files - freeFiles], [0, 1]);
  });
}

async function empty(filesystem: MemoryFilesystem, inode: number): Promise<void> {
  const entries: DirectoryEntry[] = [];
  filesystem.readdir(inode, 0, { after: 2, plus: false, give: (entry) => entries.push(entry) > 0 });
  for (const entry of entries) {
    if (entry.kind === "directory") {
      await empty(filesystem, entry.inode);
      filesystem.rmdir(inode, entry.name);
    } else {
      filesystem.unlink(inode, entry.name);
    }
  }
}

test("memory filesystem: a listing meets each name that stays once, whatever comes and goes", () => {
  const filesystem = new MemoryFilesystem({ clock: systemClock });
  for (let index = 0; index < 300; index += 1) filesystem.mkdir(rootInode, name(`d${index}`), newFile, caller);
  const seen: string[] = [];
  for (let after = 0, round = 0, isMore = true; isMore; round += 1) {
    let room = 10;
    isMore = false;
    const give = (entry: DirectoryEntry): boolean => {
      isMore = true;
      room -= 1;
      if (room < 0) return false;
      seen.push(Buffer.from(entry.name).toString());
      after = entry.cookie;
      return true;
    };
    filesystem.readdir(rootInode, 0, { after, plus: false, give });
    // Those before and after where the listing is go, and others come.
    if (round < 100) {
      filesystem.rmdir(rootInode, name(`d${(round * 7) % 300}`));
      filesystem.mkdir(rootInode, name(`new${round}`), newFile, caller);
    }
  }
  const stayed = Array.from({ length: 300 }, (_, index) => `d${index}`).filter(
    (each) => !Array.from({ length: 100 }, (_, round) => `d${(round * 7) % 300}`).includes(each),
  );
  for (const each of stayed) assert.equal(seen.filter((other) => other === each).length, 1, each);
  assert.equal(new Set(seen).size, seen.length);
});

test("memory filesystem: a name that was only listed is no lookup, one listed with its attributes is", () => {
  const filesystem = new MemoryFilesystem({ clock: systemClock });
  const { attributes } = filesystem.mkdir(rootInode, name("d"), newFile, caller);
  filesystem.forget(attributes.inode, 1);
  filesystem.readdir(rootInode, 0, { after: 0, plus: false, give: () => true });
  filesystem.readdir(rootInode, 0, { after: 0, plus: true, give: () => true });
  filesystem.rmdir(rootInode, name("d"));
  assert.equal(filesystem.getattr(attributes.inode).nlink, 0);
  filesystem.forget(attributes.inode, 1);
  assert.throws(() => filesystem.getattr(attributes.inode), { code: "ESTALE" });
});

test("memory filesystem: nothing is made in a directory that was removed", async () => {
  const filesystem = new MemoryFilesystem({ clock: systemClock });
  const { inode } = filesystem.mkdir(rootInode, name("d"), newFile, caller).attributes;
  filesystem.rmdir(rootInode, name("d"));
  assert.throws(() => filesystem.mkdir(inode, name("x"), newFile, caller), { code: "ENOENT" });
  assert.throws(() => filesystem.symlink(inode, name("x"), name("t"), caller), { code: "ENOENT" });
  assert.equal(filesystem.lookup(inode, name(".."))?.attributes.inode, rootInode);
});

test("memory filesystem: it is full when it is full, and has room again after a removal", async () => {
  const filesystem = new MemoryFilesystem({ clock: systemClock, bytesMax: 1024 * 1024, filesMax: 5 });
  const client = new DirectClient(filesystem);
  await writeAll(client, "f", Buffer.alloc(900_000));
  await assertFails("ENOSPC", writeAll(client, "g", Buffer.alloc(200_000)));
  await client.unlink("f");
  await writeAll(client, "g", Buffer.alloc(200_000));
  for (const each of ["1", "2", "3"]) await client.mkdir(each);
  await assertFails("ENOSPC", client.mkdir("4"));
});

test("memory filesystem: setuid bits go where a writer has no privileges, and where owners change", () => {
  const filesystem = new MemoryFilesystem({ clock: systemClock });
  const flags = { read: true, write: true, append: false, truncate: false, clearSetId: false };
  const { attributes, handle } = filesystem.create(rootInode, name("f"), { ...newFile, ...flags }, caller);
  const { inode } = attributes;
  const mode = (): number => filesystem.getattr(inode).mode;
  filesystem.setattr(inode, { mode: 0o6755 });
  filesystem.write(inode, handle, 0, name("x"), {});
  assert.equal(mode(), 0o6755);
  filesystem.write(inode, handle, 0, name("x"), { clearSetId: true });
  assert.equal(mode(), 0o755);
  filesystem.setattr(inode, { mode: 0o6745 });
  filesystem.setattr(inode, { size: 0, clearSetId: true });
  // Without the group's execute bit, setgid is a mark of another kind.
  assert.equal(mode(), 0o2745);
  filesystem.setattr(inode, { mode: 0o4711 });
  filesystem.open(inode, { ...flags, truncate: true, clearSetId: true });
  assert.equal(mode(), 0o711);
});
