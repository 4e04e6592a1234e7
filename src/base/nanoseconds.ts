/**
 * Times in nanoseconds as bigints, and their seconds as numbers. Of the years 1678 to 2262 (64 bits) without arithmetic on bigints, which takes longer
 * than all else that is done to a file's time, and makes garbage.
 */
const perSecond = 1_000_000_000n;
const perSecondNumber = 1e9;
/** Seconds that surely fit. */
const secondsMax = 9e9;
const nsMax = 9_000_000_000n * perSecond;

// Little-endian, as all machines are that this runs on.
const whole = new BigInt64Array(1);
const lower = new Uint32Array(whole.buffer, 0, 1);
const upper = new Int32Array(whole.buffer, 4, 1);

/** @param seconds Whole, within +-2^52. @param ns Within the second: 0 to 999,999,999. */
export function joinNs(seconds: number, ns: number): bigint {
  if (seconds > secondsMax || seconds < -secondsMax) return BigInt(seconds) * perSecond + BigInt(ns);
  const high = Math.floor(seconds / 65_536);
  const low = (seconds - high * 65_536) * perSecondNumber + ns;
  // The value in units of 2^16, and what is below.
  const units = high * perSecondNumber + Math.floor(low / 65_536);
  const top = Math.floor(units / 65_536);
  upper[0] = top;
  lower[0] = (units - top * 65_536) * 65_536 + (low % 65_536);
  return whole[0] as bigint;
}

/** The seconds, rounded down, and the nanoseconds within the second. @param time Within +-2^52 seconds. */
export function splitNs(time: bigint): { readonly seconds: number; readonly ns: number } {
  if (time > nsMax || time < -nsMax) {
    const rest = time % perSecond;
    const ns = rest < 0n ? rest + perSecond : rest;
    return { seconds: Number((time - ns) / perSecond), ns: Number(ns) };
  }
  whole[0] = time;
  const low = lower[0] as number;
  const units = (upper[0] as number) * 65_536 + (low >>> 16);
  const high = Math.floor(units / perSecondNumber);
  const rest = (units - high * perSecondNumber) * 65_536 + (low & 0xffff);
  const seconds = Math.floor(rest / perSecondNumber);
  return { seconds: high * 65_536 + seconds, ns: rest - seconds * perSecondNumber };
}

/** Writes a whole number within +-2^52 as a signed integer of 64 bits, little-endian, as the kernel's structs have seconds. */
export function writeSeconds(bytes: Buffer, seconds: number, at: number): void {
  const high = Math.floor(seconds / 2 ** 32);
  bytes.writeUInt32LE(seconds - high * 2 ** 32, at);
  bytes.writeInt32LE(high, at + 4);
}
