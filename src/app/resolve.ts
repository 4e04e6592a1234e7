/**
 * Resolving conflicts: one value stays, written anew, so that it counts everywhere as an edit which has seen all the others. What is
 * chosen for several entries is one commit; the folder is moved to it.
 */
import { join } from "node:path";
import { toHex, utf8 } from "../base/bytes.ts";
import { OuroError } from "../base/errors.ts";
import { quotePath } from "../base/quote.ts";
import {
  buildContent,
  type Dot,
  type Entry,
  type EventName,
  type FileValue,
  kinds,
  type NamedCommit,
  type Value,
} from "../format/mod.ts";
import {
  copySubtree,
  editTree,
  findBase,
  joinPath,
  mergeBytesMax,
  mergeTexts,
  pathKey,
  splitLast,
  splitPath,
  type TreeEdit,
  withValue,
} from "../history/mod.ts";
import type { MetaSink } from "../store/mod.ts";
import { TreeAttributes } from "./attributes.ts";
import type { Path } from "./changes.ts";
import { type Conflict, type ConflictValue, conflictsOf, isValueOf } from "./conflicts.ts";
import { wholeHere } from "./content-here.ts";
import { forgottenIn } from "./forgotten.ts";
import { driverBytesMax, findDriver, withMerged } from "./merge-driver.ts";
import { nameBeside } from "./name-beside.ts";
import type { OpenBox } from "./open-box.ts";
import { writeSmallFile } from "./small-files.ts";
import { commitTree } from "./tree-commit.ts";

export type Resolution =
  /** What is shown now: the latest. */
  | { readonly keep: "latest" }
  /** What this device wrote. */
  | { readonly keep: "mine" }
  /** What somebody wrote: the beginning of a name, of a commit's or a writer's id. */
  | { readonly keep: "pick"; readonly peer: string }
  /** All: the others beside what is shown, under names of their own. */
  | { readonly keep: "both" }
  /** What a driver of this machine makes of them, or a text in which what each changed is changed. */
  | { readonly keep: "merge" }
  /** The bytes of a file. */
  | { readonly keep: "file"; readonly path: string };

export interface ResolveReport {
  readonly resolved: readonly Path[];
  /** Those for which the choice does not do, and why. */
  readonly left: readonly { readonly path: Path; readonly error: OuroError }[];
  /** Absent when nothing was resolved. */
  readonly commit?: Uint8Array;
  readonly isPartial: boolean;
}

/**
 * @param paths Those in conflict at or below these; none: all.
 * @param options.flags Of the commit.
 * @throws OuroError "not-found" when there is no conflict there; as `commitTree`.
 */
export async function resolveConflicts(
  box: OpenBox,
  paths: readonly Path[],
  resolution: Resolution,
  { flags = 0 }: { readonly flags?: number } = {},
): Promise<ResolveReport> {
  const conflicts = conflictsOf(box, paths);
  if (conflicts.length === 0) {
    const where = paths.map(quotePath).join(", ");
    throw new OuroError("not-found", `Cannot resolve ${where === "" ? "anything" : where}: there is no conflict`, {
      hint: "Run `ourobox conflicts` for the list.",
    });
  }
  let made: Resolving | undefined;
  const { id, isPartial } = await commitTree(box, {
    command: "resolve",
    message: `Resolve ${conflicts.length === 1 ? quotePath(conflicts[0]?.path ?? new Uint8Array()) : "conflicts"}`,
    flags,
    async edit(head, event, sink) {
      made = new Resolving(box, head, event, sink);
      for (const conflict of conflicts) await made.resolve(conflict, resolution);
      const { edits } = made;
      return edits.length === 0 ? undefined : editTree(box.reader, sink, head.commit.tree, edits, event);
    },
  });
  const { resolved = [], left = [] } = made ?? {};
  return { resolved, left, isPartial, ...(id === undefined ? {} : { commit: id }) };
}

class Resolving {
  readonly #box: OpenBox;
  readonly #head: NamedCommit;
  readonly #event: EventName;
  readonly #sink: MetaSink;
  readonly edits: TreeEdit[] = [];
  readonly resolved: Path[] = [];
  readonly left: { readonly path: Path; readonly error: OuroError }[] = [];
  readonly #taken = new Set<string>();
  readonly #attributes: TreeAttributes;
  #counter = 0;

  constructor(box: OpenBox, head: NamedCommit, event: EventName, sink: MetaSink) {
    this.#box = box;
    this.#head = head;
    this.#event = event;
    this.#sink = sink;
    this.#attributes = new TreeAttributes(box, head.commit.tree);
  }

  async resolve(conflict: Conflict, resolution: Resolution): Promise<void> {
    const { path, entry } = conflict;
    try {
      const value = await this.#chosen(conflict, resolution);
      const others =
        resolution.keep === "both" ? conflict.values.slice(1).map((each) => this.#beside(conflict, each)) : [];
      this.edits.push({ path, entry: withValue(entry, value, this.#event, 0) }, ...others);
      this.resolved.push(path);
    } catch (thrown) {
      if (!(thrown instanceof OuroError) || thrown.kind === "no-space" || thrown.kind === "io") throw thrown;
      this.left.push({ path, error: thrown });
    }
  }

  async #chosen(conflict: Conflict, resolution: Resolution): Promise<Value> {
    const [shown, ...others] = conflict.values;
    if (shown === undefined) throw noValue(conflict.path, "it has none");
    switch (resolution.keep) {
      case "latest":
      case "both":
        return shown.value;
      case "mine":
        return this.#picked(conflict, shown, (value) => value.isMine, "none of its values was written on this device");
      case "pick":
        return this.#picked(
          conflict,
          shown,
          (value) => isValueOf(value, resolution.peer),
          `none of its values is of ${resolution.peer}`,
        );
      case "file":
        return this.#fromFile(conflict.entry, resolution.path);
      case "merge":
        return others.reduce<Promise<Value>>(
          async (merged, other) => this.#merged(conflict, shown, await merged, other),
          Promise.resolve(shown.value),
        );
    }
  }

  #picked(
    { path, values }: Conflict,
    shown: ConflictValue,
    isWanted: (value: ConflictValue) => boolean,
    why: string,
  ): Value {
    const found = values.find(isWanted);
    if (found === undefined) throw noValue(path, why);
    return found === shown ? found.value : this.#own(found.value);
  }

  /** A value that was not shown: a directory gets nodes of its own, as its old ones may be elsewhere by now. */
  #own(value: Value): Value {
    if (value.kind !== kinds.directory) return value;
    return copySubtree(value, { reader: this.#box.reader, sink: this.#sink, births: this });
  }

  /** Of new nodes. */
  take(count: number): Dot {
    const counter = this.#counter + 1;
    this.#counter += count;
    return { ...this.#event, counter };
  }

  /** Another value as an entry of its own: "name (author, 2026-11-29 10.15).ext". */
  #beside({ path, entry }: Conflict, value: ConflictValue): TreeEdit {
    const [parent] = splitLast(path);
    const id = this.take(1);
    const { link: _, ...meta } = entry.meta;
    const name = this.#freeName(parent, entry, value);
    const data = { dot: id, value: this.#own(value.value) };
    const added: Entry = { ...entry, name, id, placeDot: id, metaDot: id, meta, mtimeDot: id, data: [data] };
    return { path: joinPath(parent, name), entry: added };
  }

  #freeName(parent: Path, entry: Entry, value: ConflictValue): Uint8Array {
    const root = this.#box.reader.root(this.#head.commit.tree);
    return nameBeside(entry, value, (name) => {
      const path = joinPath(parent, name);
      const key = pathKey(path);
      if (this.#taken.has(key) || this.#box.reader.findPath(root, splitPath(path)) !== undefined) return false;
      this.#taken.add(key);
      return true;
    });
  }

  async #fromFile(entry: Entry, path: string): Promise<FileValue> {
    if (entry.kind !== kinds.file)
      throw new OuroError("invalid", `Cannot resolve ${quotePath(entry.name)} with a file: it is none itself`);
    const { store, context } = this.#box;
    await using ingest = store.openIngest({ workers: 0, signal: context.signal });
    const stat = context.disk.stat(path);
    if (stat === undefined) throw new OuroError("not-found", `Cannot read ${path}: it is not there`, { subject: path });
    const [result] = await ingest.ingest([{ path: utf8(path), size: Number(stat.size), blocks: 0 }]);
    if (result === undefined || "error" in result)
      throw result?.error ?? new OuroError("io", `Cannot read ${path}`, { subject: path });
    const content = buildContent(result.items, (bytes) => this.#sink.put("list", bytes));
    await ingest.finish();
    return { kind: kinds.file, content };
  }

  async #merged({ path, entry }: Conflict, shown: ConflictValue, merged: Value, other: ConflictValue): Promise<Value> {
    const { commits, reader } = this.#box;
    const isForgotten = forgottenIn(this.#box);
    const base = findBase(commits, reader, this.#head.id, { path, entry }, [shown.dot, other.dot], { isForgotten });
    const baseValue = base?.data[0].value;
    if (baseValue === undefined)
      throw new OuroError("not-found", "Cannot merge: what both began from is not in history any more");
    const { merge = "text" } = this.#attributes.of(path);
    const command = merge === "text" ? undefined : findDriver(this.#box, merge);
    const bytesMax = command === undefined ? mergeBytesMax : driverBytesMax;
    const one = await this.#bytesOf(merged, bytesMax);
    const old = await this.#bytesOf(baseValue, bytesMax);
    const two = await this.#bytesOf(other.value, bytesMax);
    if (command !== undefined) {
      const input = { name: merge, path, base: old, shown: one, other: two };
      return await withMerged(this.#box, command, input, (file) => this.#fromFile(entry, file));
    }
    const text = mergeTexts(one, old, two);
    const { disk, random } = this.#box.context;
    const temporary = join(this.#box.layout.tmp, `merge-${process.pid}-${toHex(random(4))}`);
    writeSmallFile(disk, temporary, text, { permissions: 0o600, random });
    try {
      return await this.#fromFile(entry, temporary);
    } finally {
      disk.unlink(temporary);
    }
  }

  async #bytesOf(value: Value, bytesMax: number): Promise<Uint8Array> {
    if (value.kind !== kinds.file) throw new OuroError("invalid", "Cannot merge: it is not a file");
    const { content } = value;
    if (content.size > bytesMax)
      throw new OuroError("too-large", `Cannot merge a file of ${content.size} bytes (at most ${bytesMax})`);
    return await wholeHere(this.#box, content);
  }
}

function noValue(path: Path, why: string): OuroError {
  return new OuroError("not-found", `Cannot choose a value of ${quotePath(path)}: ${why}`, {
    subject: quotePath(path),
    hint: `Run \`ourobox conflicts show ${quotePath(path)}\` to see them.`,
  });
}
