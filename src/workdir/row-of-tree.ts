/** A scan row made from the tree alone, for a directory whose own row is lost or was never made: every file will be looked at. */
import type { DirectoryValue, Entry } from "../format/mod.ts";
import { kinds } from "../format/mod.ts";
import type { TreeReader } from "../history/mod.ts";
import { markXattrs } from "./kept-xattrs.ts";
import { formatOfKind, recordFlags, type ScanRecord, ScanRow, ScanRowBuilder } from "./scan-row.ts";

/** @param root Of the root directory: its own entry, for the record of itself. */
export function rowOfTree(reader: TreeReader, directory: DirectoryValue, root?: Entry): ScanRow {
  const builder = new ScanRowBuilder(0, 0);
  if (root !== undefined) builder.add(recordOfEntry(reader, root));
  for (const entry of reader.entries(directory)) builder.add(recordOfEntry(reader, entry));
  return ScanRow.decode(builder.finish()) ?? ScanRow.empty;
}

/** What a folder that holds everything would show of an entry. */
export function recordOfEntry(reader: TreeReader, entry: Entry): ScanRecord {
  const { meta, kind, data } = entry;
  const { value } = data[0];
  return {
    name: Buffer.from(entry.name).toString("latin1"),
    mode: formatOfKind(kind) | meta.mode,
    uid: meta.uid,
    gid: meta.gid,
    inode: 0n,
    size: value.kind === kinds.file ? value.content.size : 0,
    mtimeNs: entry.mtimeNs,
    ctimeNs: 0n,
    birth: 0,
    xattrs: markXattrs(reader.xattrs(entry)),
    flags: recordFlags.unsure,
    ...(kind === kinds.directory ? { id: entry.id } : {}),
  };
}
