/** Two machines that never meet, through a bucket; the server keeps conditions, or lies about them. */
import assert from "node:assert/strict";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, test } from "node:test";
import { runCli } from "../support/cli.ts";
import { FakeS3 } from "../support/fake-s3.ts";
import { startS3rver } from "../support/s3rver.ts";

const fake = await FakeS3.start();
const s3rver = await startS3rver();
after(async () => {
  await fake[Symbol.asyncDispose]();
  await s3rver[Symbol.asyncDispose]();
});

const servers = [
  { name: "a server that keeps conditions", env: fake.env, verdict: "cas" },
  { name: "a server that lies", env: s3rver.env, verdict: "lying" },
];
for (const { name, env: serverEnv, verdict } of servers) {
  test(`s3: a box goes from machine to machine through ${name}`, async () => {
    const top = mkdtempSync(join(tmpdir(), "ouro-s3-e2e-"));
    let nowMs = Date.now();
    const env = {
      ...serverEnv,
      OUROBOX_USER_NAME: "Ada",
      OUROBOX_PASSPHRASE: "secret",
      XDG_CONFIG_HOME: join(top, "config"),
    };
    const run = async (folder: string, ...args: string[]): Promise<string> => {
      nowMs += 1000;
      const { out, err, status } = await runCli(args, { cwd: join(top, folder), nowMs, env });
      assert.equal(status, 0, err);
      return out;
    };
    try {
      await run("", "init", "a");
      writeFileSync(join(top, "a/file"), "one");
      await run("a", "commit", "-m", "First");
      await run("a", "remote", "add", "origin", "s3://ourobucket/my box");
      assert.match(await run("a", "config", "list"), new RegExp(`conditions.*${verdict}`));
      await run("a", "push");
      await run("", "clone", "s3://ourobucket/my box", "b");
      assert.equal(readFileSync(join(top, "b/file"), "utf8"), "one");
      writeFileSync(join(top, "b/file"), "two");
      await run("b", "commit", "-m", "Second");
      await run("b", "push");
      await run("a", "fetch");
      await run("a", "pull");
      assert.equal(readFileSync(join(top, "a/file"), "utf8"), "two");
    } finally {
      rmSync(top, { recursive: true });
    }
  });
}
