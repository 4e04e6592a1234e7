/** What `restore` says: names that are not UTF-8, and each warning once. */
import assert from "node:assert/strict";
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { runCli } from "../../../test/support/cli.ts";
import { CliBox } from "../../../test/support/cli-box.ts";

const box = new CliBox({ "a.txt": "a\n", "d/b.txt": "b\n" });
/** "café" in Latin-1. */
const cafe = Buffer.from("caf\xe9", "latin1");
const inBox = (name: Buffer): Buffer => Buffer.concat([Buffer.from(`${box.folder}/`), name]);

test("a name that is not UTF-8 is told as it can be typed, in errors and warnings", async () => {
  const options = { cwd: box.folder, env: box.env, argumentBytes: [Buffer.from("restore"), cafe] };
  const { err } = await runCli(["restore", "caf\ufffd"], options);
  assert.match(
    err,
    /^ourobox: Cannot restore \$'caf\\351': it is not in [0-9a-f]{12}\nRun `ourobox log -- \$'caf\\351'` /,
  );
  writeFileSync(inBox(cafe), "coffee\n");
  await box.ok("commit");
  const target = join(box.top, "target");
  mkdirSync(Buffer.concat([Buffer.from(`${target}/`), cafe, Buffer.from("/in")]), { recursive: true });
  assert.match((await box.run("restore", "--target", target)).err, /^warning: \$'caf\\351': left alone, /);
});

test("what is wrong in the folder is told once, however often restore looks at it", async () => {
  box.write(".OuroBox/f", "x\n");
  box.write("a.txt", "changed\n");
  const { err, status } = await box.run("restore", ".");
  assert.equal(err.match(/^warning: \.OuroBox: left alone/gm)?.length, 1);
  assert.equal(status, 3, err);
});
