/** Conflicts of the head's tree: what there is, and who wrote each of the values. */
import { equalBytes, toHex } from "../base/bytes.ts";
import type { DatedValue, Entry, EventCommit, Hash, NamedCommit } from "../format/mod.ts";
import { writerHex } from "../format/mod.ts";
import { distinctValues, eventKeyOf, findEvents, listConflicts } from "../history/mod.ts";
import type { Path } from "./changes.ts";
import type { OpenBox } from "./open-box.ts";

/** One of the values that an entry has. */
export interface ConflictValue extends DatedValue {
  /** Written by this device. */
  readonly isMine: boolean;
  /** The commit that wrote it; absent when it was trimmed from history. */
  readonly commit?: Hash;
  readonly author?: string;
  readonly timeMs?: number;
}

export interface Conflict {
  readonly path: Path;
  readonly entry: Entry;
  /** Those that differ, the one that is shown first. */
  readonly values: readonly ConflictValue[];
}

/** By path. @param paths Only these and what is below them; none: all. */
export function conflictsOf(box: OpenBox, paths: readonly Path[] = []): Conflict[] {
  const head = box.headCommit();
  if (head === undefined) return [];
  const found = [...listConflicts(box.reader, head.commit.tree, paths.length === 0 ? {} : { paths })];
  if (found.length === 0) return [];
  const values = found.map(({ entry }) => distinctValues(entry));
  const events = findEvents(
    box.commits,
    head.id,
    values.flat().map(({ dot }) => dot),
  );
  const me = box.peer().publicKey;
  return found.map(({ path, entry }, index) => ({
    path,
    entry,
    values: (values[index] ?? []).map((each) => describeValue(each, events.get(eventKeyOf(each.dot)), me)),
  }));
}

function describeValue(
  value: DatedValue,
  event: (NamedCommit & { readonly commit: EventCommit }) | undefined,
  me: Uint8Array,
): ConflictValue {
  if (event === undefined) return { ...value, isMine: false };
  const { author, timeMs, peer } = event.commit;
  return { ...value, isMine: equalBytes(peer, me), commit: event.id, author, timeMs };
}

/** Whether people mean this value: by the beginning of its author's name, its commit's id or its writer's. */
export function isValueOf({ author, commit, dot }: ConflictValue, name: string): boolean {
  const digits = name.toLowerCase();
  const isId = /^[0-9a-f]{4,}$/.test(digits);
  return (
    author?.startsWith(name) === true ||
    (isId && commit !== undefined && toHex(commit).startsWith(digits)) ||
    (isId && writerHex(dot.writer).startsWith(digits))
  );
}
