/**
 * Which bytes of a pack to read for some of its frames: frames that lie near each other come in one read, with what is wanted between them.
 */
import type { PackDirectory } from "../format/mod.ts";
import type { ByteRange } from "../remote/mod.ts";

/** A read is worth more than so many bytes that nobody asked for. */
const gapBytesMax = 128 * 1024;
/** A longer read is cut in two, unless it is one frame. */
const rangeBytesMax = 4 * 1024 * 1024;

export interface RangePlan {
  readonly range: ByteRange;
  /** Those of it that are to be taken in. */
  readonly frames: readonly { readonly offset: number; readonly sealed: number }[];
}

/**
 * @param offsets Where the frames begin that are needed.
 * @param isWanted Whether a frame that lies between may be taken along.
 */
export function planRanges(
  { frames, frameOffsets, frameSealed }: PackDirectory,
  offsets: ReadonlySet<number>,
  isWanted: (offset: number) => boolean,
): RangePlan[] {
  const plans: RangePlan[] = [];
  let taken: { offset: number; sealed: number }[] = [];
  /** Wanted and not needed, after the last that is needed. */
  let between: { offset: number; sealed: number }[] = [];
  const end = (): void => {
    const [first, last] = [taken[0], taken.at(-1)];
    if (first !== undefined && last !== undefined)
      plans.push({ range: { start: first.offset, end: last.offset + last.sealed }, frames: taken });
    taken = [];
    between = [];
  };
  for (let index = 0; index < frames; index += 1) {
    const frame = { offset: frameOffsets[index] as number, sealed: frameSealed[index] as number };
    const last = taken.at(-1);
    if (!offsets.has(frame.offset)) {
      if (last !== undefined && isWanted(frame.offset)) between.push(frame);
      continue;
    }
    if (last !== undefined) {
      const gap = frame.offset - (last.offset + last.sealed);
      const length = frame.offset + frame.sealed - (taken[0] as { offset: number }).offset;
      if (gap > gapBytesMax || length > rangeBytesMax) end();
    }
    taken.push(...between, frame);
    between = [];
  }
  end();
  return plans;
}
