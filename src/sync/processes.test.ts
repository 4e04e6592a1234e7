import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { randomBytes } from "node:crypto";
import { once } from "node:events";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { setImmediate } from "node:timers/promises";
import { someSecrets, TestBox } from "../../test/support/sync-box.ts";
import { toHex } from "../base/bytes.ts";
import { nodeDisk } from "../base/node-disk.ts";
import { openRemote } from "../remote/mod.ts";

const program = new URL("../../test/support/push-child.ts", import.meta.url).pathname;

/** @returns The commits that a process said it had pushed; killed after so many of them. */
async function pushFromProcess(
  folder: string,
  args: readonly string[],
  killAfter = Number.POSITIVE_INFINITY,
): Promise<string[]> {
  const env = { ...process.env, TMPDIR: folder };
  const child = spawn(process.execPath, [program, ...args], { stdio: ["ignore", "pipe", "pipe"], env });
  let [out, errors] = ["", ""];
  child.stdout.on("data", (data) => {
    out += data;
    if (out.split("\n").length > killAfter) child.kill("SIGKILL");
  });
  child.stderr.on("data", (data) => {
    errors += data;
  });
  const [status] = await once(child, "close");
  if (killAfter === Number.POSITIVE_INFINITY) assert.equal(status, 0, errors);
  return out.split("\n").filter((line) => line.length === 64);
}

test("processes: several that make and push to one folder at once all succeed, and nobody ever sees a dangling head", async () => {
  const folder = mkdtempSync(join(tmpdir(), "ouro-shared-"));
  const secrets = someSecrets();
  try {
    const place = join(folder, "new/remote");
    const args = [place, toHex(secrets.box), toHex(secrets.key ?? new Uint8Array())];
    let running = true;
    const writers = Promise.all([
      ...Array.from({ length: 4 }, () => pushFromProcess(folder, [...args, "4"])),
      // One is killed at work.
      pushFromProcess(folder, [...args, "1000"], 2),
    ]).finally(() => {
      running = false;
    });
    using reader = new TestBox(secrets);
    await using remote = openRemote(place, { cwd: "/", disk: nodeDisk, random: (length) => randomBytes(length) });
    let looks = 0;
    while (running) {
      await setImmediate();
      const isThere = await remote.stat("config").catch(() => undefined);
      if (isThere === undefined) continue;
      assert.deepEqual((await reader.fetch(remote)).keptOut, []);
      looks += 1;
    }
    const pushed = await writers;
    assert.ok(looks > 0);
    await reader.fetch(remote);
    const heads = new Set(reader.state.remoteHeads().map(({ commit }) => toHex(commit)));
    assert.equal(heads.size, 5);
    for (const commits of pushed.slice(0, 4)) {
      assert.equal(commits.length, 4);
      assert.ok(heads.has(commits.at(-1) ?? ""));
    }
    assert.deepEqual(reader.damage(), []);
  } finally {
    rmSync(folder, { recursive: true });
  }
});
