import assert from "node:assert/strict";
import { test } from "node:test";
import { testSeeds } from "../../../test/support/seeds.ts";
import type { Attributes, DirectoryEntry } from "../../vfs/mod.ts";
import { StructReader } from "./struct-reader.ts";
import { readFallocate, readForgets, readLock, readMknod, readName, readSetattr, readSetxattr } from "./structs-in.ts";
import * as out from "./structs-out.ts";

const attributes: Attributes = {
  inode: 0x1_0000_0002,
  generation: 3,
  kind: "character",
  mode: 0o4644,
  nlink: 5,
  uid: 6,
  gid: 0xffff_fffe,
  rdevMajor: 0x123,
  rdevMinor: 0x45678,
  size: 2 ** 40 + 1,
  blocks: 8,
  atimeNs: -1n,
  mtimeNs: 1_700_000_000_123_456_789n,
  ctimeNs: 0n,
};
const validity = { entryMs: 1500, attributesMs: 60_000 };

function readerOf(bytes: Uint8Array): StructReader {
  return new StructReader(Buffer.from(bytes), 0, bytes.length);
}

/** A buffer whose old content would show. */
function dirty(bytes: number): Buffer {
  return Buffer.alloc(bytes, 0xee);
}

test("fuse structs: an entry has the bytes of the kernel's fuse_entry_out", () => {
  const bytes = dirty(136);
  assert.equal(out.putEntryOut(bytes, 4, attributes, validity), 128);
  const expected = [
    "0200000001000000", // nodeid
    "0300000000000000", // generation
    "0100000000000000", // entry_valid
    "3c00000000000000", // attr_valid
    "0065cd1d", // entry_valid_nsec
    "00000000", // attr_valid_nsec
    "0200000001000000", // ino
    "0100000000010000", // size
    "0800000000000000", // blocks
    "ffffffffffffffff", // atime
    "00f1536500000000", // mtime
    "0000000000000000", // ctime
    "ffc99a3b", // atimensec
    "15cd5b07", // mtimensec
    "00000000", // ctimensec
    "a4290000", // mode
    "05000000", // nlink
    "06000000", // uid
    "feffffff", // gid
    "78236145", // rdev
    "00100000", // blksize
    "00000000", // flags
  ].join("");
  assert.equal(bytes.toString("hex", 4, 132), expected);
  assert.equal(bytes.toString("hex", 0, 4) + bytes.toString("hex", 132), "eeeeeeeeeeeeeeee");
});

test("fuse structs: what changes by itself is not to be believed for any time", () => {
  const bytes = dirty(128);
  out.putEntryOut(bytes, 0, { ...attributes, isVolatile: true }, validity);
  const words = [bytes.readBigUInt64LE(16), bytes.readBigUInt64LE(24), bytes.readUInt32LE(32), bytes.readUInt32LE(36)];
  assert.deepEqual(words, [0n, 0n, 0, 0]);
});

test("fuse structs: a listing's entries are aligned to 8 bytes, with and without attributes", () => {
  for (const plus of [false, true]) {
    for (let length = 1; length <= 17; length += 1) {
      const name = Buffer.alloc(length, 0x61);
      const entry: DirectoryEntry = { name, inode: 9, kind: "symlink", cookie: 7, found: { attributes } };
      const bytes = dirty(256);
      const used = out.putDirent(bytes, 0, entry, plus ? validity : undefined);
      assert.equal(used, out.direntBytes(entry, plus));
      assert.equal(used % 8, 0);
      const at = plus ? 128 : 0;
      assert.deepEqual(
        [
          bytes.readBigUInt64LE(at),
          bytes.readBigUInt64LE(at + 8),
          bytes.readUInt32LE(at + 16),
          bytes.readUInt32LE(at + 20),
        ],
        [9n, 7n, length, 10],
      );
      assert.equal(bytes.toString("latin1", at + 24, used).replace(/\0+$/, ""), "a".repeat(length));
      assert.equal(bytes[used], 0xee);
    }
  }
});

test("fuse structs: an entry that was not looked up has an empty fuse_entry_out", () => {
  const bytes = dirty(256);
  out.putDirent(bytes, 0, { name: Buffer.from("."), inode: 1, kind: "directory", cookie: 1 }, validity);
  assert.ok(bytes.subarray(0, 128).equals(Buffer.alloc(128)));
});

testSeeds("fuse structs: device numbers and times survive", 20, (prng) => {
  const [rdevMajor, rdevMinor] = [prng.int(0, 0xfff), prng.int(0, 0xfffff)];
  const bytes = dirty(128);
  out.putEntryOut(bytes, 0, { ...attributes, rdevMajor, rdevMinor }, validity);
  assert.deepEqual(out.unpackDevice(bytes.readUInt32LE(40 + 76)), { rdevMajor, rdevMinor });
  const ns = BigInt(prng.int(-(2 ** 40), 2 ** 40)) * 1_000_003n + BigInt(prng.int(0, 999));
  out.putEntryOut(bytes, 0, { ...attributes, mtimeNs: ns }, validity);
  assert.equal(bytes.readBigInt64LE(40 + 32) * 1_000_000_000n + BigInt(bytes.readUInt32LE(40 + 52)), ns);
});

test("fuse structs: a lock to the end of the file is the kernel's OFFSET_MAX, in both ways", () => {
  const bytes = Buffer.alloc(48);
  bytes.writeBigUInt64LE(0xdead_beef_dead_beefn, 8);
  bytes.writeBigUInt64LE(10n, 16);
  bytes.writeBigUInt64LE(0x7fff_ffff_ffff_ffffn, 24);
  bytes.writeUInt32LE(1, 32);
  bytes.writeUInt32LE(77, 36);
  const lock = readLock(readerOf(bytes));
  assert.deepEqual(lock, {
    kind: "posix",
    type: "exclusive",
    owner: 0xdead_beef_dead_beefn,
    pid: 77,
    start: 10,
    end: Infinity,
  });
  const reply = dirty(24);
  assert.equal(out.putLkOut(reply, 0, lock), 24);
  assert.equal(reply.toString("hex"), `${bytes.toString("hex", 16, 40)}`);
});

test("fuse structs: only the attributes that count are changed", () => {
  const bytes = Buffer.alloc(88);
  bytes.writeUInt32LE(0x1 | 0x8 | 0x10 | 0x100, 0);
  bytes.writeBigUInt64LE(1234n, 16);
  bytes.writeBigInt64LE(-2n, 32);
  bytes.writeUInt32LE(5, 56);
  bytes.writeUInt32LE(0o100644, 68);
  bytes.writeUInt32LE(99, 76);
  const changes = readSetattr(readerOf(bytes));
  assert.deepEqual(changes, { mode: 0o644, size: 1234, atimeNs: -1_999_999_995n, mtimeNs: "now" });
});

test("fuse structs: numbers, names and values beyond their limits are refused", () => {
  const setSize = Buffer.alloc(88, 0xff);
  assert.throws(() => readSetattr(readerOf(setSize)), { code: "EFBIG" });
  assert.throws(() => readName(readerOf(Buffer.from(`${"n".repeat(256)}\0`))), { code: "ENAMETOOLONG" });
  assert.throws(() => readName(readerOf(Buffer.from("a/b\0"))), { code: "EINVAL" });
  assert.throws(() => readName(readerOf(Buffer.from("\0"))), { code: "EINVAL" });
  assert.throws(() => readName(readerOf(Buffer.from("no end"))), { code: "EINVAL" });
  assert.throws(() => [...readForgets(readerOf(Buffer.from("ffffffff00000000", "hex")))], { code: "EINVAL" });
  assert.throws(() => [...readForgets(readerOf(Buffer.from("0100000000000000", "hex")))], { code: "EINVAL" });
  const tooLong = Buffer.concat([Buffer.from("ffffff7f0000000000000000", "hex"), Buffer.from("\0\0\0\0user.a\0value")]);
  assert.throws(() => readSetxattr(readerOf(tooLong), true), { code: "E2BIG" });
  const lying = Buffer.concat([Buffer.from("ff0000000000000000000000", "hex"), Buffer.from("\0\0\0\0user.a\0value")]);
  assert.throws(() => readSetxattr(readerOf(lying), true), { code: "EINVAL" });
  const range = Buffer.alloc(32, 0);
  range.fill(0xff, 8, 24);
  assert.throws(() => readFallocate(readerOf(range)), { code: "EFBIG" });
  const directory = Buffer.from("ed410000000000001200000000000000", "hex");
  assert.throws(() => readMknod(readerOf(directory)), { code: "EINVAL" });
});
