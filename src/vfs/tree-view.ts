/**
 * A commit's tree as it is shown: with which owners and mode bits, beside which other trees, and how many names a linked file has. The trees shown beside
 * each other share one reader, and so the nodes that are kept decoded.
 *
 * Linked files are counted once, when the first of them is asked for, by a walk of the directories that have any. It holds a number for each linked file.
 */
import { asBuffer, toHex } from "../base/bytes.ts";
import { Turns } from "../base/turns.ts";
import {
  type Content,
  type DirectoryValue,
  type Dot,
  dotKey,
  type Entry,
  type Hash,
  kinds,
  summaryFlags,
  type Xattrs,
} from "../format/mod.ts";
import { directoryOf, type TreeReader, walkEntries } from "../history/mod.ts";
import type { ContentLists } from "./content-lists.ts";
import { numberOfText, textHash } from "./node-number.ts";

/** How files are shown instead of as they are. */
export interface ShownOwners {
  readonly uid?: number;
  readonly gid?: number;
  /** Permission bits that are taken away. */
  readonly umask?: number;
}

/** What was written to a file and is in no commit yet. */
export interface ShownChange {
  readonly size: number;
  readonly mtimeNs: bigint;
  /** So much of it, at most, is not in the tree. */
  readonly bytes: number;
}

export interface TreeViewOptions extends ShownOwners {
  /** What was changed of a file of the tree that is mounted. */
  readonly changeOf?: (id: Dot) => ShownChange | undefined;
  readonly reader: TreeReader;
  /** For how much of a file is data. */
  readonly lists: ContentLists;
  /** Tells it from other trees that are shown beside it; "" of the one that is mounted. */
  readonly name: string;
}

export class TreeView {
  readonly reader: TreeReader;
  readonly lists: ContentLists;
  readonly owners: ShownOwners;
  readonly name: string;
  /** Of all numbers in it. */
  readonly salt: number;
  readonly root: Entry;
  /** Whether any file in it has attributes. */
  readonly hasXattrs: boolean;
  readonly #options: TreeViewOptions;
  #linkCounts: ReadonlyMap<number, number> | undefined;
  #counting: Promise<void> | undefined;

  /** @param root The root's entry, or another directory's that is shown as one. */
  constructor(options: TreeViewOptions, root: Entry) {
    const { reader, lists, name, uid, gid, umask } = options;
    this.reader = reader;
    this.lists = lists;
    this.name = name;
    this.owners = {
      ...(uid === undefined ? {} : { uid }),
      ...(gid === undefined ? {} : { gid }),
      ...(umask === undefined ? {} : { umask }),
    };
    this.#options = options;
    this.salt = name === "" ? 0 : textHash(name);
    this.root = root;
    const flags = this.directory.summary.flags;
    this.hasXattrs = (flags & summaryFlags.xattrs) !== 0 || root.meta.xattrs !== undefined;
  }

  /** The view of a commit's tree. @throws OuroError "not-found", "corrupt". */
  static open(options: TreeViewOptions, tree: Hash): TreeView {
    return new TreeView(options, options.reader.root(tree));
  }

  /** Another tree beside this one, shown alike. */
  beside(name: string, root: Entry): TreeView {
    return new TreeView({ ...this.#options, name }, root);
  }

  /** What was changed of a file, where this is the tree that is mounted. */
  changeOf({ id }: Entry): ShownChange | undefined {
    return this.name === "" ? this.#options.changeOf?.(id) : undefined;
  }

  get directory(): DirectoryValue {
    return directoryOf(this.root) as DirectoryValue;
  }

  /** What must be waited for before linked files can be told about; undefined when nothing. */
  counting(): Promise<void> | undefined {
    if (this.#linkCounts !== undefined) return undefined;
    this.#counting ??= this.#countLinks().finally(() => {
      this.#counting = undefined;
    });
    return this.#counting;
  }

  /** How many names a linked file has. After `counting`. */
  linkCount(entry: Entry): number {
    return this.#linkCounts?.get(numberOfText(linkKey(entry)).number) ?? 1;
  }

  /** All names of a linked file, as paths. */
  async linkedPaths(entry: Entry): Promise<Uint8Array[]> {
    const key = linkKey(entry);
    const paths: Uint8Array[] = [];
    for await (const each of this.#linked()) if (linkKey(each.entry) === key) paths.push(each.path);
    return paths;
  }

  async #countLinks(): Promise<void> {
    const counts = new Map<number, number>();
    for await (const { entry } of this.#linked()) {
      const { number } = numberOfText(linkKey(entry));
      counts.set(number, (counts.get(number) ?? 0) + 1);
    }
    this.#linkCounts = counts;
  }

  /** All names of linked files. */
  async *#linked(): AsyncGenerator<{ readonly path: Uint8Array; readonly entry: Entry }> {
    if (!hasLinks(this.directory)) return;
    const turns = new Turns();
    const enters = ({ entry }: { readonly entry: Entry }): boolean => hasLinks(directoryOf(entry));
    for (const each of walkEntries(this.reader, this.directory, new Uint8Array(), { enters })) {
      await turns.step();
      if (each.entry.meta.link !== undefined && each.entry.kind === kinds.file) yield each;
    }
  }
}

function hasLinks(directory: DirectoryValue | undefined): boolean {
  return ((directory?.summary.flags ?? 0) & summaryFlags.links) !== 0;
}

/** Equal for names that are one file: of one group, and equal in all that a file has (doc/format.md, section 4.3). */
export function linkKey({ meta, mtimeNs, data }: Entry): string {
  const { value } = data[0];
  const content = value.kind === kinds.file ? contentKey(value.content) : "";
  const group = meta.link === undefined ? "" : dotKey(meta.link);
  return [group, meta.mode, meta.uid, meta.gid, mtimeNs, xattrsKey(meta.xattrs), content].join(" ");
}

/** Equal for equal bytes. */
export function contentKey({ size, items, list }: Content): string {
  if (list !== undefined) return `${size} ${toHex(list.hash)}`;
  const parts = (items ?? []).map((item) => (item.form === "hole" ? `${item.length}` : toHex(item.hash)));
  return [size, ...parts].join(" ");
}

function xattrsKey(xattrs: Xattrs | undefined): string {
  if (xattrs === undefined) return "";
  if (xattrs.form === "block") return toHex(xattrs.hash);
  return xattrs.list.map(({ name, value }) => `${asBuffer(name).toString("hex")}=${toHex(value)}`).join(",");
}
