/**
 * Version vectors: per writer, the greatest event that a state has taken in. Format: doc/format.md, sections 2 and 5.
 *
 * A vector covers an event whose clock is not above its writer's entry. An entry carries the beginning of that event
 * commit's id, so that one writer's clock given out twice (a restored backup, a cloned machine) is noticed.
 */
import { equalBytes } from "../base/bytes.ts";
import { OuroError } from "../base/errors.ts";
import { eventBytes, type NamedCommit, type VectorEntry, type VersionVector } from "./commit.ts";
import { type EventName, type WriterId, writerHex } from "./dot.ts";
import type { Hash } from "./entry.ts";

/** What a vector says of the event with this id. */
export function vectorEntry(event: EventName, id: Hash): VectorEntry {
  return { writer: event.writer, clock: event.clock, event: id.subarray(0, eventBytes) };
}

/** All that a commit's tree has taken in: the stored vector and, for an event, the event itself. */
export function fullVector({ id, commit }: NamedCommit): VersionVector {
  return commit.type === "join" ? commit.vector : joinVectors(commit.vector, [vectorEntry(commit, id)]);
}

/** The writer's entry, or undefined. */
export function findVectorEntry(vector: VersionVector, writer: WriterId): VectorEntry | undefined {
  let low = 0;
  let high = vector.length;
  while (low < high) {
    const middle = (low + high) >>> 1;
    const entry = vector[middle] as VectorEntry;
    if (entry.writer === writer) return entry;
    if (entry.writer < writer) low = middle + 1;
    else high = middle;
  }
  return undefined;
}

/** Whether the vector has taken the event in. The root's own event is covered by all. */
export function covers(vector: VersionVector, event: EventName): boolean {
  if (event.writer === 0n) return true;
  const entry = findVectorEntry(vector, event.writer);
  return entry !== undefined && event.clock <= entry.clock;
}

export type VectorOrder = "equal" | "before" | "after" | "concurrent";

/**
 * How `a` stands to `b`: "before" when `b` covers all of `a` and more.
 * @throws OuroError "diverged" when they disagree on what an event was.
 */
export function compareVectors(a: VersionVector, b: VersionVector): VectorOrder {
  let [aMore, bMore] = [false, false];
  for (const [one, two] of pairs(a, b)) {
    if (two === undefined || (one !== undefined && one.clock > two.clock)) aMore = true;
    else if (one === undefined || one.clock < two.clock) bMore = true;
    else requireSameEvent(one, two);
  }
  if (aMore) return bMore ? "concurrent" : "after";
  return bMore ? "before" : "equal";
}

/**
 * The smallest vector that covers both.
 * @throws OuroError "diverged" when they disagree on what an event was.
 */
export function joinVectors(a: VersionVector, b: VersionVector): VersionVector {
  const joined: VectorEntry[] = [];
  for (const [one, two] of pairs(a, b)) {
    if (one !== undefined && two !== undefined && one.clock === two.clock) requireSameEvent(one, two);
    joined.push(two === undefined || (one !== undefined && one.clock >= two.clock) ? (one as VectorEntry) : two);
  }
  return joined;
}

/** The greatest clock that a vector knows; 0 for the empty one. */
export function greatestClock(vector: VersionVector): bigint {
  let greatest = 0n;
  for (const { clock } of vector) if (clock > greatest) greatest = clock;
  return greatest;
}

/** Both vectors' entries by writer; one of a pair is undefined where only one has the writer. */
function* pairs(a: VersionVector, b: VersionVector): Generator<[VectorEntry | undefined, VectorEntry | undefined]> {
  for (let [atA, atB] = [0, 0]; atA < a.length || atB < b.length; ) {
    const [one, two] = [a[atA], b[atB]];
    const takeOne = one !== undefined && (two === undefined || one.writer <= two.writer);
    const takeTwo = two !== undefined && (one === undefined || two.writer <= one.writer);
    yield [takeOne ? one : undefined, takeTwo ? two : undefined];
    if (takeOne) atA += 1;
    if (takeTwo) atB += 1;
  }
}

function requireSameEvent(a: VectorEntry, b: VectorEntry): void {
  if (equalBytes(a.event, b.event)) return;
  throw new OuroError(
    "diverged",
    `Cannot compare two states: writer ${writerHex(a.writer)} has dated two commits alike`,
    {
      hint: "A box was copied or restored from a backup and used twice. Give one of the copies a new writer id.",
    },
  );
}
