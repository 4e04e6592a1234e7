/**
 * Golden bytes of what is on a remote beside packs: index files, heads, condemned lists, retentions, sealed and plain, and the identity with a
 * wrapped key. Version 1 writes them so, and every later version must go on reading them.
 *
 * The values below are fixed, and so are the files in v1/. A released file is never changed: a new version of a format gets
 * files of its own beside it. `GOLDEN=write` writes files that are missing and no others.
 */
import assert from "node:assert/strict";
import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { test } from "node:test";
import { fromHex, toHex, utf8 } from "../../src/base/bytes.ts";
import {
  type BlobKind,
  type BoxIdentity,
  type BoxSecrets,
  decodeCondemned,
  decodeHead,
  decodeIdentity,
  decodeIndexFile,
  decodeSignedRetention,
  defaultChunkSizes,
  encodeCondemned,
  encodeHead,
  encodeIdentity,
  encodeIndexFile,
  encodeSignedRetention,
  findNote,
  type Head,
  openBlob,
  sealBlob,
  unwrapKey,
  withNote,
  wrapKey,
} from "../../src/format/mod.ts";
import { SigningKey, verifySignature } from "../../src/peer/mod.ts";

const fill = (byte: number, length = 32): Uint8Array => new Uint8Array(length).fill(byte);
const box = fill(0xb0, 16);
const sealed: BoxSecrets = { box, suite: "aes-256-gcm", hash: "blake3", key: fill(0x5e) };
const plain: BoxSecrets = { box, suite: "plain", hash: "sha256" };
const random = (length: number): Uint8Array => fill(0x77, length);
const key = new SigningKey(fill(0x11));

const index = encodeIndexFile({
  packs: [
    { name: fill(1), class: "content", size: 33_554_432, directorySize: 60_016, objects: 512 },
    { name: fill(2), class: "meta", size: 4000, directorySize: 300, objects: 7 },
  ],
  replaces: [fill(3), fill(4)],
});
const head: Head = {
  writer: 0x0102_0304_0506_0708n,
  branch: "main",
  commit: fill(5),
  last: { clock: 0x0191_2345_6789_0001n, id: fill(6) },
  peer: key.publicKey,
  peerName: "büro",
  tags: [
    { name: "v1", clock: 0x0191_2345_6789_0000n, writer: 9n, commit: fill(7) },
    { name: "weg", clock: 0x0191_2345_6789_0002n, writer: 9n },
  ],
};
const freshHead: Head = { writer: 1n, branch: "main", commit: fill(5), peer: key.publicKey, peerName: "", tags: [] };
const sign = (message: Uint8Array): Uint8Array => key.sign(message);

function golden(name: string, make: () => Uint8Array): Uint8Array {
  const path = `${import.meta.dirname}/v1/${name}.hex`;
  if (!existsSync(path) && process.env["GOLDEN"] === "write") {
    const lines = toHex(make()).match(/.{1,128}/g) ?? [];
    writeFileSync(path, `${lines.join("\n")}\n`);
  }
  const text = readFileSync(path, "utf8").replaceAll("\n", "");
  return fromHex(text, text.length / 2);
}

function testBlob(name: string, secrets: BoxSecrets, kind: BlobKind, payload: Uint8Array, again: (bytes: Uint8Array) => Uint8Array): void {
  test(`golden v1 ${name}: written so, read and written again so`, () => {
    const make = (): Uint8Array => sealBlob(secrets, kind, payload, random);
    const bytes = golden(name, make);
    assert.equal(toHex(make()), toHex(bytes));
    assert.equal(toHex(again(openBlob(secrets, kind, bytes, name))), toHex(payload));
  });
}

const headAgain = (bytes: Uint8Array): Uint8Array => encodeHead(decodeHead(bytes, box, verifySignature, "head"), box, sign);
const indexAgain = (bytes: Uint8Array): Uint8Array => encodeIndexFile(decodeIndexFile(bytes, "index"));

testBlob("blob-index-sealed", sealed, "index", index, indexAgain);
testBlob("blob-index-plain", plain, "index", index, indexAgain);
testBlob("blob-head-sealed", sealed, "head", encodeHead(head, box, sign), headAgain);
testBlob("blob-head-plain", plain, "head", encodeHead(freshHead, box, sign), headAgain);
testBlob("blob-condemned-sealed", sealed, "condemned", encodeCondemned([fill(2), fill(1)]), (bytes) =>
  encodeCondemned(decodeCondemned(bytes, "condemned")),
);
testBlob("blob-index-salted", plain, "index", encodeIndexFile({ packs: [], replaces: [fill(3)] }, fill(9, 16)), (bytes) =>
  encodeIndexFile(decodeIndexFile(bytes, "index"), fill(9, 16)),
);
const retention = {
  seen: [
    { writer: 1n, clock: 0x0191_2345_6789_0000n },
    { writer: 0x0102_0304_0506_0708n, clock: 0x0191_2345_6789_0001n },
  ],
  kept: [fill(5), fill(7)],
};
testBlob(
  "blob-retention-sealed",
  sealed,
  "retention",
  encodeSignedRetention({ writer: head.writer, peer: key.publicKey, ...retention }, box, sign),
  (bytes) => encodeSignedRetention(decodeSignedRetention(bytes, box, verifySignature, "retention"), box, sign),
);

test("golden v1 identity: written so, read so, and its key opens with the passphrase", async () => {
  const wrapped = await wrapKey(fill(0x5e), box, "correct horse", { random });
  const identity: BoxIdentity = { box, hash: "blake3", suite: "aes-256-gcm", chunk: defaultChunkSizes, keys: [wrapped] };
  const text = golden("identity-remote", () => utf8(encodeIdentity(identity)));
  assert.equal(encodeIdentity(identity), Buffer.from(text).toString());
  const read = decodeIdentity(Buffer.from(text).toString(), "identity");
  assert.deepEqual(read.keys?.map(({ memoryKiB, passes, lanes }) => [memoryKiB, passes, lanes]), [[65_536, 3, 4]]);
  assert.equal(toHex(await unwrapKey(read.keys ?? [], box, "correct horse")), toHex(fill(0x5e)));
});

test("golden v1 identity of a plain box: written so, read so", () => {
  const identity: BoxIdentity = { box, hash: "sha256", suite: "plain", chunk: { min: 256, avg: 1024, max: 4096 } };
  const text = Buffer.from(golden("identity-plain", () => utf8(encodeIdentity(identity)))).toString();
  assert.equal(encodeIdentity(identity), text);
  assert.equal(encodeIdentity(decodeIdentity(text, "identity")), text);
});

test("golden v1 list of keys: written so, read so, with its notes and what is removed", async () => {
  const note = { label: "büro", kind: "recovery", madeMs: 1_700_000_000_000, peer: "ada@desk" } as const;
  const wrapped = await wrapKey(fill(0x5e), box, "ouro-BSF5G-WQJYR-BSF5J-WQJYT-BSF5M-WQJYW-BV19Z-N0BFH", { random });
  const noted = withNote(wrapped, note, { secrets: sealed, random });
  const { hash, suite } = sealed;
  const list: BoxIdentity = { box, hash, suite, chunk: defaultChunkSizes, keys: [noted], removed: [fill(8, 8)] };
  const text = Buffer.from(golden("key-list", () => utf8(encodeIdentity(list)))).toString();
  assert.equal(encodeIdentity(list), text);
  const read = decodeIdentity(text, "list");
  assert.equal(encodeIdentity(read), text);
  const [key] = read.keys ?? [];
  assert(key !== undefined);
  assert.deepEqual(findNote(sealed, key), note);
  const typed = "OURO bsf5g wqjyr bsf5j wqjyt bsf5m wqjyw bvi9z nobfh";
  assert.equal(toHex(await unwrapKey([key], box, typed)), toHex(fill(0x5e)));
});
