/**
 * A file, directory, symlink or special file of a tree, as a read-only filesystem shows it. It holds no entry but its place in the tree, from which the entry is
 * read when it is asked about; so it takes some hundred bytes, and never changes.
 *
 * Names of one file are one node to whoever compares them. Of a directory with several values, and of a file in conflict, the first value is shown.
 */
import { asBuffer, equalBytes, toHex, toText, utf8 } from "../base/bytes.ts";
import type { FileKind } from "../base/posix.ts";
import { type Content, type DirectoryValue, type Entry, equalDots, kinds, writerHex } from "../format/mod.ts";
import { directoryOf, distinctValues, entryAt, findPlace, type Leaf, placesFrom } from "../history/mod.ts";
import { accessAclName, defaultAclName } from "./acl.ts";
import { FilesystemFailure } from "./failure.ts";
import { numberOfDot } from "./node-number.ts";
import type { ShownAttributes, ShownChild, ShownNode } from "./shown-node.ts";
import { contentKey, linkKey, type ShownChange, type TreeView } from "./tree-view.ts";

const sectorBytes = 512;
/** Items of a file that are looked at for holes when somebody asks how many blocks it has: a list node or two. */
const blockItemsMax = 2048;
const permissionBits = 0o777;
/** Of the attributes that a tree has of all in it, and files have not. */
export const ownPrefix = "user.ourobox.";
const kindOf: Readonly<Record<number, FileKind>> = Object.fromEntries(
  Object.entries(kinds).map(([name, kind]) => [kind, name as FileKind]),
);

/** Where a node's entry is: in a leaf of the tree, or kept. */
type Origin = { readonly leaf: Leaf; readonly index: number } | { readonly entry: Entry };

export class TreeNode implements ShownNode {
  readonly view: TreeView;
  readonly parent: ShownNode | undefined;
  readonly kind: FileKind;
  readonly number: number;
  readonly #leaf: Leaf | undefined;
  readonly #index: number;
  /** Where it is in no leaf. */
  readonly #entry: Entry | undefined;
  /** Where it is not the entry's. */
  readonly #name: Uint8Array | undefined;

  private constructor(view: TreeView, parent: ShownNode | undefined, entry: Entry, origin: Origin, name?: Uint8Array) {
    this.view = view;
    this.parent = parent;
    this.kind = kindOf[entry.kind] as FileKind;
    this.number = numberOfDot(entry.meta.link ?? entry.id, view.salt).number;
    this.#leaf = "leaf" in origin ? origin.leaf : undefined;
    this.#index = "leaf" in origin ? origin.index : 0;
    this.#entry = "entry" in origin ? origin.entry : undefined;
    this.#name = name;
  }

  /** @param parent What ".." of it is, and its name there; undefined of the root of all. */
  static root(view: TreeView, parent?: ShownNode, name?: Uint8Array): TreeNode {
    return new TreeNode(view, parent, view.root, { entry: view.root }, name);
  }

  /** A thing of this view that is in no tree as it is: a value of a conflict. */
  static made(view: TreeView, parent: ShownNode, entry: Entry): TreeNode {
    return new TreeNode(view, parent, entry, { entry });
  }

  /** @throws OuroError "not-found", "corrupt": of all that follows, too. */
  get entry(): Entry {
    const entry = this.#entry;
    if (entry !== undefined) return entry;
    return entryAt(this.view.reader, this.#leaf as Leaf, this.#index);
  }

  get name(): Uint8Array {
    return this.#name ?? this.entry.name;
  }

  isSame(other: ShownNode): boolean {
    if (other === this) return true;
    if (!(other instanceof TreeNode) || other.view.name !== this.view.name) return false;
    const [a, b] = [this.#leaf, other.#leaf];
    const isOneLeaf = a !== undefined && b !== undefined && (a === b || equalBytes(a.node, b.node));
    if (isOneLeaf && this.#index === other.#index) return true;
    const [one, two] = [this.entry, other.entry];
    if (equalDots(one.id, two.id)) return true;
    const { link } = one.meta;
    return link !== undefined && two.meta.link !== undefined && linkKey(one) === linkKey(two);
  }

  preparing(): Promise<void> | undefined {
    return this.kind === "file" && this.entry.meta.link !== undefined ? this.view.counting() : undefined;
  }

  attributes(): ShownAttributes {
    const { entry, view, kind } = this;
    const { meta } = entry;
    const change = view.changeOf(entry);
    const mtimeNs = change?.mtimeNs ?? entry.mtimeNs;
    const { value } = entry.data[0];
    const { uid = meta.uid, gid = meta.gid, umask = 0 } = view.owners;
    const device = "major" in value ? value : { major: 0, minor: 0 };
    return {
      generation: numberOfDot(meta.link ?? entry.id, view.salt).generation,
      kind,
      mode: kind === "symlink" ? meta.mode : meta.mode & ~(umask & permissionBits),
      nlink: kind === "file" && meta.link !== undefined ? view.linkCount(entry) : 1,
      uid,
      gid,
      rdevMajor: device.major,
      rdevMinor: device.minor,
      size: change?.size ?? sizeOf(entry),
      blocks: value.kind === kinds.file ? this.#blocks(value.content, change) : 0,
      atimeNs: mtimeNs,
      mtimeNs,
      ctimeNs: mtimeNs,
    };
  }

  find(name: Uint8Array): ShownNode | undefined {
    const found = findPlace(this.view.reader, this.#directory(), name);
    if (found === undefined) return undefined;
    const { entry, leaf, index } = found;
    return new TreeNode(this.view, this, entry, { leaf, index });
  }

  *children(start: number): Generator<ShownChild> {
    for (const place of placesFrom(this.view.reader, this.#directory(), start)) {
      const { entry, leaf, index } = place;
      yield { name: entry.name, node: new TreeNode(this.view, this, entry, { leaf, index }) };
    }
  }

  get target(): Uint8Array | undefined {
    const { value } = this.entry.data[0];
    return value.kind === kinds.symlink ? value.target : undefined;
  }

  get content(): Content | undefined {
    const { value } = this.entry.data[0];
    return value.kind === kinds.file ? value.content : undefined;
  }

  /** Those of the file, and `user.ourobox.*`, which are not listed: what copies attributes does not take them along. */
  findXattr(name: string): Uint8Array | undefined {
    const { entry, view } = this;
    if (name.startsWith(ownPrefix)) return ownAttribute(entry, name.slice(ownPrefix.length));
    const found =
      entry.meta.xattrs === undefined
        ? undefined
        : view.reader.xattrs(entry).find((each) => asBuffer(each.name).toString("latin1") === name);
    if (found !== undefined) return found.value;
    if (!view.hasXattrs && (name === accessAclName || name === defaultAclName || name.startsWith("security.")))
      throw new FilesystemFailure("EOPNOTSUPP", "cannot read an attribute: no file here has any of this kind");
    return undefined;
  }

  listXattrs(): readonly Uint8Array[] {
    const { entry, view } = this;
    return entry.meta.xattrs === undefined ? [] : view.reader.xattrs(entry).map(({ name }) => name);
  }

  get path(): string {
    if (this.parent === undefined) return "";
    const above = this.parent.path;
    const name = toText(this.name);
    return above === "" ? name : `${above}/${name}`;
  }

  #directory(): DirectoryValue {
    const directory = directoryOf(this.entry);
    if (directory === undefined) throw new FilesystemFailure("ENOTDIR", "cannot look into it: it is not a directory");
    return directory;
  }

  /** Without holes, as far as they are found: whoever copies sparsely looks at it. */
  #blocks(content: Content, change: ShownChange | undefined): number {
    const isAllData = content.list === undefined && !content.items?.some(({ form }) => form === "hole");
    const bytes = isAllData ? content.size : this.view.lists.dataBytes(content, blockItemsMax);
    const withChange = change === undefined ? bytes : Math.min(change.size, bytes + change.bytes);
    return Math.ceil(withChange / sectorBytes);
  }
}

function sizeOf({ data }: Entry): number {
  const { value } = data[0];
  if (value.kind === kinds.file) return value.content.size;
  if (value.kind === kinds.symlink) return value.target.length;
  return value.kind === kinds.directory ? value.summary.names : 0;
}

function ownAttribute(entry: Entry, name: string): Uint8Array | undefined {
  if (name === "status") return utf8(distinctValues(entry).length > 1 ? "conflict" : "committed");
  if (name === "peer") return utf8(writerHex(entry.data[0].dot.writer));
  if (name !== "hash") return undefined;
  const { value } = entry.data[0];
  if (value.kind === kinds.file) return utf8(hashOf(value.content));
  return value.kind === kinds.directory && value.top !== undefined ? utf8(toHex(value.top)) : undefined;
}

/** Equal for equal bytes in one box: the hash of the one chunk, or of the list; of a few items all that they are. */
function hashOf(content: Content): string {
  const { list, items = [] } = content;
  const [item] = items;
  if (list !== undefined) return toHex(list.hash);
  return item?.form === "chunk" && items.length === 1 ? toHex(item.hash) : contentKey(content);
}
