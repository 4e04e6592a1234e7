/**
 * What a file's content needs and another one, known to be whole, has not: list nodes are read where the two differ, so that a
 * small change of a huge file costs little. Every node is read once, whatever refers to it: shared nodes would let a few
 * kilobytes stand for years of work.
 */
import { OuroError } from "../base/errors.ts";
import { type Content, type ContentItem, decodeListNode, type Hash, hashKey } from "../format/mod.ts";
import type { HashSet } from "../history/mod.ts";

/** A list node to be read, as it is referred to. */
interface Node {
  readonly hash: Hash;
  /** Of the bytes it stands for. */
  readonly length: number;
}

interface Level {
  readonly level: number;
  readonly nodes: Node[];
}

export interface ContentWalk {
  readonly getList: (hash: Hash) => Uint8Array;
  /** List nodes that have been looked at: they and all below are not looked at again. */
  readonly seen: HashSet;
  readonly onChunk: ((hash: Hash) => void) | undefined;
}

/**
 * Reads what is new in `content`, and tells its chunks.
 * @throws OuroError "not-found", also for nodes of `old` that are not here; "corrupt".
 */
export function walkContent(content: Content, old: Content | undefined, walk: ContentWalk): void {
  if (content.list === undefined) {
    if (walk.onChunk !== undefined && content.items !== undefined)
      tellChunks(content.items, old?.items ?? [], walk.onChunk);
    return;
  }
  if (content.list.level === old?.list?.level && hashKey(content.list.hash) === hashKey(old.list.hash)) return;
  let here: Level = { level: content.list.level, nodes: [{ hash: content.list.hash, length: content.size }] };
  let there: Level | undefined =
    old?.list === undefined ? undefined : { level: old.list.level, nodes: [{ hash: old.list.hash, length: old.size }] };
  while (there !== undefined && there.level > here.level) there = descend(there, walk.getList).below;
  for (;;) {
    const isLevel = there?.level === here.level;
    const known = new Set(isLevel ? there?.nodes.map(({ hash }) => hashKey(hash)) : []);
    const wanted = here.nodes.filter(({ hash }) => !known.has(hashKey(hash)) && walk.seen.add(hash));
    if (wanted.length === 0) return;
    if (isLevel && there !== undefined) {
      const shared = new Set(here.nodes.map(({ hash }) => hashKey(hash)));
      there = { ...there, nodes: there.nodes.filter(({ hash }) => !shared.has(hashKey(hash))) };
    }
    const next = descend({ ...here, nodes: wanted }, walk.getList);
    const nextThere: ReturnType<typeof descend> | undefined =
      isLevel && there !== undefined ? descend(there, walk.getList) : undefined;
    if (next.below === undefined) {
      if (walk.onChunk !== undefined) tellChunks(next.items, nextThere?.items ?? [], walk.onChunk);
      return;
    }
    here = next.below;
    if (nextThere !== undefined) there = nextThere.below;
  }
}

/** Reads all nodes of a level: what is below, or for level 0 the items. */
function descend(
  { level, nodes }: Level,
  getList: (hash: Hash) => Uint8Array,
): { below?: Level; items: ContentItem[] } {
  const items: ContentItem[] = [];
  const below: Node[] = [];
  for (const { hash, length } of nodes) {
    const node = decodeListNode(getList(hash), "a file's list node");
    const children = "items" in node ? node.items : node.references;
    if (node.level !== level || children.reduce((sum, child) => sum + child.length, 0) !== length) {
      throw new OuroError("corrupt", "Cannot use a file's content: a list node is not what refers to it says");
    }
    if ("items" in node) items.push(...node.items);
    else below.push(...node.references);
  }
  return level === 0 ? { items } : { below: { level: level - 1, nodes: below }, items };
}

function tellChunks(items: readonly ContentItem[], old: readonly ContentItem[], onChunk: (hash: Hash) => void): void {
  const known = old.length === 0 ? undefined : chunkKeys(old);
  for (const item of items) if (item.form === "chunk" && known?.has(hashKey(item.hash)) !== true) onChunk(item.hash);
}

function chunkKeys(items: readonly ContentItem[]): Set<string> {
  return new Set(items.flatMap((item) => (item.form === "chunk" ? [hashKey(item.hash)] : [])));
}
