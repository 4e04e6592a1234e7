/** A member of a sealed box makes packs that say what is not so. What others commit and push must be there all the same. */
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import { lie, makeLyingPack, truth } from "../../test/support/lying-pack.ts";
import { someSecrets, TestBox } from "../../test/support/sync-box.ts";
import { nodeDisk } from "../base/node-disk.ts";
import { Prng } from "../base/prng.ts";
import { encodeIndexFile, sealBlob } from "../format/mod.ts";
import { MemoryPlace, MemoryRemote } from "../remote/mod.ts";
import { indexName, packName } from "./box-on-remote.ts";

const secret = "what is going to be written, and somebody knew it";

/** A remote with a commit of one member, and a pack of another that has other bytes under the name of `secret`. */
async function withLie(box: TestBox, files: Readonly<Record<string, Uint8Array>>): Promise<MemoryRemote> {
  const remote = new MemoryRemote(nodeDisk, new MemoryPlace());
  await box.init(remote);
  await box.commit(files);
  await box.push(remote);
  using member = new TestBox(box.secrets);
  const { path, ...info } = makeLyingPack(member.folder, box.secrets, [lie(secret), truth("bait")]);
  await remote.put(packName(info.name), readFileSync(path));
  const random = (length: number): Uint8Array => new Prng(length).bytes(length);
  const index = sealBlob(box.secrets, "index", encodeIndexFile({ packs: [info], replaces: [] }), random);
  await remote.put(indexName(box.store.hasher.hash(index)), index);
  return remote;
}

/** The member's head, so that there is something to fetch. */
async function makeNews(box: TestBox, remote: MemoryRemote): Promise<void> {
  using member = new TestBox(box.secrets);
  await member.fetch(remote);
  member.adopt(member.state.remoteHeads()[0]?.commit as Uint8Array);
  await member.commit({ news: "1" });
  await member.push(remote);
}

test("a pack that lies is fetched and does no harm: what is committed after it is there, here and for others", async () => {
  using box = new TestBox(someSecrets());
  const remote = await withLie(box, { a: new Prng(1).bytes(1000) });
  await makeNews(box, remote);
  assert.deepEqual((await box.fetch(remote)).keptOut, []);
  assert(box.store.hasChunk(lie(secret).hash));
  await box.commit({ secret });
  assert.deepEqual(box.files(), { secret });
  await box.push(remote);
  using other = new TestBox(box.secrets);
  await other.fetch(remote);
  assert.deepEqual(other.files(box.state.head()?.commit), { secret });
});

test("what is only in packs of one's own is pushed after a collection of garbage, whatever others' packs say", async () => {
  using box = new TestBox(someSecrets());
  const base = new Prng(2).bytes(300_000);
  const remote = await withLie(box, { base });
  await makeNews(box, remote);
  await box.fetch(remote);
  await box.commit({ base, secret });
  // The own pack with the secret becomes part of a new one before it was pushed, and the lying one goes.
  const before = box.store.packs().length;
  await box.gc();
  assert(box.store.packs().length < before);
  await box.push(remote);
  using other = new TestBox(box.secrets);
  assert.deepEqual((await other.fetch(remote)).keptOut, []);
  assert.equal(other.files(box.state.head()?.commit)["secret"], secret);
});
