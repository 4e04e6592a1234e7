import assert from "node:assert/strict";
import { test } from "node:test";
import { CommitPace } from "./commit-pace.ts";

const quietMs = 5000;

test("commit pace: nothing is due before something has changed, nor while a commit is being made", () => {
  const pace = new CommitPace(quietMs);
  assert.deepEqual([pace.dueMs, pace.isDirty], [undefined, false]);
  pace.changed(100);
  assert.deepEqual([pace.dueMs, pace.isDirty], [5100, true]);
  pace.begin(5100);
  assert.deepEqual([pace.dueMs, pace.isDirty], [undefined, false]);
  pace.end(5200, { isDone: true });
  assert.deepEqual([pace.dueMs, pace.isDirty], [undefined, false]);
});

test("commit pace: a change begins the quiet time anew, but not for ever", () => {
  const pace = new CommitPace(quietMs);
  for (let nowMs = 0; nowMs < 59_000; nowMs += 1000) {
    pace.changed(nowMs);
    assert.equal(pace.dueMs, Math.min(nowMs + quietMs, 12 * quietMs));
  }
});

test("commit pace: what changes during a commit is for the next one", () => {
  const pace = new CommitPace(quietMs);
  pace.changed(0);
  pace.begin(5000);
  pace.changed(5050);
  assert.deepEqual([pace.dueMs, pace.isDirty], [undefined, true]);
  pace.end(5100, { isDone: true });
  assert.equal(pace.dueMs, 10_050);
});

test("commit pace: what failed is tried again after a while, or with the next change", () => {
  const pace = new CommitPace(quietMs);
  pace.changed(0);
  pace.begin(5000);
  pace.end(6000, { isDone: false });
  assert.deepEqual([pace.dueMs, pace.isDirty], [66_000, true]);
  pace.changed(10_000);
  assert.equal(pace.dueMs, 15_000);
  pace.begin(15_000);
  pace.end(16_000, { isDone: true });
  assert.equal(pace.dueMs, undefined);
  // However long the quiet time is, not later than after five minutes.
  const slow = new CommitPace(3_600_000);
  slow.changed(0);
  slow.begin(3_600_000);
  slow.end(3_600_000, { isDone: false });
  assert.equal(slow.dueMs, 3_900_000);
});

test("commit pace: after a commit that took long, there is none for as long", () => {
  const pace = new CommitPace(quietMs);
  pace.changed(0);
  pace.begin(5000);
  for (let nowMs = 5000; nowMs <= 305_000; nowMs += 1000) pace.changed(nowMs);
  pace.end(305_000, { isDone: true });
  assert.equal(pace.dueMs, 605_000);
});
