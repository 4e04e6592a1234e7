/**
 * Serving the live mount of a box: its own folder, or that of a branch, read and written, until somebody ends it. What is written through it is committed by itself, when it has been quiet
 * for a while and at the end, by another process (run-commit.ts).
 */
import { type Box, type LiveMount, openLive } from "../app/mod.ts";
import type { Clock } from "../base/clock.ts";
import { isKind } from "../base/errors.ts";
import { type FuseBehaviour, mountFilesystem } from "../front/fuse/mod.ts";
import { AutoCommits } from "./auto-commits.ts";
import { mountSource, mountSubtype } from "./box-mounts.ts";
import { runCommit } from "./run-commit.ts";
import { type MountOwner, placeOfMount, type Serving, serveToEnd, whenWaiting } from "./serve-mount.ts";

/** Others write to the folder, and nobody tells the kernel: so long it may believe what it has seen. */
const believedMs = 1000;

export interface LiveServeRequest extends MountOwner, Serving {
  readonly directory: string;
  /** Nothing can be written through it, and nothing is committed. */
  readonly readOnly: boolean;
  /** How long calls wait for content that cannot be had now, in milliseconds; 0 for not at all. */
  readonly waitMs: number;
  /** It commits when nothing has changed for so long, in milliseconds. Infinity: never. */
  readonly quietMs: number;
  /** What to run for this program once more, but for the arguments, and in which environment. */
  readonly program: readonly string[];
  readonly env: Readonly<Record<string, string | undefined>>;
  /** One that does not go back. */
  readonly clock: Clock;
  /** Told of what goes wrong, beside the mount's log. */
  readonly onFailure: (text: string) => void;
}

/** A name that is not there is looked for each time: it may be made beside the mount at any moment. Content is asked for anew at each open. */
function behaviour({ uid, readAheadBytes }: LiveServeRequest): Partial<FuseBehaviour> {
  const believed = { entryMs: believedMs, attributesMs: believedMs, negativeMs: 0 };
  return { ...believed, withoutFlushes: true, readAheadBytes, passthrough: uid === 0 };
}

/**
 * Mounts the box and serves it to the end, which is after its last commit.
 * @throws OuroError as `mountFilesystem`, `openLive` and `placeOfMount`.
 */
export async function serveLive(box: Box, request: LiveServeRequest): Promise<void> {
  const { readOnly, quietMs, allowOther, uid, gid, waitMs, onFailure, clock, program, env } = request;
  const directory = placeOfMount(box, request.directory);
  let commits: AutoCommits | undefined;
  const { top, branch } = box.layout;
  const folder = box.root ?? top;
  const commit = oneByOne(() => {
    opened.flush();
    return runCommit({ program, folder, env, onWarning: (text) => opened.log.add(text) });
  });
  await using opened: LiveMount = await openLive(box, {
    directory,
    readOnly,
    waitMs,
    onFailure,
    onChange: () => commits?.changed(),
    settle: commit,
  });
  const { filesystem, log } = opened;
  const mount = await mountFilesystem(filesystem, {
    ...behaviour(request),
    ...whenWaiting(waitMs),
    directory,
    source: mountSource(top, branch === undefined ? {} : { branch }),
    subtype: mountSubtype,
    uid,
    gid,
    allowOther,
    readOnly,
    onFailure: (thrown) => log.add(describe(thrown)),
  });
  if (!readOnly && Number.isFinite(quietMs)) {
    commits = new AutoCommits({
      quietMs,
      clock,
      commit,
      look: () => opened.lookAtWriters(),
      onFailure: (thrown) => log.add(`Not committed yet. ${describe(thrown)}`),
    });
    // Who was here before may have been killed before the last commit.
    commits.changed();
  }
  try {
    const ended = serveToEnd(mount, request);
    opened.prepare().catch((thrown: unknown) => log.add(describe(thrown)));
    await ended;
  } finally {
    await commits?.end();
  }
}

/** Does something as often as it is asked for, never twice at once. */
function oneByOne(act: () => Promise<void>): () => Promise<void> {
  let last: Promise<void> = Promise.resolve();
  return () => {
    last = last.catch(() => {}).then(act);
    return last;
  };
}

function describe(thrown: unknown): string {
  if (isKind(thrown)) return thrown.hint === undefined ? thrown.message : `${thrown.message}. ${thrown.hint}`;
  return thrown instanceof Error ? (thrown.stack ?? thrown.message) : String(thrown);
}
