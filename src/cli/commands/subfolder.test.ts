/** Commands below the top of a box: the paths that they print can be given back to them there. */
import assert from "node:assert/strict";
import { mkdirSync, renameSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { CliBox } from "../../../test/support/cli-box.ts";

const box = new CliBox({ "top.txt": "t\n", "docs/a.txt": "a\n", "docs/deep/b.txt": "b\n" });

async function inDocs(...args: string[]): Promise<string> {
  const { out, err, status } = await box.runIn("docs", ...args);
  assert.equal(status, 0, err);
  return out;
}

test("status tells paths from the current folder, --porcelain and --json from the top", async () => {
  box.write("docs/a.txt", "changed\n");
  mkdirSync(join(box.folder, "other"));
  renameSync(join(box.folder, "top.txt"), join(box.folder, "other/top.txt"));
  const lines = " M a.txt\n A ../other/\n R ../top.txt -> ../other/top.txt\n";
  assert.equal(await inDocs("status", "-s"), lines);
  assert.match(await inDocs("status"), /^ {2}changed: {2}a\.txt$/m);
  assert.match(await inDocs("status", "--porcelain"), /^ M docs\/a\.txt$/m);
  assert.match(await inDocs("status", "--json"), /"path":"docs\/a\.txt"/);
  await inDocs("add", "../other/top.txt");
  await inDocs("restore", "a.txt");
});

test("ls and du tell paths as their arguments are written", async () => {
  assert.equal(await inDocs("ls", "-R"), "a.txt\ndeep/\ndeep/b.txt\n");
  assert.equal(await inDocs("ls", ".."), "./\n../top.txt\n");
  assert.equal(await inDocs("ls", "HEAD:docs"), "docs/a.txt\ndocs/deep/\n");
  assert.equal(await inDocs("ls", "HEAD:./deep"), "deep/b.txt\n");
  assert.equal(await inDocs("cat", "deep/b.txt"), "b\n");
  assert.match(await inDocs("du"), / deep\n.* \.\n$/);
  assert.match(await inDocs("ls", "--json"), /"path":"docs\/a\.txt"/);
});
