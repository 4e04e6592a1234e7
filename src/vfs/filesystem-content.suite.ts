/** The suite of filesystems, on content: reading and writing anywhere, sizes, holes, copies. */
import assert from "node:assert/strict";
import { assertFails } from "../../test/support/assert-fails.ts";
import { type FsClient, readAll, writeAll } from "../../test/support/fs-client.ts";
import type { FilesystemCase } from "./filesystem.suite.ts";

const mebibyte = 1024 * 1024;

/** Bytes that differ from place to place. */
function pattern(bytes: number, seed = 1): Buffer {
  const made = Buffer.alloc(bytes);
  for (let at = 0, state = seed; at < bytes; at += 1) {
    state = (Math.imul(state, 1_103_515_245) + 12_345) >>> 0;
    made[at] = state >>> 16;
  }
  return made;
}

async function openNew(client: FsClient, path = "f"): Promise<number> {
  return client.open(path, { read: true, write: true, create: true });
}

export const contentCases: readonly FilesystemCase[] = [
  {
    name: "what is written is read, of all sizes",
    run: async (client) => {
      for (const size of [0, 1, 4095, 4096, 4097, 16_384, 131_073, 3 * mebibyte + 17]) {
        const bytes = pattern(size, size + 1);
        await writeAll(client, "f", bytes);
        assert.equal((await client.stat("f")).size, size);
        assert.ok((await readAll(client, "f")).equals(bytes), `${size} bytes`);
      }
    },
  },
  {
    name: "writes anywhere leave the rest as it was",
    run: async (client) => {
      const bytes = pattern(300_000);
      const fd = await openNew(client);
      await client.write(fd, 0, bytes);
      for (const [offset, length] of [
        [0, 1],
        [4090, 12],
        [16_380, 70_000],
        [299_999, 1],
        [299_990, 5000],
      ] as const) {
        const part = pattern(length, offset + 2);
        await client.write(fd, offset, part);
        const grown = Buffer.alloc(Math.max(bytes.length, offset + length));
        bytes.copy(grown);
        part.copy(grown, offset);
        assert.ok((await client.read(fd, 0, bytes.length)).equals(grown.subarray(0, bytes.length)));
        grown.copy(bytes);
      }
      await client.close(fd);
      assert.equal((await client.stat("f")).size, 304_990);
    },
  },
  {
    name: "reading past the end gives what there is, then nothing",
    run: async (client) => {
      await writeAll(client, "f", "0123456789");
      const fd = await client.open("f", { read: true });
      assert.equal((await client.read(fd, 6, 100)).toString(), "6789");
      assert.equal((await client.read(fd, 10, 100)).length, 0);
      assert.equal((await client.read(fd, 5000, 100)).length, 0);
      await client.close(fd);
    },
  },
  {
    name: "a descriptor allows what it was opened for",
    run: async (client) => {
      await writeAll(client, "f", "x");
      const [reads, writes] = [await client.open("f", { read: true }), await client.open("f", { write: true })];
      await assertFails("EBADF", client.write(reads, 0, Buffer.from("y")));
      await assertFails("EBADF", client.read(writes, 0, 1));
      await client.close(reads);
      await client.close(writes);
    },
  },
  {
    name: "what is appended goes to the end, from every descriptor",
    run: async (client) => {
      await writeAll(client, "f", "begin");
      const [a, b] = [
        await client.open("f", { write: true, append: true }),
        await client.open("f", { write: true, append: true }),
      ];
      await client.write(a, 0, Buffer.from(" a1"));
      await client.write(b, 0, Buffer.from(" b1"));
      await client.write(a, 0, Buffer.from(" a2"));
      await client.close(a);
      await client.close(b);
      assert.equal((await readAll(client, "f")).toString(), "begin a1 b1 a2");
    },
  },
  {
    name: "truncating cuts, and growing gives zeros",
    run: async (client) => {
      await writeAll(client, "f", pattern(40_000));
      await client.truncate("f", 10_001);
      assert.ok((await readAll(client, "f")).equals(pattern(40_000).subarray(0, 10_001)));
      await client.truncate("f", 50_000);
      const grown = await readAll(client, "f");
      assert.ok(grown.subarray(0, 10_001).equals(pattern(40_000).subarray(0, 10_001)));
      assert.ok(grown.subarray(10_001).equals(Buffer.alloc(39_999)));
      const fd = await client.open("f", { write: true });
      await client.truncateFile(fd, 3);
      assert.equal((await client.statFile(fd)).size, 3);
      await client.close(fd);
      const again = await client.open("f", { write: true, truncate: true });
      await client.close(again);
      assert.equal((await client.stat("f")).size, 0);
    },
  },
  {
    name: "a truncation is seen through descriptors that are open",
    run: async (client) => {
      const fd = await openNew(client);
      await client.write(fd, 0, pattern(9000));
      assert.equal((await client.read(fd, 0, 9000)).length, 9000);
      await client.truncate("f", 100);
      assert.equal((await client.read(fd, 0, 9000)).length, 100);
      await client.write(fd, 200, Buffer.from("end"));
      const read = await client.read(fd, 0, 9000);
      assert.equal(read.length, 203);
      assert.ok(read.subarray(100, 200).equals(Buffer.alloc(100)));
      await client.close(fd);
    },
  },
  {
    name: "files can be far larger than what is in them",
    run: async (client) => {
      const fd = await openNew(client);
      const far = 2 ** 40;
      await client.write(fd, far, Buffer.from("far"));
      const stat = await client.statFile(fd);
      assert.equal(stat.size, far + 3);
      assert.ok(stat.blocks * 512 < mebibyte);
      assert.ok(
        (await client.read(fd, far - 5000, 5003)).equals(Buffer.concat([Buffer.alloc(5000), Buffer.from("far")])),
      );
      assert.ok((await client.read(fd, 0, 4096)).equals(Buffer.alloc(4096)));
      await client.close(fd);
    },
  },
  {
    name: "holes and data are found",
    run: async (client) => {
      const fd = await openNew(client);
      await client.write(fd, mebibyte, pattern(1000));
      await client.truncateFile(fd, 3 * mebibyte);
      await client.fsync(fd);
      assert.equal(await client.seek(fd, 0, "hole"), 0);
      const data = await client.seek(fd, 0, "data");
      assert.ok(data > 0 && data <= mebibyte);
      const hole = await client.seek(fd, mebibyte, "hole");
      assert.ok(hole >= mebibyte + 1000 && hole < 2 * mebibyte);
      await assertFails("ENXIO", client.seek(fd, 2 * mebibyte, "data"));
      await assertFails("ENXIO", client.seek(fd, 3 * mebibyte, "hole"));
      await assertFails("ENXIO", client.seek(fd, 3 * mebibyte + 1, "data"));
      await client.close(fd);
    },
  },
  {
    name: "space is reserved, with or without growing",
    run: async (client) => {
      const fd = await openNew(client);
      await client.write(fd, 0, Buffer.from("kept"));
      await client.fallocate(fd, "reserve", { offset: 0, length: 100_000, keepSize: true });
      assert.equal((await client.statFile(fd)).size, 4);
      await client.fallocate(fd, "reserve", { offset: 0, length: 100_000 });
      const stat = await client.statFile(fd);
      assert.equal(stat.size, 100_000);
      assert.ok(stat.blocks * 512 >= 100_000);
      assert.equal((await client.read(fd, 0, 4)).toString(), "kept");
      await client.close(fd);
    },
  },
  {
    name: "punched holes and zeroed ranges read as zeros, the rest as before",
    run: async (client) => {
      const bytes = pattern(200_000);
      const fd = await openNew(client);
      await client.write(fd, 0, bytes);
      await client.fallocate(fd, "punch-hole", { offset: 5000, length: 100_000 });
      bytes.fill(0, 5000, 105_000);
      assert.ok((await client.read(fd, 0, 200_000)).equals(bytes));
      await client.fallocate(fd, "zero", { offset: 150_000, length: 100 });
      bytes.fill(0, 150_000, 150_100);
      assert.ok((await client.read(fd, 0, 200_000)).equals(bytes));
      await client.fallocate(fd, "punch-hole", { offset: 190_000, length: 100_000 });
      bytes.fill(0, 190_000);
      assert.ok((await client.read(fd, 0, 300_000)).equals(bytes));
      await client.close(fd);
    },
  },
  {
    name: "ranges are copied between files and within one",
    run: async (client) => {
      const bytes = pattern(100_000);
      await writeAll(client, "a", bytes);
      const [a, b] = [await client.open("a", { read: true, write: true }), await openNew(client, "b")];
      assert.equal(await client.copy(a, 10, b, 5, 50_000), 50_000);
      assert.ok((await readAll(client, "b")).equals(Buffer.concat([Buffer.alloc(5), bytes.subarray(10, 50_010)])));
      assert.equal(await client.copy(a, 99_000, b, 0, 50_000), 1000);
      assert.equal(await client.copy(a, 100_000, b, 0, 50_000), 0);
      assert.equal(await client.copy(a, 0, a, 200_000, 1000), 1000);
      assert.ok((await client.read(a, 200_000, 1000)).equals(bytes.subarray(0, 1000)));
      await assertFails("EINVAL", client.copy(a, 0, a, 500, 1000));
      await client.close(a);
      await client.close(b);
    },
  },
  {
    name: "writing changes mtime and ctime, reading neither",
    run: async (client) => {
      await writeAll(client, "f", "x");
      await client.setTime("f", 5_000_000_000n);
      assert.equal((await readAll(client, "f")).toString(), "x");
      assert.equal((await client.stat("f")).mtimeNs, 5_000_000_000n);
      const fd = await client.open("f", { write: true });
      await client.write(fd, 0, Buffer.from("y"));
      await client.close(fd);
      assert.ok((await client.stat("f")).mtimeNs > 1_600_000_000_000_000_000n);
      await client.setTime("f", 5_000_000_000n);
      await client.truncate("f", 0);
      assert.ok((await client.stat("f")).mtimeNs > 1_600_000_000_000_000_000n);
    },
  },
  {
    name: "two descriptors of one file see each other's writes at once",
    run: async (client) => {
      const [a, b] = [await openNew(client), await openNew(client)];
      await client.write(a, 0, Buffer.from("from a"));
      assert.equal((await client.read(b, 0, 100)).toString(), "from a");
      await client.write(b, 5, Buffer.from("b"));
      assert.equal((await client.read(a, 0, 100)).toString(), "from b");
      await client.close(a);
      await client.close(b);
    },
  },
];
