/**
 * Where state.sqlite and index.sqlite are: in `.ourobox`, or in this machine's own data folder when the box is on a network file system. SQLite
 * shares memory between processes through a file, which network file systems do not do right, and many lock wrong.
 *
 * `.ourobox/databases` says so: it names a folder below `$XDG_DATA_HOME/ourobox/boxes`. On another machine that folder is not there; the
 * databases are then made anew, from `heads/` and the packs.
 */
import { statfsSync } from "node:fs";
import { join } from "node:path";
import { toHex, toText, utf8 } from "../base/bytes.ts";
import { ioError, OuroError } from "../base/errors.ts";
import type { AppContext } from "./context.ts";
import { findStat, makeFolders } from "./disk-folders.ts";
import type { Layout } from "./layout.ts";
import type { Settings } from "./settings.ts";
import { findSmallFile, writeSmallFile } from "./small-files.ts";

/** `f_type` of statfs(2), from linux/magic.h and the file systems' own sources. */
const networkTypes: ReadonlySet<number> = new Set([
  0x6969, // NFS
  0x517b, // SMB
  0xff534d42, // CIFS
  0xfe534d42, // SMB2
  0x01021997, // 9P
  0x00c36400, // Ceph
  0x0bd00bd0, // Lustre
  0x47504653, // GPFS
  0x01161970, // GFS2
  0x7461636f, // OCFS2
  0x5346414f, // OpenAFS
  0x6b414653, // kAFS
  0x73757245, // Coda
  0x65735546, // FUSE: sshfs, rclone, s3fs
]);

export interface DatabasePlaces {
  readonly state: string;
  /** The folder of index.sqlite. */
  readonly folder: string;
}

/**
 * Finds the databases' folder, and makes it where they are not to be in `.ourobox`.
 * @throws OuroError "corrupt" (a damaged `.ourobox/databases`), "not-found" (no home), "no-space", "permission".
 */
export function findDatabases(
  context: AppContext,
  layout: Layout,
  { settings, isReadOnly }: { readonly settings: Settings; readonly isReadOnly: boolean },
): DatabasePlaces {
  const id = findId(context, layout) ?? (isReadOnly ? undefined : chooseId(context, layout, settings));
  if (id === undefined) return { state: layout.state, folder: layout.box };
  const folder = join(dataFolder(context), "ourobox/boxes", id);
  try {
    makeFolders(context.disk, folder);
  } catch (thrown) {
    throw ioError(`Cannot make ${folder}`, thrown, folder);
  }
  return { state: join(folder, "state.sqlite"), folder };
}

function findId({ disk }: AppContext, { databases: path }: Layout): string | undefined {
  const bytes = findSmallFile(disk, path);
  if (bytes === undefined) return undefined;
  const id = toText(bytes).trimEnd();
  if (/^[0-9a-f]{32}$/.test(id)) return id;
  throw new OuroError("corrupt", `Cannot open the box: ${path} is damaged`, {
    subject: path,
    hint: "Remove that file: the databases are then made anew, from the heads and the packs, and nothing is lost.",
  });
}

/** Chosen once, before there are any. @returns Undefined: in `.ourobox`. */
function chooseId(context: AppContext, layout: Layout, settings: Settings): string | undefined {
  const { disk, random } = context;
  const wish = settings.findRow("box.databases")?.value;
  const isApart = wish === "data" || (wish !== "box" && isOnNetwork(layout.box));
  if (!isApart || findStat(disk, layout.state) !== undefined) return undefined;
  const id = toHex(random(16));
  const isPlaced = writeSmallFile(disk, layout.databases, utf8(`${id}\n`), { random, ifAbsent: true });
  return isPlaced ? id : findId(context, layout);
}

function isOnNetwork(path: string): boolean {
  try {
    return networkTypes.has(statfsSync(path).type);
  } catch {
    return false;
  }
}

function dataFolder({ env }: AppContext): string {
  const { XDG_DATA_HOME: data = "", HOME: home = "" } = env;
  if (data.startsWith("/")) return data;
  if (home !== "") return join(home, ".local/share");
  throw new OuroError("not-found", "Cannot open the box: its databases belong in your data folder, and there is none", {
    hint: "Set HOME, or XDG_DATA_HOME to an absolute path.",
  });
}
