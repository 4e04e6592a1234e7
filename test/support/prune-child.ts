/**
 * A process that works on a remote in a folder for a while. Arguments: the folder, the box's secrets as hex (id, key), "push" or "prune", for how many
 * milliseconds. A pusher commits files of chance, some of them such as it had before, forgets all but three commits, and pushes; now and then it collects garbage.
 * Prints a line of JSON at the end.
 */
import { randomBytes } from "node:crypto";
import { setTimeout as sleep } from "node:timers/promises";
import { fromHex } from "../../src/base/bytes.ts";
import { nodeDisk } from "../../src/base/node-disk.ts";
import { nodeCopier, openRemote } from "../../src/remote/mod.ts";
import { prune } from "../../src/sync/mod.ts";
import { collect, forgetOlder } from "../sim/prune-world.ts";
import { TestBox } from "./sync-box.ts";

const [folder = "", id = "", key = "", mode = "push", ms = "1000"] = process.argv.slice(2);
const secrets = { box: fromHex(id, 16), key: fromHex(key, 32), suite: "aes-256-gcm", hash: "blake3" } as const;
using box = new TestBox(secrets);
await using remote = openRemote(folder, {
  cwd: "/",
  create: true,
  disk: nodeDisk,
  random: (length) => randomBytes(length),
  copier: nodeCopier,
});
if (mode === "push") await box.init(remote);
const end = Date.now() + Number(ms);
const counts = { pushes: 0, prunes: 0, condemned: 0, deleted: 0, stale: 0 };
const pool = Array.from({ length: 5 }, () => randomBytes(20_000));
for (let round = 0; Date.now() < end; round += 1) {
  if (mode === "prune") {
    try {
      const report = await prune({ ...box.pushOptions(remote), condemnedMs: 500, silentMs: 600_000 });
      counts.prunes += 1;
      counts.condemned += report.condemned;
      counts.deleted += report.deleted;
    } finally {
      box.store.endWriting();
    }
    await sleep(1000);
    continue;
  }
  const files = { kept: pool[round % 5] ?? "", again: pool[(round * 3) % 5] ?? "", fresh: randomBytes(3000) };
  await box.commit(files);
  forgetOlder(box, 3);
  if (round % 7 === 6) await collect(box);
  try {
    await box.push(remote);
    counts.pushes += 1;
  } catch (thrown) {
    // Condemned all the time while it pushed: the next push goes on.
    if ((thrown as { kind?: string }).kind !== "stale") throw thrown;
    counts.stale += 1;
  }
}
process.stdout.write(`${JSON.stringify(counts)}\n`);
