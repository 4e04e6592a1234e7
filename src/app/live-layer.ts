/**
 * The unreal part of a box for its live mount: which tree is being worked on, what of it is in the folder, and how something gets there.
 *
 * What was deleted without ever having been in the folder is noted in the scan's rows a moment later, or when somebody asks for it. A commit that began before may
 * write the same rows; so it is kept in mind until the tree has it no more, and noted again where it is missing.
 */
import { utf8 } from "../base/bytes.ts";
import { isKind, OuroError } from "../base/errors.ts";
import { lstat } from "../base/posix.ts";
import { quotePath } from "../base/quote.ts";
import { type Dot, dotKey, type Entry, equalDots, type Hash } from "../format/mod.ts";
import { joinPath, splitPath } from "../history/mod.ts";
import {
  type FolderFile,
  type FolderFilesystemOptions,
  InodeNumbers,
  type LayerMark,
  type NodeNumber,
  type Numbered,
  numberedNode,
  type RemovedFrom,
  type UnrealChange,
  type UnrealLayer,
} from "../vfs/mod.ts";
import { noteDirectory, noteGone, recordedNames } from "../workdir/mod.ts";
import { changeUnreal } from "./change-unreal.ts";
import { LiveStagedFiles } from "./live-staged.ts";
import { Marks } from "./marks.ts";
import { lockWhole } from "./move-folder.ts";
import { numberedIn } from "./number-moves.ts";
import type { OpenBox } from "./open-box.ts";
import { realizeInFolder } from "./realize-folder.ts";
import { takeOutEmpty } from "./take-out-empty.ts";
import { existsIn, isPartFolder } from "./unreal-setting.ts";

/**
 * What was deleted is noted so soon, before a command that somebody starts next can look; and so many times what noting took last: a row is written whole.
 */
const flushMsMin = 20;
const flushTimes = 20;
const retryMs = 2000;
/** So long what was seen of the state is believed: asking costs as much as answering a request. */
const believedMs = 2;
/** So long is waited for a command that is at work on the folder. */
const lockMsMax = 300_000;
/** Rows that are kept decoded. */
const rowsMax = 256;

interface Gone extends RemovedFrom {
  readonly entries: Map<string, Entry>;
}

interface Wanted {
  readonly paths: readonly Uint8Array[];
  readonly done: () => void;
  readonly failed: (thrown: unknown) => void;
}

export interface LiveLayerOptions {
  /** Smaller unreal files are brought whole when they are changed. In bytes. */
  readonly stagedMin?: number;
  /** Commits what is in the folder. */
  readonly settle: () => Promise<void>;
  /** Something was changed that a commit will find. */
  readonly onChange: () => void;
}

export class LiveLayer implements UnrealLayer, Disposable {
  readonly #box: OpenBox;
  readonly #root: string;
  readonly #options: LiveLayerOptions;
  readonly #rows = new Map<string, { has(name: string): boolean }>();
  readonly #gone = new Map<string, Gone>();
  /** Directories that are recorded, and have been found missing since they were last seen in the folder. */
  readonly #missing = new Set<string>();
  readonly staged: LiveStagedFiles;
  readonly #numbers: InodeNumbers;
  readonly #exists: (path: Uint8Array) => boolean;
  /** Of the folder. */
  readonly #device: bigint;
  #wanted: Wanted[] = [];
  #isRealizing = false;
  #timer: NodeJS.Timeout | undefined;
  #flushMs = flushMsMin;
  #version: number | undefined;
  #lookedMs = 0;
  #isPart = false;
  #head: { readonly commit: Hash; readonly tree: Hash } | undefined;

  /** @param box With a folder. */
  constructor(box: OpenBox, options: LiveLayerOptions) {
    this.#box = box;
    this.#root = box.requireRoot("mount it");
    this.#device = lstat(this.#root).device;
    this.#numbers = new InodeNumbers(box.state);
    this.#options = options;
    this.#exists = existsIn(box);
    this.staged = new LiveStagedFiles(box, { onChange: options.onChange, sizeMin: options.stagedMin });
  }

  /** Notes what is not noted yet, as far as that can be done. */
  [Symbol.dispose](): void {
    this.staged[Symbol.dispose]();
    try {
      this.flush();
    } catch (thrown) {
      if (!isKind(thrown)) throw thrown;
    }
  }

  tree(): Hash | undefined {
    this.#look();
    return this.#head?.tree;
  }

  isPart(): boolean {
    this.#look();
    return this.#isPart;
  }

  isRecorded(directory: Dot, name: string): boolean {
    this.#look();
    const key = dotKey(directory);
    if (this.#gone.get(key)?.entries.has(name) === true) return true;
    let row = this.#rows.get(key);
    if (row === undefined) {
      row = recordedNames(this.#box.state, directory);
      this.#rows.set(key, row);
      const [oldest] = this.#rows.size > rowsMax ? this.#rows.keys() : [];
      if (oldest !== undefined) this.#rows.delete(oldest);
    }
    return row.has(name);
  }

  remove(directory: RemovedFrom, entry: Entry): void {
    const key = dotKey(directory.id);
    const gone = this.#gone.get(key) ?? { ...directory, entries: new Map<string, Entry>() };
    gone.entries.set(Buffer.from(entry.name).toString("latin1"), entry);
    this.#gone.set(key, gone);
    this.#options.onChange();
    this.#flushSoon();
  }

  noteStanding(directory: Dot, stands: boolean): void {
    const key = dotKey(directory);
    if (stands) this.#missing.delete(key);
    if (stands || this.#missing.has(key)) return;
    // Once: it stays missing after the commit if more of it is unreal.
    this.#missing.add(key);
    this.#options.onChange();
  }

  note(directory: Dot, entry: Entry, path: Uint8Array): void {
    const { state, reader } = this.#box;
    const stat = lstat(Buffer.concat([utf8(`${this.#root}/`), path]));
    state.transaction(() => {
      noteDirectory(state, directory, { reader, entry, stat });
      this.#numbers.flush();
    });
    this.#rows.delete(dotKey(directory));
  }

  flush(): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    if (this.#gone.size === 0 && !this.#numbers.isPending) return;
    const { state, reader } = this.#box;
    const startMs = performance.now();
    const device = this.#device;
    state.transaction(() => {
      this.#numbers.flush();
      for (const { id, entries } of this.#gone.values()) {
        const noted = recordedNames(state, id);
        const lacking = [...entries].filter(([name]) => !noted.has(name)).map(([, entry]) => entry);
        if (lacking.length > 0) noteGone(state, id, { reader, entries: lacking, device });
      }
    });
    this.#rows.clear();
    this.#flushMs = Math.max(flushMsMin, (performance.now() - startMs) * flushTimes);
  }

  readonly numberOfFile: NonNullable<FolderFilesystemOptions["numberOf"]> = (stat, own) => {
    const file = numberedIn(this.#device, stat);
    return file === undefined ? own : this.#settle(file);
  };

  /** Of what is unreal. */
  numberOfNode(entry: Entry): NodeNumber {
    return this.#numbers.of(numberedNode(entry));
  }

  settleNumber(entry: Entry): void {
    this.#settle(numberedNode(entry));
  }

  becameReal(entry: Entry, file: FolderFile): void {
    const numbered = numberedIn(this.#device, file);
    if (numbered === undefined) return;
    this.#numbers.becameReal(numberedNode(entry), numbered);
    this.#flushSoon();
  }

  #settle(numbered: Numbered): NodeNumber {
    const number = this.#numbers.settle(numbered);
    if (this.#numbers.isPending) this.#flushSoon();
    return number;
  }

  /** What cannot be noted now is noted later: whoever asks for it to be durable is told why it is not. */
  #flushSoon(): void {
    this.#timer ??= setTimeout(() => {
      try {
        this.flush();
      } catch (thrown) {
        if (!isKind(thrown)) throw thrown;
        this.#flushMs = retryMs;
        this.#flushSoon();
      }
    }, this.#flushMs).unref();
  }

  /** Those that are asked for while others are brought come together after them. */
  realize(paths: readonly Uint8Array[]): Promise<void> {
    return new Promise((done, failed) => {
      this.#wanted.push({ paths, done, failed });
      if (!this.#isRealizing) void this.#realizeAll();
    });
  }

  async change(change: UnrealChange): Promise<void> {
    this.flush();
    await patiently(() => changeUnreal(this.#box, change));
    this.#version = undefined;
  }

  async takeOutEmpty(path: Uint8Array, file: FolderFile, mayLeave: () => boolean): Promise<Dot | undefined> {
    this.flush();
    const ask = (): boolean => {
      this.#version = undefined;
      // The rows are others before the file goes, and at once: nobody finds its name to be nothing.
      queueMicrotask(() => {
        this.#version = undefined;
      });
      return mayLeave();
    };
    try {
      const id = await patiently(() => takeOutEmpty(this.#box, { path, file, mayLeave: ask }));
      // What was deleted under that name has come back.
      if (id !== undefined) this.#forgetGone((entry) => equalDots(entry.id, id));
      return id;
    } finally {
      this.#version = undefined;
    }
  }

  async alone<T>(act: () => T): Promise<T> {
    using _ = await patiently(() => lockWhole(this.#box, "alone"));
    this.#version = undefined;
    return act();
  }

  async settle(): Promise<void> {
    this.flush();
    await this.#options.settle();
    this.#version = undefined;
  }

  markOf(entry: Entry): LayerMark | undefined {
    return Marks.load(this.#box).of(entry.id);
  }

  setMark(entry: Entry, mark: LayerMark | undefined): void {
    this.#box.state.transaction(() => {
      const marks = Marks.load(this.#box);
      marks.set(entry.id, mark);
      marks.save(this.#box);
    });
    this.#version = undefined;
  }

  /** Looks whether another process has moved the head or written rows. */
  #look(): void {
    const box = this.#box;
    const nowMs = performance.now();
    if (this.#version !== undefined && nowMs - this.#lookedMs < believedMs) return;
    const { version } = box.state;
    this.#lookedMs = nowMs;
    if (version === this.#version) return;
    this.#version = version;
    this.#rows.clear();
    this.#numbers.look();
    this.#isPart = isPartFolder(box);
    this.staged.refresh();
    const commit = box.state.head()?.commit;
    const before = this.#head?.commit;
    if (commit === undefined || (before !== undefined && Buffer.compare(commit, before) === 0)) return;
    this.#head = { commit, tree: box.commits.read(commit).commit.tree };
    this.#forgetDone();
  }

  /** What the tree has no more is deleted for good; where something stands again in the folder, that is what the next commit has. */
  #forgetDone(): void {
    const { reader } = this.#box;
    const tree = this.#head?.tree;
    if (tree === undefined || this.#gone.size === 0) return;
    const root = reader.root(tree);
    this.#forgetGone((entry, { path, placeNow }) => {
      // A commit that has not seen the deletion may have seen that the directory was renamed.
      const places = [path, placeNow() ?? path].map((place) => joinPath(place, entry.name));
      const found = places.map((place) => reader.findPath(root, splitPath(place)));
      return !found.some((each) => each !== undefined && equalDots(each.id, entry.id)) || places.some(this.#exists);
    });
    if (this.#gone.size === 0) return;
    this.#flushSoon();
    this.#options.onChange();
  }

  #forgetGone(isOver: (entry: Entry, directory: Gone) => boolean): void {
    for (const [key, gone] of this.#gone) {
      for (const [name, entry] of gone.entries) if (isOver(entry, gone)) gone.entries.delete(name);
      if (gone.entries.size === 0) this.#gone.delete(key);
    }
  }

  async #realizeAll(): Promise<void> {
    this.#isRealizing = true;
    try {
      while (this.#wanted.length > 0) {
        const wanted = this.#wanted;
        this.#wanted = [];
        try {
          await this.#realize(wanted.flatMap(({ paths }) => paths));
          for (const { done } of wanted) done();
        } catch (thrown) {
          for (const { failed } of wanted) failed(thrown);
        }
      }
    } finally {
      this.#isRealizing = false;
    }
  }

  async #realize(paths: readonly Uint8Array[]): Promise<void> {
    this.flush();
    const [first = new Uint8Array()] = paths;
    using _ = await patiently(() => lockWhole(this.#box, "alone"));
    const { partial } = await realizeInFolder(this.#box, paths);
    this.#version = undefined;
    if (partial) throw new OuroError("io", `Cannot bring ${quotePath(first)} into the folder: see the log`);
  }
}

/** Waits for the folder as a command does, and longer: a pull or the commit of much may be at work. @throws OuroError "locked", and what it throws. */
async function patiently<T>(act: () => Promise<T>): Promise<T> {
  for (const endMs = performance.now() + lockMsMax; ; ) {
    try {
      return await act();
    } catch (thrown) {
      if (!isKind(thrown, "locked") || performance.now() > endMs) throw thrown;
    }
  }
}
