/**
 * The files that a live mount changes where they lie: opens their logs, begins new ones, and lets go of what a commit has taken in. Whoever has this is the only one
 * that writes to the logs (live-lock.ts); commits read them.
 */
import { join } from "node:path";
import { errnoOf, ioError } from "../base/errors.ts";
import { type Dot, dotKey } from "../format/mod.ts";
import type { StagedFiles } from "../vfs/mod.ts";
import { type StagedBase, StagedFile, type StagedStart } from "../workdir/mod.ts";
import type { OpenBox } from "./open-box.ts";
import {
  loadStagedRows,
  type NamedStaged,
  newStagedName,
  OpenStaged,
  removeLog,
  removeLogs,
  saveStagedRows,
  stagedNames,
} from "./staged-files.ts";

/** More are brought whole. */
const filesMax = 256;
/**
 * A smaller file is brought whole: that is two reads of a remote, and what a commit reads and stores around one edit may be a megabyte.
 */
const sizeMinUsual = 8 * 1024 * 1024;
/** What commits have taken in of a log stays there until it is so much: whoever loses the state has it all. */
const shrinkBytesMin = 16 * 1024 * 1024;

export interface LiveStagedOptions {
  /** Something was changed that a commit will find. */
  readonly onChange: () => void;
  readonly sizeMin?: number | undefined;
}

export class LiveStagedFiles implements StagedFiles, Disposable {
  readonly sizeMin: number;
  readonly #box: OpenBox;
  readonly #onChange: () => void;
  readonly #files = new Map<string, NamedStaged>();

  /** @throws OuroError of the disk. */
  constructor(box: OpenBox, { onChange, sizeMin = sizeMinUsual }: LiveStagedOptions) {
    this.#box = box;
    this.#onChange = onChange;
    this.sizeMin = sizeMin;
    this.#load();
  }

  #load(): void {
    const box = this.#box;
    const opened = new OpenStaged(box, { isWriter: !box.isReadOnly });
    const begun = new Set(opened.files.map(({ name }) => name));
    for (const each of opened.files) {
      const key = dotKey(each.file.base.id);
      this.#files.set(key, each);
      if (box.isReadOnly || (each.file.isChanged && !each.file.isDropped)) continue;
      // Nobody has it open any more.
      this.#remove(key, each);
    }
    opened.release();
    if (box.isReadOnly) return;
    removeLogs(
      box,
      stagedNames(box).filter((name) => !begun.has(name)),
    );
  }

  [Symbol.dispose](): void {
    for (const { file } of this.#files.values()) file[Symbol.dispose]();
    this.#files.clear();
  }

  get count(): number {
    return this.#files.size;
  }

  get hasRoom(): boolean {
    return this.#files.size < filesMax;
  }

  find(id: Dot): StagedFile | undefined {
    // Asked of every entry that is listed.
    if (this.#files.size === 0) return undefined;
    return this.#files.get(dotKey(id))?.file;
  }

  begin(base: StagedBase): StagedFile | undefined {
    if (!this.hasRoom) return undefined;
    const { context, layout } = this.#box;
    makeFolder(this.#box);
    const name = newStagedName(this.#box);
    const path = join(layout.staged, name);
    try {
      const file = StagedFile.make(context.disk, path, base);
      context.disk.syncDirectory(layout.staged);
      this.#files.set(dotKey(base.id), { name, file });
      return file;
    } catch (thrown) {
      removeLog(context.disk, path);
      throw thrown;
    }
  }

  end(id: Dot): void {
    const found = this.#files.get(dotKey(id));
    if (found !== undefined) this.#remove(dotKey(id), found);
  }

  changed(): void {
    this.#onChange();
  }

  nowNs(): bigint {
    return BigInt(Math.floor(this.#box.context.clock.nowMs())) * 1_000_000n;
  }

  /** To be called when another process may have committed. */
  refresh(): void {
    if (this.#files.size === 0) return;
    if (this.#box.isReadOnly) {
      this[Symbol.dispose]();
      this.#load();
      return;
    }
    const rows = loadStagedRows(this.#box);
    for (const [key, each] of [...this.#files]) {
      const row = rows.get(each.name);
      // What was deleted is for those who have it open.
      if (row === undefined || row.from === each.file.from || each.file.isDropped) continue;
      if (row.from < each.file.end) this.#goOn(key, each, row);
      else this.#remove(key, each);
    }
  }

  /** What was written since a commit read the log stands on what that made. */
  #goOn(key: string, { name, file: old }: NamedStaged, start: StagedStart): void {
    const { context, layout } = this.#box;
    const file = StagedFile.open(context.disk, join(layout.staged, name), { start, isWriter: true });
    old[Symbol.dispose]();
    this.#files.delete(key);
    if (file === undefined) return;
    this.#files.set(dotKey(file.base.id), { name, file });
    if (start.from > shrinkBytesMin) file.shrink();
  }

  /** The log first: while the state says how far it was taken in, nothing is taken twice. */
  #remove(key: string, { name, file }: NamedStaged): void {
    const box = this.#box;
    file[Symbol.dispose]();
    this.#files.delete(key);
    removeLogs(box, [name]);
    box.state.transaction(() => {
      const rows = new Map(loadStagedRows(box));
      if (rows.delete(name)) saveStagedRows(box, rows);
    });
  }
}

function makeFolder({ context: { disk }, layout: { staged } }: OpenBox): void {
  try {
    disk.makeDirectory(staged);
    disk.syncDirectory(join(staged, ".."));
  } catch (thrown) {
    if (errnoOf(thrown) !== "EEXIST") throw ioError(`Cannot make ${staged}`, thrown, staged);
  }
}
