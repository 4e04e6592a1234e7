/**
 * Where in a file which chunk is: like `contentRange` of the format, for who asks for many ranges of the same files. Decoded list nodes are kept, at most
 * `bytesMax` of them as encoded, with the offset of each item, so a place in a large file is found by halving.
 */
import { asBuffer, toHex } from "../base/bytes.ts";
import { OuroError } from "../base/errors.ts";
import { type Content, type ContentItem, decodeListNode, type GetList, type Hash, limits } from "../format/mod.ts";

const bytesMaxDefault = 2 * 1024 * 1024;

export interface PlacedItem {
  readonly item: ContentItem;
  /** Of its first byte in the file. */
  readonly offset: number;
}

interface KeptNode {
  readonly node: ReturnType<typeof decodeListNode>;
  /** Of each child within the node, and at last of its end. */
  readonly starts: Float64Array;
  readonly bytes: number;
}

export class ContentLists {
  readonly #get: GetList;
  readonly #bytesMax: number;
  readonly #kept = new Map<string, KeptNode>();
  #bytes = 0;

  constructor(get: GetList, bytesMax: number = bytesMaxDefault) {
    this.#get = get;
    this.#bytesMax = bytesMax;
  }

  /**
   * The items that hold any of the bytes `start` to `end`, half-open.
   * @throws OuroError "corrupt" where nodes contradict each other or the size; "not-found".
   */
  *items(content: Content, start: number, end: number): Generator<PlacedItem> {
    const { list, items, size } = content;
    if (list === undefined) {
      let offset = 0;
      for (const item of items ?? []) {
        if (offset >= end) return;
        if (offset + item.length > start) yield { item, offset };
        offset += item.length;
      }
      return;
    }
    yield* this.#within({ hash: list.hash, length: size }, list.level, { offset: 0, start, end, isTop: true });
  }

  /**
   * How much of a file is data, in bytes; holes after the first `itemsMax` items are not looked for.
   * @throws As `items`.
   */
  dataBytes(content: Content, itemsMax: number): number {
    let left = itemsMax;
    let data = content.size;
    for (const { item } of this.items(content, 0, content.size)) {
      if (item.form === "hole") data -= item.length;
      left -= 1;
      if (left <= 0) break;
    }
    return data;
  }

  *#within(
    reference: { readonly hash: Hash; readonly length: number },
    level: number,
    at: { readonly offset: number; readonly start: number; readonly end: number; readonly isTop: boolean },
  ): Generator<PlacedItem> {
    const { node, starts } = this.#node(reference.hash);
    const { offset, start, end, isTop } = at;
    const children = "items" in node ? node.items : node.references;
    const sum = starts[children.length] as number;
    const isTooSmall = isTop && children.length <= (level === 0 ? limits.inlineItems : 1);
    if (node.level !== level || sum !== reference.length || isTooSmall) {
      const found = `it has level ${node.level}, ${children.length} items and ${sum} bytes`;
      const wanted = `level ${level} and ${reference.length} bytes where it is named`;
      throw new OuroError("corrupt", `Cannot read list node ${toHex(reference.hash)}: ${found} (${wanted})`);
    }
    for (let index = indexAt(starts, start - offset); index < children.length; index += 1) {
      const childAt = offset + (starts[index] as number);
      if (childAt >= end) return;
      const child = children[index];
      if (child === undefined) return;
      if ("form" in child) yield { item: child, offset: childAt };
      else yield* this.#within(child, level - 1, { offset: childAt, start, end, isTop: false });
    }
  }

  #node(hash: Hash): KeptNode {
    const key = asBuffer(hash).toString("latin1");
    const kept = this.#kept.get(key);
    if (kept !== undefined) {
      this.#kept.delete(key);
      this.#kept.set(key, kept);
      return kept;
    }
    const bytes = this.#get(hash);
    const node = decodeListNode(bytes, `list node ${toHex(hash)}`);
    const children = "items" in node ? node.items : node.references;
    const starts = new Float64Array(children.length + 1);
    children.forEach(({ length }, index) => {
      starts[index + 1] = (starts[index] as number) + length;
    });
    const made = { node, starts, bytes: bytes.length };
    this.#kept.set(key, made);
    this.#bytes += made.bytes;
    for (const [oldest, { bytes: freed }] of this.#kept) {
      if (this.#bytes <= this.#bytesMax || this.#kept.size === 1) break;
      this.#kept.delete(oldest);
      this.#bytes -= freed;
    }
    return made;
  }
}

/** The last child that begins at or before an offset; the first one for offsets before it. */
function indexAt(starts: Float64Array, offset: number): number {
  let low = 0;
  let high = starts.length - 2;
  while (low < high) {
    const middle = (low + high + 1) >>> 1;
    if ((starts[middle] as number) <= offset) low = middle;
    else high = middle - 1;
  }
  return low;
}
