import assert from "node:assert/strict";
import { test } from "node:test";
import { ModelHistory, testKeys } from "../../test/support/model-history.ts";
import { ModelTree } from "../../test/support/model-tree.ts";
import { equalBytes, toHex } from "../base/bytes.ts";
import { isKind } from "../base/errors.ts";
import { compareVectors, covers, fullVector } from "../format/mod.ts";
import { nextEvent, readCommit } from "./commits.ts";

test("a commit is read back, covers its own event, and comes after its parents", () => {
  const history = new ModelHistory();
  const one = history.commit(new ModelTree());
  const two = history.commit(new ModelTree(), { writer: 2n, parents: [one] });
  const both = history.commit(new ModelTree(), { parents: [two] });
  const read = readCommit(history.meta, both.id, testKeys);
  assert.ok(equalBytes(read.id, both.id) && read.commit.type === "event" && both.commit.type === "event");
  assert.equal(read.commit.clock, both.commit.clock);
  assert.ok(covers(fullVector(read), read.commit));
  assert.ok(!covers(fullVector(two), read.commit));
  assert.equal(compareVectors(fullVector(one), fullVector(read)), "before");
  assert.equal(read.commit.vector.length, 1);
  assert.ok(equalBytes(read.commit.previous?.id ?? two.id, one.id));
});

test("a commit with a changed byte, another box or another id is refused", () => {
  const history = new ModelHistory();
  const { id } = history.commit(new ModelTree());
  const stored = history.meta.objects.get(toHex(id));
  assert.ok(stored !== undefined);
  for (let at = 0; at < stored.bytes.length; at += 1) {
    const bytes = new Uint8Array(stored.bytes);
    bytes[at] = (bytes[at] as number) ^ 1;
    history.meta.objects.set(toHex(id), { kind: "commit", bytes });
    assert.throws(
      () => readCommit(history.meta, id, testKeys),
      (error) => isKind(error, "corrupt"),
      `byte ${at}`,
    );
  }
  history.meta.objects.set(toHex(id), stored);
  assert.throws(() => readCommit(history.meta, id, { ...testKeys, box: new Uint8Array(16) }), /another box/);
  assert.throws(() => readCommit(history.meta, id, { ...testKeys, verify: () => false }), /signature/);
  assert.throws(
    () => readCommit(history.meta, new Uint8Array(32), testKeys),
    (error) => isKind(error, "not-found"),
  );
});

test("an event's clock is above all that its head has seen, even when the wall clock is behind", () => {
  const history = new ModelHistory();
  const ahead = history.commit(new ModelTree(), { timeMs: 1_800_000_000_000 });
  assert.ok(ahead.commit.type === "event");
  const event = nextEvent({ writer: 2n, seen: fullVector(ahead), nowMs: 5 });
  assert.equal(event.clock, ahead.commit.clock + 1n);
  const own = nextEvent({ writer: 2n, last: { clock: event.clock + 9n }, seen: fullVector(ahead), nowMs: 5 });
  assert.equal(own.clock, event.clock + 10n);
});

test("a writer of whose commits the head knows more than the box itself is an old copy", () => {
  const history = new ModelHistory();
  const one = history.commit(new ModelTree());
  assert.ok(one.commit.type === "event");
  const last = { clock: one.commit.clock };
  const two = history.commit(new ModelTree());
  nextEvent({ writer: 1n, seen: fullVector(one), last, nowMs: 5 });
  assert.throws(
    () => nextEvent({ writer: 1n, seen: fullVector(two), last, nowMs: 5 }),
    (error) => isKind(error, "stale"),
  );
  assert.throws(
    () => nextEvent({ writer: 1n, seen: fullVector(two), nowMs: 5 }),
    (error) => isKind(error, "stale"),
  );
});
