/**
 * Copying what the writers of a remote keep of history, before their heads: who reads the copy must know which trees may be gone. What a writer keeps
 * is replaced only by what it has said later, which is known by the clocks that it has looked through.
 */
import { type BoxSecrets, openBlob, type Retention, retentionLimits, sealBlob, writerHex } from "../format/mod.ts";
import type { Remote } from "../remote/mod.ts";
import { type BoxOnRemote, retentionPrefix } from "./box-on-remote.ts";

export interface CopyRetentionsOptions {
  readonly from: Remote;
  readonly to: Remote;
  readonly source: BoxOnRemote;
  readonly there: BoxOnRemote;
  /** Of the box as it is in `from`, and in `to`. */
  readonly secrets: BoxSecrets;
  readonly target: BoxSecrets;
  readonly plain: boolean;
  readonly random: (length: number) => Uint8Array;
  readonly signal?: AbortSignal;
}

/** @throws OuroError "corrupt", and as `Remote.get` and `Remote.put`. */
export async function copyRetentions(options: CopyRetentionsOptions): Promise<void> {
  const { from, to, source, there, secrets, target, plain, random, signal } = options;
  const waiting = signal === undefined ? {} : { signal };
  for (const hex of (await source.listRetentions()).keys()) {
    const writer = BigInt(`0x${hex}`);
    const name = `${retentionPrefix}${writerHex(writer)}`;
    const said = await source.findRetention(writer);
    const before = await there.findRetention(writer);
    if (said === undefined || (before !== undefined && !isLater(said, before))) continue;
    const raw = await from.get(name, { bytesMax: retentionLimits.bytes, ...waiting });
    const blob = plain ? sealBlob(target, "retention", openBlob(secrets, "retention", raw, name), random) : raw;
    await to.put(name, blob, waiting);
  }
}

/** Whether one was said after the other: it has looked through as much everywhere, and more, or keeps less of the same. */
function isLater(a: Retention, b: Retention): boolean {
  const seen = new Map(a.seen.map(({ writer, clock }) => [writer, clock]));
  const before = new Map(b.seen.map(({ writer, clock }) => [writer, clock]));
  if (![...before].every(([writer, clock]) => (seen.get(writer) ?? 0n) >= clock)) return false;
  const hasMore = [...seen].some(([writer, clock]) => clock > (before.get(writer) ?? 0n));
  return hasMore || a.kept.length < b.kept.length;
}
