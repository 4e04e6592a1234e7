/** What may be said of the cache's quota: sizes and shares of the disk, as people write them. */

export type CacheSizeWish =
  | { readonly kind: "bytes"; readonly bytes: number }
  /** Of the disk. */
  | { readonly kind: "share"; readonly share: number };

const units = "kmgt";

/** "500M", "2G", "0": bytes, of 1,024; or "10%". */
export function parseCacheSize(text: string): CacheSizeWish | undefined {
  const share = parseShare(text);
  if (share !== undefined) return { kind: "share", share };
  const [, digits, unit = ""] = /^(\d{1,15}(?:\.\d{1,6})?)\s*([kmgt]?)(?:i?b)?$/i.exec(text.trim()) ?? [];
  if (digits === undefined) return undefined;
  const bytes = Math.floor(Number(digits) * 1024 ** (unit === "" ? 0 : units.indexOf(unit.toLowerCase()) + 1));
  return Number.isSafeInteger(bytes) ? { kind: "bytes", bytes } : undefined;
}

/** "5%" is 0.05. */
export function parseShare(text: string): number | undefined {
  const [, digits] = /^(\d{1,3}(?:\.\d{1,3})?)\s*%$/.exec(text.trim()) ?? [];
  return digits === undefined || Number(digits) > 100 ? undefined : Number(digits) / 100;
}

export const mustBeCacheSize = "it is a number of bytes, as 500M or 20G, or a share of the disk, as 10%";
export const mustBeShare = "it is a share of the disk from 0% to 100%";
