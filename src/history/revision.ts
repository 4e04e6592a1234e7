/**
 * Names of commits as people write them: `HEAD`, `@`, a tag, a branch or writer, the beginning of an id (4 digits at least),
 * a time `@{yesterday}`, `@{3 days ago}`, `@{2026-11-01 10:00}`; each followed by any number of `~`, `~2`, `^`, `^2`.
 */
import { fromHex, toHex } from "../base/bytes.ts";
import { OuroError } from "../base/errors.ts";
import type { Hash, NamedCommit } from "../format/mod.ts";
import type { CommitReader } from "./commits.ts";
import { type IsForgotten, keptParents } from "./kept-parents.ts";
import { walkLog } from "./log.ts";
import type { Operation } from "./state.ts";
import { parseTime } from "./time.ts";

const prefixDigitsMin = 4;
/** With two bytes given, a box of a million commits has 15 that begin so. */
const sameBeginningMax = 1000;
const stepsMax = 1_000_000;

/** What names stand for. */
export interface RevisionContext {
  readonly commits: CommitReader;
  /** The own head; absent before the first commit. */
  readonly head?: Hash;
  /** The commit of a tag. */
  findTag(name: string): Hash | undefined;
  /** Other heads by what people call them: `origin/main`, a writer's id. */
  findHead(name: string): Hash | undefined;
  /** All heads and tags there are: where the search for an id begins. */
  allHeads(): readonly Hash[];
  /** Commits in the store whose ids begin with these bytes, at most `max`; absent: the heads' history is walked for them. */
  findCommits?(prefix: Uint8Array, max: number): readonly Hash[];
  /** Newest first. */
  operations(): readonly Operation[];
  readonly nowMs: number;
  /** Commits that are passed over on the way back. */
  readonly isForgotten?: IsForgotten;
}

/**
 * The commit that a text names.
 * @throws OuroError "not-found" when there is none, "invalid" when it is not unique or not understood.
 */
export function resolveRevision(text: string, context: RevisionContext): Hash {
  const steps = /(?:~\d*|\^\d*)*$/.exec(text)?.[0] ?? "";
  const base = text.slice(0, text.length - steps.length);
  let id = resolveBase(base, text, context);
  for (const [, kind, count] of steps.matchAll(/([~^])(\d*)/g)) {
    const number = count === "" ? 1 : Number(count);
    if (number > stepsMax)
      throw new OuroError("invalid", `Cannot go back ${number} commits (at most ${stepsMax})`, { subject: text });
    id = kind === "~" ? goBack(id, number, text, context) : parentOf(id, number, text, context);
  }
  return id;
}

function resolveBase(base: string, text: string, context: RevisionContext): Hash {
  if (base === "HEAD" || base === "@") {
    if (context.head !== undefined) return context.head;
    throw new OuroError("not-found", `Cannot find ${text}: there is no commit yet`, {
      subject: text,
      hint: "Run `ourobox commit` to make the first one.",
    });
  }
  const time = /^(?:HEAD)?@\{(.*)\}$/.exec(base)?.[1];
  if (time !== undefined) return resolveTime(time, text, context);
  const named = context.findTag(base) ?? context.findHead(base);
  if (named !== undefined) return named;
  if (/^[0-9a-f]+$/i.test(base) && base.length <= 64) return resolvePrefix(base.toLowerCase(), text, context);
  throw notFound(text, "no tag, branch or commit has that name");
}

function resolvePrefix(prefix: string, text: string, context: RevisionContext): Hash {
  if (prefix.length < prefixDigitsMin)
    throw notFound(text, `that is too short for the beginning of an id (at least ${prefixDigitsMin} digits)`);
  const [found, another] = commitsWithPrefix(prefix, context);
  if (another !== undefined) {
    throw new OuroError("invalid", `Cannot find ${text}: several commits begin so`, {
      subject: text,
      hint: "Give more digits.",
    });
  }
  if (found === undefined) throw notFound(text, "no tag, branch or commit has that name");
  return found;
}

/** Two at most are wanted: one, and whether it is the only one. */
function commitsWithPrefix(prefix: string, context: RevisionContext): Hash[] {
  const found: Hash[] = [];
  const hasPrefix = (id: Hash): boolean => toHex(id).startsWith(prefix);
  if (context.findCommits !== undefined) {
    const bytes = fromHex(prefix.slice(0, prefix.length & ~1), prefix.length >> 1);
    return context.findCommits(bytes, sameBeginningMax).filter(hasPrefix);
  }
  for (const { id } of walkLog(context.commits, context.allHeads(), { onMissing: () => undefined })) {
    if (hasPrefix(id)) found.push(id);
    if (found.length === 2 || (prefix.length === 64 && found.length === 1)) break;
  }
  return found;
}

function resolveTime(time: string, text: string, context: RevisionContext): Hash {
  const timeMs = parseTime(time, context.nowMs);
  if (timeMs === undefined) {
    throw new OuroError("invalid", `Cannot find ${text}: ${JSON.stringify(time)} is no time that is understood`, {
      subject: text,
      hint: "Write for example @{yesterday}, @{3 days ago} or @{2026-11-01 10:00}.",
    });
  }
  // What the head was here, as far back as operations are remembered; before that, by the dates of commits.
  const operation = context.operations().find((each) => each.timeMs <= timeMs && each.after !== undefined);
  if (operation?.after !== undefined) return operation.after;
  if (context.head !== undefined) {
    for (let named: NamedCommit | undefined = context.commits.read(context.head); named !== undefined; ) {
      if (commitMs(named) <= timeMs && context.isForgotten?.(named) !== true) return named.id;
      const [parent]: readonly Hash[] = named.commit.parents;
      named = parent === undefined ? undefined : context.commits.read(parent);
    }
  }
  throw notFound(text, "the first commit is later");
}

/** When a commit was made; a join has no time of its own and takes none. */
function commitMs({ commit }: NamedCommit): number {
  return commit.type === "event" ? commit.timeMs : Number.POSITIVE_INFINITY;
}

function goBack(id: Hash, count: number, text: string, context: RevisionContext): Hash {
  let at = id;
  for (let step = 0; step < count; step += 1) at = parentOf(at, 1, text, context);
  return at;
}

/** @param number From 1; 0 is the commit itself. */
function parentOf(id: Hash, number: number, text: string, context: RevisionContext): Hash {
  if (number === 0) return id;
  const { isForgotten } = context;
  const all = context.commits.read(id).commit.parents;
  const parents =
    isForgotten === undefined ? all : keptParents(context.commits, all, isForgotten).map((named) => named.id);
  const parent = parents[number - 1];
  if (parent === undefined) {
    const count =
      parents.length === 0 ? "no parent" : parents.length === 1 ? "one parent" : `${parents.length} parents`;
    throw notFound(text, `${toHex(id).slice(0, 12)} has ${count}`);
  }
  return parent;
}

function notFound(text: string, why: string): OuroError {
  return new OuroError("not-found", `Cannot find ${text}: ${why}`, {
    subject: text,
    hint: "Run `ourobox log` to see the commits there are.",
  });
}
