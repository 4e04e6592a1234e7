import assert from "node:assert/strict";
import { test } from "node:test";
import { mutate } from "../../test/support/random-trees.ts";
import { testSeeds } from "../../test/support/seeds.ts";
import { compareBytes, equalBytes, utf8 } from "../base/bytes.ts";
import { isKind } from "../base/errors.ts";
import type { Prng } from "../base/prng.ts";
import {
  type Commit,
  decodeStoredCommit,
  type EventCommit,
  encodeCommit,
  encodeStoredCommit,
  type VectorEntry,
} from "./commit.ts";

function randomCommit(prng: Prng): Commit {
  const writers = Array.from({ length: prng.int(0, 5) }, () => BigInt(prng.int(2, 2 ** 32 - 1))).sort((a, b) =>
    a < b ? -1 : 1,
  );
  const vector = [...new Set(writers)].map(
    (writer): VectorEntry => ({ writer, clock: BigInt(prng.int(1, 1000)), event: prng.bytes(8) }),
  );
  const base = { box: prng.bytes(16), tree: prng.bytes(32), vector };
  const parents = Array.from({ length: prng.int(2, 4) }, () => prng.bytes(32)).sort(compareBytes);
  if (prng.chance(0.3)) return { type: "join", ...base, parents };
  return {
    type: "event",
    ...base,
    parents: parents.slice(0, prng.int(0, 2)),
    writer: 1n,
    clock: 2n ** 63n + BigInt(prng.u32()),
    ...(prng.chance(0.5) ? { previous: { clock: BigInt(prng.int(1, 1000)), id: prng.bytes(32) } } : {}),
    peer: prng.bytes(32),
    timeMs: prng.int(-1000, 2 ** 41),
    flags: prng.int(0, 7),
    author: "Ада <ada@example.org>",
    message: prng.chance(0.1) ? "x".repeat(65_536) : "What changed\n\nand why",
  };
}

const stored = (prng: Prng, commit: Commit): Uint8Array =>
  encodeStoredCommit(encodeCommit(commit), commit.type === "event" ? prng.bytes(64) : undefined);

testSeeds("a commit is read as it was written, and its body is what is hashed", 60, (prng) => {
  const commit = randomCommit(prng);
  const bytes = stored(prng, commit);
  const read = decodeStoredCommit(bytes, "commit");
  assert.ok(equalBytes(encodeCommit(read.commit), encodeCommit(commit)));
  assert.ok(equalBytes(read.body, encodeCommit(commit)));
  assert.equal(read.signature?.length, commit.type === "event" ? 64 : undefined);
});

testSeeds("a damaged commit is refused as corrupt, or is another's only encoding", 30, (prng) => {
  const bytes = stored(prng, randomCommit(prng));
  for (let round = 0; round < 100; round += 1) {
    const damaged = mutate(prng, bytes);
    try {
      const { commit, signature } = decodeStoredCommit(damaged, "commit");
      assert.ok(equalBytes(encodeStoredCommit(encodeCommit(commit), signature), damaged));
    } catch (error) {
      assert.ok(isKind(error, "corrupt"), String(error));
    }
  }
});

test("what the format forbids of a commit is not written", () => {
  const event: EventCommit = {
    type: "event",
    box: new Uint8Array(16),
    tree: new Uint8Array(32),
    vector: [],
    parents: [],
    writer: 1n,
    clock: 10n,
    peer: new Uint8Array(32),
    timeMs: 0,
    flags: 0,
    author: "",
    message: "",
  };
  const one: VectorEntry = { writer: 2n, clock: 5n, event: new Uint8Array(8) };
  const id = new Uint8Array(32);
  const bad: Partial<EventCommit>[] = [
    { box: new Uint8Array(15) },
    { tree: new Uint8Array(31) },
    { vector: [one, one] },
    { vector: [{ ...one, writer: 1n }] },
    { vector: [{ ...one, clock: 10n }] },
    { vector: [{ ...one, event: new Uint8Array(7) }] },
    { parents: [id, id] },
    { parents: Array.from({ length: 65 }, (_, index) => new Uint8Array(32).fill(index)) },
    { writer: 0n },
    { clock: 0n },
    { previous: { clock: 10n, id } },
    { previous: { clock: 0n, id } },
    { peer: new Uint8Array(31) },
    { timeMs: 0.5 },
    { flags: 8 },
    { author: "ä".repeat(128) },
    { message: "x".repeat(65_537) },
  ];
  assert.equal(encodeCommit(event).length, 2 + 16 + 32 + 1 + 1 + 8 + 8 + 8 + 32 + 32 + 1 + 1 + 1 + 1);
  for (const change of bad)
    assert.throws(
      () => encodeCommit({ ...event, ...change }),
      (error) => isKind(error, "invalid"),
      Object.keys(change).join(),
    );
  const join = {
    type: "join",
    box: event.box,
    tree: event.tree,
    vector: [],
    parents: [utf8("b".repeat(32)), utf8("a".repeat(32))],
  } as const;
  assert.throws(() => encodeCommit(join), /not in order/);
  assert.throws(() => encodeCommit({ ...join, parents: [utf8("b".repeat(32))] }), /fewer than two/);
});
