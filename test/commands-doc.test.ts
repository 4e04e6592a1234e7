import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import { commandsDoc, commandsDocPath } from "../scripts/commands-doc.ts";

test("doc/commands.md is what the commands say of themselves (else run `node scripts/commands-doc.ts`)", async () => {
  assert.equal(readFileSync(commandsDocPath, "utf8"), await commandsDoc());
});
