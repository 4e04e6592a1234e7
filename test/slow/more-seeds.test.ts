/** The random tests of what takes longest, with other seeds than in the fast tests, and more of them. */
import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { join } from "node:path";
import { test } from "node:test";

const root = join(import.meta.dirname, "../..");
const seeds = "1001-1012";
const files = [
  "src/app/branch-work.test.ts",
  "src/app/kept-numbers.test.ts",
  "src/app/live-layer.test.ts",
  "src/app/live-staged.test.ts",
  "test/sim/folders.test.ts",
];

for (const file of files) {
  test(`${file}, seeds ${seeds}`, async (t) => {
    const args = ["--test-name-pattern=SEED=", "--test-reporter=tap", join(root, file)];
    const { NODE_TEST_CONTEXT: _, ...env } = process.env;
    const child = spawn(process.execPath, args, {
      cwd: root,
      env: { ...env, SEED: seeds },
      stdio: ["ignore", "pipe", "inherit"],
    });
    let out = "";
    child.stdout.setEncoding("utf8").on("data", (text: string) => {
      out += text;
    });
    const [status] = (await once(child, "close")) as [number | null];
    assert.equal(status, 0, out.slice(-8000));
    const passed = out.match(/^ok .*SEED=/gm)?.length ?? 0;
    assert.ok(passed >= 12, `${passed} have run: ${out.slice(-2000)}`);
    t.diagnostic(`${passed} passed`);
  });
}
