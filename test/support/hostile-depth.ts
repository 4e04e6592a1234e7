/** A tree of directories within directories, as deep as is asked for, through every command that walks trees or folders. */
import assert from "node:assert/strict";
import { writeFileSync } from "node:fs";
import { Box } from "../../src/app/mod.ts";
import type { Entry } from "../../src/format/mod.ts";
import { HostileRemote } from "./hostile-remote.ts";

export async function useDeep(depth: number): Promise<void> {
  using remote = new HostileRemote();
  let entries: Entry[] = [remote.file("f", "deep")];
  for (let level = 0; level < depth; level += 1) entries = [remote.directory("d", entries)];
  const first = remote.publish(remote.root(entries));
  const { error, report, warnings } = await remote.clone();
  assert.equal(error, undefined);
  assert.equal(report?.partial, false, warnings.join("\n"));
  await using box = await Box.open(remote.path("target"), remote.context());
  assert.deepEqual((await box.status()).changes, []);
  assert.equal([...box.list(first, new Uint8Array(), { recursive: true })].length, depth + 1);
  writeFileSync(remote.path("target/new"), "1");
  assert.equal((await box.commit({ message: "", all: true })).counts.added, 1);
  assert.deepEqual(await Array.fromAsync(box.check({ readData: true })), []);
  await box.gc({ dryRun: false });
  const restored = await box.restore({ source: first, paths: [], target: remote.path("target-2"), dryRun: false });
  assert.equal(restored.written, 1);
}
