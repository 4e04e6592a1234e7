import assert from "node:assert/strict";
import { test } from "node:test";
import { utf8 } from "../base/bytes.ts";
import { jsonPath } from "./quote.ts";

test("--json has the bytes of a path beside its text only where that is not UTF-8", () => {
  assert.deepEqual(jsonPath(utf8("a/b")), { path: "a/b" });
  assert.deepEqual(jsonPath(Uint8Array.of(0xff)), { path: "\ufffd", pathBytes: "/w==" });
});
