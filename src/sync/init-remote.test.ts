/** A remote that is made while the first packs are on their way to it. */
import assert from "node:assert/strict";
import { mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { FaultyRemote } from "../../test/support/faulty-remote.ts";
import { someSecrets, TestBox } from "../../test/support/sync-box.ts";
import { OuroError } from "../base/errors.ts";
import { nodeDisk } from "../base/node-disk.ts";
import type { BoxIdentity } from "../format/mod.ts";
import { MemoryPlace, MemoryRemote, openRemote, type Remote } from "../remote/mod.ts";
import { beginRemote } from "./mod.ts";

const names = (place: MemoryPlace): string[] => [...place.blobs.keys()].map((name) => name.split("/")[0] ?? "");

test("packs are sent while the remote is being made, and nothing else", async () => {
  const place = new MemoryPlace();
  const remote = new FaultyRemote(new MemoryRemote(nodeDisk, place));
  using box = new TestBox(someSecrets());
  await box.commit({ a: "1" });
  const { promise, resolve } = Promise.withResolvers<BoxIdentity>();
  const { made } = await beginRemote(remote, box.secrets, async () => ({ identity: promise }));
  const pushed = box.push(remote, { made });
  while (names(place).length < 2) await new Promise(setImmediate);
  for (let turn = 0; turn < 20; turn += 1) await new Promise(setImmediate);
  assert.deepEqual(new Set(names(place)), new Set(["packs"]));
  resolve(await box.identity());
  assert.equal((await pushed).outcome, "pushed");
  const puts = remote.log
    .filter((line) => /^put/.test(line))
    .map((line) => /(packs|config|index|heads)/.exec(line)?.[0]);
  assert.deepEqual(puts, ["packs", "packs", "config", "index", "heads"]);
  using other = new TestBox(box.secrets);
  assert.deepEqual((await other.fetch(remote)).keptOut, []);
  assert.deepEqual(other.damage(), []);
});

test("a first push that was cut off before the remote was made is gone on with, also by another box", async () => {
  const place = new MemoryPlace();
  const remote = new MemoryRemote(nodeDisk, place);
  using box = new TestBox(someSecrets());
  await box.commit({ a: "1" });
  const failing = (): Promise<{ identity: Promise<BoxIdentity> }> =>
    Promise.resolve({ identity: Promise.reject(new OuroError("aborted", "Cannot go on: it was stopped")) });
  const { made } = await beginRemote(remote, box.secrets, failing);
  await assert.rejects(box.push(remote, { made }), { kind: "aborted" });
  assert.deepEqual(new Set(names(place)), new Set(["packs"]));
  using other = new TestBox(someSecrets());
  await other.init(remote);
  await other.commit({ b: "2" });
  assert.equal((await other.push(remote)).outcome, "pushed");
  await assert.rejects(box.init(remote), { kind: "invalid" });
  using third = new TestBox(other.secrets);
  assert.deepEqual((await third.fetch(remote)).keptOut, []);
  assert.deepEqual(third.damage(), []);
});

/** A remote in a fresh folder. */
async function inFolder(body: (folder: string, remote: Remote) => Promise<void>): Promise<void> {
  const folder = mkdtempSync(join(tmpdir(), "ouro-init-"));
  const random = (length: number): Uint8Array => crypto.getRandomValues(new Uint8Array(length));
  try {
    await using remote = openRemote(folder, { cwd: folder, disk: nodeDisk, random, create: false, env: {} });
    await body(folder, remote);
  } finally {
    rmSync(folder, { recursive: true });
  }
}

test("a first push of which a power loss has left an empty folder for packs is gone on with", async () => {
  await inFolder(async (folder, remote) => {
    mkdirSync(join(folder, "packs"));
    using box = new TestBox(someSecrets());
    await box.init(remote);
    await box.commit({ a: "1" });
    assert.equal((await box.push(remote)).outcome, "pushed");
  });
});

for (const made of ["packs", "packs/mine", "heads", "index"]) {
  test(`a place without config that has ${made} is refused, and left as it is`, async () => {
    await inFolder(async (folder, remote) => {
      if (made.startsWith("packs")) {
        if (made !== "packs") mkdirSync(join(folder, "packs"));
        writeFileSync(join(folder, made), "mine");
      } else mkdirSync(join(folder, made));
      const before = readdirSync(folder, { recursive: true });
      using box = new TestBox(someSecrets());
      await assert.rejects(box.init(remote), { kind: "not-empty" });
      assert.deepEqual(readdirSync(folder, { recursive: true }), before);
    });
  });
}

test("of two boxes that begin one remote at once, one is refused and says nothing there", async () => {
  const place = new MemoryPlace();
  using one = new TestBox(someSecrets());
  using two = new TestBox(someSecrets());
  const outcomes = await Promise.allSettled(
    [one, two].map(async (box) => {
      await box.commit({ a: "1" });
      const remote = new MemoryRemote(nodeDisk, place);
      const { made } = await beginRemote(remote, box.secrets, async () => ({ identity: box.identity() }));
      return await box.push(remote, { made });
    }),
  );
  assert.deepEqual(outcomes.map(({ status }) => status).sort(), ["fulfilled", "rejected"]);
  assert.equal(names(place).filter((name) => name === "heads").length, 1);
  assert.equal(names(place).filter((name) => name === "index").length, 1);
});
