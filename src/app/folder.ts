/** The box's folder as checkouts see it: its descriptor, `.ourobox/moving`, and the workers that write files. */
import { existsSync } from "node:fs";
import { join } from "node:path";
import { toHex, toText } from "../base/bytes.ts";
import { errnoOf, ioError } from "../base/errors.ts";
import type { Spill } from "../base/spill.ts";
import { type Content, contentItems, type Hash, kinds } from "../format/mod.ts";
import { type Change, diffTrees, equalValues, splitLast } from "../history/mod.ts";
import type { MissingChunk } from "../store/mod.ts";
import {
  bringingPool,
  type CheckoutPlace,
  type CheckoutPool,
  type CheckoutReport,
  checkout,
  decodeHeldMoves,
  encodeHeldMoves,
  type FolderWriter,
  inlinePool,
  posixWriter,
  putBack,
  workerPool,
} from "../workdir/mod.ts";
import { roomOf } from "./cache-quota.ts";
import { bringContent, ChunkWindow, LazySource, mayLackContent } from "./content-here.ts";
import { movingFolder } from "./folder-lock.ts";
import { MarkedTree } from "./marks.ts";
import type { OpenBox } from "./open-box.ts";
import { isRuleFile } from "./part-changes.ts";

/** In state.sqlite: what a checkout is moving. */
const heldKey = "held";

/** A checkout of fewer bytes is done in this thread: starting workers takes as long. */
const inlineBytesMax = 8 * 1024 * 1024;

export interface CheckoutRequest {
  readonly folder: string;
  /** What the folder holds; absent: nothing, and files are made where they belong. */
  readonly from: Hash | undefined;
  readonly to: Hash;
  /** All that is to be done; absent: all in which the two differ. */
  readonly only?: readonly Change[];
  /** Whether another program may look on, or a crash leave things half done: files then appear by rename. */
  readonly isLive: boolean;
  /** Where files are written first; `.ourobox/moving` by default. On the folder's file system. */
  readonly moving?: string;
  /** Where trees are read from; the box by default. */
  readonly reader?: OpenBox["reader"];
  /** As in `CheckoutOptions`. */
  readonly rowsAside?: Spill;
}

/** Whether owners are set in checkouts and compared in commits: as root, or when the settings say so. */
export function keepsOwners(box: OpenBox): boolean {
  const wish = box.settings.findRow("files.ownership")?.value;
  return wish === "keep" || (wish !== "skip" && process.geteuid?.() === 0);
}

/** Whether a checkout was interrupted while it was moving things. */
export function hasHeld({ state }: OpenBox): boolean {
  return state.folderValue(heldKey) !== undefined;
}

/**
 * Puts back what an interrupted checkout was moving, so that all that was in the folder is there to be seen. Under the folder's lock, alone.
 * @throws OuroError as `putBack`.
 */
export function putBackHeld(box: OpenBox): void {
  const { root, state, context } = box;
  const bytes = state.folderValue(heldKey);
  if (root === undefined || bytes === undefined) return;
  const writer = context.folderWriter ?? posixWriter;
  const folder = openFolder(writer, root);
  try {
    const moving = openMoving(box, writer);
    try {
      putBack({ writer, root: folder, moving }, decodeHeldMoves(bytes));
    } finally {
      writer.close(moving);
    }
    writer.sync(folder);
  } finally {
    writer.close(folder);
  }
  state.setFolderValue(heldKey, undefined);
}

/** Makes a folder what a tree says. In the box's own under its lock, alone, and with nothing held. @throws OuroError as `checkout`. */
export async function checkoutFolder(
  box: OpenBox,
  { folder, from, to, only, isLive, moving: movingPath, reader = box.reader, rowsAside }: CheckoutRequest,
): Promise<CheckoutReport> {
  const { context } = box;
  const lacks = mayLackContent(box);
  await using reading = new LazySource(box, "reading");
  if (lacks) await bringAhead(box, reading, { reader, to, changes: only ?? diffTrees(reader, from, to) });
  const writer = context.folderWriter ?? posixWriter;
  const holds = isLive && movingPath === undefined;
  const root = openFolder(writer, folder);
  const moving = !isLive
    ? undefined
    : movingPath === undefined
      ? openMoving(box, writer)
      : openFolder(writer, movingPath);
  try {
    const common = {
      root,
      label: `${process.pid}-${toHex(context.random(4))}`,
      setsOwner: keepsOwners(box),
      isOrdinary: process.geteuid?.() !== 0,
      ...newOwner(),
      ...(moving === undefined ? {} : { moving }),
    };
    const place: CheckoutPlace = { ...common, writer };
    const summary = reader.root(to).data[0].value;
    const bytes = "summary" in summary ? summary.summary.bytes : 0;
    const files = "summary" in summary ? summary.summary.entries : 0;
    context.progress.phase("Writing files", from === undefined ? { files, bytes } : {});
    const written = makePool(box, place, from === undefined ? bytes : inlineBytesMax);
    await using pool = lacks ? withBringing(box, place, written, reading) : written;
    const report = await checkout({
      reader,
      place,
      pool,
      from,
      to,
      ...(only === undefined ? {} : { only }),
      ...(rowsAside === undefined ? {} : { rowsAside }),
      signal: context.signal,
      onFiles: (count, size) => context.progress.add(count, size),
      onMoveOut: (moves) => box.state.setFolderValue(heldKey, encodeHeldMoves(moves)),
      warn: (message) => context.warn(message),
    });
    if (holds && report.isPartial) putBackHeld(box);
    else if (holds && hasHeld(box)) box.state.setFolderValue(heldKey, undefined);
    context.progress.done();
    if (!report.hasOtherOwners) return report;
    tellOwners(box);
    return { ...report, isPartial: report.isPartial || keepsOwners(box) };
  } catch (thrown) {
    if (holds) putBackQuietly(box);
    throw thrown;
  } finally {
    writer.close(root);
    if (moving !== undefined) writer.close(moving);
  }
}

/** Of the room that the cache has, what one checkout fills before it begins. */
const aheadShare = 0.5;

/**
 * Brings what is to be real, to stay; and of the rest, which is only read, all or nothing: what the cache has no room for is brought as it is written.
 * @throws OuroError as `ContentSource.fetch`: nothing in the folder is changed yet.
 */
async function bringAhead(
  box: OpenBox,
  reading: LazySource,
  { reader, to, changes }: Pick<Required<CheckoutRequest>, "reader" | "to"> & { readonly changes: Iterable<Change> },
): Promise<void> {
  const { store } = box;
  const marked = new MarkedTree(box, reader, reader.root(to));
  const real: Content[] = [];
  let lacking: MissingChunk[] | undefined = [];
  let left = box.isReadOnly ? 0 : roomOf(box, store.cache.bytes).limit * aheadShare;
  for (const { path, content } of contentsOf(changes)) {
    if (marked.of(path) === "real" || isRuleFile(splitLast(path)[1])) {
      real.push(content);
      continue;
    }
    if (lacking === undefined) continue;
    for (const item of contentItems(content, (hash) => store.getMeta(hash, "list"))) {
      if (item.form === "hole" || store.hasChunk(item.hash)) continue;
      left -= item.length;
      lacking?.push(item);
      if (left >= 0) continue;
      lacking = undefined;
      break;
    }
  }
  await bringContent(box, real);
  await reading.fetch(lacking ?? []);
}

function withBringing(box: OpenBox, place: CheckoutPlace, pool: CheckoutPool, source: LazySource): CheckoutPool {
  const { store } = box;
  const window = new ChunkWindow(box, source);
  return bringingPool(pool, {
    place,
    content: store,
    stays: (hash) => store.cache.stays(hash),
    bring: (items) => window.read(items),
  });
}

/** What a checkout writes. */
function* contentsOf(changes: Iterable<Change>): Generator<{ readonly path: Uint8Array; readonly content: Content }> {
  for (const { path, before, after } of changes) {
    const [old, value] = [before?.data[0].value, after?.data[0].value];
    if (value?.kind !== kinds.file) continue;
    // A file that stays as it is may be written anew all the same, where it is linked.
    if (old === undefined || after?.meta.link !== undefined || !equalValues(old, value))
      yield { path, content: value.content };
  }
}

const toldOfOwners = new WeakSet<OpenBox>();

/** Says that files have other owners than they had: once, and not to who has asked for it. */
function tellOwners(box: OpenBox): void {
  if (toldOfOwners.has(box)) return;
  toldOfOwners.add(box);
  const { context, settings } = box;
  const wish = settings.findRow("files.ownership")?.value;
  if (keepsOwners(box))
    context.warn("Some files belong to you here, for their owner could not be set: that takes root (files.ownership)");
  else if (wish !== "skip")
    context.notice(
      "Some files belong to others in the box and to you here: only root can set owners. Commits keep them as they are.",
    );
}

/** After a failure, which is what is told. What cannot be put back now is by the next command. */
function putBackQuietly(box: OpenBox): void {
  try {
    putBackHeld(box);
  } catch (thrown) {
    ioError("Cannot put back what was being moved", thrown);
  }
}

/** Whom files belong to that this process makes. */
function newOwner(): Pick<CheckoutPlace, "owner"> {
  const [uid, gid] = [process.geteuid?.(), process.getegid?.()];
  return uid === undefined || gid === undefined ? {} : { owner: { uid, gid } };
}

function makePool(box: OpenBox, place: CheckoutPlace, bytes: number): CheckoutPool {
  const { context, layout, secrets, identity, indexFolder } = box;
  if (context.workers === 0 || bytes < inlineBytesMax) return inlinePool(place, box.store);
  const { writer: _, ...data } = place;
  return workerPool(context.workers, {
    store: { directory: layout.box, indexFolder, secrets, chunk: identity.chunk },
    place: data,
  });
}

function openFolder(writer: FolderWriter, path: string): number {
  try {
    return writer.openRoot(path);
  } catch (thrown) {
    throw ioError(`Cannot open the folder ${path}`, thrown, path);
  }
}

function openMoving(box: OpenBox, writer: FolderWriter): number {
  const path = movingFolder(box);
  try {
    box.context.disk.makeDirectory(path, 0o700);
  } catch (thrown) {
    if (errnoOf(thrown) !== "EEXIST") throw ioError(`Cannot make ${path}`, thrown, path);
    removeRubbish(box.context, path);
  }
  return openFolder(writer, path);
}

/** Removes files that a process which is no more was writing. What was being moved ("m-…") is a checkout's to find again. */
function removeRubbish({ disk }: OpenBox["context"], folder: string): void {
  try {
    for (const name of disk.list(folder).map(toText)) {
      const pid = /^t-(\d+)-/.exec(name)?.[1];
      if (pid !== undefined && !existsSync(`/proc/${pid}`)) disk.unlink(join(folder, name));
    }
  } catch (thrown) {
    if (errnoOf(thrown) !== "ENOENT") throw ioError(`Cannot tidy ${folder}`, thrown, folder);
  }
}
