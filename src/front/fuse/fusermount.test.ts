import assert from "node:assert/strict";
import { mkdtempSync, rmdirSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { isKind, OuroError } from "../../base/errors.ts";
import { unmountAsUser } from "./fusermount.ts";

test("what fusermount3 may not take away is not said to be in use", async (t) => {
  const directory = mkdtempSync(join(tmpdir(), "ourobox-fusermount-"));
  try {
    const failure = await unmountAsUser(directory).catch((thrown: unknown) => thrown);
    if (isKind(failure, "unsupported")) return t.skip("there is no fusermount3");
    assert.ok(failure instanceof OuroError && failure.kind === "permission", String(failure));
    assert.match(failure.message, /^Cannot unmount .*: /);
  } finally {
    rmdirSync(directory);
  }
});
