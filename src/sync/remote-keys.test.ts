import assert from "node:assert/strict";
import { test } from "node:test";
import { setImmediate } from "node:timers/promises";
import { type Fault, FaultyRemote } from "../../test/support/faulty-remote.ts";
import { testSeeds } from "../../test/support/seeds.ts";
import { someSecrets } from "../../test/support/sync-box.ts";
import { withMethods } from "../../test/support/with-methods.ts";
import { equalBytes, toHex, toText, utf8 } from "../base/bytes.ts";
import { isKind } from "../base/errors.ts";
import { nodeDisk } from "../base/node-disk.ts";
import type { Prng } from "../base/prng.ts";
import { encodeSummed, type JsonObject } from "../base/summed-json.ts";
import { defaultChunkSizes, encodeIdentity, type WrappedKey, wrapKey } from "../format/mod.ts";
import { MemoryPlace, MemoryRemote, type Remote } from "../remote/mod.ts";
import {
  changeRemoteKeys,
  initRemote,
  type KeyChange,
  readRemoteIdentity,
  readRemoteKeys,
  remoteKeysMax,
  unlockRemote,
} from "./mod.ts";

const secrets = someSecrets();
const { key: boxKey } = secrets;
const random = (length: number): Uint8Array => crypto.getRandomValues(new Uint8Array(length));
const cost = { memoryKiB: 8, passes: 1, lanes: 1 };
const { box, hash, suite } = secrets;
const identity = { box, hash, suite, chunk: defaultChunkSizes };

async function wrap(passphrase: string): Promise<WrappedKey> {
  assert(boxKey !== undefined);
  return await wrapKey(boxKey, secrets.box, passphrase, { random, cost });
}

const remoteAt = (place: MemoryPlace): MemoryRemote => new MemoryRemote(nodeDisk, place);

/** A remote that opens with "first", as a first push makes it. */
async function someRemote(): Promise<{ readonly place: MemoryPlace; readonly first: WrappedKey }> {
  const place = new MemoryPlace();
  const first = await wrap("first");
  await initRemote(remoteAt(place), secrets, async () => ({ ...identity, keys: [first] }));
  return { place, first };
}

const change = (remote: Remote, what: KeyChange): Promise<readonly WrappedKey[]> =>
  changeRemoteKeys(remote, secrets, async () => what, { random });

async function opens(place: MemoryPlace, passphrase: string): Promise<boolean> {
  try {
    const { key } = await unlockRemote(remoteAt(place), async () => passphrase);
    return key !== undefined && boxKey !== undefined && equalBytes(key, boxKey);
  } catch (thrown) {
    if (isKind(thrown, "wrong-key")) return false;
    throw thrown;
  }
}

/** The names of all blobs there, in order. */
async function namesIn(place: MemoryPlace): Promise<string[]> {
  const remote = remoteAt(place);
  const names = (await remote.topNames()).includes("config") ? ["config"] : [];
  for await (const { name } of remote.list("keys/")) names.push(name);
  return names;
}

/** Whether the bytes of a wrapped key are anywhere there. */
async function holds(place: MemoryPlace, { wrapped }: WrappedKey): Promise<boolean> {
  const texts = await Promise.all((await namesIn(place)).map(async (name) => toText(await remoteAt(place).get(name))));
  return texts.some((text) => text.includes(toHex(wrapped)));
}

test("remote keys: what is added opens it; what is removed does not, and is nowhere", async () => {
  const { place, first } = await someRemote();
  const second = await wrap("second");
  await change(remoteAt(place), { add: [second] });
  assert.deepEqual([await opens(place, "first"), await opens(place, "second")], [true, true]);
  await change(remoteAt(place), { remove: [first.id] });
  assert.deepEqual([await opens(place, "first"), await opens(place, "second")], [false, true]);
  assert.deepEqual([await holds(place, first), await holds(place, second)], [false, true]);
  const third = await wrap("third");
  await change(remoteAt(place), { add: [third], remove: [second.id] });
  assert.deepEqual([await opens(place, "second"), await opens(place, "third")], [false, true]);
  assert.deepEqual([await holds(place, second), (await namesIn(place)).length], [false, 2]);
});

test("remote keys: the last one stays, and there is an end to how many there are", async () => {
  const { place, first } = await someRemote();
  await assert.rejects(change(remoteAt(place), { remove: [first.id] }), { kind: "invalid" });
  assert.deepEqual(await namesIn(place), ["config"]);
  const more = await Promise.all(Array.from({ length: remoteKeysMax - 1 }, () => wrap("more")));
  await change(remoteAt(place), { add: more });
  await assert.rejects(change(remoteAt(place), { add: [await wrap("one more")] }), { kind: "too-large" });
  // One for another fits.
  await change(remoteAt(place), { add: [await wrap("other")], remove: [first.id] });
  assert.equal((await readRemoteKeys(remoteAt(place))).keys.length, remoteKeysMax);
  assert((await remoteAt(place).get((await namesIn(place))[1] ?? "")).length < 60_000);
});

test("remote keys: another box's remote is left as it is", async () => {
  const { place } = await someRemote();
  const others = changeRemoteKeys(remoteAt(place), someSecrets(), async () => assert.fail("must not be asked"), {
    random,
  });
  await assert.rejects(others, { kind: "invalid" });
});

/** Before and after everything that is asked of it others may have a turn or two. */
function slowed(remote: Remote, prng: Prng): Remote {
  const wait = async (): Promise<void> => {
    for (let turns = prng.int(0, 4); turns > 0; turns -= 1) await setImmediate();
  };
  return withMethods<Remote>(remote, {
    async put(...put) {
      await wait();
      await remote.put(...put);
      await wait();
    },
    async get(...get) {
      await wait();
      const bytes = await remote.get(...get);
      await wait();
      return bytes;
    },
    async *list(...list) {
      await wait();
      for await (const blob of remote.list(...list)) {
        yield blob;
        await wait();
      }
    },
    async remove(...name) {
      await wait();
      await remote.remove(...name);
    },
  });
}

testSeeds("remote keys: of several changes at once none is lost, and what is removed is gone", 60, async (prng) => {
  const { place, first } = await someRemote();
  const old = await Promise.all(["a", "b", "c"].map(wrap));
  if (prng.chance(0.7)) await change(remoteAt(place), { add: old });
  const { keys: before } = await readRemoteKeys(remoteAt(place));
  const changes: KeyChange[] = await Promise.all(
    Array.from({ length: prng.int(2, 4) }, async (_, index) => ({
      add: prng.chance(0.6) || before.length < 3 ? [await wrap(`new ${index}`)] : [],
      remove: prng.chance(0.6) ? [prng.pick(before).id] : [],
    })),
  );
  const outcomes = await Promise.allSettled(changes.map((what) => change(slowed(remoteAt(place), prng), what)));
  for (const each of outcomes)
    if (each.status === "rejected")
      assert(isKind(each.reason) && /^(invalid|stale)$/.test(each.reason.kind), each.reason);
  const { keys } = await readRemoteKeys(remoteAt(place));
  const has = (id: Uint8Array): boolean => keys.some((key) => equalBytes(key.id, id));
  assert(keys.length > 0);
  const done = changes.filter((_, index) => outcomes[index]?.status === "fulfilled");
  assert(done.length > 0);
  for (const { add = [], remove = [] } of done) {
    for (const { id } of add) assert(has(id), "added and lost");
    for (const id of remove) assert(!has(id), "removed and there");
    for (const wrapped of [first, ...old]) {
      const isRemoved = remove.some((id) => equalBytes(id, wrapped.id));
      assert(!(isRemoved && (await holds(place, wrapped))), "removed, and its bytes are there");
    }
  }
});

testSeeds("remote keys: two that each remove what the other keeps leave one at least", 50, async (prng) => {
  const { place, first } = await someRemote();
  const second = await wrap("second");
  await change(remoteAt(place), { add: [second] });
  const outcomes = await Promise.allSettled(
    [first, second].map(({ id }) => change(slowed(remoteAt(place), prng), { remove: [id] })),
  );
  const open = [await opens(place, "first"), await opens(place, "second")];
  assert(open.includes(true));
  for (const [index, outcome] of outcomes.entries())
    if (outcome.status === "fulfilled" && !open.every(Boolean)) assert.equal(open[index], false);
});

const changes: Readonly<Record<string, (first: WrappedKey) => Promise<KeyChange>>> = {
  add: async () => ({ add: [await wrap("new")] }),
  passwd: async (first) => ({ add: [await wrap("new")], remove: [first.id] }),
  remove: async (first) => ({ remove: [first.id] }),
};
for (const [name, make] of Object.entries(changes)) {
  for (const hasList of [false, true]) {
    test(`remote keys: ${name} cut off anywhere ${hasList ? "" : "for the first time "}leaves old or new keys, and the next ends it`, async () => {
      let faults = 0;
      for (const fault of ["before", "middle", "after"] satisfies Fault[]) {
        for (let failAt = 1; ; failAt += 1) {
          const { place, first } = await someRemote();
          if (hasList || name === "remove") await change(remoteAt(place), { add: [await wrap("kept")] });
          const what = await make(first);
          const faulty = new FaultyRemote(remoteAt(place), failAt, fault);
          const outcome = await change(faulty, what).catch((thrown: unknown) => thrown);
          if (!faulty.isDead) break;
          faults += 1;
          assert(isKind(outcome, "offline"));
          const [old, news, kept] = [
            await opens(place, "first"),
            await opens(place, "new"),
            await opens(place, "kept"),
          ];
          assert(name === "remove" ? kept : old || news, `${fault} ${failAt}`);
          if (hasList) assert(kept);
          if (name === "passwd") assert.notEqual(old, news, "one of them");
          // Whatever it was, another change leaves nothing behind.
          const other = await wrap("other");
          await change(remoteAt(place), { add: [other] });
          assert.equal((await namesIn(place)).length, 2);
          assert.equal(await holds(place, first), old);
          assert.equal(await opens(place, "other"), true);
        }
      }
      assert(faults > 15);
    });
  }
}

test("remote keys: a config that was lost while it was replaced is told by the list, and comes back", async () => {
  const { place, first } = await someRemote();
  const second = await wrap("second");
  await change(remoteAt(place), { add: [second] });
  const inTwoSteps = withMethods<Remote>(remoteAt(place), {
    async put(blob, source, options) {
      if (blob !== "config") return await remoteAt(place).put(blob, source, options);
      await remoteAt(place).remove(blob);
      throw new Error("killed");
    },
  });
  await assert.rejects(change(inTwoSteps, { remove: [first.id] }), /killed/);
  assert.equal((await remoteAt(place).topNames()).includes("config"), false);
  assert.deepEqual((await readRemoteIdentity(remoteAt(place))).box, box);
  assert.deepEqual([await opens(place, "first"), await opens(place, "second")], [false, true]);
  const { created } = await initRemote(remoteAt(place), secrets, async () => assert.fail("it is there"));
  assert.equal(created, false);
  await assert.rejects(change(remoteAt(place), { remove: [second.id] }), { kind: "invalid" });
  assert.equal((await remoteAt(place).topNames()).includes("config"), true);
  assert.equal(await holds(place, first), false);
});

async function putList(place: MemoryPlace, text: string): Promise<string> {
  const name = `keys/${toHex(random(16))}`;
  await remoteAt(place).put(name, utf8(text));
  return name;
}

test("remote keys: a list that is damaged is told and left alone; the others open the box", async () => {
  const { place } = await someRemote();
  const text = encodeIdentity({ ...identity, keys: [await wrap("second")], removed: [] });
  const name = await putList(place, text);
  assert.equal(await opens(place, "second"), true);
  await remoteAt(place).put(name, utf8(text.replace(/"salt":"./, '"salt":"x')));
  const { damaged } = await readRemoteKeys(remoteAt(place));
  assert.deepEqual(
    damaged.map(({ kind }) => kind),
    ["corrupt"],
  );
  assert.equal(await opens(place, "first"), true);
  await change(remoteAt(place), { add: [await wrap("third")] });
  assert((await namesIn(place)).includes(name));
  assert.equal(await opens(place, "third"), true);
});

test("remote keys: what a newer version has written is read and not written over", async () => {
  const { place } = await someRemote();
  const text = encodeIdentity({ ...identity, keys: [await wrap("second")], removed: [] });
  const { sum: _, ...fields } = JSON.parse(text) as { [key: string]: JsonObject[string] };
  const name = await putList(place, encodeSummed({ ...fields, format: 2, note: "of a later version" }));
  assert.equal(await opens(place, "second"), true);
  await assert.rejects(change(remoteAt(place), { add: [await wrap("third")] }), { kind: "newer-format" });
  assert.deepEqual(await namesIn(place), ["config", name]);
  const strange = await putList(place, encodeSummed({ ...fields, format: 2, minReader: 2 }));
  await assert.rejects(readRemoteKeys(remoteAt(place)), { kind: "newer-format" });
  assert((await namesIn(place)).includes(strange));
});

test("remote keys: a remote with endless lists is not believed, and one without keys says so", async () => {
  const { place } = await someRemote();
  for (let count = 0; count < 65; count += 1) await remoteAt(place).put(`keys/${toHex(random(16))}`, random(8));
  await assert.rejects(readRemoteKeys(remoteAt(place)), { kind: "too-large" });
  const empty = new MemoryPlace();
  await remoteAt(empty).put("config", utf8(encodeIdentity({ ...identity, keys: [] })));
  await assert.rejects(opens(empty, "first"), { kind: "corrupt" });
  await assert.rejects(readRemoteKeys(remoteAt(new MemoryPlace())), { kind: "not-found" });
});
