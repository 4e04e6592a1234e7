import assert from "node:assert/strict";
import {
  chmodSync,
  chownSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  symlinkSync,
  unlinkSync,
  utimesSync,
  writeFileSync,
  writeSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { assertFails } from "../../test/support/assert-fails.ts";
import { DirectClient } from "../../test/support/fs-client-direct.ts";
import { KernelClient } from "../../test/support/fs-client-kernel.ts";
import { filesystemCases } from "./filesystem.suite.ts";
import { type Caller, type DirectoryEntry, type FileLock, rootInode } from "./filesystem.ts";
import { FolderFilesystem, type FolderFilesystemOptions } from "./folder-filesystem.ts";
import { cookieOf, offsetOf } from "./folder-listing.ts";
import { numberMin } from "./node-number.ts";

/** A filesystem on an empty folder. */
class Folder implements Disposable {
  readonly filesystem: FolderFilesystem;

  readonly path: string;
  readonly #isOwn: boolean;

  constructor({ path, ...options }: Partial<FolderFilesystemOptions> & { readonly path?: string } = {}) {
    this.path = path ?? mkdtempSync(join(tmpdir(), "ourobox-folder-"));
    this.#isOwn = path === undefined;
    this.filesystem = new FolderFilesystem({ path: this.path, ...options });
  }

  [Symbol.dispose](): void {
    this.filesystem.close();
    if (this.#isOwn) rmSync(this.path, { recursive: true });
  }
}

const isRoot = process.getuid?.() === 0;
process.umask(0o022);
for (const each of filesystemCases) {
  if (each.beyondExt4 === true) continue;
  const skip = each.asRoot === true && !isRoot ? "only root can" : false;
  test(`folder filesystem: ${each.name}`, { skip }, async () => {
    for (const descriptorsMax of [512, 0]) {
      using folder = new Folder({ descriptorsMax });
      await each.run(new DirectClient(folder.filesystem));
      const { inodes, handles } = folder.filesystem.held;
      assert.deepEqual([inodes, handles], [0, 0]);
    }
  });
}

// The folder's own file system is asked the same by the kernel: what it does not do is not asked of what stands on it.
for (const each of filesystemCases) {
  if (each.beyondExt4 === true) continue;
  const skip = each.asRoot === true && !isRoot ? "only root can" : false;
  test(`folder filesystem: the folder itself, too: ${each.name}`, { skip }, async () => {
    using folder = new Folder();
    await each.run(new KernelClient(folder.path, process.getuid?.() ?? 0));
  });
}

const caller: Caller = {
  uid: process.getuid?.() ?? 0,
  gid: process.getgid?.() ?? 0,
  pid: 1,
  signal: new AbortController().signal,
};
const flags = { read: true, write: true, append: false, truncate: false, clearSetId: false };
const newFile = { mode: 0o644, umask: 0o022 };
const bytes = (text: string): Uint8Array => Buffer.from(text, "latin1");

function inodeOf({ filesystem }: Folder, name: string, parent = rootInode): number {
  const found = filesystem.lookup(parent, bytes(name));
  assert.ok(found !== undefined, name);
  return found.attributes.inode;
}

function namesOf({ filesystem }: Folder, inode = rootInode): string[] {
  const names: string[] = [];
  const give = ({ name }: DirectoryEntry): boolean => names.push(Buffer.from(name).toString("latin1")) > 0;
  filesystem.readdir(inode, 0, { after: 0, plus: false, give });
  return names.slice(2).sort();
}

function textOf({ filesystem }: Folder, inode: number, handle = 0): string {
  return Buffer.concat(filesystem.read(inode, handle, 0, 1000)).toString();
}

test("folder filesystem: the box's own folder is not there, in any spelling, and can't be made", () => {
  using folder = new Folder();
  const { filesystem, path } = folder;
  mkdirSync(join(path, ".ourobox"));
  writeFileSync(join(path, ".ourobox", "secret"), "x");
  writeFileSync(join(path, "f"), "x");
  mkdirSync(join(path, "d"));
  assert.deepEqual(namesOf(folder), ["d", "f"]);
  const [f, d] = [inodeOf(folder, "f"), inodeOf(folder, "d")];
  const node = { ...newFile, kind: "file", rdevMajor: 0, rdevMinor: 0 } as const;
  for (const spelling of [".ourobox", ".OuroBox", "ourobo~1", ".ourobox ", ".ourobo\u200dx"].map((each) =>
    Buffer.from(each),
  )) {
    assert.equal(filesystem.lookup(rootInode, spelling), undefined);
    const place = { parent: rootInode, name: spelling };
    const other = { parent: rootInode, name: bytes("f") };
    for (const act of [
      () => filesystem.mkdir(rootInode, spelling, newFile, caller),
      () => filesystem.mknod(rootInode, spelling, node, caller),
      () => filesystem.symlink(rootInode, spelling, bytes("f"), caller),
      () => filesystem.create(rootInode, spelling, { ...newFile, ...flags }, caller),
      () => filesystem.link(f, rootInode, spelling),
      () => filesystem.rename(other, place, "replace"),
      () => filesystem.rename(other, place, "exchange"),
    ])
      assert.throws(act, { code: "EPERM" });
    for (const act of [
      () => filesystem.unlink(rootInode, spelling),
      () => filesystem.rmdir(rootInode, spelling),
      () => filesystem.rename(place, other, "replace"),
    ])
      assert.throws(act, { code: "ENOENT" });
    // Only at the top is it the box's.
    filesystem.mkdir(d, spelling, newFile, caller);
  }
  assert.equal(readFileSync(join(path, ".ourobox", "secret"), "utf8"), "x");
});

test("folder filesystem: a name is one name, and nothing goes through a symlink", () => {
  using folder = new Folder();
  using outside = new Folder();
  const { filesystem, path } = folder;
  writeFileSync(join(outside.path, "f"), "outside");
  symlinkSync(outside.path, join(path, "s"));
  for (const name of ["a/b", "/", "s/f", "a\0", "", ".."]) {
    assert.throws(() => filesystem.mkdir(rootInode, bytes(name), newFile, caller), { code: /EINVAL|ENOENT/ });
    assert.throws(() => filesystem.unlink(rootInode, bytes(name)), { code: /EINVAL|ENOENT/ });
  }
  assert.equal(filesystem.lookup(rootInode, bytes(".."))?.attributes.inode, rootInode);
  assert.throws(() => filesystem.lookup(inodeOf(folder, "s"), bytes("f")), { code: "ENOTDIR" });
  // A directory that becomes a symlink while it is known is not there any more.
  mkdirSync(join(path, "d"));
  writeFileSync(join(path, "d", "f"), "inside");
  using cold = new Folder({ descriptorsMax: 0, path });
  const d = inodeOf(cold, "d");
  const f = inodeOf(cold, "f", d);
  renameSync(join(path, "d"), join(path, "e"));
  symlinkSync(outside.path, join(path, "d"));
  assert.throws(() => textOf(cold, f), { code: "ESTALE" });
  assert.throws(() => cold.filesystem.lookup(d, bytes("f")), { code: "ESTALE" });
  // Under its new name it is found again, as what it was, and so is what is in it.
  assert.equal(inodeOf(cold, "e"), d);
  assert.equal(textOf(cold, f), "inside");
});

test("folder filesystem: what others do in the folder is seen at once", () => {
  for (const descriptorsMax of [512, 0]) {
    using folder = new Folder({ descriptorsMax });
    const { filesystem, path } = folder;
    writeFileSync(join(path, "f"), "one");
    const f = inodeOf(folder, "f");
    assert.equal(textOf(folder, f), "one");
    writeFileSync(join(path, "f"), "other");
    assert.equal(filesystem.getattr(f).size, 5);
    assert.equal(textOf(folder, f), "other");
    // Replaced: the name leads to another file, with another number while the first is known.
    const { handle } = filesystem.open(f, flags, caller);
    unlinkSync(join(path, "f"));
    writeFileSync(join(path, "f"), "new");
    const next = inodeOf(folder, "f");
    assert.notEqual(next, f);
    assert.equal(textOf(folder, next), "new");
    assert.equal(textOf(folder, f, handle), "other");
    assert.equal(filesystem.getattr(f).nlink, 0);
    filesystem.release(f, handle);
    unlinkSync(join(path, "f"));
    assert.equal(filesystem.lookup(rootInode, bytes("f")), undefined);
    assert.deepEqual(namesOf(folder), []);
    filesystem.forget(f, 1);
    filesystem.forget(next, 1);
    assert.throws(() => filesystem.getattr(next), { code: "ESTALE" });
    assert.deepEqual(filesystem.held, { inodes: 0, descriptors: 0, handles: 0 });
  }
});

test("folder filesystem: what was removed while known lives until it is forgotten", () => {
  using folder = new Folder({ descriptorsMax: 0 });
  const { filesystem } = folder;
  const d = filesystem.mkdir(rootInode, bytes("d"), newFile, caller).attributes.inode;
  const { attributes, handle } = filesystem.create(d, bytes("f"), { ...newFile, ...flags }, caller);
  filesystem.write(attributes.inode, handle, 0, bytes("kept"), {});
  filesystem.link(attributes.inode, rootInode, bytes("g"));
  filesystem.unlink(d, bytes("f"));
  filesystem.rmdir(rootInode, bytes("d"));
  filesystem.release(attributes.inode, handle);
  filesystem.unlink(rootInode, bytes("g"));
  assert.equal(filesystem.getattr(attributes.inode).nlink, 0);
  assert.equal(textOf(folder, attributes.inode), "kept");
  assert.equal(filesystem.getattr(d).nlink, 0);
  assert.throws(() => filesystem.mkdir(d, bytes("x"), newFile, caller), { code: "ENOENT" });
  assert.equal(filesystem.lookup(d, bytes(".."))?.attributes.inode, rootInode);
  filesystem.forget(attributes.inode, 2);
  filesystem.forget(d, 1);
  assert.deepEqual(filesystem.held, { inodes: 0, descriptors: 0, handles: 0 });
});

test("folder filesystem: many known inodes hold few descriptors, however deep, and all are found", () => {
  using folder = new Folder({ descriptorsMax: 16 });
  const { filesystem } = folder;
  let parent = rootInode;
  const known: number[] = [];
  for (let depth = 0; depth < 60; depth += 1) {
    parent = filesystem.mkdir(parent, bytes("n".repeat(200)), newFile, caller).attributes.inode;
    for (const name of ["a", "b"]) {
      const { attributes, handle } = filesystem.create(parent, bytes(name), { ...newFile, ...flags }, caller);
      filesystem.write(attributes.inode, handle, 0, bytes(`${depth}${name}`), {});
      filesystem.release(attributes.inode, handle);
      known.push(attributes.inode);
    }
  }
  filesystem.rename(
    { parent: rootInode, name: bytes("n".repeat(200)) },
    { parent: rootInode, name: bytes("m") },
    "replace",
  );
  known.forEach((inode, index) => {
    assert.equal(textOf(folder, inode), `${Math.floor(index / 2)}${"ab"[index % 2]}`);
    assert.ok(filesystem.held.descriptors <= 18);
  });
  assert.equal(filesystem.held.inodes, 180);
});

test("folder filesystem: numbers are equal in another run, those that are given count", () => {
  using folder = new Folder();
  writeFileSync(join(folder.path, "f"), "x");
  writeFileSync(join(folder.path, "g"), "x");
  using again = new Folder({ path: folder.path });
  const [one, other] = [folder, again].map((each) => each.filesystem.lookup(rootInode, bytes("f"))?.attributes);
  assert.deepEqual([one?.inode, one?.generation], [other?.inode, other?.generation]);
  assert.equal(one?.inode, statSync(join(folder.path, "f")).ino);
  // Two files that want one number.
  using own = new Folder({ path: folder.path, numberOf: () => ({ number: numberMin, generation: 7 }) });
  assert.deepEqual([inodeOf(own, "f"), inodeOf(own, "g"), inodeOf(own, "f")], [numberMin, numberMin + 1, numberMin]);
  assert.equal(own.filesystem.getattr(numberMin).generation, 7);
  own.filesystem.forget(numberMin, 2);
  assert.equal(inodeOf(own, "g"), numberMin + 1);
});

test("folder filesystem: what is new is the caller's, whatever this process's umask", {
  skip: isRoot ? false : "only root can",
}, () => {
  using folder = new Folder();
  const { filesystem, path } = folder;
  // Nobody else may write here by its bits: who calls has been asked already.
  chmodSync(path, 0o755);
  const other = { ...caller, uid: 1234, gid: 2345 };
  const before = process.umask(0o077);
  try {
    const file = { mode: 0o666, umask: 0o002 };
    const made = [
      filesystem.create(rootInode, bytes("f"), { ...file, ...flags }, other),
      filesystem.mkdir(rootInode, bytes("d"), { mode: 0o777, umask: 0o002 }, other),
      filesystem.mknod(rootInode, bytes("p"), { ...file, kind: "fifo", rdevMajor: 0, rdevMinor: 0 }, other),
      filesystem.mknod(rootInode, bytes("c"), { ...file, kind: "character", rdevMajor: 1, rdevMinor: 3 }, other),
      filesystem.symlink(rootInode, bytes("s"), bytes("f"), other),
      filesystem.createTemporary(rootInode, { ...file, ...flags }, other),
    ].map(({ attributes: { uid, gid, mode } }) => [uid, gid, mode]);
    const bits = [0o664, 0o775, 0o664, 0o664, 0o777, 0o664];
    assert.deepEqual(
      made,
      bits.map((mode) => [1234, 2345, mode]),
    );
    chownSync(path, 0, 77);
    chmodSync(path, 0o2755);
    const { uid, gid, mode } = filesystem.mkdir(rootInode, bytes("e"), { mode: 0o777, umask: 0 }, other).attributes;
    assert.deepEqual([uid, gid, mode], [1234, 77, 0o2777]);
  } finally {
    process.umask(before);
  }
  // And this process is itself again.
  writeFileSync(join(path, "mine"), "x");
  assert.equal(statSync(join(path, "mine")).uid, 0);
  chownSync(join(path, "mine"), 5, 5);
});

test("folder filesystem: setuid bits go before what is written without privileges", () => {
  using folder = new Folder();
  const { filesystem } = folder;
  const { attributes, handle } = filesystem.create(rootInode, bytes("f"), { ...newFile, ...flags }, caller);
  const { inode } = attributes;
  const told: number[] = [];
  const quiet = { contentChanged() {}, entryChanged() {}, entryRemoved() {}, unwanted() {} };
  const stop = filesystem.listen({ ...quiet, attributesChanged: (each) => told.push(each) });
  const clearSetId = true;
  for (const act of [
    () => filesystem.write(inode, handle, 0, bytes("x"), { clearSetId }),
    () => filesystem.fallocate(inode, handle, { kind: "zero", keepSize: false, offset: 0, length: 10, clearSetId }),
    () => filesystem.setattr(inode, { size: 0, clearSetId }),
    () => filesystem.release(inode, filesystem.open(inode, { ...flags, truncate: true, clearSetId }, caller).handle),
  ]) {
    for (const [before, after] of [
      [0o6755, 0o755],
      [0o6745, 0o2745],
    ] as const) {
      filesystem.setattr(inode, { mode: before });
      act();
      assert.equal(filesystem.getattr(inode).mode, after);
    }
  }
  stop();
  // Where the kernel would write by itself, nobody would clear them.
  filesystem.setattr(inode, { mode: 0o4755 });
  assert.equal(filesystem.open(inode, flags, { ...caller, uid: 1234 }).backingFd, undefined);
  assert.ok(filesystem.open(inode, { ...flags, write: false }, { ...caller, uid: 1234 }).backingFd !== undefined);
  assert.deepEqual(told, [inode, inode, inode, inode]);
});

test("folder filesystem: locks of owners keep each other out", () => {
  using folder = new Folder();
  const { filesystem } = folder;
  const { inode } = filesystem.create(rootInode, bytes("f"), { ...newFile, ...flags }, caller).attributes;
  const lock: FileLock = { kind: "posix", type: "exclusive", owner: 1n, pid: 1, start: 0, end: 9 };
  filesystem.setlk(inode, lock, false, caller);
  assert.throws(() => filesystem.setlk(inode, { ...lock, owner: 2n }, false, caller), { code: "EAGAIN" });
  assert.equal(filesystem.getlk(inode, { ...lock, owner: 2n })?.owner, 1n);
  filesystem.flush(inode, 0, 1n);
  filesystem.setlk(inode, { ...lock, owner: 2n }, false, caller);
});

test("folder filesystem: a listing goes on anywhere, while names come and go, and cookies rise", () => {
  using folder = new Folder();
  const { filesystem, path } = folder;
  for (let index = 0; index < 3000; index += 1) writeFileSync(join(path, `f${index}`), "");
  const { handle } = filesystem.opendir(rootInode);
  for (const own of [handle, 0]) {
    const seen: string[] = [];
    let [after, round] = [0, 0];
    for (let isMore = true; isMore; round += 1) {
      let room = 40;
      isMore = false;
      const give = ({ name, cookie }: DirectoryEntry): boolean => {
        isMore = true;
        room -= 1;
        if (room < 0) return false;
        assert.ok(cookie > after && Number.isSafeInteger(cookie));
        after = cookie;
        seen.push(Buffer.from(name).toString());
        return true;
      };
      filesystem.readdir(rootInode, own, { after, plus: false, give });
      writeFileSync(join(path, `new${own}-${round}`), "");
      unlinkSync(join(path, `new${own}-${round}`));
    }
    const stayed = seen.filter((name) => name.startsWith("f"));
    assert.deepEqual([stayed.length, new Set(stayed).size], [3000, 3000]);
  }
  filesystem.releasedir(rootInode, handle);
});

test("folder filesystem: cookies are safe integers that rise with the kernel's offsets, and lead back", () => {
  const offsets = [0n, 1n, 2n ** 32n, 2n ** 42n - 1n, 2n ** 42n, 2n ** 50n + 5n, 2n ** 62n, 2n ** 63n - 1n];
  const cookies = offsets.map(cookieOf);
  cookies.forEach((cookie, index) => {
    assert.ok(Number.isSafeInteger(cookie) && cookie >= 2 && (index === 0 || cookie > (cookies[index - 1] as number)));
    const [offset, back] = [offsets[index] as bigint, BigInt(offsetOf(cookie))];
    assert.ok(back <= offset && offset - back < 2048n);
  });
});

test("folder filesystem: syncing is waited for and says how it ended", async () => {
  using folder = new Folder();
  const { filesystem } = folder;
  const { attributes, handle } = filesystem.create(rootInode, bytes("f"), { ...newFile, ...flags }, caller);
  await filesystem.fsync(attributes.inode, handle, false);
  await filesystem.fsync(attributes.inode, 0, true);
  await filesystem.fsyncdir(rootInode, 0);
  await filesystem.syncfs();
  const { blocks, freeBlocks, availableBlocks, blockBytes } = filesystem.statfs();
  assert.ok(blocks >= freeBlocks && freeBlocks >= availableBlocks && blockBytes >= 512);
});

test("folder filesystem: every operation that changes something says so, and none that only looks", async () => {
  let changes = 0;
  const onChange = (): void => {
    changes += 1;
  };
  using folder = new Folder({ onChange });
  const client = new DirectClient(folder.filesystem);
  const open = { read: true, write: true };
  const fd = await client.open("f", { ...open, create: true });
  const other = await client.open("other", { ...open, create: true });
  await client.write(other, 0, bytes("content"));
  let again = -1;
  const openAgain = async (): Promise<void> => {
    again = await client.open("f", open);
  };
  const acts: readonly (readonly [name: string, act: () => Promise<unknown>])[] = [
    ["mkdir", () => client.mkdir("d")],
    ["mknod", () => client.mknod("fifo", { kind: "fifo", mode: 0o644 })],
    ["symlink", () => client.symlink("f", "s")],
    ["link", () => client.link("f", "g")],
    ["create", async () => client.close(await client.open("created", { ...open, create: true }))],
    ["createTemporary", async () => client.close(await client.open("", { ...open, temporary: true }))],
    ["write", () => client.write(fd, 0, bytes("x"))],
    ["truncate", () => client.truncate("f", 0)],
    ["truncate by opening", async () => client.close(await client.open("f", { read: true, truncate: true }))],
    ["open to write", openAgain],
    ["close what was open to write", () => client.close(fd)],
    ["fallocate", () => client.fallocate(other, "reserve", { offset: 0, length: 4096 })],
    ["copy", () => client.copy(other, 0, again, 0, 3)],
    ["chmod", () => client.chmod("f", 0o600)],
    ["setTime", () => client.setTime("f", 1n)],
    ["setxattr", () => client.setxattr("f", "user.a", bytes("b"))],
    ["removexattr", () => client.removexattr("f", "user.a")],
    ["rename", () => client.rename("g", "h")],
    ["unlink", () => client.unlink("h")],
    ["rmdir", () => client.rmdir("d")],
  ];
  for (const [name, act] of acts) {
    const before = changes;
    await act();
    assert.ok(changes > before, name);
  }
  // What was copied into a file that is open is found once more.
  folder.filesystem.lookAtWriters();
  const before = changes;
  await client.close(await client.open("f", { read: true }));
  await client.readdir("");
  await client.stat("f");
  await client.readlink("s");
  await client.read(other, 0, 10);
  await client.fsync(other);
  folder.filesystem.lookAtWriters();
  await assertFails("ENOENT", client.unlink("missing"));
  assert.equal(changes, before);
});

test("folder filesystem: what a kernel writes directly to a file that is open is found by looking", () => {
  let changes = 0;
  const onChange = (): void => {
    changes += 1;
  };
  using folder = new Folder({ onChange });
  const { filesystem, path } = folder;
  const { attributes, handle, backingFd } = filesystem.create(rootInode, bytes("f"), { ...newFile, ...flags }, caller);
  const found = (): number => {
    const before = changes;
    filesystem.lookAtWriters();
    return changes - before;
  };
  assert.equal(found(), 0);
  utimesSync(join(path, "f"), 1, 1);
  assert.deepEqual([found(), found()], [1, 0]);
  writeSync(backingFd ?? -1, "written");
  assert.deepEqual([found(), found()], [1, 0]);
  // Who writes by requests has said so already.
  filesystem.write(attributes.inode, handle, 0, bytes("more"), {});
  assert.equal(found(), 0);
});

test("folder filesystem: above so many known inodes it asks to forget the oldest", () => {
  using folder = new Folder({ liveMax: 100 });
  const { filesystem, path } = folder;
  for (let at = 0; at < 500; at += 1) writeFileSync(join(path, `f${at}`), "");
  const nothing = (): void => {};
  let most = 0;
  filesystem.listen({
    attributesChanged: nothing,
    contentChanged: nothing,
    entryChanged: nothing,
    entryRemoved: nothing,
    unwanted: (inodes) => {
      for (const { inode, name } of inodes) {
        const { attributes } = filesystem.lookup(rootInode, name()?.name ?? bytes("")) ?? {};
        assert.equal(attributes?.inode, inode);
        filesystem.forget(inode, 2);
      }
    },
  });
  for (let at = 0; at < 500; at += 1) {
    inodeOf(folder, `f${at}`);
    most = Math.max(most, filesystem.held.inodes);
  }
  assert.ok(most <= 200, `${most} were known`);
});
