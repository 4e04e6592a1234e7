/**
 * A process that makes a remote in a folder if there is none, and commits and pushes to it, over and over.
 * Arguments: the folder, the box's secrets as hex (id, key), how many times. Prints each commit that was pushed.
 */
import { randomBytes } from "node:crypto";
import { fromHex, toHex } from "../../src/base/bytes.ts";
import { nodeDisk } from "../../src/base/node-disk.ts";
import { nodeCopier, openRemote } from "../../src/remote/mod.ts";
import { TestBox } from "./sync-box.ts";

const [folder = "", id = "", key = "", times = "1"] = process.argv.slice(2);
const secrets = { box: fromHex(id, 16), key: fromHex(key, 32), suite: "aes-256-gcm", hash: "blake3" } as const;
using box = new TestBox(secrets);
await using remote = openRemote(folder, {
  cwd: "/",
  create: true,
  disk: nodeDisk,
  random: (length) => randomBytes(length),
  copier: nodeCopier,
});
await box.init(remote);
for (let count = 0; count < Number(times); count += 1) {
  await box.commit({ shared: "the same for all", [`file-${count}`]: randomBytes(3000) });
  const { commit } = await box.push(remote);
  process.stdout.write(`${toHex(commit ?? new Uint8Array())}\n`);
}
