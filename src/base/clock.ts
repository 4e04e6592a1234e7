/**
 * Time as an argument, and the hybrid logical clock that dates every edit.
 *
 * A clock value has 64 bits: 48 of milliseconds since 1970, 16 of a counter. It is near the wall clock and
 * greater than every value its writer has seen.
 *
 * Source: Kulkarni and others, Logical Physical Clocks (OPODIS 2014).
 */
import { OuroError } from "./errors.ts";

/** Where the time comes from. Below `app`, nothing else may tell the time. */
export interface Clock {
  /** Milliseconds since 1970-01-01 UTC. */
  nowMs(): number;
}

export const systemClock: Clock = { nowMs: () => Date.now() };

/** The same, but it never goes back, whatever is done to the machine's clock meanwhile. To measure with; other processes have another. */
export const steadyClock: Clock = { nowMs: () => performance.timeOrigin + performance.now() };

const counterBits = 16n;
/** The greatest clock value there is. */
export const clockMax = 0xffff_ffff_ffff_ffffn;

/** The milliseconds of a clock value. */
export function clockMs(clock: bigint): number {
  return Number(clock >> counterBits);
}

/** The smallest clock value of a millisecond. */
export function clockAt(ms: number): bigint {
  return BigInt(Math.max(0, Math.floor(ms))) << counterBits;
}

/**
 * The next clock value: the present, or one more than the greatest seen when that is ahead.
 * @throws OuroError "invalid" when the clocks have run out, which only a forged value or a machine's wrong time can bring about.
 */
export function nextClock(nowMs: number, greatestSeen: bigint): bigint {
  if (greatestSeen >= clockMax) {
    throw new OuroError("invalid", "Cannot date a commit: a clock in this box's history is at its end", {
      hint: "Somebody has written a forged date. Go back to a commit without it: clone the box anew, and leave out what is dated ahead.",
    });
  }
  const present = clockAt(nowMs);
  if (present > clockMax)
    throw new OuroError("invalid", "Cannot date a commit: this machine's clock is past the year 10889", {
      hint: "Set the clock right.",
    });
  return present > greatestSeen ? present : greatestSeen + 1n;
}
