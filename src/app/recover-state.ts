/**
 * Opening state.sqlite, and making it again when it is gone or damaged: the head and tags from the newest file in `.ourobox/heads/`. The
 * last scan is lost with it, so the next one looks at every file; so are picked paths and the record of operations.
 */
import { join } from "node:path";
import { toHex, toText } from "../base/bytes.ts";
import { errnoOf, ioError, isKind } from "../base/errors.ts";
import { type BoxSecrets, decodeHead, type Head, headLimits, openBlob } from "../format/mod.ts";
import { State } from "../history/mod.ts";
import { verifySignature } from "../peer/mod.ts";
import type { AppContext } from "./context.ts";
import { findStat, listNames } from "./disk-folders.ts";
import { branchLayout, type Layout } from "./layout.ts";
import { findSmallFile } from "./small-files.ts";

/** @throws OuroError "locked", "newer-format", "io", and "corrupt" when there is nothing to make it from. */
export function openState(context: AppContext, layout: Layout, secrets: BoxSecrets): State {
  try {
    const state = State.open(layout.state);
    try {
      if (state.head() === undefined) recoverHead(context, layout, { secrets, state });
      return state;
    } catch (thrown) {
      state[Symbol.dispose]();
      throw thrown;
    }
  } catch (thrown) {
    if (!isKind(thrown, "corrupt")) throw thrown;
    return renewState(context, layout, secrets, thrown.message);
  }
}

/**
 * Sets the state aside and makes it again. No process of this box may have it open.
 * @param why What is the matter with it.
 */
export function renewState(context: AppContext, layout: Layout, secrets: BoxSecrets, why: string): State {
  setAside(context, layout);
  context.warn(`${layout.state} is damaged (${why}): it is set aside, and made again from ${layout.heads}`);
  const state = State.open(layout.state);
  recoverHead(context, layout, { secrets, state });
  return state;
}

/** Takes from the heads' files what the state has lost: the head, branches that it does not know, and tags. */
export function recoverNames(context: AppContext, layout: Layout, { secrets, state }: Recovery): void {
  if (state.head() === undefined) recoverHead(context, layout, { secrets, state });
  const heads = findHeads(context, layout, secrets);
  state.transaction(() => {
    const known = new Set([state.head(), ...state.branches()].map((own) => own?.branch));
    for (const head of heads) {
      if (!known.has(head.branch)) state.setBranch(head);
      known.add(head.branch);
      for (const tag of head.tags) state.setTag(tag);
    }
  });
}

function setAside({ disk, random }: AppContext, { state }: Layout): void {
  const suffix = `damaged-${toHex(random(4))}`;
  for (const ending of ["", "-wal", "-shm"]) {
    try {
      disk.rename(`${state}${ending}`, `${state}.${suffix}${ending}`);
    } catch (thrown) {
      if (errnoOf(thrown) !== "ENOENT") throw ioError(`Cannot set ${state} aside`, thrown, state);
    }
  }
}

interface Recovery {
  readonly secrets: BoxSecrets;
  readonly state: State;
}

/** All that this working copy has been, on all branches; the newest first, by when their files were written. */
export function findHeads(context: AppContext, layout: Layout, secrets: BoxSecrets): Head[] {
  const found: { readonly head: Head; readonly mtimeMs: number }[] = [];
  for (const name of listNames(context.disk, layout.heads)) {
    if (!/^[0-9a-f]{16}$/.test(toText(name))) continue;
    const path = join(layout.heads, toText(name));
    const head = findHead(context, path, secrets);
    const mtimeMs = findStat(context.disk, path)?.mtimeMs ?? 0;
    if (head !== undefined) found.push({ head, mtimeMs });
  }
  return found.sort((a, b) => b.mtimeMs - a.mtimeMs).map(({ head }) => head);
}

function recoverHead(context: AppContext, layout: Layout, { secrets, state }: Recovery): void {
  const found = findHeads(context, layout, secrets);
  const [newest] = found;
  if (newest === undefined) return;
  // A branch that has a folder of its own is not the one at hand in the box's.
  const head = found.find(({ branch }) => findStat(context.disk, branchLayout(layout, branch).files) === undefined);
  state.transaction(() => {
    if (state.head() !== undefined) return;
    if (head !== undefined) state.setHead(head);
    // The newest of each branch counts: of a copied box there are those of its former writer ids, too.
    for (const other of found.toReversed()) if (other.branch !== head?.branch) state.setBranch(other);
    for (const tag of newest.tags) state.setTag(tag);
  });
  context.notice(`The head was read again from ${layout.heads}.`);
}

function findHead(context: AppContext, path: string, secrets: BoxSecrets): Head | undefined {
  try {
    const bytes = findSmallFile(context.disk, path, headLimits.bytes);
    if (bytes === undefined) return undefined;
    return decodeHead(openBlob(secrets, "head", bytes, path), secrets.box, verifySignature, path);
  } catch (thrown) {
    if (!isKind(thrown, "corrupt") && !isKind(thrown, "wrong-key")) throw thrown;
    context.warn(`${path} is damaged: ${thrown.message}`);
    return undefined;
  }
}
