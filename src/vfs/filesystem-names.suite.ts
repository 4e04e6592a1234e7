/** The suite of filesystems, on names: making, removing, renaming, linking, listing. The rules are those of POSIX.1-2024 and of the Linux manual. */
import assert from "node:assert/strict";
import { assertFails } from "../../test/support/assert-fails.ts";
import { readAll, writeAll } from "../../test/support/fs-client.ts";
import type { FilesystemCase } from "./filesystem.suite.ts";

const longName = "n".repeat(255);

export const nameCases: readonly FilesystemCase[] = [
  {
    name: "what is made is listed, and is what it was made as",
    run: async (client) => {
      await client.mkdir("d");
      await writeAll(client, "f", "content");
      await client.symlink("nowhere", "s");
      await client.mknod("p", { kind: "fifo", mode: 0o600 });
      assert.deepEqual((await client.readdir("")).sort(), ["d", "f", "p", "s"]);
      const kinds = await Promise.all(["d", "f", "p", "s"].map(async (name) => (await client.stat(name)).kind));
      assert.deepEqual(kinds, ["directory", "file", "fifo", "symlink"]);
    },
  },
  {
    name: "device nodes keep their numbers, sockets are made",
    asRoot: true,
    run: async (client) => {
      await client.mknod("c", { kind: "character", mode: 0o600, major: 259, minor: 70_000 });
      await client.mknod("b", { kind: "block", mode: 0o640, major: 7, minor: 3 });
      await client.mknod("s", { kind: "socket", mode: 0o777 });
      const [c, b, s] = [await client.stat("c"), await client.stat("b"), await client.stat("s")];
      assert.deepEqual([c.kind, c.rdevMajor, c.rdevMinor, c.mode], ["character", 259, 70_000, 0o600]);
      assert.deepEqual([b.kind, b.rdevMajor, b.rdevMinor, b.mode], ["block", 7, 3, 0o640]);
      assert.deepEqual([s.kind, s.mode], ["socket", 0o755]);
    },
  },
  {
    name: "what is there cannot be made again",
    run: async (client) => {
      for (const there of ["f", "d", "s"]) {
        if (there === "f") await writeAll(client, there, "x");
        else if (there === "d") await client.mkdir(there);
        else await client.symlink("f", there);
        await assertFails("EEXIST", client.mkdir(there));
        await assertFails("EEXIST", client.mknod(there, { kind: "fifo", mode: 0o600 }));
        await assertFails("EEXIST", client.symlink("x", there));
        await assertFails("EEXIST", client.open(there, { write: true, create: true, exclusive: true }));
      }
      await assertFails("EEXIST", client.link("f", "d"));
    },
  },
  {
    name: "what is not there cannot be used",
    run: async (client) => {
      await assertFails("ENOENT", client.stat("no"));
      await assertFails("ENOENT", client.unlink("no"));
      await assertFails("ENOENT", client.rmdir("no"));
      await assertFails("ENOENT", client.rename("no", "other"));
      await assertFails("ENOENT", client.link("no", "other"));
      await assertFails("ENOENT", client.open("no", { read: true }));
      await assertFails("ENOENT", client.mkdir("no/d"));
      await assertFails("ENOENT", client.readdir("no"));
      await assertFails("ENOENT", client.symlink("", "empty"));
    },
  },
  {
    name: "a file is no directory, a directory no file",
    run: async (client) => {
      await client.mkdir("d");
      await writeAll(client, "f", "x");
      await assertFails("ENOTDIR", client.stat("f/x"));
      await assertFails("ENOTDIR", client.mkdir("f/x"));
      await assertFails("ENOTDIR", client.rmdir("f"));
      await assertFails("ENOTDIR", client.readdir("f"));
      await assertFails("EISDIR", client.unlink("d"));
      await assertFails("EISDIR", client.open("d", { write: true }));
      await assertFails("EISDIR", client.truncate("d", 0));
      await assertFails("EPERM", client.link("d", "e"));
      await assertFails("EINVAL", client.readlink("f"));
      await assertFails("EINVAL", client.readlink("d"));
    },
  },
  {
    name: "names have 255 bytes and not one more",
    run: async (client) => {
      await writeAll(client, longName, "x");
      await client.mkdir("d");
      await client.rename(longName, `d/${longName}`);
      assert.deepEqual(await client.readdir("d"), [longName]);
      await assertFails("ENAMETOOLONG", client.stat(`${longName}x`));
      await assertFails("ENAMETOOLONG", client.mkdir(`${longName}x`));
      await assertFails("ENAMETOOLONG", client.rename(`d/${longName}`, `${longName}x`));
      await assertFails("ENAMETOOLONG", client.link(`d/${longName}`, `${longName}x`));
      await assertFails("ENAMETOOLONG", client.symlink("x", `${longName}x`));
      await client.unlink(`d/${longName}`);
      await client.rmdir("d");
    },
  },
  {
    name: "only an empty directory is removed",
    run: async (client) => {
      await client.mkdir("d");
      await writeAll(client, "d/f", "x");
      await assertFails("ENOTEMPTY", client.rmdir("d"));
      await client.unlink("d/f");
      await client.rmdir("d");
      await assertFails("ENOENT", client.stat("d"));
    },
  },
  {
    name: "directories count what leads to them",
    run: async (client) => {
      await client.mkdir("d");
      assert.equal((await client.stat("d")).nlink, 2);
      await client.mkdir("d/a");
      await client.mkdir("d/b");
      await writeAll(client, "d/f", "x");
      assert.equal((await client.stat("d")).nlink, 4);
      await client.mkdir("e");
      await client.rename("d/a", "e/a");
      assert.deepEqual([(await client.stat("d")).nlink, (await client.stat("e")).nlink], [3, 3]);
      await client.rename("d/b", "e/a");
      assert.deepEqual([(await client.stat("d")).nlink, (await client.stat("e")).nlink], [2, 3]);
      await client.rmdir("e/a");
      assert.equal((await client.stat("e")).nlink, 2);
    },
  },
  {
    name: "hard links are one file until the last name is gone",
    run: async (client) => {
      await writeAll(client, "a", "one");
      await client.link("a", "b");
      const [a, b] = [await client.stat("a"), await client.stat("b")];
      assert.deepEqual([a.inode, a.nlink, b.nlink], [b.inode, 2, 2]);
      await writeAll(client, "b", "three");
      assert.equal((await readAll(client, "a")).toString(), "three");
      await client.unlink("a");
      assert.equal((await client.stat("b")).nlink, 1);
      assert.equal((await readAll(client, "b")).toString(), "three");
    },
  },
  {
    name: "a symlink keeps its target as it is, and can be linked, renamed and removed itself",
    run: async (client) => {
      const target = "../some where/ünï";
      await client.symlink(target, "s");
      assert.equal(await client.readlink("s"), target);
      assert.equal((await client.stat("s")).size, Buffer.byteLength(target));
      assert.equal((await client.stat("s")).mode, 0o777);
      await client.link("s", "t");
      await client.rename("s", "u");
      assert.equal(await client.readlink("u"), target);
      assert.equal((await client.stat("t")).nlink, 2);
      await client.unlink("u");
      assert.equal(await client.readlink("t"), target);
      await client.symlink("x".repeat(4095), "long");
      assert.equal((await client.readlink("long")).length, 4095);
      await assertFails("ENAMETOOLONG", client.symlink("x".repeat(4096), "longer"));
    },
  },
  {
    name: "rename replaces a file at one moment",
    run: async (client) => {
      await writeAll(client, "a", "new");
      await writeAll(client, "b", "old");
      const { inode } = await client.stat("a");
      await client.rename("a", "b");
      assert.equal((await readAll(client, "b")).toString(), "new");
      assert.equal((await client.stat("b")).inode, inode);
      await assertFails("ENOENT", client.stat("a"));
    },
  },
  {
    name: "rename replaces an empty directory with a directory, and nothing else",
    run: async (client) => {
      await client.mkdir("a");
      await client.mkdir("empty");
      await client.mkdir("full");
      await writeAll(client, "a/in", "x");
      await writeAll(client, "full/in", "x");
      await writeAll(client, "f", "x");
      await assertFails("ENOTEMPTY", client.rename("a", "full"));
      await assertFails("ENOTDIR", client.rename("a", "f"));
      await assertFails("EISDIR", client.rename("f", "empty"));
      await client.rename("a", "empty");
      assert.deepEqual(await client.readdir("empty"), ["in"]);
    },
  },
  {
    name: "rename does not put a directory below itself",
    run: async (client) => {
      await client.mkdir("a");
      await client.mkdir("a/b");
      await assertFails("EINVAL", client.rename("a", "a/b/c"));
      await assertFails("EINVAL", client.rename("a", "a/c"));
      await assertFails("ENOTEMPTY", client.rename("a/b", "a"));
    },
  },
  {
    name: "rename of one name of a file to another does nothing",
    run: async (client) => {
      await writeAll(client, "a", "x");
      await client.link("a", "b");
      await client.rename("a", "b");
      assert.equal((await client.stat("a")).nlink, 2);
      await client.rename("a", "a");
      assert.deepEqual((await client.readdir("")).sort(), ["a", "b"]);
    },
  },
  {
    name: "rename can refuse to replace, and can exchange",
    run: async (client) => {
      await client.mkdir("a");
      await client.mkdir("d");
      await client.mkdir("a/in");
      await writeAll(client, "d/f", "file");
      await assertFails("EEXIST", client.rename("a", "d", "no-replace"));
      await assertFails("ENOENT", client.rename("a", "no", "exchange"));
      await client.rename("a/in", "d/f", "exchange");
      assert.equal((await readAll(client, "a/in")).toString(), "file");
      assert.equal((await client.stat("d/f")).kind, "directory");
      assert.deepEqual([(await client.stat("a")).nlink, (await client.stat("d")).nlink], [2, 3]);
      await client.rename("d/f", "free", "no-replace");
      await assertFails("EINVAL", client.rename("d", "d/x", "no-replace"));
      await client.mkdir("free/below");
      await assertFails("EINVAL", client.rename("free", "free/below", "exchange"));
    },
  },
  {
    name: "a moved directory takes what is below it along",
    run: async (client) => {
      await client.mkdir("a");
      await client.mkdir("a/b");
      await writeAll(client, "a/b/f", "deep");
      await client.mkdir("c");
      await client.rename("a", "c/d");
      assert.equal((await readAll(client, "c/d/b/f")).toString(), "deep");
      assert.equal((await readAll(client, "c/d/b/../../d/b/f")).toString(), "deep");
      await assertFails("ENOENT", client.stat("a"));
    },
  },
  {
    name: "a removed file lives as long as it is open",
    run: async (client) => {
      const fd = await client.open("f", { read: true, write: true, create: true });
      await client.write(fd, 0, Buffer.from("before"));
      await client.unlink("f");
      await assertFails("ENOENT", client.stat("f"));
      await client.write(fd, 6, Buffer.from(" after"));
      assert.equal((await client.read(fd, 0, 100)).toString(), "before after");
      assert.equal((await client.statFile(fd)).nlink, 0);
      await writeAll(client, "f", "another");
      assert.equal((await client.read(fd, 0, 6)).toString(), "before");
      await client.close(fd);
      assert.equal((await readAll(client, "f")).toString(), "another");
    },
  },
  {
    name: "a file made without a name can get one",
    run: async (client) => {
      await client.mkdir("d");
      const fd = await client.open("d", { read: true, write: true, temporary: true });
      await client.write(fd, 0, Buffer.from("hidden"));
      assert.deepEqual(await client.readdir("d"), []);
      assert.equal((await client.statFile(fd)).nlink, 0);
      await client.linkFile(fd, "d/f");
      await client.close(fd);
      assert.equal((await readAll(client, "d/f")).toString(), "hidden");
      assert.equal((await client.stat("d/f")).nlink, 1);
    },
  },
  {
    name: "all of a large directory is listed, each name once",
    run: async (client) => {
      await client.mkdir("d");
      const names = Array.from({ length: 600 }, (_, index) => `${index}-${"x".repeat(index % 200)}`);
      for (const name of names) await client.mknod(`d/${name}`, { kind: "file", mode: 0o644 });
      assert.deepEqual((await client.readdir("d")).sort(), [...names].sort());
      for (const name of names.filter((_, index) => index % 3 !== 0)) await client.unlink(`d/${name}`);
      assert.deepEqual((await client.readdir("d")).sort(), names.filter((_, index) => index % 3 === 0).sort());
    },
  },
  {
    name: "names are bytes, and differ in case and normalisation",
    run: async (client) => {
      const names = ["a", "A", "é", "e\u0301", " ", "\n", "-", "...", "a\tb"];
      for (const name of names) await writeAll(client, name, name);
      assert.deepEqual((await client.readdir("")).sort(), [...names].sort());
      for (const name of names) assert.equal((await readAll(client, name)).toString(), name);
    },
  },
  {
    name: "what changes names changes the directory's times, and the file's ctime",
    run: async (client) => {
      await client.mkdir("d");
      await writeAll(client, "d/a", "x");
      for (const change of [
        () => writeAll(client, "d/b", "x"),
        () => client.link("d/a", "d/c"),
        () => client.rename("d/c", "d/e"),
        () => client.unlink("d/e"),
        () => client.mkdir("d/sub"),
        () => client.rmdir("d/sub"),
      ]) {
        await client.setTime("d", 1_000_000_000n);
        await change();
        assert.ok((await client.stat("d")).mtimeNs > 1_600_000_000_000_000_000n);
      }
    },
  },
];
