import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { testSeeds } from "../../test/support/seeds.ts";
import { ByteWriter, copyBytes } from "../base/bytes.ts";
import { isKind } from "../base/errors.ts";
import type { Prng } from "../base/prng.ts";
import type { FrameMethod } from "./frame.ts";
import {
  decodePackDirectory,
  decodePackTrailer,
  directoryHash,
  encodePackTrailer,
  type MetaKind,
  metaKindCodes,
  type PackClass,
  PackDirectoryWriter,
  packLimits,
} from "./pack.ts";

const isCorrupt = (error: unknown): boolean => isKind(error, "corrupt");

interface Row {
  readonly sealed: number;
  readonly method: FrameMethod;
  readonly objects: readonly {
    readonly hash: Uint8Array;
    readonly length: number;
    readonly kind: MetaKind | undefined;
  }[];
}

function randomRows(prng: Prng, packClass: PackClass): Row[] {
  return Array.from({ length: prng.int(1, 8) }, () => {
    const objects = Array.from({ length: prng.int(1, 20) }, () => ({
      hash: prng.bytes(32),
      length: prng.int(1, 5000),
      kind: packClass === "meta" ? prng.pick(Object.keys(metaKindCodes) as MetaKind[]) : undefined,
    }));
    const length = lengthOf(objects);
    const raw = prng.chance(0.5) || length < 3;
    return { sealed: (raw ? length : prng.int(1, length - 1)) + 16, method: raw ? 0 : 1, objects };
  });
}

function lengthOf(objects: Row["objects"]): number {
  return objects.reduce((sum, { length }) => sum + length, 0);
}

function encode(rows: readonly Row[], packClass: PackClass): { readonly bytes: Uint8Array; readonly end: number } {
  const writer = new PackDirectoryWriter(packClass);
  let end = 64;
  for (const { sealed, method, objects } of rows) {
    writer.addFrame(sealed, method, lengthOf(objects), objects.length);
    for (const { hash, length, kind } of objects) writer.addObject(hash, length, kind);
    end += sealed;
  }
  return { bytes: copyBytes(writer.finish()), end };
}

testSeeds("a directory reads back as it was written", 20, (prng) => {
  for (const packClass of ["content", "meta"] as const) {
    const rows = randomRows(prng, packClass);
    const { bytes, end } = encode(rows, packClass);
    const directory = decodePackDirectory(bytes, packClass, end, 16, "pack x");
    assert.equal(directory.frames, rows.length);
    let [object, offset] = [0, 64];
    for (const [frame, { sealed, method, objects }] of rows.entries()) {
      assert.equal(directory.frameOffsets[frame], offset);
      assert.equal(directory.frameSealed[frame], sealed);
      assert.equal(directory.frameMethods[frame], method);
      assert.equal(directory.frameObjects[frame], object);
      let at = 0;
      for (const { hash, length, kind } of objects) {
        assert.deepEqual(Buffer.from(directoryHash(directory, object)), Buffer.from(hash));
        assert.equal(directory.objectOffsets[object], at);
        assert.equal(directory.objectLengths[object], length);
        assert.equal(directory.kinds[object], kind === undefined ? 0 : metaKindCodes[kind]);
        at += length;
        object += 1;
      }
      offset += sealed;
    }
    assert.equal(directory.objects, object);
  }
});

/** Goal: no bytes hang, crash or make the decoder allocate much. Method: noise, flips, cuts and insertions. */
testSeeds("a damaged directory is refused or is another directory of the same form", 20, (prng) => {
  const { bytes, end } = encode(randomRows(prng, "meta"), "meta");
  for (let times = 0; times < 100; times += 1) {
    const damaged = copyBytes(bytes);
    for (let flips = prng.int(1, 3); flips > 0; flips -= 1) damaged[prng.int(0, damaged.length - 1)] = prng.int(0, 255);
    const input = prng.chance(0.2) ? damaged.subarray(0, prng.int(0, damaged.length)) : damaged;
    try {
      const directory = decodePackDirectory(input, "meta", end, 16, "pack x");
      const last = directory.frames - 1;
      assert.equal((directory.frameOffsets[last] as number) + (directory.frameSealed[last] as number), end);
    } catch (error) {
      assert(isCorrupt(error), String(error));
    }
  }
});

test("random bytes are no directory and no trailer", () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 2000 }), fc.boolean(), fc.nat(5000), (bytes, meta, end) => {
      try {
        decodePackDirectory(bytes, meta ? "meta" : "content", end, 0, "pack x");
      } catch (error) {
        assert(isCorrupt(error), String(error));
      }
      assert.throws(() => decodePackTrailer(bytes, end, 0, "pack x"), isCorrupt);
    }),
    { numRuns: 500 },
  );
});

test("counts and lengths that promise more than there is are refused before anything is allocated", () => {
  const frame = (sealed: number, method: number, length: number, count: number): ByteWriter =>
    new ByteWriter().varint(1).varint(sealed).u8(method).varint(length).varint(count);
  const hash = new Uint8Array(32);
  const bad: readonly [string, Uint8Array][] = [
    [
      "many frames",
      new ByteWriter()
        .varint(2 ** 20)
        .bytes(new Uint8Array(100))
        .finish(),
    ],
    [
      "too many frames",
      new ByteWriter()
        .varint(2 ** 20 + 1)
        .bytes(new Uint8Array(100))
        .finish(),
    ],
    ["no frames", new ByteWriter().varint(0).finish()],
    [
      "many objects",
      frame(100, 0, 100, 2 ** 16)
        .bytes(hash)
        .varint(100)
        .finish(),
    ],
    [
      "too many objects",
      frame(100, 0, 100, 2 ** 16 + 1)
        .bytes(hash)
        .varint(100)
        .finish(),
    ],
    ["no objects", frame(100, 0, 100, 0).finish()],
    [
      "a huge frame",
      frame(2 ** 40, 0, 100, 1)
        .bytes(hash)
        .varint(100)
        .finish(),
    ],
    [
      "a frame of 17 MiB",
      frame(100, 1, 17 * 2 ** 20, 1)
        .bytes(hash)
        .varint(17 * 2 ** 20)
        .finish(),
    ],
    ["an unknown method", frame(100, 2, 100, 1).bytes(hash).varint(100).finish()],
    ["a raw frame of two lengths", frame(99, 0, 100, 1).bytes(hash).varint(100).finish()],
    ["a compressed frame that grew", frame(100, 1, 100, 1).bytes(hash).varint(100).finish()],
    ["an object that is longer than its frame", frame(100, 0, 100, 1).bytes(hash).varint(101).finish()],
    ["an object that is shorter than its frame", frame(100, 0, 100, 1).bytes(hash).varint(99).finish()],
    ["an empty object", frame(100, 0, 100, 2).bytes(hash).varint(0).bytes(hash).varint(100).finish()],
    ["bytes after its end", frame(100, 0, 100, 1).bytes(hash).varint(100).u8(0).finish()],
  ];
  const good = frame(100, 0, 100, 1).bytes(hash).varint(100).finish();
  assert.equal(decodePackDirectory(good, "content", 164, 0, "pack x").objects, 1);
  for (const [what, bytes] of bad)
    assert.throws(() => decodePackDirectory(bytes, "content", 164, 0, "pack x"), isCorrupt, what);
  for (const end of [163, 165]) assert.throws(() => decodePackDirectory(good, "content", end, 0, "pack x"), isCorrupt);
  assert.throws(() => decodePackDirectory(good, "meta", 164, 0, "pack x"), isCorrupt);
});

test("a trailer accounts for the whole file", () => {
  const bytes = encodePackTrailer({ offset: 1000, length: 200 });
  assert.deepEqual(decodePackTrailer(bytes, 1232, 16, "pack x"), { offset: 1000, length: 200 });
  for (const size of [1231, 1233, 100, packLimits.bytes + 1])
    assert.throws(() => decodePackTrailer(bytes, size, 16, "pack x"), isCorrupt);
  assert.throws(
    () => decodePackTrailer(encodePackTrailer({ offset: 63, length: 1137 }), 1232, 16, "pack x"),
    isCorrupt,
  );
  assert.throws(
    () => decodePackTrailer(encodePackTrailer({ offset: 1000, length: 15 }), 1047, 16, "pack x"),
    isCorrupt,
  );
  for (let bit = 0; bit < bytes.length * 8; bit += 1) {
    const flipped = copyBytes(bytes);
    flipped[bit >> 3] = (flipped[bit >> 3] as number) ^ (1 << (bit & 7));
    assert.throws(() => decodePackTrailer(flipped, 1232, 16, "pack x"), isCorrupt, `bit ${bit}`);
  }
});
