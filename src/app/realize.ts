/**
 * `realize`, `unrealize` and `mark`: which parts of a box have their content here.
 *
 * Realizing brings files into the folder; what stands there already stays as it is. Unrealizing takes them out of it and gives up their content, when enough other
 * places have it. The scan's rows forget the files before they go, so that a crash in between leaves files, and no deletions.
 */
import { toHex, toText } from "../base/bytes.ts";
import { OuroError } from "../base/errors.ts";
import { quotePath } from "../base/quote.ts";
import { type Content, commitFlags, type Entry, type Hash, kinds } from "../format/mod.ts";
import {
  type Change,
  comparePaths,
  directoryOf,
  isShown,
  joinPath,
  PathFilter,
  splitPath,
  walkEntries,
} from "../history/mod.ts";
import { FolderRows, forgetRows, saveObservations } from "../workdir/mod.ts";
import { commitBox, statusOf } from "./box-commit.ts";
import type { Path } from "./changes.ts";
import { bringContent } from "./content-here.ts";
import { evictContent } from "./evict-content.ts";
import { checkoutFolder } from "./folder.ts";
import { type Mark, Marks } from "./marks.ts";
import { lockWhole } from "./move-folder.ts";
import { noteReal, noteUnreal } from "./number-moves.ts";
import type { OpenBox } from "./open-box.ts";
import { ruleFileNames } from "./part-changes.ts";
import { realizeInFolder } from "./realize-folder.ts";
import { stagedChanges } from "./staged-files.ts";
import { existsIn } from "./unreal-setting.ts";

export interface RealizeReport {
  readonly files: number;
  readonly partial: boolean;
}

export interface UnrealizeReport extends RealizeReport {
  /** Given up of the content, in bytes as stored. */
  readonly bytes: number;
}

const nothing: Change["what"] = new Set();

/** @param mark Undefined: as what is around it. @throws OuroError "not-found": nothing is marked then. */
export function markPaths(box: OpenBox, paths: readonly Path[], mark: Mark | undefined): void {
  box.requireWritable();
  const entries = paths.map((path) => entryAt(box, path).entry);
  box.state.transaction(() => {
    const marks = Marks.load(box);
    for (const { id } of entries) marks.set(id, mark);
    marks.save(box);
  });
}

/** Where there are marks in the last commit, by path. */
export function* markedPaths(box: OpenBox): Generator<{ readonly path: Path; readonly mark: Mark }> {
  const marks = Marks.load(box);
  const tree = box.headCommit()?.commit.tree;
  if (marks.isEmpty || tree === undefined) return;
  const root = box.reader.root(tree);
  const directory = directoryOf(root);
  const below = directory === undefined ? [] : walkEntries(box.reader, directory, new Uint8Array());
  const ofRoot = marks.of(root.id);
  if (ofRoot !== undefined) yield { path: new Uint8Array(), mark: ofRoot };
  for (const { path, entry } of below) {
    const mark = marks.of(entry.id);
    if (mark !== undefined) yield { path, mark };
  }
}

function entryAt(box: OpenBox, path: Path): { readonly tree: Hash; readonly entry: Entry } {
  const tree = box.headCommit()?.commit.tree;
  const entry = tree === undefined ? undefined : box.reader.findPath(box.reader.root(tree), splitPath(path));
  if (tree === undefined || entry === undefined)
    throw new OuroError("not-found", `Cannot find ${quotePath(path)}: it is not in the last commit`, {
      subject: toText(path),
      hint: "Run `ourobox status` to see if it is new.",
    });
  return { tree, entry };
}

/** @throws OuroError "not-found", and as `ContentSource.fetch`: what has come by then stays. */
export async function realizePaths(box: OpenBox, paths: readonly Path[]): Promise<RealizeReport> {
  box.requireWritable();
  const entries = paths.map((path) => entryAt(box, path));
  const [first] = entries;
  if (first === undefined) return { files: 0, partial: false };
  let report: RealizeReport;
  if (box.root === undefined) {
    let files = 0;
    const contents = function* (): Generator<Content> {
      for (const [at, { entry }] of entries.entries()) {
        for (const content of contentsBelow(box, paths[at] as Path, entry)) {
          files += 1;
          yield content;
        }
      }
    };
    await bringContent(box, contents());
    report = { files, partial: false };
  } else {
    using _ = await lockWhole(box, "alone");
    for (const path of paths) entryAt(box, path);
    await commitStaged(box, paths);
    report = await realizeInFolder(box, topmost(paths));
  }
  markPaths(box, paths, "real");
  return report;
}

/** What was changed in a mount and is not in the folder is committed before it comes there. @throws OuroError "diverged" when that cannot be. */
async function commitStaged(box: OpenBox, paths: readonly Path[]): Promise<void> {
  const filter = new PathFilter(paths);
  const changesNow = (): Change[] => stagedChanges(box, box.headCommit()?.commit.tree, filter);
  const changes = changesNow();
  if (changes.length === 0) return;
  const message = "Before bringing files into the folder";
  await commitBox(box, { message, all: true, paths: changes.map(({ path }) => path), flags: commitFlags.automatic });
  const [left] = changesNow();
  if (left === undefined) return;
  throw new OuroError(
    "diverged",
    `Cannot realize ${quotePath(left.path)}: what was changed in a mount is not committed`,
    {
      subject: toText(left.path),
      hint: "Run `ourobox commit` to see why.",
    },
  );
}

function* contentsBelow(box: OpenBox, path: Path, entry: Entry): Generator<Content> {
  const directory = directoryOf(entry);
  const all = directory === undefined ? [{ entry }] : walkEntries(box.reader, directory, path);
  for (const each of all) {
    const { value } = each.entry.data[0];
    if (value.kind === kinds.file) yield value.content;
  }
}

/**
 * @throws OuroError "diverged" for what is not committed; "not-found", "offline" when too few other places are known to have the content: nothing
 * is changed then.
 */
export async function unrealizePaths(box: OpenBox, paths: readonly Path[]): Promise<UnrealizeReport> {
  box.requireWritable();
  for (const path of paths) entryAt(box, path);
  if (box.root === undefined) return await letGo(box, paths, undefined);
  using _ = await lockWhole(box, "alone");
  const { changes } = await statusOf(box, { paths });
  const [changed] = changes.filter(isShown);
  if (changed !== undefined)
    throw new OuroError("diverged", `Cannot make ${quotePath(changed.path)} unreal: it is changed and not committed`, {
      subject: toText(changed.path),
      hint: "Commit it, and push the commit.",
    });
  return await letGo(box, paths, box.root);
}

async function letGo(box: OpenBox, paths: readonly Path[], folder: string | undefined): Promise<UnrealizeReport> {
  const chosen = topmost(paths);
  const contents = chosen.flatMap((path) => [...contentsBelow(box, path, entryAt(box, path).entry)]);
  const giveUp = await evictContent(box, contents, () => markPaths(box, chosen, "unreal"));
  const report = folder === undefined ? { files: 0, partial: false } : await takeOut(box, folder, chosen);
  return { ...report, bytes: giveUp() };
}

/**
 * Takes paths of the last commit out of the folder, as they are committed: that they are missing is no deletion then. Under the folder's lock, alone.
 * @throws OuroError as `checkout`.
 */
export async function takeOut(box: OpenBox, folder: string, paths: readonly Path[]): Promise<RealizeReport> {
  const { state, reader } = box;
  const tree = box.headCommit()?.commit.tree;
  if (tree === undefined) return { files: 0, partial: false };
  const rows = new FolderRows(reader, state, reader.root(tree), existsIn(box));
  const only = paths.flatMap((path) => [...removals(box, rows, path, entryAt(box, path).entry)]);
  only.sort((a, b) => comparePaths(a.path, b.path));
  const going = only.flatMap(({ path, before }) => (before === undefined ? [] : [{ path, entry: before }]));
  const noted = state.transaction(() => {
    forgetRows(state, reader, reader.root(tree), only);
    return noteUnreal(box, going);
  });
  using rowsAside = box.store.openSpill();
  const report = await checkoutFolder(box, { folder, from: tree, to: tree, only, isLive: true, rowsAside });
  state.transaction(() => {
    saveObservations(state, report, { nowMs: box.context.clock.nowMs(), isPart: true });
    // What could not go.
    noteReal(box, noted);
  });
  const files = only.filter(({ before }) => before !== undefined && before.kind !== kinds.directory).length;
  return { files, partial: report.isPartial };
}

/** What of a path is in the folder, as removals. What says how to read the folder's top stays. */
function* removals(box: OpenBox, rows: FolderRows, path: Path, entry: Entry): Generator<Change> {
  if (!rows.has(path)) return;
  if (path.length > 0) yield { type: "remove", path, before: entry, what: nothing };
  const directory = directoryOf(entry);
  if (directory === undefined) return;
  for (const inner of box.reader.entries(directory)) {
    if (path.length === 0 && ruleFileNames.has(toText(inner.name))) continue;
    yield* removals(box, rows, joinPath(path, inner.name), inner);
  }
}

/** Without those that are below others. */
function topmost(paths: readonly Path[]): Path[] {
  const keys = new Set(paths.map(toHex));
  const isBelow = (path: Path): boolean => {
    const names = splitPath(path);
    return names.some((_, depth) => keys.has(toHex(joined(names.slice(0, depth)))));
  };
  return [...new Map(paths.map((path) => [toHex(path), path])).values()].filter((path) => !isBelow(path));
}

function joined(names: readonly Uint8Array[]): Path {
  return names.reduce<Path>((path, name) => joinPath(path, name), new Uint8Array());
}
