/** What serves a mount: this process, until it is interrupted, or one that is started to go on by itself. */
import { closeSync, writeSync } from "node:fs";
import { type AppContext, type Box, parseCommitAfter, parseWait } from "../app/mod.ts";
import { toHex } from "../base/bytes.ts";
import { steadyClock } from "../base/clock.ts";
import type { CommandContext } from "./command.ts";
import { shortId } from "./commits.ts";
import { readMountOptions } from "./mount-options.ts";
import { appContext } from "./open.ts";
import { usage } from "./options.ts";
import { exitStatus } from "./status.ts";

export interface WantedMount {
  /** Undefined: the box itself, or a branch that there is. */
  readonly commit: Uint8Array | undefined;
  /** To be written, and begun at the commit if it is new. */
  readonly branch: { readonly name: string; readonly isNew: boolean } | undefined;
  readonly directory: string;
  /** Of a branch. */
  readonly acceptClock: boolean;
  /** As of -o and --commit-after. */
  readonly options: string;
  readonly commitAfter: string;
  /** As of --cache-size; "" for what the settings say. */
  readonly cacheSize: string;
  readonly readAheadBytes: number;
  /** As of --wait. */
  readonly wait: string;
}

/** Set for a process that is to go on by itself: the descriptor on which it says that it is ready. */
const readyVariable = "OUROBOX_MOUNT_READY";
/**
 * Content that is read passes by beside V8's heap, which is small: it would be collected four times in each 100 MB that are read. From there on the heap grows slowly:
 * of a million names that somebody lists most is garbage. For Node, of the process that serves alone.
 */
const heapFlags = ["--initial-heap-size=64", "--heap-growing-percent=40"];
/** Of the setting cache.size. */
const cacheVariable = "OUROBOX_CACHE_SIZE";

interface Mutable {
  /** Where warnings and notices go. */
  tell: (text: string) => void;
}

/**
 * The context of a process whose stderr may come to an end before it does: it goes on without.
 * @param cacheSize In place of what the settings say, but for "".
 */
export function servingContext(context: CommandContext, cacheSize: string): AppContext & Mutable {
  const given = appContext(context);
  const app: AppContext & Mutable = {
    ...given,
    env: cacheSize === "" ? given.env : { ...given.env, [cacheVariable]: cacheSize },
    tell: (text) => {
      try {
        context.messages.warn(text);
      } catch {
        app.tell = (): void => {};
      }
    },
    warn: (text) => app.tell(text),
    notice: (text) => app.tell(text),
  };
  return app;
}

/** Serves it in this process, to the end. @param app Of `servingContext`. */
export async function serveMount(
  context: CommandContext,
  box: Box,
  wanted: WantedMount,
  app: AppContext & Mutable,
): Promise<void> {
  const { serveCommit, serveLive } = await import("../daemon/mod.ts");
  const { world, messages } = context;
  const { commit, branch, directory, readAheadBytes } = wanted;
  const { owners, allowOther, readOnly } = readMountOptions(wanted.options);
  const { [readyVariable]: descriptor, ...env } = world.env;
  const serving = {
    directory,
    waitMs: parseWait(wanted.wait) ?? 0,
    readAheadBytes,
    allowOther,
    uid: process.geteuid?.() ?? 0,
    gid: process.getegid?.() ?? 0,
    signal: world.signal,
    onFailure: (text: string) => app.tell(text),
    onBusy: (error: Error) => app.tell(`${error.message}: they lose it now`),
    onMounted: () => {
      if (descriptor === undefined)
        return messages.notice(`Mounted ${whatOf(wanted)} on ${directory} until Ctrl-C, or \`ourobox umount\``);
      app.tell = (): void => {};
      tellReady(descriptor);
    },
  };
  if (commit !== undefined && branch === undefined) return serveCommit(box, { ...serving, commit, owners });
  const quietMs = parseCommitAfter(wanted.commitAfter) ?? Number.POSITIVE_INFINITY;
  const live = { ...serving, readOnly, quietMs, program: programOf(context), env, clock: steadyClock };
  if (branch === undefined) return serveLive(box, live);
  const create = commit === undefined ? {} : { create: commit };
  const isBegun = await box.beginBranch({ name: branch.name, acceptClock: wanted.acceptClock, ...create });
  let isMounted = false;
  const onMounted = (): void => {
    isMounted = true;
    serving.onMounted();
  };
  try {
    await using own = box.openBranch(branch.name);
    await serveLive(own, { ...live, onMounted });
  } catch (thrown) {
    // Nobody wanted it but for the mount.
    if (isBegun && !isMounted) await box.deleteBranch(branch.name, { force: true });
    throw thrown;
  }
}

/** Starts this program once more, which serves, and waits until it answers. @returns The exit status. */
export async function startServing(context: CommandContext, wanted: WantedMount): Promise<number> {
  const { world, messages, cwd, json } = context;
  const { commit, branch, directory, options, commitAfter, cacheSize, readAheadBytes, wait } = wanted;
  const program = programOf(context);
  const { startChild } = await import("../daemon/mod.ts");
  const flags = ["-f", "-C", cwd, "-o", options, "--commit-after", commitAfter, ...(json ? ["--json"] : [])];
  flags.push("--cache-size", cacheSize, "--read-ahead", `${readAheadBytes}`, `--wait=${wait}`);
  if (branch !== undefined) flags.push(branch.isNew ? "-c" : "-b", branch.name);
  if (wanted.acceptClock) flags.push("--accept-clock");
  const operands = [...(commit === undefined ? [] : [toHex(commit)]), directory];
  const { status, told } = await startChild({
    command: [...program.slice(0, 1), ...heapFlags, ...program.slice(1), "mount", ...flags, "--", ...operands],
    env: { ...world.env, [readyVariable]: "3" },
    signal: world.signal,
  });
  if (status === undefined) {
    messages.notice(`Mounted ${whatOf(wanted)} on ${directory}`);
    return exitStatus.ok;
  }
  messages.end();
  world.stderr.write(told);
  return status === exitStatus.ok ? exitStatus.error : status;
}

function whatOf({ commit, branch }: WantedMount): string {
  if (branch !== undefined) return `the ${branch.isNew ? "new " : ""}branch ${branch.name}`;
  return commit === undefined ? "the box" : shortId(commit);
}

function programOf({ world }: CommandContext): readonly string[] {
  if (world.program !== undefined) return world.program.filter((each) => !heapFlags.includes(each));
  throw usage("Cannot mount from here: this program cannot be started once more");
}

/** Says that it is ready, where somebody waits for it; from then on nobody reads what it says. */
function tellReady(descriptor: string): void {
  const fd = Number(descriptor);
  writeSync(fd, "ready\n");
  closeSync(fd);
}
