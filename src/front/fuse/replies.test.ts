import assert from "node:assert/strict";
import { closeSync, mkdtempSync, openSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { Replies } from "./replies.ts";

test("replies: after the end nothing is written, whatever the descriptor is by then", () => {
  const folder = mkdtempSync(join(tmpdir(), "ouro-replies-"));
  const path = join(folder, "device");
  const fd = openSync(path, "w");
  try {
    const replies = new Replies(fd);
    replies.done(1);
    const before = readFileSync(path);
    assert.ok(before.length > 0);
    replies.end();
    replies.done(2);
    replies.error(3, 5);
    replies.data(4, [Buffer.alloc(10)]);
    replies.data(5, [Buffer.alloc(100_000)]);
    assert.equal(
      replies.struct(6, () => 8),
      false,
    );
    assert.deepEqual(readFileSync(path), before);
  } finally {
    closeSync(fd);
    rmSync(folder, { recursive: true });
  }
});
