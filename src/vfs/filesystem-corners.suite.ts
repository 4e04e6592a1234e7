/** The suite of filesystems, on corners: links counted through every way of losing a name, renames by errno, appending, holes, setgid. */
import assert from "node:assert/strict";
import { assertFails } from "../../test/support/assert-fails.ts";
import { readAll, writeAll } from "../../test/support/fs-client.ts";
import type { FilesystemCase } from "./filesystem.suite.ts";

const mebibyte = 1024 * 1024;

export const cornerCases: readonly FilesystemCase[] = [
  {
    name: "links are counted however a name is lost",
    run: async (client) => {
      const fd = await client.open("a", { read: true, write: true, create: true });
      const count = async (): Promise<number> => (await client.statFile(fd)).nlink;
      for (const name of ["b", "c", "d"]) await client.link("a", name);
      assert.equal(await count(), 4);
      await client.unlink("a");
      assert.equal(await count(), 3);
      await writeAll(client, "x", "x");
      await client.rename("x", "b");
      assert.equal(await count(), 2);
      await client.mkdir("dir");
      await client.rename("c", "dir/c");
      assert.equal(await count(), 2);
      await client.rename("b", "dir/c", "exchange");
      assert.equal(await count(), 2);
      assert.equal((await client.stat("b")).inode, (await client.statFile(fd)).inode);
      await client.unlink("b");
      await client.rename("dir/c", "d");
      assert.equal(await count(), 0);
      assert.equal((await readAll(client, "d")).toString(), "x");
      await client.close(fd);
    },
  },
  {
    name: "renames fail by what stands in their way",
    run: async (client) => {
      await client.mkdir("d");
      await client.mkdir("d/sub");
      await client.mkdir("empty");
      await writeAll(client, "f", "f");
      await client.symlink("d", "s");
      await assertFails("ENOENT", client.rename("no", "f"));
      await assertFails("ENOENT", client.rename("f", "no/f"));
      await assertFails("ENOTDIR", client.rename("f", "f/x"));
      await assertFails("ENOTDIR", client.rename("d", "s"));
      await assertFails("EISDIR", client.rename("s", "empty"));
      await assertFails("EISDIR", client.rename("f", "d"));
      await assertFails("ENOTEMPTY", client.rename("empty", "d"));
      await assertFails("EINVAL", client.rename("d", "d/sub/x"));
      await assertFails("EEXIST", client.rename("f", "s", "no-replace"));
      await assertFails("EEXIST", client.rename("f", "f", "no-replace"));
      await client.rename("s", "f");
      assert.equal(await client.readlink("f"), "d");
      await client.rename("d", "empty");
      assert.deepEqual((await client.readdir("")).sort(), ["empty", "f"]);
    },
  },
  {
    name: "a replaced file lives as long as it is open",
    run: async (client) => {
      await writeAll(client, "old", "old");
      const fd = await client.open("old", { read: true });
      await writeAll(client, "new", "new");
      await client.rename("new", "old");
      assert.equal((await client.read(fd, 0, 10)).toString(), "old");
      assert.equal((await client.statFile(fd)).nlink, 0);
      await client.close(fd);
      assert.equal((await readAll(client, "old")).toString(), "new");
    },
  },
  {
    name: "writers that append and one that writes anywhere do not lose each other's bytes",
    run: async (client) => {
      const [a, b] = [
        await client.open("f", { write: true, append: true, create: true }),
        await client.open("f", { write: true, append: true }),
      ];
      const c = await client.open("f", { read: true, write: true });
      for (let round = 0; round < 20; round += 1) {
        await client.write(a, 0, Buffer.from("a"));
        await client.write(c, round * 2, Buffer.from("c"));
        await client.write(b, 0, Buffer.from("b"));
      }
      for (const fd of [a, b, c]) await client.close(fd);
      assert.equal((await readAll(client, "f")).toString(), "cb".repeat(20));
    },
  },
  {
    name: "a hole between data is a hole, and filling it makes it data",
    run: async (client) => {
      const fd = await client.open("f", { read: true, write: true, create: true });
      await client.write(fd, 0, Buffer.alloc(mebibyte, 1));
      await client.write(fd, 3 * mebibyte, Buffer.alloc(mebibyte, 2));
      await client.fsync(fd);
      assert.equal(await client.seek(fd, 0, "hole"), mebibyte);
      assert.equal(await client.seek(fd, mebibyte, "data"), 3 * mebibyte);
      assert.equal(await client.seek(fd, 3 * mebibyte, "hole"), 4 * mebibyte);
      await client.fallocate(fd, "punch-hole", { offset: 0, length: mebibyte });
      await client.fsync(fd);
      assert.equal(await client.seek(fd, 0, "data"), 3 * mebibyte);
      await client.write(fd, 2 * mebibyte, Buffer.alloc(mebibyte, 3));
      await client.fsync(fd);
      assert.equal(await client.seek(fd, 0, "data"), 2 * mebibyte);
      assert.equal(await client.seek(fd, 2 * mebibyte, "hole"), 4 * mebibyte);
      assert.ok((await client.read(fd, 0, 2 * mebibyte)).equals(Buffer.alloc(2 * mebibyte)));
      await client.close(fd);
    },
  },
  {
    name: "a file that only its owner may read is written by who made it so",
    run: async (client) => {
      const fd = await client.open("f", { read: true, write: true, create: true, exclusive: true, mode: 0o400 });
      await client.write(fd, 0, Buffer.from("written"));
      await client.truncateFile(fd, 5);
      assert.equal((await client.read(fd, 0, 10)).toString(), "writt");
      await client.close(fd);
      assert.equal((await client.stat("f")).mode, 0o400);
    },
  },
  {
    name: "a removed directory holds nothing more",
    run: async (client) => {
      await client.mkdir("d");
      await client.mkdir("d/e");
      await client.rmdir("d/e");
      await assertFails("ENOENT", client.mkdir("d/e/x"));
      await assertFails("ENOENT", client.rmdir("d/e"));
      await client.mkdir("d/e");
      await writeAll(client, "d/e/f", "x");
      assert.deepEqual(await client.readdir("d/e"), ["f"]);
      assert.equal((await client.stat("d")).nlink, 3);
    },
  },
];
