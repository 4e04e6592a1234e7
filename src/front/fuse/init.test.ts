import assert from "node:assert/strict";
import { test } from "node:test";
import { agree, type InitRequest, putInitOut, readInit } from "./init.ts";
import { initFlags, initFlags2 } from "./kernel.ts";
import { defaultBehaviour } from "./options.ts";
import { StructReader } from "./struct-reader.ts";

const all = 0xffff_ffff;
const offer = (more: Partial<InitRequest>): InitRequest => ({
  major: 7,
  minor: 45,
  readAheadBytes: 131_072,
  flags: all,
  flags2: all,
  ...more,
});

test("fuse init: only what the kernel offers is asked for", () => {
  const offered = initFlags.asyncRead | initFlags.maxPages | initFlags.posixLocks;
  const agreement = agree(offer({ flags: offered, flags2: 0 }), defaultBehaviour);
  assert.equal(agreement?.flags, initFlags.asyncRead | initFlags.maxPages);
  assert.equal(agreement?.flags2, 0);
});

test("fuse init: both versions with and without the second word of flags are read", () => {
  const old = Buffer.alloc(16);
  [7, 31, 131_072, 0x00ff_ffff].forEach((word, index) => {
    old.writeUInt32LE(word, index * 4);
  });
  assert.deepEqual(readInit(new StructReader(old, 0, 16)), offer({ minor: 31, flags: 0x00ff_ffff, flags2: 0 }));
  const current = Buffer.alloc(64);
  [7, 45, 131_072, 0x73ff_ffff, 0x1f7].forEach((word, index) => {
    current.writeUInt32LE(word, index * 4);
  });
  assert.deepEqual(readInit(new StructReader(current, 0, 64)), offer({ flags: 0x73ff_ffff, flags2: 0x1f7 }));
});

test("fuse init: a later major version is asked again, an old one refused", () => {
  assert.equal(agree(offer({ major: 8 }), defaultBehaviour), undefined);
  for (const old of [offer({ major: 6 }), offer({ minor: 30 })]) {
    assert.throws(() => agree(old, defaultBehaviour), { code: "EPROTO" });
  }
});

test("fuse init: without max_pages a request has 128 KiB at most", () => {
  assert.equal(agree(offer({ flags: all & ~initFlags.maxPages }), defaultBehaviour)?.writeBytesMax, 131_072);
  assert.equal(agree(offer({}), defaultBehaviour)?.writeBytesMax, 1_048_576);
});

test("fuse init: passthrough and the write-back cache are never asked for together", () => {
  const both = agree(offer({}), { ...defaultBehaviour, passthrough: true, writebackCache: true });
  assert.equal((both?.flags2 ?? all) & initFlags2.passthrough, 0);
  const behaviour = { ...defaultBehaviour, passthrough: true };
  const one = agree(offer({}), behaviour);
  assert.ok(
    one !== undefined && (one.flags2 & initFlags2.passthrough) !== 0 && (one.flags & initFlags.writebackCache) === 0,
  );
  const reply = Buffer.alloc(64, 0xee);
  assert.equal(putInitOut(reply, 0, one, behaviour), 64);
  // Major, minor, and how deep file systems may be stacked.
  assert.deepEqual([reply.readUInt32LE(0), reply.readUInt32LE(4), reply.readUInt32LE(36)], [7, 45, 1]);
  assert.ok(reply.subarray(40).equals(Buffer.alloc(24)));
});

test("fuse init: opens are left out only where they were asked to be, and then truncation is no part of them", () => {
  const agreement = agree(offer({}), { ...defaultBehaviour, withoutOpens: true });
  const flags = agreement?.flags ?? 0;
  assert.ok((flags & initFlags.noOpenSupport) !== 0 && (flags & initFlags.atomicTruncate) === 0);
});
