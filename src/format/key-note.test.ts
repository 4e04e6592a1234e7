import assert from "node:assert/strict";
import { test } from "node:test";
import { copyBytes } from "../base/bytes.ts";
import { isKind } from "../base/errors.ts";
import { Prng } from "../base/prng.ts";
import { findNote, type KeyNote, withNote } from "./key-note.ts";
import { wrapKey } from "./key-wrap.ts";
import type { BoxSecrets } from "./seal.ts";

const prng = new Prng(1);
const random = (length: number): Uint8Array => prng.bytes(length);
const secrets = { box: random(16), suite: "aes-256-gcm", hash: "blake3", key: random(32) } satisfies BoxSecrets;
const cost = { memoryKiB: 64, passes: 1, lanes: 1 };
const note: KeyNote = { label: "büro, third drawer", kind: "recovery", madeMs: 1_700_000_000_000, peer: "ada@desk" };
const wrap = () => wrapKey(secrets.key, secrets.box, "secret", { random, cost });

test("key note: what is said of a key comes back, and is not to be read in its bytes", async () => {
  const noted = withNote(await wrap(), note, { secrets, random });
  assert.deepEqual(findNote(secrets, noted), note);
  assert.equal(Buffer.from(noted.note ?? []).includes("drawer"), false);
  assert.equal(findNote(secrets, await wrap()), undefined);
});

test("key note: of another key, of another box, or changed, it says nothing", async () => {
  const [one, other] = [withNote(await wrap(), note, { secrets, random }), await wrap()];
  const { note: bytes } = one;
  assert(bytes !== undefined);
  assert.equal(findNote(secrets, { ...other, note: bytes }), undefined);
  assert.equal(findNote(secrets, { ...one, id: other.id }), undefined);
  assert.equal(findNote(secrets, { ...one, wrapped: other.wrapped }), undefined);
  assert.equal(findNote({ ...secrets, key: random(32) }, one), undefined);
  for (let at = 0; at < bytes.length; at += 1) {
    const flipped = copyBytes(bytes);
    flipped[at] = (flipped[at] as number) ^ (1 << prng.int(0, 7));
    assert.equal(findNote(secrets, { ...one, note: flipped }), undefined);
  }
});

test("key note: labels are short and have no control characters", async () => {
  const key = await wrap();
  for (const label of ["", "  ", "a\nb", "\u001b[2J", "x".repeat(65), "\ud800"])
    assert.throws(
      () => withNote(key, { ...note, label }, { secrets, random }),
      (thrown) => isKind(thrown, "invalid"),
    );
});
