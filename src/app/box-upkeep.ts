/** `check` and `gc`: what is damaged, and what nobody needs. */
import { toHex } from "../base/bytes.ts";
import { isKind, OuroError } from "../base/errors.ts";
import { quotePath } from "../base/quote.ts";
import { Turns } from "../base/turns.ts";
import type { Hash } from "../format/mod.ts";
import { checkHistory, type IsForgotten, markLive, markLiveInTurns } from "../history/mod.ts";
import type { Damage } from "../store/mod.ts";
import { checkSmallFiles } from "./check-small-files.ts";
import { knownContent } from "./content-known.ts";
import { forgottenIn } from "./forgotten.ts";
import { heldCommits } from "./mount-holds.ts";
import type { OpenBox } from "./open-box.ts";

export interface GcReport {
  readonly packsRemoved: number;
  readonly packsWritten: number;
  readonly bytesFreed: number;
}

/** Every commit that something names. @throws OuroError "corrupt" when that cannot be told. */
export function namedCommits(box: OpenBox): Hash[] {
  return distinct(namers(box).flatMap((read) => read()));
}

/** Those of them that can be read: what cannot is damage in the state. */
function readableCommits(box: OpenBox): Hash[] {
  const readable = namers(box).flatMap((read) => {
    try {
      return read();
    } catch (thrown) {
      if (isKind(thrown, "corrupt")) return [];
      throw thrown;
    }
  });
  return distinct(readable);
}

type Commits = (Hash | undefined)[];

/** What names commits: the head, branches, tags, heads seen on remotes, operations that could be undone, mounts. */
function namers(box: OpenBox): (() => Commits)[] {
  const { state } = box;
  return [
    (): Commits => [state.head()].flatMap((head) => [head?.commit, head?.last?.id]),
    (): Commits => state.branches().flatMap(({ commit, last }) => [commit, last?.id]),
    (): Commits => state.tags().map(({ commit }) => commit),
    (): Commits => state.remoteHeads().map(({ commit }) => commit),
    (): Commits => state.allOperations().flatMap(({ before, after }) => [before, after]),
    (): Commits => heldCommits(box),
  ];
}

function distinct(all: Commits): Hash[] {
  const named = all.filter((each) => each !== undefined);
  return [...new Map(named.map((each) => [toHex(each), each])).values()];
}

/** What is said to be forgotten; where that cannot be read, which is told as damage of the state, nothing is. */
function readForgotten(box: OpenBox): IsForgotten {
  try {
    return forgottenIn(box);
  } catch (thrown) {
    if (!isKind(thrown, "corrupt")) throw thrown;
    return () => false;
  }
}

/** Everything that is wrong, as it is found: in databases and small files, packs and index, and what commits refer to. */
export async function* checkBox(box: OpenBox, { readData }: { readonly readData: boolean }): AsyncGenerator<Damage> {
  const { progress, signal } = box.context;
  progress.phase("Checking the state");
  yield* box.state.check();
  yield* checkSmallFiles(box);
  progress.phase("Checking packs");
  let last = 0;
  const onProgress = (done: number): void => {
    progress.add(1, done - last);
    last = done;
  };
  yield* box.store.check({ readData, signal, onProgress });
  progress.phase("Checking commits and trees");
  const hint =
    "Run `ourobox check --repair`, then `ourobox fetch` to bring what a remote has and `ourobox commit` to store what is still in the folder. Another commit of that file may be whole.";
  const hasChunk = knownContent(box);
  const turns = new Turns(signal);
  const isForgotten = readForgotten(box);
  for (const damage of checkHistory(box.commits, readableCommits(box), { hasChunk, isTrimmed: true, isForgotten })) {
    await turns.end();
    if (damage === undefined) continue;
    const { kind, object, commit, path, error } = damage;
    const where = path === undefined ? "" : ` of ${path.length === 0 ? "its root" : quotePath(path)}`;
    yield {
      file: `commit ${toHex(commit).slice(0, 12)}`,
      what: `${kind} ${toHex(object).slice(0, 12)}${where}: ${error.message}`,
      hint,
    };
  }
  progress.done();
}

/** Removes what no named commit needs. @throws OuroError "corrupt" when it cannot be told what is needed. */
export async function gcBox(box: OpenBox, { dryRun }: { readonly dryRun: boolean }): Promise<GcReport> {
  if (!dryRun) box.requireWritable();
  const { progress, signal } = box.context;
  progress.phase("Looking for what is needed");
  let names = namesOf(box);
  const isForgotten = forgottenIn(box);
  let live = await markLiveInTurns(box.commits, namedCommits(box), { isTrimmed: true, isForgotten, signal });
  const { removed, removedBytes, written, writtenBytes, busy } = await box.store.gc({
    isLiveMeta: (hash) => live.meta.has(hash),
    isLiveChunk: (hash) => live.chunks.has(hash),
    remark: () => {
      const namesNow = namesOf(box);
      if (namesNow === names) return;
      names = namesNow;
      live = markLive(box.commits, namedCommits(box), { isTrimmed: true, isForgotten: forgottenIn(box) });
    },
    dryRun,
    signal,
  });
  progress.done();
  if (busy)
    throw new OuroError("locked", "Cannot remove anything: other commands are writing all the time", {
      hint: "Run `ourobox gc` again later.",
    });
  return { packsRemoved: removed, packsWritten: written, bytesFreed: Math.max(0, removedBytes - writtenBytes) };
}

function namesOf(box: OpenBox): string {
  return namedCommits(box).map(toHex).sort().join();
}
