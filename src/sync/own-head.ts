/**
 * Before a writer's head is replaced, what the remote has of that writer must be in its own chain of events (doc/merge.md, F2):
 * a box restored from an old backup, or a copied one, is noticed here, before it gives out the same dots twice.
 */
import { equalBytes, toHex } from "../base/bytes.ts";
import { isKind, OuroError } from "../base/errors.ts";
import {
  compareEvents,
  compareVectors,
  fullVector,
  type Head,
  type Tag,
  vectorEntry,
  writerHex,
} from "../format/mod.ts";
import type { CommitReader } from "../history/mod.ts";
import { passesThrough } from "./completeness.ts";

/**
 * @param mine The head to be written. @param theirs What the remote has of the same writer.
 * @returns Whether there is anything to write.
 * @throws OuroError "diverged" when the remote has something of this writer that this box does not know.
 */
export function mayReplace(mine: Head, theirs: Head, commits: CommitReader): boolean {
  if (theirs.last !== undefined && !isOwn(mine, theirs, commits)) throw restored(mine);
  if (equalBytes(mine.commit, theirs.commit)) return !isSameHead(mine, theirs);
  let order: ReturnType<typeof compareVectors>;
  try {
    order = compareVectors(fullVector(commits.read(mine.commit)), fullVector(commits.read(theirs.commit)));
  } catch (thrown) {
    if (isKind(thrown, "not-found")) throw restored(mine);
    throw thrown;
  }
  if (order === "after" || order === "equal") return true;
  throw restored(mine);
}

/** Whether the last event that the remote has of this writer is in the writer's own chain. */
function isOwn(mine: Head, theirs: Head, commits: CommitReader): boolean {
  const { writer, last } = mine;
  const known = theirs.last;
  if (known === undefined) return true;
  if (last === undefined || last.clock < known.clock) return false;
  try {
    return passesThrough(commits, last, vectorEntry({ writer, clock: known.clock }, known.id));
  } catch (thrown) {
    if (!isKind(thrown, "not-found")) throw thrown;
    throw new OuroError(
      "diverged",
      `Cannot push: the commits between ${toHex(known.id)} and the newest of this writer are not here`,
      {
        hint: "Run `ourobox fetch`, then push again.",
      },
    );
  }
}

function restored({ writer }: Head): OuroError {
  return new OuroError(
    "diverged",
    `Cannot push: the remote has commits of writer ${writerHex(writer)} that this box does not know`,
    {
      subject: writerHex(writer),
      hint: "This box was restored from a backup, or is a copy. Remove `.ourobox/writer`: it goes on as a new writer and loses nothing. Then pull and push.",
    },
  );
}

function isSameHead(a: Head, b: Head): boolean {
  return (
    a.branch === b.branch &&
    a.peerName === b.peerName &&
    equalBytes(a.peer, b.peer) &&
    a.last?.clock === b.last?.clock &&
    a.tags.length === b.tags.length &&
    hasTags(b, a.tags)
  );
}

/** All tags of both; of two values of one name the one of the greater event. */
export function joinTags(a: readonly Tag[], b: readonly Tag[]): Tag[] {
  const joined = new Map(a.map((tag) => [tag.name, tag]));
  for (const tag of b) {
    const other = joined.get(tag.name);
    if (other === undefined || compareEvents(other, tag) < 0) joined.set(tag.name, tag);
  }
  return [...joined.values()];
}

/** Whether a head tells of all these tags, or of later values of them. */
export function hasTags(head: Head, tags: readonly Tag[]): boolean {
  const told = new Map(head.tags.map((tag) => [tag.name, tag]));
  return tags.every((tag) => {
    const other = told.get(tag.name);
    return other !== undefined && compareEvents(other, tag) >= 0;
  });
}
