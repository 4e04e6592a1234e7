/** Two folders, each with `sync --watch`, follow one another. */
import assert from "node:assert/strict";
import { type ChildProcess, execFileSync, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdirSync, mkdtempSync, readFileSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";

const top = mkdtempSync(join(tmpdir(), "ourobox-watch-"));
const program = join(import.meta.dirname, "../../bin/ourobox.mjs");
const children: ChildProcess[] = [];
after(() => {
  for (const child of children) child.kill("SIGKILL");
  rmSync(top, { recursive: true, force: true });
});

const path = (name: string): string => join(top, name);

function envOf(machine: string): Record<string, string> {
  const own = { HOME: path(`${machine}-home`), XDG_CONFIG_HOME: path(`${machine}-home/config`) };
  return {
    ...(process.env as Record<string, string>),
    ...own,
    OUROBOX_PASSPHRASE: "secret",
    OUROBOX_SYNC_INTERVAL: "1",
  };
}

function run(machine: string, ...args: string[]): void {
  execFileSync(program, args, { cwd: top, env: envOf(machine), stdio: "ignore" });
}

function watch(machine: string): ChildProcess {
  const child = spawn(program, ["-C", path(machine), "sync", "--watch"], { env: envOf(machine), stdio: "ignore" });
  children.push(child);
  return child;
}

async function until(what: string, isTrue: () => boolean): Promise<void> {
  for (let tries = 0; tries < 400; tries += 1) {
    try {
      if (isTrue()) return;
    } catch {}
    await sleep(100);
  }
  assert.fail(`${what} did not come`);
}

test("what is done in one folder appears in the other, until they are interrupted", async () => {
  mkdirSync(path("a/d"), { recursive: true });
  writeFileSync(path("a/d/first"), "first\n");
  run("a", "init", path("a"));
  run("a", "-C", path("a"), "remote", "add", "origin", path("remote"));
  run("a", "-C", path("a"), "sync");
  run("b", "clone", path("remote"), path("b"));
  const watches = [watch("a"), watch("b")];
  writeFileSync(path("a/d/second"), "second\n");
  await until("the second file", () => readFileSync(path("b/d/second"), "utf8") === "second\n");
  renameSync(path("b/d"), path("b/e"));
  writeFileSync(path("b/e/first"), "edited\n");
  await until("the edit", () => readFileSync(path("a/e/first"), "utf8") === "edited\n");
  for (const child of watches) {
    const end = once(child, "exit");
    child.kill("SIGINT");
    assert.deepEqual(await end, [130, null]);
  }
});
