/**
 * The suite of filesystems, on reading: each case makes something in a filesystem that can be written, and says what is read of it. On a read-only filesystem
 * it is made elsewhere: what is shown must be what was there.
 */
import assert from "node:assert/strict";
import { assertFails } from "../../test/support/assert-fails.ts";
import { type FsClient, readAll, writeAll } from "../../test/support/fs-client.ts";
import { encodeAcl } from "./acl.ts";

export interface ReadingCase {
  /** A sentence that is true of the filesystem. */
  readonly name: string;
  readonly asRoot?: boolean;
  readonly make: (client: FsClient) => Promise<void>;
  readonly read: (client: FsClient) => Promise<void>;
}

const mebibyte = 1024 * 1024;
const sizes = [0, 1, 4095, 4096, 4097, 131_073, 3 * mebibyte + 17];
const manyNames = Array.from({ length: 1300 }, (_, index) => `${index}-${"x".repeat(index % 200)}`);
const oddNames = ["a", "A", "é", "e\u0301", " ", "\n", "-", "...", "a\tb", "n".repeat(255)];
const modes = [0, 0o7777, 0o4755, 0o2755, 0o1644, 0o123];
const times = [0n, 1n, -1n, -5_000_000_001n, 1_700_000_000_123_456_789n];
const target = "../some where/ünï";
const noId = 0xffff_ffff;
const acl = encodeAcl([
  { tag: 0x01, bits: 6, id: noId },
  { tag: 0x02, bits: 4, id: 1234 },
  { tag: 0x04, bits: 4, id: noId },
  { tag: 0x10, bits: 6, id: noId },
  { tag: 0x20, bits: 0, id: noId },
]);

/** Bytes that differ from place to place, of which chunks are cut. */
function pattern(bytes: number): Buffer {
  const made = Buffer.alloc(bytes);
  for (let at = 0, state = bytes + 1; at < bytes; at += 1) {
    state = (Math.imul(state, 1_103_515_245) + 12_345) >>> 0;
    made[at] = state >>> 16;
  }
  return made;
}

export const readingCases: readonly ReadingCase[] = [
  {
    name: "content is read whole, and from anywhere",
    make: async (client) => {
      for (const size of sizes) await writeAll(client, `f${size}`, pattern(size));
    },
    read: async (client) => {
      for (const size of sizes) {
        const bytes = pattern(size);
        assert.equal((await client.stat(`f${size}`)).size, size);
        assert.ok((await readAll(client, `f${size}`)).equals(bytes), `${size} bytes`);
        const fd = await client.open(`f${size}`, { read: true });
        for (const [offset, length] of [
          [size - 1, 1],
          [Math.floor(size / 3), 70_000],
          [Math.floor(size / 2), 4096],
          [size, 10],
          [size + 5000, 10],
        ] as const) {
          if (offset < 0) continue;
          const read = await client.read(fd, offset, length);
          assert.ok(read.equals(bytes.subarray(offset, offset + length)), `${length} bytes at ${offset} of ${size}`);
        }
        await client.close(fd);
      }
    },
  },
  {
    name: "holes are zeros, take no room, and are found",
    make: async (client) => {
      const fd = await client.open("f", { write: true, create: true });
      await client.write(fd, 2 * mebibyte, pattern(mebibyte));
      await client.truncateFile(fd, 64 * mebibyte);
      await client.close(fd);
    },
    read: async (client) => {
      const { size, blocks } = await client.stat("f");
      assert.equal(size, 64 * mebibyte);
      assert.ok(blocks * 512 <= 2 * mebibyte && blocks * 512 >= mebibyte, `${blocks} blocks`);
      const fd = await client.open("f", { read: true });
      assert.ok((await client.read(fd, mebibyte, mebibyte)).equals(Buffer.alloc(mebibyte)));
      assert.ok((await client.read(fd, 2 * mebibyte, mebibyte)).equals(pattern(mebibyte)));
      assert.ok((await client.read(fd, 63 * mebibyte, 4 * mebibyte)).equals(Buffer.alloc(mebibyte)));
      assert.equal(await client.seek(fd, 0, "hole"), 0);
      const data = await client.seek(fd, 0, "data");
      assert.ok(data > mebibyte && data <= 2 * mebibyte, `${data}`);
      const hole = await client.seek(fd, data, "hole");
      assert.ok(hole >= 3 * mebibyte && hole < 4 * mebibyte, `${hole}`);
      assert.equal(await client.seek(fd, hole + 10, "hole"), hole + 10);
      await assertFails("ENXIO", client.seek(fd, hole, "data"));
      await assertFails("ENXIO", client.seek(fd, 64 * mebibyte, "hole"));
      await client.close(fd);
    },
  },
  {
    name: "large directories are listed, each name once",
    make: async (client) => {
      await client.mkdir("d");
      for (const name of manyNames) await client.mknod(`d/${name}`, { kind: "file", mode: 0o644 });
    },
    read: async (client) => {
      assert.deepEqual((await client.readdir("d")).sort(), [...manyNames].sort());
      for (const name of manyNames.filter((_, index) => index % 97 === 0))
        assert.equal((await client.stat(`d/${name}`)).kind, "file");
      await assertFails("ENOENT", client.stat("d/1300-"));
    },
  },
  {
    name: "names are bytes, as long as names may be",
    make: async (client) => {
      for (const name of oddNames) await writeAll(client, name, name);
    },
    read: async (client) => {
      assert.deepEqual((await client.readdir("")).sort(), [...oddNames].sort());
      for (const name of oddNames) assert.equal((await readAll(client, name)).toString(), name);
      await assertFails("ENAMETOOLONG", client.stat("n".repeat(256)));
      await assertFails("ENOENT", client.stat("B"));
    },
  },
  {
    name: "directories lead down and up",
    make: async (client) => {
      for (const path of ["a", "a/b", "a/b/c", "empty"]) await client.mkdir(path);
      await writeAll(client, "a/b/c/f", "deep");
    },
    read: async (client) => {
      assert.equal((await readAll(client, "a/b/c/f")).toString(), "deep");
      assert.equal((await readAll(client, "a/b/../b/c/../c/f")).toString(), "deep");
      assert.deepEqual(await client.readdir("empty"), []);
      assert.equal((await client.stat("a/b/..")).inode, (await client.stat("a")).inode);
    },
  },
  {
    name: "what is read as something else fails",
    make: async (client) => {
      await client.mkdir("d");
      await writeAll(client, "f", "x");
    },
    read: async (client) => {
      await assertFails("ENOTDIR", client.stat("f/x"));
      await assertFails("ENOTDIR", client.readdir("f"));
      await assertFails("EINVAL", client.readlink("f"));
      await assertFails("EINVAL", client.readlink("d"));
      await assertFails("ENOENT", client.open("no", { read: true }));
      await assertFails("ENOENT", client.readdir("no"));
    },
  },
  {
    name: "symlinks have their targets",
    make: async (client) => {
      await client.symlink(target, "s");
      await client.symlink("x".repeat(4095), "long");
    },
    read: async (client) => {
      assert.equal(await client.readlink("s"), target);
      const { kind, size } = await client.stat("s");
      assert.deepEqual([kind, size], ["symlink", Buffer.byteLength(target)]);
      assert.equal((await client.readlink("long")).length, 4095);
    },
  },
  {
    name: "names of one file are one file",
    make: async (client) => {
      await client.mkdir("d");
      await writeAll(client, "a", "content");
      await client.link("a", "b");
      await client.link("a", "d/c");
      await writeAll(client, "alone", "content");
    },
    read: async (client) => {
      const [a, b, c, alone] = await Promise.all(["a", "b", "d/c", "alone"].map((name) => client.stat(name)));
      assert.deepEqual([a?.inode, a?.nlink, b?.nlink, c?.nlink, alone?.nlink], [b?.inode, 3, 3, 3, 1]);
      assert.equal(a?.inode, c?.inode);
      assert.notEqual(a?.inode, alone?.inode);
      assert.equal((await readAll(client, "d/c")).toString(), "content");
    },
  },
  {
    name: "all twelve bits of modes are there",
    make: async (client) => {
      for (const mode of modes) {
        await writeAll(client, `f${mode}`, "x");
        await client.mkdir(`d${mode}`);
        await client.chmod(`f${mode}`, mode | 0o400);
        await client.chmod(`d${mode}`, mode | 0o500);
      }
    },
    read: async (client) => {
      for (const mode of modes) {
        assert.equal((await client.stat(`f${mode}`)).mode, mode | 0o400);
        assert.equal((await client.stat(`d${mode}`)).mode, mode | 0o500);
      }
    },
  },
  {
    name: "mtimes are there to the nanosecond",
    make: async (client) => {
      for (const [index, ns] of times.entries()) {
        await writeAll(client, `f${index}`, "x");
        await client.symlink("f", `s${index}`);
        for (const name of ["f", "s"]) await client.setTime(`${name}${index}`, ns);
      }
    },
    read: async (client) => {
      for (const [index, ns] of times.entries())
        for (const name of ["f", "s"]) assert.equal((await client.stat(`${name}${index}`)).mtimeNs, ns);
    },
  },
  {
    name: "extended attributes are there",
    make: async (client) => {
      await writeAll(client, "f", "x");
      await writeAll(client, "none", "x");
      await client.mkdir("d");
      for (const path of ["f", "d"]) {
        await client.setxattr(path, "user.a", Buffer.from("one"));
        await client.setxattr(path, "user.empty", Buffer.alloc(0));
      }
      await client.setxattr("d", "user.big", Buffer.alloc(2000, 7));
    },
    read: async (client) => {
      assert.deepEqual((await client.listxattr("d")).sort(), ["user.a", "user.big", "user.empty"]);
      assert.deepEqual((await client.listxattr("f")).sort(), ["user.a", "user.empty"]);
      assert.deepEqual(await client.listxattr("none"), []);
      assert.equal((await client.getxattr("f", "user.a")).toString(), "one");
      assert.equal((await client.getxattr("f", "user.empty")).length, 0);
      assert.ok((await client.getxattr("d", "user.big")).equals(Buffer.alloc(2000, 7)));
      await assertFails("ENODATA", client.getxattr("none", "user.a"));
    },
  },
  {
    name: "ACLs are there",
    make: async (client) => {
      await writeAll(client, "f", "x");
      await client.setxattr("f", "system.posix_acl_access", acl);
      await client.mkdir("d");
      await client.setxattr("d", "system.posix_acl_default", acl);
    },
    read: async (client) => {
      assert.equal((await client.stat("f")).mode, 0o660);
      assert.ok((await client.getxattr("f", "system.posix_acl_access")).equals(Buffer.from(acl)));
      assert.ok((await client.getxattr("d", "system.posix_acl_default")).equals(Buffer.from(acl)));
      await assertFails("ENODATA", client.getxattr("d", "system.posix_acl_access"));
    },
  },
  {
    name: "owners and devices are there",
    asRoot: true,
    make: async (client) => {
      await writeAll(client, "f", "x");
      await client.chown("f", 1001, 1002);
      await client.mknod("c", { kind: "character", mode: 0o600, major: 259, minor: 70_000 });
      await client.mknod("b", { kind: "block", mode: 0o640, major: 7, minor: 3 });
      await client.mknod("s", { kind: "socket", mode: 0o755 });
      await client.mknod("p", { kind: "fifo", mode: 0o644 });
    },
    read: async (client) => {
      const [f, c, b, s, p] = await Promise.all(["f", "c", "b", "s", "p"].map((name) => client.stat(name)));
      assert.deepEqual([f?.uid, f?.gid], [1001, 1002]);
      assert.deepEqual([c?.kind, c?.rdevMajor, c?.rdevMinor, c?.mode], ["character", 259, 70_000, 0o600]);
      assert.deepEqual([b?.kind, b?.rdevMajor, b?.rdevMinor], ["block", 7, 3]);
      assert.deepEqual([s?.kind, p?.kind], ["socket", "fifo"]);
    },
  },
];

/** What every read-only filesystem refuses; in a directory that holds a file `f` and a directory `d`. */
export const refusedWrites: Readonly<Record<string, (client: FsClient) => Promise<unknown>>> = {
  mkdir: (client) => client.mkdir("new"),
  mknod: (client) => client.mknod("new", { kind: "fifo", mode: 0o600 }),
  create: (client) => client.open("new", { write: true, create: true }),
  symlink: (client) => client.symlink("x", "new"),
  link: (client) => client.link("f", "new"),
  unlink: (client) => client.unlink("f"),
  rmdir: (client) => client.rmdir("d"),
  rename: (client) => client.rename("f", "new"),
  open: (client) => client.open("f", { write: true }),
  truncate: (client) => client.truncate("f", 0),
  chmod: (client) => client.chmod("f", 0o600),
  chown: (client) => client.chown("f", 1, 1),
  times: (client) => client.setTime("f", 1n),
  setxattr: (client) => client.setxattr("f", "user.new", Buffer.from("x")),
};
