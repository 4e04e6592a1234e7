/**
 * When a remote was last reached, and when it was last looked at which packs it lists: for people, who judge by it how far what is remembered
 * of it is to be believed. One value of the state for each URL, which can be lost without harm. A time counts on this machine's clock.
 */
import type { OpenBox } from "./open-box.ts";

export interface RemoteSeen {
  /** When it last answered, ms since 1970. */
  readonly reachedMs: number;
  /** When what it lists was last read; absent where it never was. */
  readonly listedMs?: number;
}

/** Two times of 8 bytes; 0 where there is none. */
const valueBytes = 16;

export function findSeen({ state }: Pick<OpenBox, "state">, url: string): RemoteSeen | undefined {
  const bytes = state.value(keyOf(url));
  if (bytes?.length !== valueBytes) return undefined;
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  const [reachedMs, listedMs] = [Number(view.getBigUint64(0)), Number(view.getBigUint64(8))];
  return { reachedMs, ...(listedMs === 0 ? {} : { listedMs }) };
}

/** Notes that a remote has just been reached. @param options.isListed Whether its listings were read, too. */
export function noteSeen(
  box: Pick<OpenBox, "state" | "context">,
  url: string,
  { isListed }: { readonly isListed: boolean },
): void {
  const nowMs = box.context.clock.nowMs();
  const view = new DataView(new ArrayBuffer(valueBytes));
  view.setBigUint64(0, BigInt(nowMs));
  view.setBigUint64(8, BigInt(isListed ? nowMs : (findSeen(box, url)?.listedMs ?? 0)));
  box.state.setValue(keyOf(url), new Uint8Array(view.buffer));
}

export function forgetSeen({ state }: Pick<OpenBox, "state">, url: string): void {
  state.setValue(keyOf(url), undefined);
}

function keyOf(url: string): string {
  return `seen ${url}`;
}
