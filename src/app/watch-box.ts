/**
 * `sync --watch`: a sync whenever the folder has changed and come to rest, and now and then, as others push and events get lost. What fails
 * today may work the next time: only what needs a person ends it.
 */
import { setTimeout as sleep } from "node:timers/promises";
import { errnoOf, isKind, type OuroError } from "../base/errors.ts";
import { FolderWatch } from "../workdir/mod.ts";
import type { OpenBox } from "./open-box.ts";
import { type SyncReport, type SyncRequest, syncBox } from "./sync-box.ts";

export interface WatchRequest extends Omit<SyncRequest, "holdsBack"> {
  /** Told of every sync in which something was done, or failed otherwise than the time before. */
  readonly onReport: (report: SyncReport) => void;
  /** Told of what has stopped a sync; the next one may do. */
  readonly onError: (error: OuroError) => void;
}

const pollMs = 500;
/** A folder is at rest when nothing has changed for so long; what changes all the time is synced all the same. */
const restMs = 2000;
const unrestMsMax = 30_000;
/** What a person must see to. */
const fatal: ReadonlySet<string> = new Set(["aborted", "corrupt", "wrong-key", "no-box", "newer-format", "usage"]);

/** @returns Never: it ends by the signal, or by what a person must see to. */
export async function watchBox(
  box: OpenBox,
  remotes: readonly string[],
  { onReport, onError, ...request }: WatchRequest,
): Promise<never> {
  const intervalMs = Number(box.settings.find("sync.interval") ?? "60") * 1000;
  using watch = openWatch(box);
  if (watch !== undefined && !watch.isComplete)
    box.context.notice(
      "Not every folder can be watched (fs.inotify.max_user_watches): what changes there is found less soon.",
    );
  let lastFailure = "";
  for (;;) {
    try {
      const report = await syncBox(box, remotes, { ...request, holdsBack: true });
      const failure = failureOf(report);
      if (isNews(report) || failure !== lastFailure) onReport(report);
      lastFailure = failure;
    } catch (thrown) {
      box.context.signal.throwIfAborted();
      if (!isKind(thrown) || fatal.has(thrown.kind)) throw thrown;
      if (thrown.message !== lastFailure) onError(thrown);
      lastFailure = thrown.message;
    }
    await waitForWork(box, watch, intervalMs);
  }
}

/** Undefined where there can be none: then only time tells. */
function openWatch({ root, context }: OpenBox): FolderWatch | undefined {
  if (root === undefined) return undefined;
  try {
    return new FolderWatch(root);
  } catch (thrown) {
    if (errnoOf(thrown) === undefined) throw thrown;
    context.notice("The folder cannot be watched: it is looked at now and then.");
    return undefined;
  }
}

async function waitForWork({ context }: OpenBox, watch: FolderWatch | undefined, intervalMs: number): Promise<void> {
  const begin = performance.now();
  let changedAt: number | undefined;
  let firstAt: number | undefined;
  for (;;) {
    const now = performance.now();
    if (changedAt === undefined && now - begin >= intervalMs) return;
    if (changedAt !== undefined && (now - changedAt >= restMs || now - (firstAt ?? now) >= unrestMsMax)) return;
    await sleep(Math.min(pollMs, intervalMs), undefined, { signal: context.signal });
    if (watch?.poll() !== true) continue;
    changedAt = performance.now();
    firstAt ??= changedAt;
  }
}

function isNews({ committed, moved, fetched, pushed }: SyncReport): boolean {
  return committed !== undefined || moved !== undefined || [...fetched, ...pushed].some(({ packs }) => packs > 0);
}

/** What went wrong, as one text: told when it is another than before. */
function failureOf({ failed, held }: SyncReport): string {
  return [...failed.map(({ remote, error }) => `${remote}: ${error.message}`), held?.message ?? ""].join("\n");
}
