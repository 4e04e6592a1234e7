import assert from "node:assert/strict";
import { test } from "node:test";
import { ModelHistory } from "../../test/support/model-history.ts";
import { ModelTree } from "../../test/support/model-tree.ts";
import { toHex } from "../base/bytes.ts";
import { type ErrorKind, isKind } from "../base/errors.ts";
import type { NamedCommit } from "../format/mod.ts";
import { type RevisionContext, resolveRevision } from "./revision.ts";
import { parseTime } from "./time.ts";

const hour = 3_600_000;
const nowMs = new Date(2026, 10, 5, 12, 0).getTime();

function makeContext(): { commits: NamedCommit[]; context: RevisionContext; resolve: (text: string) => number } {
  const history = new ModelHistory();
  const tree = new ModelTree().build(history.meta);
  const commits: NamedCommit[] = [];
  for (let index = 0; index < 6; index += 1)
    commits.push(history.commit(tree, { timeMs: nowMs - (100 - index * 20) * hour }));
  const [side] = commits;
  assert.ok(side !== undefined);
  const branch = history.commit(tree, { writer: 2n, parents: [side], timeMs: nowMs - hour });
  const last = commits.at(-1);
  assert.ok(last !== undefined);
  const merged = history.commit(tree, { parents: [last, branch], timeMs: nowMs - hour / 2 });
  commits.push(branch, merged);
  const context: RevisionContext = {
    commits: history.reader(),
    head: merged.id,
    findTag: (name) => (name === "v1" ? commits[1]?.id : undefined),
    findHead: (name) => (name === "origin/main" ? branch.id : undefined),
    allHeads: () => [merged.id],
    operations: () => [],
    nowMs,
  };
  return {
    commits,
    context,
    resolve: (text) => commits.findIndex(({ id }) => toHex(id) === toHex(resolveRevision(text, context))),
  };
}

test("commits are named by head, tag, branch, steps back and the beginning of their id", () => {
  const { commits, resolve } = makeContext();
  const id = toHex(commits[3]?.id ?? new Uint8Array());
  const names: [string, number][] = [
    ["HEAD", 7],
    ["@", 7],
    ["HEAD~1", 5],
    ["HEAD~", 5],
    ["HEAD~3", 3],
    ["HEAD~~~", 3],
    ["HEAD^", 5],
    ["HEAD^2", 6],
    ["HEAD^2~1", 0],
    ["HEAD^0", 7],
    ["@~2^", 3],
    ["v1", 1],
    ["v1~1", 0],
    ["origin/main", 6],
    [id, 3],
    [id.slice(0, 8), 3],
    [id.slice(0, 9).toUpperCase(), 3],
    [`${id.slice(0, 12)}~2`, 1],
  ];
  for (const [text, index] of names) assert.equal(resolve(text), index, text);
});

test("commits are named by time: what the head was then, by operations or by dates", () => {
  const { commits, context, resolve } = makeContext();
  assert.equal(resolve("@{yesterday}"), 3);
  assert.equal(resolve("HEAD@{2 days ago}"), 2);
  assert.equal(resolve("@{now}"), 7);
  assert.equal(resolve("@{2026-11-01 10:00}"), 0);
  assert.equal(resolve("@{yesterday}~1"), 2);
  assert.throws(
    () => resolve("@{1 year ago}"),
    (error) => isKind(error, "not-found"),
  );
  const after = commits[6]?.id;
  assert.ok(after !== undefined);
  const recorded = { ...context, operations: () => [{ id: 1, timeMs: nowMs - 50 * hour, command: "restore", after }] };
  assert.equal(toHex(resolveRevision("@{yesterday}", recorded)), toHex(after));
  assert.equal(toHex(resolveRevision("@{3 days ago}", recorded)), toHex(commits[1]?.id ?? after));
});

test("a name that is nothing, unclear or too far back is refused with its kind", () => {
  const { context, resolve } = makeContext();
  const bad: [string, ErrorKind][] = [
    ["", "not-found"],
    ["nothing", "not-found"],
    ["abc", "not-found"],
    ["HEAD~99", "not-found"],
    ["HEAD^3", "not-found"],
    ["@{some day}", "invalid"],
    ["HEAD~9999999999", "invalid"],
  ];
  for (const [text, kind] of bad)
    assert.throws(
      () => resolve(text),
      (error) => isKind(error, kind),
      text,
    );
  assert.throws(() => resolve("HEAD~99"), / has no parent$/);
  assert.throws(() => resolve("HEAD~1^2"), / has one parent$/);
  assert.throws(() => resolve("HEAD^3"), / has 2 parents$/);
  const { head, ...rest } = context;
  assert.throws(
    () => resolveRevision("HEAD", rest),
    (error) => isKind(error, "not-found"),
  );
  const twice = { ...context, findCommits: () => [head ?? new Uint8Array(32), head ?? new Uint8Array(32)] };
  assert.throws(
    () => resolveRevision(toHex(head ?? new Uint8Array()).slice(0, 7), twice),
    (error) => isKind(error, "invalid"),
  );
});

test("times are understood as people write them", () => {
  const at = (year: number, month: number, day: number, h = 0, m = 0, s = 0): number =>
    new Date(year, month - 1, day, h, m, s).getTime();
  const times: [string, number | undefined][] = [
    ["now", nowMs],
    ["today", at(2026, 11, 5)],
    ["yesterday", at(2026, 11, 4, 12)],
    ["3 days ago", at(2026, 11, 2, 12)],
    ["3.days.ago", at(2026, 11, 2, 12)],
    ["an hour ago", nowMs - hour],
    ["90 minutes", nowMs - 1.5 * hour],
    ["2 weeks ago", at(2026, 10, 22, 12)],
    ["1 month ago", at(2026, 10, 5, 12)],
    ["2 years ago", at(2024, 11, 5, 12)],
    ["2026-11-01", at(2026, 11, 1)],
    ["2026-11-01 10:00", at(2026, 11, 1, 10)],
    ["2026-11-01T10:00:30", at(2026, 11, 1, 10, 0, 30)],
    ["2026-11-01 10:00z", Date.UTC(2026, 10, 1, 10)],
    ["2026-02-30", undefined],
    ["2026-13-01", undefined],
    ["soon", undefined],
    ["", undefined],
  ];
  for (const [text, time] of times) assert.equal(parseTime(text, nowMs), time, text);
});
