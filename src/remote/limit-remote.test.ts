import assert from "node:assert/strict";
import { test } from "node:test";
import { FakeS3 } from "../../test/support/fake-s3.ts";
import { systemClock } from "../base/clock.ts";
import { isKind } from "../base/errors.ts";
import { nodeDisk } from "../base/node-disk.ts";
import { LimitRemote, RateLimit } from "./limit-remote.ts";
import { S3Remote } from "./s3/s3-remote.ts";
import { parseS3Url } from "./s3/s3-url.ts";

test("limit: bytes have their time one after another, and none is saved up", async () => {
  let nowMs = 1000;
  const waits: number[] = [];
  const limit = new RateLimit(1_000_000, { nowMs: () => nowMs });
  const take = async (count: number): Promise<void> => {
    const before = performance.now();
    await limit.take(count);
    waits.push(Math.round(performance.now() - before));
  };
  await Promise.all([take(10_000), take(20_000)]);
  assert.ok((waits[0] ?? 0) >= 9, `${waits}`);
  assert.ok((waits[1] ?? 0) >= 29, `${waits}`);
  nowMs += 3_600_000;
  await take(10_000);
  assert.ok((waits[2] ?? 0) >= 9, `${waits}`);
  await assert.rejects(limit.take(60_000_000, AbortSignal.timeout(20)), (thrown) => isKind(thrown, "aborted"));
});

test("limit: every byte of a blob that goes up or comes down is waited for", async () => {
  await using server = await FakeS3.start();
  const url = "s3://bucket/a";
  const random = (length: number): Uint8Array => new Uint8Array(length);
  const inner = new S3Remote(parseS3Url(url), url, {
    disk: nodeDisk,
    random,
    clock: systemClock,
    env: server.env,
    create: true,
  });
  await using remote = new LimitRemote(inner, { upload: 50_000_000, download: 50_000_000 }, systemClock);
  const blob = new Uint8Array(3_000_000).fill(7);
  let passed = 0;
  const count = (bytes: number): void => {
    passed += bytes;
  };
  const start = performance.now();
  await remote.put("packs/a", blob, { onBytes: count });
  assert.deepEqual(await remote.get("packs/a", { onBytes: count }), blob);
  assert.equal(passed, 2 * blob.length);
  // Whatever the machine does, it cannot be quicker than the limit.
  assert.ok(performance.now() - start >= 100);
});
