/**
 * Files that were changed in the live mount and are not in the folder: `.ourobox/staged` has a log of each (workdir/staged-file.ts), which the next commit takes in.
 * How far it has is in the state ("staged"), written with the new head in one transaction; the log itself goes after that. So an edit is in a log, in a commit, or
 * for a moment in both, where the state says so. See doc/decisions/0021-staged-files.md.
 */
import { join } from "node:path";
import { ByteReader, ByteWriter, toHex, toText } from "../base/bytes.ts";
import { errnoOf, ioError, isKind } from "../base/errors.ts";
import { type Entry, equalDots, type Hash, kinds } from "../format/mod.ts";
import {
  type Change,
  comparePaths,
  directoryOf,
  editTree,
  equalContents,
  type OverlayMeta,
  type PathFilter,
  splitLast,
  splitPath,
  TreeReader,
  walkEntries,
} from "../history/mod.ts";
import { decodeBase, encodeBase, type StagedBase, StagedFile, type StagedStart } from "../workdir/mod.ts";
import type { Path } from "./changes.ts";
import { listNames } from "./disk-folders.ts";
import { unlessLive } from "./live-lock.ts";
import type { OpenBox } from "./open-box.ts";

const key = "staged";
const version = 1;
const rowsMax = 65_536;
const nameBytesMax = 255;
const baseBytesMax = 128 * 1024;
const nameBytes = 8;
const namePattern = /^[0-9a-f]{16}$/;

/** How far commits have taken logs in, by the logs' names. */
export type StagedRows = ReadonlyMap<string, StagedStart>;

export function loadStagedRows({ state }: Pick<OpenBox, "state">): StagedRows {
  const rows = new Map<string, StagedStart>();
  const bytes = state.folderValue(key);
  if (bytes === undefined) return rows;
  const reader = new ByteReader(bytes, "what is staged");
  if (reader.u8() !== version) throw reader.corrupt("it is of another version");
  for (let left = reader.varint(rowsMax, "logs"); left > 0; left -= 1) {
    const name = reader.text(nameBytesMax, "name");
    const from = reader.varint(Number.MAX_SAFE_INTEGER, "place");
    const base = decodeBase(new ByteReader(reader.lengthBytes(baseBytesMax, "base"), "what is staged"));
    rows.set(name, { from, base });
  }
  return rows;
}

/** In a transaction. */
export function saveStagedRows({ state }: Pick<OpenBox, "state">, rows: StagedRows): void {
  const writer = new ByteWriter().u8(version).varint(rows.size);
  for (const [name, { from, base }] of rows) writer.text(name).varint(from).lengthBytes(encodeBase(base));
  state.setFolderValue(key, rows.size === 0 ? undefined : writer.finish());
}

export interface NamedStaged {
  readonly name: string;
  readonly file: StagedFile;
}

/** Names of logs. What others stage in their boxes nobody else may read. */
export function stagedNames({ context: { disk }, layout: { staged }, isReadOnly }: OpenBox): string[] {
  try {
    return listNames(disk, staged)
      .map(toText)
      .filter((name) => namePattern.test(name));
  } catch (thrown) {
    if (isReadOnly && isKind(thrown, "permission")) return [];
    throw thrown;
  }
}

export function newStagedName({ context }: OpenBox): string {
  return toHex(context.random(nameBytes));
}

/** Opens all logs, with what commits have not taken in yet. */
export class OpenStaged implements Disposable {
  readonly files: readonly NamedStaged[];
  readonly #opened = new DisposableStack();

  /** @throws OuroError of the disk. */
  constructor(box: OpenBox, options: { readonly isWriter?: boolean } = {}) {
    const { disk } = box.context;
    const { staged } = box.layout;
    const names = stagedNames(box);
    const rows: StagedRows = names.length === 0 ? new Map() : loadStagedRows(box);
    try {
      this.files = names.flatMap((name): NamedStaged[] => {
        const start = rows.get(name);
        const file = openLog(disk, join(staged, name), { ...options, ...(start === undefined ? {} : { start }) });
        return file === undefined ? [] : [{ name, file: this.#opened.use(file) }];
      });
    } catch (thrown) {
      this.#opened.dispose();
      throw ioError("Cannot read what was changed in a mount", thrown, staged);
    }
  }

  /** Those that a commit has something to do with. */
  get changed(): NamedStaged[] {
    return this.files.filter(({ file }) => file.isChanged);
  }

  /** They are the caller's to close from now on. */
  release(): void {
    this.#opened.move();
  }

  [Symbol.dispose](): void {
    this.#opened.dispose();
  }
}

/** Undefined where nothing was begun, or it is gone by now. */
function openLog(
  disk: OpenBox["context"]["disk"],
  path: string,
  options: Parameters<typeof StagedFile.open>[2],
): StagedFile | undefined {
  try {
    return StagedFile.open(disk, path, options);
  } catch (thrown) {
    if (errnoOf(thrown) === "ENOENT") return undefined;
    throw thrown;
  }
}

/**
 * Where a tree has a file that was changed: at its path, or where the file was moved.
 * @returns Undefined where it has it no more.
 */
export function findStaged(reader: TreeReader, tree: Hash, base: StagedBase): Placed | undefined {
  const root = reader.root(tree);
  const entry = reader.findPath(root, splitPath(base.path));
  const value = entry?.data[0].value;
  const isSame = value?.kind === kinds.file && equalContents(value.content, base.content);
  if (entry !== undefined && (isSame || isNode(entry, base))) return { path: base.path, entry };
  const directory = directoryOf(root);
  if (directory === undefined) return undefined;
  for (const placed of walkEntries(reader, directory, new Uint8Array())) if (isNode(placed.entry, base)) return placed;
  return undefined;
}

export interface Placed {
  readonly path: Path;
  readonly entry: Entry;
}

function isNode({ id, kind }: Entry, base: StagedBase): boolean {
  return kind === kinds.file && equalDots(id, base.id);
}

/**
 * What is staged, as changes of the folder. Their content is made up, but for its size: what it is only a commit finds out.
 * @param tree Of the head.
 */
export function stagedChanges(box: OpenBox, tree: Hash | undefined, filter: PathFilter | undefined): Change[] {
  if (tree === undefined) return [];
  using opened = new OpenStaged(box);
  const changes = opened.changed.flatMap(({ file }): Change[] => {
    if (file.isDropped) return [];
    const found = findStaged(box.reader, tree, file.base);
    const path = found?.path ?? file.base.path;
    if (filter !== undefined && filter.match(path) !== "chosen") return [];
    const after = changedEntry(found?.entry ?? lostEntry(file.base), file);
    if (found === undefined) return [{ type: "add", path, after, what: new Set() }];
    return [
      {
        type: "change",
        path,
        before: found.entry,
        after,
        what: new Set(file.edits.isSame ? ["mtime"] : ["content", "mtime"]),
      },
    ];
  });
  return changes.sort((a, b) => comparePaths(a.path, b.path));
}

function changedEntry(entry: Entry, { edits, size, mtimeNs }: StagedFile): Entry {
  if (edits.isSame) return { ...entry, mtimeNs };
  const content = size === 0 ? { size } : { size, items: [{ form: "hole", length: size } as const] };
  return { ...entry, mtimeNs, data: [{ dot: entry.data[0].dot, value: { kind: kinds.file, content } }] };
}

const lostMode = 0o600;

/** Of a file that the tree has no more: as nobody knows whose it was, it is the owner's alone. */
export function lostEntry({ id, path, mtimeNs, content }: StagedBase): Entry {
  const [uid, gid] = [process.geteuid?.() ?? 0, process.getegid?.() ?? 0];
  const dots = { id, placeDot: id, metaDot: id, mtimeDot: id };
  const meta = { mode: lostMode, uid, gid, atomic: false };
  const data = { dot: id, value: { kind: kinds.file, content } } as const;
  return { name: splitLast(path)[1], kind: kinds.file, ...dots, meta, mtimeNs, data: [data] };
}

/** Changes of the folder and of what is staged, by path: of what is both the folder's. */
export function withStaged(changes: readonly Change[], staged: readonly Change[]): Change[] {
  const paths = new Set(changes.map(({ path }) => toText(path)));
  const others = staged.filter(({ path }) => !paths.has(toText(path)));
  return [...changes, ...others].sort((a, b) => comparePaths(a.path, b.path));
}

/** A tree with what is staged in it, as `stagedChanges` has it. @param sink Has the tree. */
export function treeWithStaged(sink: OverlayMeta, tree: Hash, staged: readonly Change[]): Hash {
  const edits = staged.flatMap(({ type, path, after }) =>
    type === "add" || after === undefined ? [] : [{ path, entry: after }],
  );
  return edits.length === 0 ? tree : editTree(new TreeReader(sink), sink, tree, edits);
}

/** Removes the logs of which all is in a commit, unless a mount goes on with them. */
export function removeTaken(box: OpenBox): void {
  if (box.state.folderValue(key) === undefined) return;
  unlessLive(box, () => {
    using opened = new OpenStaged(box);
    const rows = loadStagedRows(box);
    const done = opened.files.filter(({ name, file }) => file.isDropped || (!file.isChanged && rows.has(name)));
    removeLogs(
      box,
      done.map(({ name }) => name),
    );
    const names = new Set(stagedNames(box));
    box.state.transaction(() => {
      saveStagedRows(box, new Map([...loadStagedRows(box)].filter(([name]) => names.has(name))));
    });
  });
}

/** Durably: before the state forgets what was taken in of them. */
export function removeLogs({ context: { disk }, layout: { staged } }: OpenBox, names: readonly string[]): void {
  if (names.length === 0) return;
  for (const name of names) removeLog(disk, join(staged, name));
  try {
    disk.syncDirectory(staged);
  } catch (thrown) {
    throw ioError(`Cannot sync ${staged}`, thrown, staged);
  }
}

export function removeLog(disk: OpenBox["context"]["disk"], path: string): void {
  try {
    disk.unlink(path);
  } catch (thrown) {
    if (errnoOf(thrown) !== "ENOENT") throw ioError(`Cannot remove ${path}`, thrown, path);
  }
}
