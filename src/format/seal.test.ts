import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import { test } from "node:test";
import { testSeeds } from "../../test/support/seeds.ts";
import { copyBytes } from "../base/bytes.ts";
import { isKind } from "../base/errors.ts";
import { type BoxSecrets, Seal, sealHeaderBytes } from "./seal.ts";

const sealed: BoxSecrets = { box: Buffer.alloc(16, 1), suite: "aes-256-gcm", hash: "blake3", key: Buffer.alloc(32, 2) };
const plain: BoxSecrets = { box: Buffer.alloc(16, 1), suite: "plain", hash: "blake3" };

testSeeds("a piece opens where it was sealed and nowhere else", 5, (prng) => {
  const seal = Seal.create(sealed, "pack", 1, randomBytes);
  const [offset, bytes] = [prng.int(64, 2 ** 30), prng.bytes(prng.int(0, 5000))];
  const piece = seal.sealPiece(offset, bytes);
  assert.equal(piece.length, bytes.length + seal.overhead);
  const again = Seal.open(sealed, "pack", seal.header, "pack x");
  assert.deepEqual(again.openPiece(offset, piece, "pack x"), bytes);
  const corrupt = (error: unknown): boolean => isKind(error, "corrupt");
  assert.throws(() => again.openPiece(offset + 1, piece, "pack x"), corrupt);
  const flipped = copyBytes(piece);
  const at = prng.int(0, flipped.length - 1);
  flipped[at] = (flipped[at] as number) ^ (1 << prng.int(0, 7));
  assert.throws(() => again.openPiece(offset, flipped, "pack x"), corrupt);
  assert.throws(() => again.openPiece(offset, piece.subarray(0, prng.int(0, piece.length - 1)), "pack x"), corrupt);
  const other = Seal.create(sealed, "pack", 1, randomBytes);
  assert.throws(() => other.openPiece(offset, piece, "pack y"), corrupt);
  const into = Buffer.alloc(bytes.length + 100);
  assert.equal(seal.sealPieceInto(offset, bytes, into, 50), piece.length);
  assert.deepEqual(into.subarray(50, 50 + piece.length), Buffer.from(piece));
});

test("every bit of a header counts", () => {
  for (const secrets of [sealed, plain]) {
    const { header } = Seal.create(secrets, "pack", 2, randomBytes);
    const piece = Seal.open(secrets, "pack", header, "pack x").sealPiece(64, Buffer.from("hello"));
    for (let bit = 0; bit < sealHeaderBytes * 8; bit += 1) {
      const flipped = Buffer.from(header);
      flipped[bit >> 3] = (flipped[bit >> 3] as number) ^ (1 << (bit & 7));
      // The type is the caller's to look at; a plain file's version that is newer, with an old minimum, is fine.
      if (bit >> 3 === 13 || (bit >> 3 >= 8 && bit >> 3 < 10)) continue;
      assert.throws(
        () => Seal.open(secrets, "pack", flipped, "pack x").openPiece(64, piece, "pack x"),
        (error) => isKind(error),
        `bit ${bit}`,
      );
    }
  }
});

test("files of a newer format, another box and another kind are told apart", () => {
  const { header } = Seal.create(sealed, "pack", 1, randomBytes);
  const newer = Buffer.from(header);
  newer.writeUInt16LE(7, 8);
  newer.writeUInt16LE(7, 10);
  assert.throws(
    () => Seal.open(sealed, "pack", newer, "x"),
    (error) => isKind(error, "newer-format"),
  );
  assert.throws(
    () => Seal.open({ ...sealed, box: Buffer.alloc(16, 9) }, "pack", header, "x"),
    (error) => isKind(error, "wrong-key"),
  );
  assert.throws(
    () => Seal.open(sealed, "blob", header, "x"),
    (error) => isKind(error, "corrupt"),
  );
  assert.throws(
    () => Seal.open(plain, "pack", header, "x"),
    (error) => isKind(error, "corrupt"),
  );
  const { key: _, ...keyless } = sealed;
  assert.throws(
    () => Seal.open(keyless, "pack", header, "x"),
    (error) => isKind(error, "wrong-key"),
  );
  assert.throws(
    () => Seal.open(sealed, "pack", header.subarray(0, 63), "x"),
    (error) => isKind(error, "corrupt"),
  );
});
