/** Whatever hangs is ended, and told: a process that a test runs, and a file of tests. */
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, test } from "node:test";
import { Program } from "./support/program.ts";

const folder = mkdtempSync(join(tmpdir(), "ouro-limits-"));
after(() => rmSync(folder, { recursive: true }));

test("a program that does not end is killed, and the run fails with what it was and said", async () => {
  const program = new Program(join(folder, "home"));
  // The second `sleep` is in another group, and holds the output.
  const below = ["sh", "-c", "echo begun; setsid sleep 4 & exec sleep 100"];
  const startMs = performance.now();
  await assert.rejects(program.run(["commit"], { cwd: folder, below, limitMs: 500 }), /commit.*begun/s);
  assert(performance.now() - startMs < 3000);
});

test("a file of tests that lets no timer go off is killed, and the next is run", () => {
  const [starving, fine] = [join(folder, "starving.test.mjs"), join(folder, "fine.test.mjs")];
  const begin = 'import { test } from "node:test";\n';
  writeFileSync(starving, `${begin}test("one", async () => { for (;;) await null; });`);
  writeFileSync(fine, `${begin}test("two", () => {});`);
  const args = [
    "--test",
    "--test-concurrency=1",
    "--test-timeout=300",
    `--test-global-setup=${import.meta.dirname}/support/file-limit.ts`,
  ];
  const { NODE_TEST_CONTEXT: _, ...env } = process.env;
  const ran = spawnSync(process.execPath, [...args, starving, fine], {
    env: { ...env, TEST_FILE_LIMIT_MS: "2000" },
    encoding: "utf8",
    timeout: 60_000,
    killSignal: "SIGKILL",
  });
  assert.equal(ran.status, 1, `${ran.signal} ${ran.stdout}`);
  assert.match(ran.stderr, /starving\.test\.mjs: killed, since it took more than 2 s/);
  assert.match(ran.stdout, /pass 1\n.*fail 1\n/s);
});
