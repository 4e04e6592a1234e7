/**
 * Looks for damage: in every pack's frame of header, directory and trailer, on request in every byte, in the index, and
 * between the two. Changes nothing. One damaged pack costs only what was in it. Others have a turn after each pack.
 */
import { equalBytes, toHex, toText } from "../base/bytes.ts";
import { isKind } from "../base/errors.ts";
import { Turns } from "../base/turns.ts";
import {
  directoryHash,
  type Hash,
  type Hasher,
  hashKey,
  type MetaKind,
  metaKindNames,
  type PackDirectory,
} from "../format/mod.ts";
import type { IndexDatabase } from "./index-database.ts";
import { framesOfObjects, type ObjectPlace, type PackRow } from "./index-rows.ts";
import { listPacks, type UpkeepContext } from "./index-upkeep.ts";
import { type IsRight, isNamed } from "./object-name.ts";
import { PackFile } from "./pack-file.ts";
import { placeOfFrame } from "./pack-frames.ts";
import { packNameOf } from "./store-paths.ts";

export interface CheckOptions {
  /** Reads and verifies every byte, not only what describes it. */
  readonly readData?: boolean;
  /** Ends it between two packs, with this signal's reason. */
  readonly signal?: AbortSignal;
  /** Told after each pack, in bytes of packs. */
  readonly onProgress?: (done: number, total: number) => void;
}

/** Something that is wrong. */
export interface Damage {
  /** Within the box's folder: "packs/3f9a…". */
  readonly file: string;
  /** What is wrong with it. */
  readonly what: string;
  /** What to do. */
  readonly hint: string;
  /** The pack, where one is damaged or missing. */
  readonly pack?: Hash;
}

const hints = {
  pack: "Run `ourobox check --repair`: it keeps what is whole in it. Then `ourobox fetch` brings the rest from a remote, and `ourobox commit` stores anew what is still in the folder.",
  index: "Run `ourobox check --repair`, or remove .ourobox/index.sqlite: it is made anew from the packs.",
  stranger: "Move it away: nothing but packs belongs here.",
} as const;

/** What the index and a pack do not agree on. */
interface Disagreement {
  lacking: number;
  misplaced: number;
  /** Rows that are right. */
  right: number;
}

interface Checking {
  readonly context: UpkeepContext;
  /** Absent when the index itself is damaged. */
  readonly index: IndexDatabase | undefined;
  readonly hasher: Hasher;
  readonly readData: boolean;
}

export async function* checkStore(
  context: UpkeepContext,
  index: IndexDatabase,
  hasher: Hasher,
  options: CheckOptions,
): AsyncGenerator<Damage, void, undefined> {
  const problems = index.integrityProblems();
  if (problems.length > 0) yield { file: "index.sqlite", what: problems.join("; "), hint: hints.index };
  yield* strangersAmongPacks(context);
  const usable = problems.length > 0 ? undefined : index;
  const checking: Checking = { context, index: usable, hasher, readData: options.readData === true };

  // Others may write and clean up meanwhile: nothing that only differs by that is damage.
  const before = packNumbers(usable);
  const files = listPacks(context);
  const sizes = new Map([...files].map(([key, name]) => [key, context.disk.stat(context.paths.pack(name))?.size ?? 0]));
  const total = [...sizes.values()].reduce((sum, size) => sum + size, 0);
  const sum: Disagreement = { lacking: 0, misplaced: 0, right: 0 };
  const turns = new Turns(options.signal);
  let unread = 0;
  let done = 0;
  for (const [key, name] of files) {
    const row = usable?.findPackNamed(name);
    const { directory, isWhole } = yield* checkPack(checking, name, row);
    if (directory === undefined) {
      unread += 1;
    } else if (usable !== undefined && row !== undefined) {
      const found = compareWithIndex(usable, directory, row);
      // Which of the two is wrong? A sealed directory that opens is right; a plain one may be damaged too.
      if (!isRight(found) && usable.findPackNamed(name)?.id !== row.id)
        unread += 1; // Removed by a gc in another process while it was compared: no damage.
      else if (isRight(found) || isWhole || !(yield* isDamagedOrOther(context, name, row))) add(sum, found);
      else unread += 1;
    }
    await turns.end();
    done += sizes.get(key) ?? 0;
    options.onProgress?.(done, total);
  }
  for (const { name } of usable?.packs() ?? []) {
    if (files.has(hashKey(name)) || context.disk.stat(context.paths.pack(name)) !== undefined) continue;
    // Removed since: its row goes before its file.
    if (usable?.findPackNamed(name) === undefined) continue;
    yield { file: `packs/${toHex(name)}`, what: "it is missing", hint: hints.pack, pack: name };
    unread += 1;
  }
  if (usable === undefined) return;
  // Counted before it is asked whether others have written: what they write after that is not counted.
  const objects = usable.countObjects();
  yield* reportIndex(sum, unread === 0 && packNumbers(usable) === before ? objects : undefined);
}

function packNumbers(index: IndexDatabase | undefined): string {
  return (index?.packs() ?? []).map(({ id }) => id).join();
}

function* strangersAmongPacks({ disk, paths }: UpkeepContext): Generator<Damage> {
  for (const name of disk.list(paths.packs)) {
    if (packNameOf(name) !== undefined) continue;
    yield { file: `packs/${toText(name)}`, what: "it is not named as a pack is", hint: hints.stranger };
  }
}

interface CheckedPack {
  /** Absent when not even that can be read, or the pack is known to be damaged. */
  readonly directory?: PackDirectory;
  /** The pack's bytes are known to be what its name says. */
  readonly isWhole: boolean;
}

function* checkPack(checking: Checking, name: Hash, row: PackRow | undefined): Generator<Damage, CheckedPack> {
  const { context, index } = checking;
  const what = `packs/${toHex(name)}`;
  try {
    using file = PackFile.open(context.disk, context.secrets, context.paths.pack(name), what);
    const { directory } = file.readDirectory();
    if (!checking.readData) return { directory, isWhole: false };
    const isComplete = row?.complete !== false && !file.isSparse;
    const damaged = isComplete && (yield* isDamaged(context, name));
    const isHere = (offset: number): boolean => row === undefined || index?.isAbsent(row.id, offset) !== true;
    yield* checkFrames(file, directory, checking.hasher, name, isHere);
    return damaged ? { isWhole: false } : { directory, isWhole: isComplete };
  } catch (error) {
    if (!isKind(error)) throw error;
    // Removed by a gc in another process since the packs were listed: no damage.
    if (error.kind !== "not-found" || index?.findPackNamed(name) !== undefined) {
      yield { file: what, what: error.message, hint: hints.pack, pack: name };
    }
    return { isWhole: false };
  }
}

/** Of a pack that is not as the index says: whether it is the pack that is wrong. Of a sparse one no hash can tell: it comes anew. */
function* isDamagedOrOther(context: UpkeepContext, name: Hash, row: PackRow): Generator<Damage, boolean> {
  if (row.complete) return yield* isDamaged(context, name);
  yield {
    file: `packs/${toHex(name)}`,
    what: "what it says is in it is not what the index has",
    hint: hints.pack,
    pack: name,
  };
  return true;
}

/** Whether a pack's bytes are other than its name says. */
function* isDamaged(context: UpkeepContext, name: Hash): Generator<Damage, boolean> {
  const what = `packs/${toHex(name)}`;
  using file = PackFile.open(context.disk, context.secrets, context.paths.pack(name), what);
  const found = file.hashAll(context.secrets.hash, { asWhole: true });
  if (equalBytes(found, name)) return false;
  const damage = `its bytes are not what its name says (their hash is ${toHex(found)})`;
  yield { file: what, what: damage, hint: hints.pack, pack: name };
  return true;
}

/** One line for each frame that cannot be read or holds an object that is not what its name says. */
export function* checkFrames(
  file: PackFile,
  directory: PackDirectory,
  hasher: Hasher,
  name: Hash,
  isHere: (offset: number) => boolean,
  isRight: IsRight = () => true,
): Generator<Damage> {
  for (let frame = 0; frame < directory.frames; frame += 1) {
    const offset = directory.frameOffsets[frame] as number;
    if (!isHere(offset)) continue;
    const [first, end] = [directory.frameObjects[frame] as number, directory.frameObjects[frame + 1] as number];
    const damage = (what: string): Damage => ({ file: file.what, what, hint: hints.pack, pack: name });
    let bytes: Uint8Array;
    try {
      bytes = file.readFrame({
        offset,
        sealed: directory.frameSealed[frame] as number,
        method: directory.frameMethods[frame] as 0 | 1,
        decoded: directory.frameLengths[frame] as number,
      });
    } catch (error) {
      if (!isKind(error, "corrupt")) throw error;
      if (file.wasGivenUp(placeOfFrame(directory, frame))) continue;
      yield damage(`${end - first} objects at byte ${offset} cannot be read: ${error.message}`);
      continue;
    }
    const wrong: string[] = [];
    for (let object = first; object < end; object += 1) {
      const at = directory.objectOffsets[object] as number;
      const hash = directoryHash(directory, object);
      const kind: MetaKind | undefined = metaKindNames[directory.kinds[object] as number];
      const part = bytes.subarray(at, at + (directory.objectLengths[object] as number));
      if (!isNamed(hasher, kind, part, hash) || !isRight(hash, kind, part)) wrong.push(toHex(hash));
    }
    if (wrong.length > 0 && !file.wasGivenUp(placeOfFrame(directory, frame)))
      yield damage(`${wrong.length} objects at byte ${offset} are not what their names say, the first is ${wrong[0]}`);
  }
}

function compareWithIndex(index: IndexDatabase, directory: PackDirectory, row: PackRow): Disagreement {
  const sum: Disagreement = { lacking: 0, misplaced: 0, right: 0 };
  const frameOf = framesOfObjects(directory);
  for (let object = 0; object < directory.objects; object += 1) {
    const hash = directoryHash(directory, object);
    const kind = metaKindNames[directory.kinds[object] as number];
    const place = findPlace(index, hash, kind);
    const frame = frameOf[object] as number;
    if (place === "unreadable") {
      sum.misplaced += 1;
      continue;
    }
    if (place === undefined) {
      sum.lacking += 1;
    } else if (place.pack === row.id) {
      const isHere =
        place.offset === directory.frameOffsets[frame] &&
        place.sealed === directory.frameSealed[frame] &&
        place.method === directory.frameMethods[frame] &&
        place.decoded === directory.frameLengths[frame] &&
        place.at === directory.objectOffsets[object] &&
        place.length === directory.objectLengths[object];
      if (isHere) sum.right += 1;
      else sum.misplaced += 1;
    }
  }
  return sum;
}

function findPlace(
  index: IndexDatabase,
  hash: Hash,
  kind: MetaKind | undefined,
): ObjectPlace | "unreadable" | undefined {
  try {
    return kind === undefined ? index.findChunk(hash) : index.findMeta(hash, kind);
  } catch (thrown) {
    if (!isKind(thrown, "corrupt")) throw thrown;
    return "unreadable";
  }
}

function isRight({ lacking, misplaced }: Disagreement): boolean {
  return lacking === 0 && misplaced === 0;
}

function add(sum: Disagreement, part: Disagreement): void {
  sum.lacking += part.lacking;
  sum.misplaced += part.misplaced;
  sum.right += part.right;
}

/** @param objects How many the index has; absent when some may be of packs that were not seen. */
function* reportIndex(sum: Disagreement, objects: number | undefined): Generator<Damage> {
  const damage = (what: string): Damage => ({ file: "index.sqlite", what, hint: hints.index });
  if (sum.lacking > 0) yield damage(`it lacks ${sum.lacking} objects that the packs have`);
  if (sum.misplaced > 0) yield damage(`it has wrong places for ${sum.misplaced} objects`);
  const strays = (objects ?? 0) - sum.right - sum.misplaced;
  if (strays > 0) yield damage(`it has ${strays} objects that no pack has`);
}
