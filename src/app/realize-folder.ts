/**
 * Bringing what is missing into a folder that holds a part. What stands there stays as it is, whoever has put it there.
 *
 * Which paths are being brought is in the state meanwhile ("realizing"): where the power goes, files may stand there whose bytes are not, and must not be taken for what
 * somebody has written. The next command that looks at the folder writes those anew; their content is here by then.
 */
import { ByteReader, ByteWriter } from "../base/bytes.ts";
import { type Entry, kinds } from "../format/mod.ts";
import { type Change, comparePaths } from "../history/mod.ts";
import { FolderRows, saveObservations } from "../workdir/mod.ts";
import type { Path } from "./changes.ts";
import { bringContent } from "./content-here.ts";
import { checkoutFolder } from "./folder.ts";
import { withoutPaths } from "./graft-tree.ts";
import { broughtBy, noteReal } from "./number-moves.ts";
import type { OpenBox } from "./open-box.ts";
import { changesOfPart } from "./part-changes.ts";
import { existsIn, statIn } from "./unreal-setting.ts";

const key = "realizing";
const pathsMax = 1_000_000;
const pathBytesMax = 2 ** 20;
const nothing: Change["what"] = new Set();

/** Whether it was interrupted. */
export function isRealizing({ state }: Pick<OpenBox, "state">): boolean {
  return state.folderValue(key) !== undefined;
}

/**
 * Under the folder's lock, alone. @param paths Of the last commit, none below another.
 * @throws OuroError as `checkout`, and as `ContentSource.fetch`.
 */
export async function realizeInFolder(
  box: OpenBox,
  paths: readonly Path[],
): Promise<{ readonly files: number; readonly partial: boolean }> {
  const { state } = box;
  const doubtful = isRealizing(box) ? pathsOf(box) : [];
  const writer = new ByteWriter(64).varint(paths.length);
  for (const path of paths) writer.lengthBytes(path);
  const tree = box.headCommit()?.commit.tree;
  const { root: folder } = box;
  if (tree === undefined || folder === undefined) return { files: 0, partial: false };
  const exists = existsIn(box);
  const rows = new FolderRows(box.reader, state, box.reader.root(tree), exists);
  const unwritten = doubtful.flatMap((path) => [...rows.unsure(path, isUnwritten(box))]);
  const missing = [...paths.flatMap((path) => [...rows.missing(path)]), ...unwritten];
  const unnoted = [...paths, ...doubtful].flatMap((path) => [...rows.unnoted(path)]);
  if (missing.length + unnoted.length === 0) {
    state.setFolderValue(key, undefined);
    return { files: 0, partial: false };
  }
  const { reader, tree: from } = withoutPaths({ reader: box.reader, tree }, box.store.hasher, missing);
  const lacking = new Set(unwritten.map((path) => Buffer.from(path).toString("latin1")));
  const coming = changesOfPart({
    reader,
    rows: state,
    exists: (path) => !lacking.has(Buffer.from(path).toString("latin1")) && exists(path),
    from,
    to: tree,
    isWanted: () => true,
  });
  // A directory that was made and no more gets the attributes that it has in the box.
  const finished = new Map(
    unnoted.map(({ path, entry }) => [
      Buffer.from(path).toString("latin1"),
      { type: "change", path, before: entry, after: entry, what: nothing } as const,
    ]),
  );
  const only = [...coming, ...finished.values()].sort((a, b) => comparePaths(a.path, b.path));
  await bringContent(
    box,
    coming.flatMap(({ after }) => {
      const value = after?.data[0].value;
      return value?.kind === kinds.file ? [value.content] : [];
    }),
  );
  if (paths.length > 0) state.setFolderValue(key, writer.finish());
  using rowsAside = box.store.openSpill();
  const report = await checkoutFolder(box, { folder, from, to: tree, only, isLive: true, reader, rowsAside });
  state.transaction(() => {
    saveObservations(state, report, { nowMs: box.context.clock.nowMs(), isPart: true });
    noteReal(box, broughtBy(coming));
  });
  state.setFolderValue(key, undefined);
  return { files: report.written, partial: report.isPartial };
}

function pathsOf({ state }: OpenBox): Path[] {
  const reader = new ByteReader(state.folderValue(key) ?? new Uint8Array([0]), "what is being realized");
  return Array.from({ length: reader.varint(pathsMax, "paths") }, () => reader.lengthBytes(pathBytesMax, "path"));
}

/** A file's time is set last: one that has it was written here, whatever the power has left of its bytes. */
function isUnwritten(box: OpenBox): (path: Path, entry: Entry) => boolean {
  const stat = statIn(box);
  return (path, entry) => entry.kind === kinds.file && stat(path)?.mtimeMs === Number(entry.mtimeNs / 1_000_000n);
}
