/**
 * `check --repair`: damage is put out of the way, and what can be made anew is made anew. Nothing that is whole is removed: damaged files are
 * moved to `.ourobox/damaged/`, and the whole objects of a damaged pack are copied to new packs first.
 *
 * What is lost by damage comes back by the next fetch, for which everything that is remembered of remotes is forgotten, and by the next commit,
 * for which the last scan is: it reads every file of the folder and stores what is not here.
 */
import { join } from "node:path";
import { toHex, toText } from "../base/bytes.ts";
import { errnoOf, ioError, isKind } from "../base/errors.ts";
import type { StateTable } from "../history/mod.ts";
import type { Damage } from "../store/mod.ts";
import { forgetRemote } from "../sync/mod.ts";
import { listNames } from "./disk-folders.ts";
import type { OpenBox } from "./open-box.ts";
import { keepOwnHead } from "./own-head.ts";
import { recoverNames } from "./recover-state.ts";
import { remotesOf } from "./remote-list.ts";

export interface RepairReport {
  /** Files that are now in `.ourobox/damaged/`. */
  readonly setAside: number;
  /** Something that commits need is not here: a fetch or a commit may bring it back. */
  readonly isLacking: boolean;
}

/** @param found All that `checkBox` has found. @throws OuroError "locked" when others are writing; "no-space" and its like. */
export async function repairBox(box: OpenBox, found: readonly Damage[]): Promise<RepairReport> {
  box.requireWritable();
  box.requireOwnFolder("repair the box");
  const { store, layout } = box;
  const folder = join(layout.box, "damaged");
  const hasLostHeads = found.some(({ file }) => file === layout.state) && mendState(box);
  if (found.some(({ file }) => file === "index.sqlite")) store.rebuildIndex();
  const here = new Set(listNames(box.context.disk, join(layout.box, "packs")).map(toText));
  const packs = new Map(found.flatMap(({ pack }) => (pack === undefined ? [] : [[toHex(pack), pack]])));
  let setAside = 0;
  for (const [name, pack] of packs) {
    if (!here.has(name)) continue;
    if (store.setAside(pack, folder)) setAside += 1;
  }
  store.endWriting();
  for (const { file } of found) {
    if (file !== "writer" && !file.startsWith("heads/")) continue;
    setAsideFile(box, folder, file);
    setAside += 1;
  }
  keepOwnHead(box);
  const hasLostObjects = packs.size > 0 || found.some(({ file }) => file.startsWith("commit "));
  if (hasLostObjects || hasLostHeads) forgetRemotes(box);
  if (hasLostObjects) box.state.clearScans();
  return { setAside, isLacking: hasLostObjects || hasLostHeads };
}

/**
 * Before a fetch: if heads of remotes are damaged in the state, they are forgotten, and with them what is remembered of remotes, so that
 * it brings them again.
 */
export function mendRemoteHeads(box: OpenBox): void {
  if (box.isReadOnly || box.state.mend(["remote_heads"]).size === 0) return;
  forgetRemotes(box);
  box.context.warn("Of the heads that were seen on remotes some were damaged here: they are fetched again.");
}

function forgetRemotes(box: OpenBox): void {
  for (const { url } of remotesOf(box)) forgetRemote(box.state, url);
}

/** @returns Whether heads that were seen on remotes are lost: only a fetch brings those. */
function mendState(box: OpenBox): boolean {
  const { context, layout, secrets } = box;
  let lost: ReadonlySet<StateTable>;
  try {
    lost = box.state.mend();
  } catch (thrown) {
    if (!isKind(thrown, "corrupt")) throw thrown;
    box.renewState();
    return true;
  }
  if (["head", "branches", "tags"].some((table) => lost.has(table as StateTable)))
    recoverNames(context, layout, { secrets, state: box.state });
  return lost.has("remote_heads");
}

function setAsideFile({ context, layout }: OpenBox, folder: string, file: string): void {
  const { disk, random } = context;
  const to = join(folder, `${file.replace("/", "-")}-${toHex(random(4))}`);
  try {
    try {
      disk.makeDirectory(folder, 0o700);
    } catch (thrown) {
      if (errnoOf(thrown) !== "EEXIST") throw thrown;
    }
    disk.rename(join(layout.box, file), to);
    disk.syncDirectory(folder);
  } catch (thrown) {
    throw ioError(`Cannot set ${file} aside`, thrown, file);
  }
}
