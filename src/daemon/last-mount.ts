/** The live mount that was there before, which is out of sight and has not ended: it makes its last commit, or was taken away lazily and somebody is in it. */
import { setTimeout as delay } from "node:timers/promises";
import { findLive, type LivePlace } from "../app/mod.ts";
import type { Disk } from "../base/disk.ts";
import { OuroError } from "../base/errors.ts";
import { listBoxMounts } from "./box-mounts.ts";

const endingMsMax = 60_000;
const pauseMs = 50;
/** After so long somebody may wonder why nothing happens. */
const untoldMs = 1000;

export interface LastMountOptions {
  readonly disk: Disk;
  readonly signal: AbortSignal;
  /** Called when it takes a while. @param directory Where it was. */
  readonly onWait: (directory: string) => void;
}

/** Waits until it has ended. One that is in sight is for `openLive` to refuse. @throws OuroError "locked": it does not end. */
export async function waitForLast(place: LivePlace, { disk, signal, onWait }: LastMountOptions): Promise<void> {
  let directory = "";
  for (let waitedMs = 0; waitedMs < endingMsMax; waitedMs += pauseMs) {
    const at = findLive(disk, place);
    if (at === undefined || isMounted(at)) return;
    directory = at;
    if (waitedMs === untoldMs) onWait(directory);
    await delay(pauseMs, undefined, { signal }).catch(() => signal.throwIfAborted());
  }
  const { box, branch } = place;
  const what = branch === undefined ? box : `the branch ${branch} of ${box}`;
  throw new OuroError(
    "locked",
    `Cannot mount ${what}: its last mount, on ${directory}, is out of sight and has not ended`,
    {
      subject: directory,
      hint: "It ends when nobody is in it any more. End what was in it, and run the command again.",
    },
  );
}

function isMounted(directory: string): boolean {
  const name = Buffer.from(directory).toString("latin1");
  return listBoxMounts().some((each) => each.directory === name);
}
