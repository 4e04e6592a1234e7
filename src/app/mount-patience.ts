/** Of a mount: whether its calls wait for content that cannot be had now, and what is said of it in its log. */
import { type FailureLog, type Filesystem, isLack, Patience } from "../vfs/mod.ts";
import type { MountLog } from "./mount-log.ts";

export interface MountPatience extends Disposable {
  /** Told of failures. What is waited for is not one. */
  readonly log: FailureLog;
  /** The filesystem that a door opens on. */
  with(filesystem: Filesystem): Filesystem;
}

/** @param waitMs 0: nothing waits. */
export function mountPatience(log: MountLog, waitMs: number): MountPatience {
  if (waitMs === 0)
    return { log: (text) => log.add(text), with: (filesystem) => filesystem, [Symbol.dispose]: () => {} };
  const patience = new Patience({ waitMs, nowMs: () => performance.now(), log: (text) => log.add(text) });
  return {
    log: (text, failure) => {
      if (!isLack(failure)) log.add(text);
    },
    with: (filesystem) => patience.with(filesystem),
    [Symbol.dispose]: () => patience[Symbol.dispose](),
  };
}
