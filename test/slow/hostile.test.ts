/** What somebody could make take for ever, at its real cost. */
import assert from "node:assert/strict";
import { writeFileSync } from "node:fs";
import { test } from "node:test";
import { encodeSummed } from "../../src/base/summed-json.ts";
import { useDeep } from "../support/hostile-depth.ts";
import { HostileRemote } from "../support/hostile-remote.ts";

test("ten thousand directories in each other are no trouble for any command", async () => {
  await useDeep(10_000);
});

test("many keys that cost all they may are not all tried", async () => {
  using remote = new HostileRemote();
  const hex = (text: string, bytes: number): string => Buffer.alloc(bytes, text).toString("hex");
  const key = {
    id: hex("i", 8),
    kdf: "argon2id",
    memory: 2 ** 20,
    passes: 16,
    lanes: 16,
    salt: hex("s", 16),
    nonce: hex("n", 12),
    wrapped: hex("w", 48),
  };
  const config = {
    format: 1,
    minReader: 1,
    box: hex("b", 16),
    hash: "blake3",
    suite: "aes-256-gcm",
    chunk: { min: 256, avg: 1024, max: 4096 },
    keys: Array.from({ length: 60 }, () => key),
  };
  writeFileSync(remote.path("remote/config"), encodeSummed(config));
  const started = process.hrtime.bigint();
  const { error } = await remote.clone();
  assert.equal(error?.kind, "wrong-key");
  // One of them takes about 15 s on one processor.
  assert(process.hrtime.bigint() - started < 100_000_000_000n);
});
