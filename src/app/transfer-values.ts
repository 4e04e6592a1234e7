/** What may be said of transfers: rates and numbers, as people write them. */

/** Slower than this, time-outs would take a limit for a dead connection. */
const rateMin = 16 * 1024;
const atOnceMax = 64;

/** "500K", "2M": bytes a second, of 1,024. */
export function parseRate(text: string): number | undefined {
  const [, digits = "", unit = ""] = /^(\d{1,9})\s*([kmg]?)(?:i?b)?(?:\/s)?$/i.exec(text) ?? [];
  const rate = Number(digits) * 1024 ** " kmg".indexOf(unit === "" ? " " : unit.toLowerCase());
  return digits !== "" && rate >= rateMin ? rate : undefined;
}

export function parseAtOnce(text: string): number | undefined {
  return /^\d{1,3}$/.test(text) && Number(text) >= 1 && Number(text) <= atOnceMax ? Number(text) : undefined;
}

export const mustBeRate = "it is bytes a second: 16K or more, as 500K or 2M";
export const mustBeAtOnce: string = `it is a number from 1 to ${atOnceMax}`;
