import assert from "node:assert/strict";
import { test } from "node:test";
import { isKind } from "../base/errors.ts";
import { commitFlags, type NamedCommit } from "../format/mod.ts";
import { chooseKept, isDuration, type RetentionPolicy } from "./retention-policy.ts";

const noon = new Date(2026, 10, 18, 12, 0, 0).getTime();
const hourMs = 3_600_000;
const dayMs = 24 * hourMs;

function assertFails(kind: string, body: () => unknown): void {
  assert.throws(body, (thrown) => isKind(thrown) && thrown.kind === kind);
}

/** A commit that was made so long before noon. */
function commitAt(agoMs: number, flags = 0): NamedCommit {
  const timeMs = noon - agoMs;
  const nothing = new Uint8Array(32);
  return {
    id: Buffer.from(`${agoMs}`),
    commit: {
      ...{ type: "event", box: nothing, tree: nothing, vector: [], parents: [], writer: 1n, clock: 1n },
      ...{ peer: nothing, timeMs, flags, author: "", message: "" },
    },
  };
}

function kept(line: readonly NamedCommit[], policy: RetentionPolicy): number[] {
  return chooseKept(line, policy, noon).map(({ id }) => Number(Buffer.from(id).toString()));
}

const hours = (...each: readonly number[]): NamedCommit[] => each.map((hour) => commitAt(hour * hourMs));

test("policy: the newest are kept, and of each hour, day, week, month and year the last, for so many that have one", () => {
  const line = hours(0, 0.5, 1, 1.2, 26, 27, 60, 24 * 8, 24 * 40, 24 * 400);
  assert.deepEqual(kept(line, { last: 2 }), [0, 0.5 * hourMs]);
  assert.deepEqual(kept(line, { hourly: 3 }), [0, 0.5 * hourMs, 1.2 * hourMs]);
  assert.deepEqual(kept(line, { daily: 3 }), [0, 26 * hourMs, 60 * hourMs]);
  // The 18th of November 2026 is a Wednesday: 60 hours before is Monday.
  assert.deepEqual(kept(line, { weekly: 2 }), [0, 24 * 8 * hourMs]);
  assert.deepEqual(kept(line, { monthly: 2 }), [0, 24 * 40 * hourMs]);
  assert.deepEqual(kept(line, { yearly: 5 }), [0, 24 * 400 * hourMs]);
  assert.deepEqual(kept(line, { last: 1, yearly: 5, daily: 2 }), [0, 26 * hourMs, 24 * 400 * hourMs]);
  assert.deepEqual(kept([], { last: 3 }), []);
});

test("policy: what is within a time is counted back from the newest commit, not from now", () => {
  const line = hours(24 * 10, 24 * 11, 24 * 40, 24 * 300);
  assert.deepEqual(kept(line, { within: "1d" }), [240 * hourMs, 264 * hourMs]);
  assert.deepEqual(kept(line, { within: "1m" }), [240 * hourMs, 264 * hourMs, 960 * hourMs]);
  assert.deepEqual(kept(line, { within: "1y2m3w4d5h" }).length, 4);
  for (const text of ["", "d", "3", "3x", "1h1d", "-1d", "1d "]) {
    assert.equal(isDuration(text), false, text);
    assertFails("usage", () => kept(line, { within: text }));
  }
});

test("policy auto: automatic commits are all kept for an hour, one of an hour for a day, then one of a day; others always", () => {
  const minute = hourMs / 60;
  const automatic = Array.from({ length: 4 * 24 * 12 }, (_, at) =>
    commitAt(at * 5 * minute + minute, commitFlags.automatic),
  );
  const own = commitAt(30 * hourMs + 17 * minute);
  const line = [...automatic, own].sort((a, b) => Number(Buffer.from(a.id)) - Number(Buffer.from(b.id)));
  const left = kept(line, { thinsAutomatic: true });
  const between = (from: number, to: number): number => left.filter((ago) => ago >= from && ago < to).length;
  assert.equal(between(0, hourMs), 12);
  assert.ok(between(hourMs, dayMs) >= 22 && between(hourMs, dayMs) <= 25, `${between(hourMs, dayMs)}`);
  assert.ok(between(dayMs, 4 * dayMs) <= 6, `${between(dayMs, 4 * dayMs)}`);
  assert.ok(left.includes(30 * hourMs + 17 * minute));
  // Again an hour later nothing that is a day old changes.
  const again = chooseKept(
    line.filter(({ id }) => left.includes(Number(Buffer.from(id).toString()))),
    { thinsAutomatic: true },
    noon,
  );
  assert.deepEqual(again.length, left.length);
});
