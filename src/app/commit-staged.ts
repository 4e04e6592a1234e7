/**
 * The part of a commit that takes in what is staged: the content that changed files have now, made of what they had, and their entries in the new tree. Of the content
 * that is elsewhere only what is around the changes is brought. What cannot be brought stays staged, and the commit is partial.
 *
 * A file that has got another content in the tree meanwhile is in conflict then, as after a join; one that is in the folder by now, or is nowhere, comes
 * back under a name beside.
 */
import { existsSync } from "node:fs";
import { join } from "node:path";
import { concatBytes, toHex, toText, utf8 } from "../base/bytes.ts";
import type { Disk } from "../base/disk.ts";
import { ioError, isKind, OuroError } from "../base/errors.ts";
import { quotePath } from "../base/quote.ts";
import {
  buildContent,
  Chunker,
  type Content,
  type ContentItem,
  type DatedValue,
  type Dot,
  type Entry,
  type EventName,
  type Hash,
  hashKey,
  kinds,
} from "../format/mod.ts";
import {
  type Births,
  directoryOf,
  editTree,
  equalContents,
  joinPath,
  type PathFilter,
  splitLast,
  splitPath,
  type TreeEdit,
} from "../history/mod.ts";
import type { Ingest, MetaSink } from "../store/mod.ts";
import { ContentLists } from "../vfs/mod.ts";
import { editedItems, type StagedBase, type StagedFile, type StagedStart } from "../workdir/mod.ts";
import type { Path } from "./changes.ts";
import { ChunkWindow, LazySource } from "./content-here.ts";
import { listNames } from "./disk-folders.ts";
import { nameBeside } from "./name-beside.ts";
import type { OpenBox } from "./open-box.ts";
import { peerName } from "./peer-name.ts";
import {
  findStaged,
  loadStagedRows,
  lostEntry,
  OpenStaged,
  type Placed,
  removeLog,
  saveStagedRows,
} from "./staged-files.ts";
import { existsIn } from "./unreal-setting.ts";

/** New chunks that follow one another are stored together, in files of so many bytes. */
const storedBytes = 8 * 1024 * 1024;
const temporaryPrefix = "staged-";
/** Chunks that were brought and may be asked for again. */
const keptChunks = 4;

interface Taken {
  readonly name: string;
  readonly base: StagedBase;
  /** Of the log. */
  readonly end: number;
  readonly mtimeNs: bigint;
  readonly content: Content;
}

export interface StageRequest {
  readonly ingest: Ingest;
  readonly sink: MetaSink;
  /** Of the last commit. */
  readonly tree: Hash | undefined;
  readonly filter: PathFilter | undefined;
}

export interface PlaceRequest {
  /** That is being made, which can be read. */
  readonly tree: Hash;
  readonly before: Hash;
  readonly event: EventName;
  readonly births: Births;
  readonly sink: MetaSink;
}

/** What one commit takes in. */
export class TakenStaged {
  readonly #box: OpenBox;
  readonly #taken: readonly Taken[];
  readonly isPartial: boolean;
  readonly #rows = new Map<string, StagedStart>();
  #edits: TreeEdit[] = [];

  private constructor(box: OpenBox, taken: readonly Taken[], isPartial: boolean) {
    this.#box = box;
    this.#taken = taken;
    this.isPartial = isPartial;
  }

  /** Stores the content of what is staged. @throws OuroError as an ingest. */
  static async take(box: OpenBox, request: StageRequest): Promise<TakenStaged> {
    const { tree, filter } = request;
    const taken: Taken[] = [];
    let isPartial = false;
    if (tree === undefined || box.root === undefined) return new TakenStaged(box, taken, isPartial);
    using opened = new OpenStaged(box);
    if (opened.changed.length > 0) removeRubbish(box);
    await using source = new LazySource(box, "reading");
    for (const { name, file } of opened.changed) {
      const { base, end, isDropped, mtimeNs } = file;
      // What was deleted may be written to as long as it is open: nothing of it ever counts as taken in.
      if (isDropped) continue;
      const path = filter === undefined ? base.path : (findStaged(box.reader, tree, base)?.path ?? base.path);
      if (filter !== undefined && filter.match(path) !== "chosen") continue;
      try {
        const content = await contentOf(box, file, { ...request, source });
        taken.push({ name, base, end, mtimeNs, content });
      } catch (thrown) {
        if (!isMissing(thrown)) throw thrown;
        isPartial = true;
        box.context.warn(`${quotePath(base.path)}: what was changed is not committed yet: ${thrown.message}`);
      }
    }
    return new TakenStaged(box, taken, isPartial);
  }

  get isEmpty(): boolean {
    return this.#taken.length === 0;
  }

  /** How many files of the tree are others. */
  get count(): number {
    return this.#edits.length;
  }

  /** @returns The tree with what was taken in it. */
  place(request: PlaceRequest): Hash {
    const { tree, event, sink } = request;
    this.#edits = [];
    for (const each of this.#taken) this.#placeOne(each, request);
    return this.count === 0 ? tree : editTree(this.#box.reader, sink, tree, this.#edits, event);
  }

  /** In the transaction that moves the head. */
  save(): void {
    if (this.isEmpty) return;
    saveStagedRows(this.#box, new Map([...loadStagedRows(this.#box), ...this.#rows]));
  }

  #placeOne(taken: Taken, request: PlaceRequest): void {
    const { base, content } = taken;
    const { reader } = this.#box;
    const found = findStaged(reader, request.tree, base);
    // What this commit itself finds deleted was deleted in the mount.
    if (found === undefined && findStaged(reader, request.before, base) !== undefined) {
      this.#keep(taken, base);
      return;
    }
    const value = found?.entry.data[0].value;
    const isThere = value?.kind === kinds.file && equalContents(value.content, content);
    if (found !== undefined && !existsIn(this.#box)(found.path)) this.#change(taken, found, request);
    else if (isThere || equalContents(base.content, content)) this.#keep(taken, base);
    else this.#putBeside(taken, found, request);
  }

  #change(taken: Taken, { path, entry }: Placed, { event }: PlaceRequest): void {
    const dot: Dot = { ...event, counter: 0 };
    const data = dataOf(entry, taken, dot);
    const { content, mtimeNs } = taken;
    if (data !== entry.data || mtimeNs !== entry.mtimeNs)
      this.#edits.push({ path, entry: { ...entry, data, mtimeDot: dot, mtimeNs } });
    this.#keep(taken, { id: entry.id, path, mtimeNs, content });
  }

  #putBeside(taken: Taken, found: Placed | undefined, { tree, births }: PlaceRequest): void {
    const { base, content, mtimeNs } = taken;
    const { reader, context } = this.#box;
    const root = reader.root(tree);
    const kept = found?.entry ?? lostEntry(base);
    const { link: _, ...meta } = kept.meta;
    const parent = found === undefined ? this.#nearest(tree, base.path) : splitLast(found.path)[0];
    const id = births.take(1);
    const writer = { author: peerName(this.#box), timeMs: context.clock.nowMs() };
    const isFree = (name: Path): boolean => {
      const path = joinPath(parent, name);
      return (
        reader.findPath(root, splitPath(path)) === undefined &&
        !existsIn(this.#box)(path) &&
        !this.#edits.some((edit) => Buffer.compare(edit.path, path) === 0)
      );
    };
    const name = nameBeside(kept, writer, isFree);
    const path = joinPath(parent, name);
    const dots = { id, placeDot: id, metaDot: id, mtimeDot: id };
    const data = [{ dot: id, value: { kind: kinds.file, content } }] as const;
    this.#edits.push({ path, entry: { name, kind: kinds.file, ...dots, meta, mtimeNs, data } });
    context.warn(
      `${quotePath(base.path)} was changed in two places: what was changed in the mount is ${quotePath(path)}`,
    );
    this.#keep(taken, { id, path, mtimeNs, content });
  }

  /** The directory that something was in, or is left of those above. */
  #nearest(tree: Hash, path: Path): Path {
    const root = this.#box.reader.root(tree);
    let [parent] = splitLast(path);
    for (;;) {
      const entry = this.#box.reader.findPath(root, splitPath(parent));
      if (parent.length === 0 || (entry !== undefined && directoryOf(entry) !== undefined)) return parent;
      [parent] = splitLast(parent);
    }
  }

  #keep({ name, end }: Taken, base: StagedBase): void {
    this.#rows.set(name, { from: end, base });
  }
}

/** The data register with what was written: beside what others have made of the file meanwhile, instead of what it was. */
function dataOf(entry: Entry, { base, content }: Taken, dot: Dot): Entry["data"] {
  const value: DatedValue = { dot, value: { kind: kinds.file, content } };
  const shown = entry.data[0].value;
  if (shown.kind !== kinds.file || equalContents(shown.content, content)) return entry.data;
  if (equalContents(base.content, content)) return entry.data;
  return equalContents(shown.content, base.content) ? [value] : [value, ...entry.data];
}

/** What can be had later. */
function isMissing(thrown: unknown): thrown is OuroError {
  return isKind(thrown, "not-found") || isKind(thrown, "offline") || isKind(thrown, "corrupt");
}

async function contentOf(
  box: OpenBox,
  file: StagedFile,
  { ingest, sink, source }: StageRequest & { readonly source: LazySource },
): Promise<Content> {
  const { edits, base } = file;
  if (edits.isSame) return base.content;
  const lists = new ContentLists((hash) => box.store.getMeta(hash, "list"));
  const chunks = new KeptChunks(new ChunkWindow(box, source));
  const edited = {
    edits,
    itemsIn: (start: number, end: number) => lists.items(base.content, start, end),
    readChunk: (item: ContentItem) => chunks.read(item),
    readLog: (at: number, length: number) => readLog(file, at, length),
  };
  const items = new ItemCollector(box, ingest);
  for await (const item of editedItems(edited, new Chunker(box.identity.chunk))) await items.add(item);
  await items.store();
  return buildContent(items.items, (bytes) => sink.put("list", bytes));
}

/** @throws OuroError "corrupt": it stays as it is, and the rest is committed. */
function readLog(file: StagedFile, at: number, length: number): Uint8Array {
  try {
    return file.read(at, length);
  } catch (thrown) {
    const { message } = ioError("its log cannot be read", thrown);
    throw new OuroError("corrupt", message, { cause: thrown });
  }
}

class KeptChunks {
  readonly #window: ChunkWindow;
  readonly #kept = new Map<string, Uint8Array>();

  constructor(window: ChunkWindow) {
    this.#window = window;
  }

  async read(item: ContentItem): Promise<Uint8Array> {
    if (item.form === "hole") return new Uint8Array(item.length);
    const key = hashKey(item.hash);
    const bytes = this.#kept.get(key) ?? ((await this.#window.read([item])).get(key) as Uint8Array);
    this.#kept.delete(key);
    this.#kept.set(key, bytes);
    const [oldest] = this.#kept.size > keptChunks ? this.#kept.keys() : [];
    if (oldest !== undefined) this.#kept.delete(oldest);
    return bytes;
  }
}

/** The items of a content, for which new chunks are stored. */
class ItemCollector {
  readonly items: ContentItem[] = [];
  readonly #box: OpenBox;
  readonly #ingest: Ingest;
  #waiting: Uint8Array[] = [];
  #waitingBytes = 0;

  constructor(box: OpenBox, ingest: Ingest) {
    this.#box = box;
    this.#ingest = ingest;
  }

  async add(item: ContentItem | { readonly form: "bytes"; readonly bytes: Uint8Array }): Promise<void> {
    if (item.form === "bytes") {
      this.#waiting.push(item.bytes);
      this.#waitingBytes += item.bytes.length;
      if (this.#waitingBytes >= storedBytes) await this.store();
      return;
    }
    await this.store();
    const last = this.items.at(-1);
    if (item.form === "hole" && last?.form === "hole")
      this.items[this.items.length - 1] = { form: "hole", length: last.length + item.length };
    else this.items.push(item);
  }

  /** Stores the chunks that are waiting. An ingest, which reads files, cuts them where they were cut: each cut depends on what is before it alone. */
  async store(): Promise<void> {
    if (this.#waiting.length === 0) return;
    const bytes = concatBytes(this.#waiting);
    this.#waiting = [];
    this.#waitingBytes = 0;
    const { disk, random } = this.#box.context;
    const path = join(this.#box.layout.tmp, `${temporaryPrefix}${process.pid}-${toHex(random(4))}`);
    try {
      writeNew(disk, path, bytes);
      const [result] = await this.#ingest.ingest([{ path: utf8(path), size: bytes.length, blocks: 0 }]);
      if (result === undefined || "error" in result) throw result?.error ?? new OuroError("io", `Cannot read ${path}`);
      this.items.push(...result.items);
    } finally {
      removeLog(disk, path);
    }
  }
}

/** Removes what commits that were killed have left. */
function removeRubbish({ context: { disk }, layout: { tmp } }: OpenBox): void {
  for (const name of listNames(disk, tmp).map(toText)) {
    const [pid] = name.startsWith(temporaryPrefix) ? name.slice(temporaryPrefix.length).split("-") : [];
    if (pid !== undefined && !existsSync(`/proc/${pid}`)) removeLog(disk, join(tmp, name));
  }
}

function writeNew(disk: Disk, path: string, bytes: Uint8Array): void {
  try {
    const fd = disk.open(path, "create-new");
    try {
      disk.write(fd, bytes, 0);
    } finally {
      disk.close(fd);
    }
  } catch (thrown) {
    throw ioError(`Cannot write ${path}`, thrown, path);
  }
}
