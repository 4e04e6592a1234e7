import assert from "node:assert/strict";
import { createCipheriv } from "node:crypto";
import { test } from "node:test";
import { testSeeds } from "../../test/support/seeds.ts";
import { openSealed, type SealedPiece, tagBytes } from "./aes-gcm.ts";

function seal(bytes: Uint8Array, { key, nonce, header }: Omit<SealedPiece, "sealed">): Uint8Array {
  const cipher = createCipheriv("aes-256-gcm", key, nonce);
  cipher.setAAD(header);
  return Buffer.concat([cipher.update(bytes), cipher.final(), cipher.getAuthTag()]);
}

/** Opened by Node's own functions, from here on by OpenSSL's. */
const lengths = [0, 1, 15, 16, 17, 4096, 16 * 1024 - tagBytes - 1, 16 * 1024 - tagBytes, 65_537, 1_000_003];

testSeeds(
  "aes-gcm: a piece opens to what was sealed, wherever it lies in memory, and one that is changed does not",
  3,
  (prng) => {
    for (const length of lengths) {
      const [key, nonce, header] = [prng.bytes(32), prng.bytes(12), prng.bytes(64)];
      const bytes = prng.bytes(length);
      const memory = Buffer.concat([Buffer.alloc(7), seal(bytes, { key, nonce, header }), Buffer.alloc(3)]);
      const sealed = memory.subarray(7, memory.length - 3);
      const into = Buffer.alloc(length + 5, 0xee);
      const open = (piece: Partial<SealedPiece> = {}): boolean =>
        openSealed({ key, nonce, header, sealed, ...piece }, into.subarray(5));
      assert.equal(open(), true);
      assert.deepEqual(into, Buffer.concat([Buffer.alloc(5, 0xee), bytes]));
      for (const part of ["key", "nonce", "header", "sealed"] as const) {
        const changed = new Uint8Array({ key, nonce, header, sealed }[part]);
        const at = prng.int(0, changed.length - 1);
        changed[at] = (changed[at] as number) ^ 1;
        assert.equal(open({ [part]: changed }), false, `${part} of ${length} bytes`);
        assert.ok(into.subarray(5).every((byte) => byte === 0));
      }
      assert.equal(open(), true);
    }
  },
);

test("aes-gcm: a tag of nothing that is not right does not open", () => {
  const [key, nonce, header] = [new Uint8Array(32), new Uint8Array(12), new Uint8Array(0)];
  assert.equal(openSealed({ key, nonce, header, sealed: new Uint8Array(tagBytes) }, new Uint8Array(0)), false);
});
