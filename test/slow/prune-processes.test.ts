/** Two processes push to one folder over and over, two more prune it meanwhile: nothing that is kept goes, and waste does. */
import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { randomBytes } from "node:crypto";
import { once } from "node:events";
import { mkdtempSync, readdirSync, rmSync, statSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { toHex } from "../../src/base/bytes.ts";
import { nodeDisk } from "../../src/base/node-disk.ts";
import { openRemote } from "../../src/remote/mod.ts";
import { someSecrets, TestBox } from "../support/sync-box.ts";

const program = new URL("../support/prune-child.ts", import.meta.url).pathname;

interface Counts {
  readonly pushes: number;
  readonly prunes: number;
  readonly condemned: number;
  readonly deleted: number;
  readonly stale: number;
}

async function run(folder: string, args: readonly string[]): Promise<Counts> {
  const env = { ...process.env, TMPDIR: folder };
  const child = spawn(process.execPath, [program, ...args], { stdio: ["ignore", "pipe", "pipe"], env });
  let [out, errors] = ["", ""];
  child.stdout.on("data", (data) => {
    out += data;
  });
  child.stderr.on("data", (data) => {
    errors += data;
  });
  const [status] = await once(child, "close");
  assert.equal(status, 0, errors);
  return JSON.parse(out) as Counts;
}

test("processes: two that push over and over and two that prune meanwhile: no head ever dangles, and waste goes", async (t) => {
  const folder = mkdtempSync(join(tmpdir(), "ouro-pruned-"));
  const secrets = someSecrets();
  try {
    const place = join(folder, "remote");
    const args = [place, toHex(secrets.box), toHex(secrets.key ?? new Uint8Array())];
    let running = true;
    const all = Promise.all([
      run(folder, [...args, "push", "40000"]),
      run(folder, [...args, "push", "40000"]),
      sleep(3000).then(() => run(folder, [...args, "prune", "36000"])),
      sleep(3000).then(() => run(folder, [...args, "prune", "36000"])),
    ]).finally(() => {
      running = false;
    });
    await using remote = openRemote(place, { cwd: "/", disk: nodeDisk, random: (length) => randomBytes(length) });
    let looks = 0;
    while (running) {
      await sleep(300);
      if ((await remote.stat("config").catch(() => undefined)) === undefined) continue;
      // Whoever comes now finds every head whole; one that is replaced while it looks is tried again.
      using reader = new TestBox(secrets);
      let fetched = await reader.fetch(remote);
      if (fetched.keptOut.length > 0) fetched = await reader.fetch(remote);
      assert.deepEqual([fetched.keptOut, [...fetched.failedPacks]], [[], []]);
      looks += 1;
    }
    const counts = await all;
    t.diagnostic(JSON.stringify({ looks, counts }));
    const sum = (key: keyof Counts): number => counts.reduce((total, each) => total + each[key], 0);
    assert.ok(looks > 0 && sum("pushes") > 10 && sum("prunes") > 5 && sum("condemned") > 5 && sum("deleted") > 0);
    const packs = readdirSync(join(place, "packs"));
    const bytes = packs.reduce((total, name) => total + statSync(join(place, "packs", name)).size, 0);
    t.diagnostic(`${packs.length} packs of ${bytes} bytes are left`);
  } finally {
    rmSync(folder, { recursive: true });
  }
});
