/**
 * Where the files of a checkout are written whose content may have to be brought, and may be given up again before it is used: in this thread, some
 * megabytes at a time, so that neither memory nor the cache must hold a whole file. What is here to stay is another pool's.
 */
import { type ContentItem, type Hash, hashKey } from "../format/mod.ts";
import {
  type CheckoutPlace,
  type ContentReader,
  type GroupResult,
  type JobGroup,
  windowsOf,
  writingGroup,
} from "./checkout-file.ts";
import type { CheckoutPool } from "./checkout-pool.ts";

const windowBytes = 8 * 1024 * 1024;

export interface BringingOptions {
  readonly place: CheckoutPlace;
  readonly content: ContentReader;
  /** Whether a chunk is here to stay. */
  readonly stays: (hash: Hash) => boolean;
  /** The bytes of chunks, by `hashKey`. @throws OuroError: the checkout ends with it. */
  readonly bring: (items: readonly ContentItem[]) => Promise<ReadonlyMap<string, Uint8Array>>;
}

/** @param pool For what is here to stay; closed with this one. */
export function bringingPool(pool: CheckoutPool, options: BringingOptions): CheckoutPool {
  const { place, stays, bring } = options;
  const content: ContentReader = {
    getChunk: (hash, length) => options.content.getChunk(hash, length),
    getMeta: (hash, kind) => options.content.getMeta(hash, kind),
    windowBytes,
  };
  let before: Promise<unknown> = Promise.resolve();
  return {
    room: pool.room,
    async write(groups) {
      const files = groups.flatMap((group) => group.files);
      const first = firstWindow(files.map((file) => windowsOf(file.content, content)));
      if (first.isAll && first.items.every((item) => item.form === "hole" || stays(item.hash)))
        return await pool.write(groups);
      // One batch after the other: each has the memory for what has come to itself.
      const write = async (): Promise<GroupResult[]> => {
        const ahead = await bring(first.items);
        const answer = async (window: readonly ContentItem[]): Promise<ReadonlyMap<string, Uint8Array>> =>
          window.every((item) => item.form === "hole" || ahead.has(hashKey(item.hash))) ? ahead : await bring(window);
        const results: GroupResult[] = [];
        for (const group of groups) results.push(await writeWaiting(place, content, group, answer));
        return results;
      };
      const written = before.then(write);
      before = written.catch(() => {});
      return await written;
    },
    [Symbol.asyncDispose]: () => pool[Symbol.asyncDispose](),
  };
}

/** What is brought at once for several files, and whether that is all of them. */
function firstWindow(files: readonly Generator<ContentItem[]>[]): {
  readonly items: readonly ContentItem[];
  readonly isAll: boolean;
} {
  const items: ContentItem[] = [];
  let bytes = 0;
  for (const windows of files) {
    for (const window of windows) {
      const more = window.reduce((sum, item) => sum + (item.form === "chunk" ? item.length : 0), 0);
      if (items.length > 0 && bytes + more > windowBytes) return { items, isAll: false };
      items.push(...window);
      bytes += more;
    }
  }
  return { items, isAll: true };
}

async function writeWaiting(
  place: CheckoutPlace,
  content: ContentReader,
  group: JobGroup,
  bring: BringingOptions["bring"],
): Promise<GroupResult> {
  const writing = writingGroup(place, content, group);
  try {
    let step = writing.next();
    while (step.done !== true) step = writing.next(await bring(step.value));
    return step.value;
  } finally {
    // What is half written is closed and removed.
    writing.return(undefined as never);
  }
}
