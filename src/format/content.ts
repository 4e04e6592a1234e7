/**
 * Content: the list of chunks and holes that a file's bytes are. Format: doc/format.md, section 3.
 *
 * Up to 8 items stand in the entry; longer lists are cut by what is in them into list nodes of at most 1,024, level upon
 * level, so that equal contents have equal lists and an edit in a long file writes a few nodes.
 */
import { ByteReader, ByteWriter, toHex } from "../base/bytes.ts";
import { OuroError } from "../base/errors.ts";
import { type Content, type ContentItem, type Hash, limits } from "./entry.ts";

/** No box has larger chunks (doc/format.md, section 9). */
const chunkBytesMax = 8 * 1024 * 1024;
const hashLength = 32;

interface ListReference {
  readonly hash: Hash;
  readonly length: number;
}

type ListNode =
  | { readonly level: 0; readonly items: readonly ContentItem[] }
  | { readonly level: number; readonly references: readonly ListReference[] };

/** Whether a node ends after an item of this hash. */
function cutsAfterHash(hash: Hash): boolean {
  return ((hash[0] as number) & 63) === 0;
}

function cutsAfterItem(item: ContentItem): boolean {
  if (item.form === "chunk") return cutsAfterHash(item.hash);
  return ((Math.imul(item.length % 2 ** 32, 0x9e3779b1) >>> 16) & 63) === 0;
}

/**
 * Content of a file's items.
 * @param put Keeps a list node and names it.
 * @throws OuroError "too-large".
 */
export function buildContent(items: Iterable<ContentItem>, put: (bytes: Uint8Array) => Hash): Content {
  const builder = new ListBuilder(0, put);
  const inline: ContentItem[] = [];
  let size = 0;
  let isBefore: ContentItem["form"] | undefined;
  for (const item of items) {
    const problem = itemProblem(item.form === "hole", item.length, isBefore === "hole");
    if (problem !== undefined) throw new OuroError("invalid", `Cannot keep a file's content: ${problem}`);
    isBefore = item.form;
    size += item.length;
    if (inline.length <= limits.inlineItems) inline.push(item);
    if (inline.length <= limits.inlineItems) continue;
    // The ninth item: what was held back goes into nodes after all.
    if (builder.isEmpty) for (const each of inline) builder.add(each);
    else builder.add(item);
  }
  if (size > limits.fileBytes) throw new OuroError("too-large", `Cannot keep a file of ${size} bytes`);
  if (inline.length <= limits.inlineItems) return size === 0 ? { size } : { size, items: inline };
  return { size, list: builder.finish() };
}

/** Builds one level of a list; makes the level above when it needs one. */
class ListBuilder {
  readonly #level: number;
  readonly #put: (bytes: Uint8Array) => Hash;
  #above: ListBuilder | undefined;
  #items: (ContentItem | ListReference)[] = [];
  #isClosed = false;
  #nodes = 0;

  constructor(level: number, put: (bytes: Uint8Array) => Hash) {
    if (level > limits.nodeLevel)
      throw new OuroError("too-large", "Cannot keep a file's content: its list has too many levels");
    this.#level = level;
    this.#put = put;
  }

  get isEmpty(): boolean {
    return this.#nodes === 0 && this.#items.length === 0;
  }

  add(item: ContentItem | ListReference): void {
    if (this.#isClosed) this.#raise(this.#emit());
    this.#items.push(item);
    const cuts = "form" in item ? cutsAfterItem(item) : cutsAfterHash(item.hash);
    this.#isClosed = cuts || this.#items.length === limits.nodeItems;
  }

  /** @returns The only node of the first level that has only one. */
  finish(): { level: number; hash: Hash } {
    const last = this.#emit();
    if (this.#above === undefined) return { level: this.#level, hash: last.hash };
    this.#raise(last);
    return this.#above.finish();
  }

  #emit(): ListReference {
    const writer = new ByteWriter(this.#items.length * 40 + 16).u8(1).u8(this.#level).varint(this.#items.length);
    let length = 0;
    for (const item of this.#items) {
      length += item.length;
      if ("form" in item) writeItem(writer, item);
      else writer.varint(item.length).bytes(item.hash);
    }
    this.#items = [];
    this.#isClosed = false;
    this.#nodes += 1;
    return { hash: this.#put(writer.finish()), length };
  }

  #raise(reference: ListReference): void {
    this.#above ??= new ListBuilder(this.#level + 1, this.#put);
    this.#above.add(reference);
  }
}

function writeItem(writer: ByteWriter, item: ContentItem): void {
  if (item.form === "hole") writer.varint(item.length * 2 + 1);
  else writer.varint(item.length * 2).bytes(item.hash);
}

function itemProblem(isHole: boolean, length: number, isAfterHole: boolean): string | undefined {
  const max = isHole ? limits.holeBytes : chunkBytesMax;
  if (length < 1 || length > max) return `a ${isHole ? "hole" : "chunk"} has ${length} bytes (1 to ${max})`;
  return isHole && isAfterHole ? "two holes are neighbours" : undefined;
}

/** Reads one item. @param isAfterHole Whether the item before was a hole. */
function readItem(reader: ByteReader, isAfterHole: boolean): ContentItem {
  const head = reader.varint(limits.holeBytes * 2 + 1, "an item");
  const isHole = head % 2 === 1;
  const length = Math.floor(head / 2);
  const problem = itemProblem(isHole, length, isAfterHole);
  if (problem !== undefined) throw reader.corrupt(problem);
  return isHole ? { form: "hole", length } : { form: "chunk", hash: reader.bytes(hashLength), length };
}

/** Writes content as it stands in an entry. */
export function writeContent(writer: ByteWriter, { size, items, list }: Content): void {
  writer.varint(size);
  if (size === 0) return;
  if (items !== undefined) {
    writer.varint(items.length);
    for (const item of items) writeItem(writer, item);
  } else if (list !== undefined) {
    writer.u8(0).u8(list.level).bytes(list.hash);
  } else {
    throw new OuroError("invalid", `Cannot keep a file of ${size} bytes without its content`);
  }
}

/** Reads content as it stands in an entry. */
export function readContent(reader: ByteReader): Content {
  const size = reader.varint(limits.fileBytes, "a file's size");
  if (size === 0) return { size };
  const count = reader.varint(limits.inlineItems, "the number of items");
  if (count === 0) {
    const level = reader.u8();
    if (level > limits.nodeLevel) throw reader.corrupt(`a list has level ${level} (at most ${limits.nodeLevel})`);
    return { size, list: { level, hash: reader.bytes(hashLength) } };
  }
  const first = readItem(reader, false);
  // Most files are one chunk: an array that grows from nothing has room for 17.
  const items: ContentItem[] = [first];
  let sum = first.length;
  let isAfterHole = first.form === "hole";
  for (let index = 1; index < count; index += 1) {
    const item = readItem(reader, isAfterHole);
    isAfterHole = item.form === "hole";
    sum += item.length;
    items.push(item);
  }
  if (sum !== size) throw reader.corrupt(`the items of a file have ${sum} bytes (its size is ${size})`);
  return { size, items };
}

/**
 * Reads a list node.
 * @throws OuroError "corrupt", also where it has an item after one that ends a node.
 */
export function decodeListNode(bytes: Uint8Array, what: string): ListNode {
  const reader = new ByteReader(bytes, what);
  if (reader.u8() !== 1) throw reader.corrupt("its version is unknown");
  const level = reader.u8();
  if (level > limits.nodeLevel) throw reader.corrupt(`its level is ${level} (at most ${limits.nodeLevel})`);
  const count = reader.varint(limits.nodeItems, "the number of items");
  if (count === 0) throw reader.corrupt("it has no items");
  const items: ContentItem[] = [];
  const references: ListReference[] = [];
  let isClosed = false;
  for (let index = 0; index < count; index += 1) {
    if (isClosed) throw reader.corrupt("it goes on after an item that ends a node");
    if (level === 0) {
      const item = readItem(reader, items.at(-1)?.form === "hole");
      items.push(item);
      isClosed = cutsAfterItem(item);
    } else {
      const length = reader.varint(limits.fileBytes, "the length of a reference");
      if (length === 0) throw reader.corrupt("a reference is empty");
      const hash = reader.bytes(hashLength);
      references.push({ hash, length });
      isClosed = cutsAfterHash(hash);
    }
  }
  reader.end();
  return level === 0 ? { level, items } : { level, references };
}

/** Reads a list node by its name. */
export type GetList = (hash: Hash) => Uint8Array;

/**
 * The items of a content, in order.
 * @throws OuroError "corrupt" where list nodes contradict each other or the size; whatever `get` throws.
 */
export function* contentItems(content: Content, get: GetList): Generator<ContentItem> {
  let isAfterHole = false;
  for (const { item, offset } of contentRange(content, 0, content.size, get)) {
    if (isAfterHole && item.form === "hole") {
      throw new OuroError("corrupt", `Cannot read a file's content: two holes are neighbours at byte ${offset}`);
    }
    isAfterHole = item.form === "hole";
    yield item;
  }
}

/**
 * The items that hold any of the bytes `start` to `end`, half-open, with the offset of each in the file. Nodes that
 * hold none of them are not read.
 * @throws As `contentItems`.
 */
export function* contentRange(
  content: Content,
  start: number,
  end: number,
  get: GetList,
): Generator<{ item: ContentItem; offset: number }> {
  if (content.list === undefined) yield* itemsWithin(content.items ?? [], 0, start, end);
  else {
    const top = { hash: content.list.hash, length: content.size };
    yield* listRange(top, content.list.level, 0, { start, end, get, isTop: true });
  }
}

interface RangeOptions {
  readonly start: number;
  readonly end: number;
  readonly get: GetList;
  readonly isTop: boolean;
}

/** At most as deep as there are levels. */
function* listRange(
  reference: ListReference,
  level: number,
  offset: number,
  options: RangeOptions,
): Generator<{ item: ContentItem; offset: number }> {
  const { start, end, get, isTop } = options;
  const what = `list node ${toHex(reference.hash)}`;
  const node = decodeListNode(get(reference.hash), what);
  const children = "items" in node ? node.items : node.references;
  const sum = children.reduce((total, { length }) => total + length, 0);
  if (node.level !== level || sum !== reference.length) {
    throw new OuroError(
      "corrupt",
      `Cannot read ${what}: it has level ${node.level} and ${sum} bytes (${level} and ${reference.length} where it is named)`,
    );
  }
  if (isTop && children.length <= (level === 0 ? limits.inlineItems : 1)) {
    throw new OuroError(
      "corrupt",
      `Cannot read ${what}: it holds ${children.length} items, too few for a list of this level`,
    );
  }
  if ("items" in node) {
    yield* itemsWithin(node.items, offset, start, end);
    return;
  }
  let at = offset;
  for (const child of node.references) {
    if (at + child.length > start && at < end) yield* listRange(child, level - 1, at, { ...options, isTop: false });
    at += child.length;
  }
}

function* itemsWithin(
  items: readonly ContentItem[],
  offset: number,
  start: number,
  end: number,
): Generator<{ item: ContentItem; offset: number }> {
  let at = offset;
  for (const item of items) {
    if (at >= end) return;
    if (at + item.length > start) yield { item, offset: at };
    at += item.length;
  }
}
