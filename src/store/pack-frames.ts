/** The frames of a pack as its directory has them, and whether what they hold is what it says. */

import { isKind } from "../base/errors.ts";
import { directoryHash, type FrameMethod, type Hasher, metaKindNames, type PackDirectory } from "../format/mod.ts";
import { isNamed } from "./object-name.ts";
import type { FramePlace, PackFile } from "./pack-file.ts";

export function placeOfFrame(directory: PackDirectory, frame: number): FramePlace {
  return {
    offset: directory.frameOffsets[frame] as number,
    sealed: directory.frameSealed[frame] as number,
    method: directory.frameMethods[frame] as FrameMethod,
    decoded: directory.frameLengths[frame] as number,
  };
}

/** The frame that begins there; -1 when none does. */
export function frameAt({ frameOffsets, frames }: PackDirectory, offset: number): number {
  let low = 0;
  let high = frames;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if ((frameOffsets[middle] as number) < offset) low = middle + 1;
    else high = middle;
  }
  return low < frames && frameOffsets[low] === offset ? low : -1;
}

/** What a disk gives and takes back. */
const blockBytes = 4096;

/**
 * The ranges of a pack to give back when frames go: with what other frames that are not here have left of the same blocks, as a block is given back as a whole.
 * @param gone Frames, by number, in order. @param isAbsent Of those, and of others that are not here.
 */
export function* holesOf(
  directory: PackDirectory,
  gone: readonly number[],
  isAbsent: (frame: number) => boolean,
): Generator<{ readonly start: number; readonly end: number }> {
  const startOf = (frame: number): number => directory.frameOffsets[frame] as number;
  const endOf = (frame: number): number => startOf(frame) + (directory.frameSealed[frame] as number);
  for (let at = 0; at < gone.length; at += 1) {
    const first = gone[at] as number;
    while (gone[at + 1] === (gone[at] as number) + 1) at += 1;
    const last = gone[at] as number;
    const block = Math.floor(startOf(first) / blockBytes) * blockBytes;
    let before = first;
    while (before > 0 && startOf(before) > block && isAbsent(before - 1)) before -= 1;
    const blockEnd = Math.ceil(endOf(last) / blockBytes) * blockBytes;
    let after = last;
    while (after + 1 < directory.frames && endOf(after) < blockEnd && isAbsent(after + 1)) after += 1;
    yield { start: Math.max(block, startOf(before)), end: Math.min(blockEnd, endOf(after)) };
  }
}

/** Whether every object of a frame is what its name says. @param bytes Decoded. */
export function isFrameRight(hasher: Hasher, directory: PackDirectory, frame: number, bytes: Uint8Array): boolean {
  const end = directory.frameObjects[frame + 1] as number;
  for (let object = directory.frameObjects[frame] as number; object < end; object += 1) {
    const at = directory.objectOffsets[object] as number;
    const part = bytes.subarray(at, at + (directory.objectLengths[object] as number));
    const kind = metaKindNames[directory.kinds[object] as number];
    if (!isNamed(hasher, kind, part, directoryHash(directory, object))) return false;
  }
  return true;
}

/** Of a sparse pack, or one that is about to be one: where the frames begin that are not here, or are not right. */
export function findAbsentFrames(file: PackFile, directory: PackDirectory, hasher: Hasher): Set<number> {
  const absent = new Set<number>();
  for (let frame = 0; frame < directory.frames; frame += 1) {
    const place = placeOfFrame(directory, frame);
    if (!file.hasData(place.offset, place.sealed) || !isRight(file, directory, frame, hasher)) absent.add(place.offset);
  }
  return absent;
}

function isRight(file: PackFile, directory: PackDirectory, frame: number, hasher: Hasher): boolean {
  try {
    return isFrameRight(hasher, directory, frame, file.readFrame(placeOfFrame(directory, frame)));
  } catch (thrown) {
    if (!isKind(thrown, "corrupt")) throw thrown;
    return false;
  }
}
