/**
 * `.ourobox/writer`: who this working copy is. It remembers the machine and the inode of `.ourobox`, so that a copied or restored
 * box notices that it is one and takes a new writer id: two working copies with one id would give out the same dots twice.
 */
import { hash } from "node:crypto";
import { readFileSync } from "node:fs";
import { toHex, toText, utf8 } from "../base/bytes.ts";
import type { Disk } from "../base/disk.ts";
import { OuroError } from "../base/errors.ts";
import { decodeSummed, encodeSummed } from "../base/summed-json.ts";
import { type WriterId, writerHex } from "../format/mod.ts";
import type { AppContext } from "./context.ts";
import type { Layout } from "./layout.ts";
import { findSmallFile, writeSmallFile } from "./small-files.ts";

export interface WriterFile {
  readonly writer: WriterId;
  readonly branch: string;
}

interface Place {
  readonly machine: string;
  readonly device: string;
  readonly inode: string;
}

export const defaultBranch = "main";

/**
 * Reads the writer file, or makes one.
 * @returns `fresh` when the id is new: on first use, or because the box has been copied, restored or moved to another disk.
 */
export function openWriterFile(
  context: AppContext,
  layout: Layout,
): WriterFile & { readonly fresh: boolean; readonly copied: boolean } {
  const place = placeOf(context.disk, layout);
  const bytes = findSmallFile(context.disk, layout.writer);
  const found = bytes === undefined ? undefined : decode(toText(bytes), layout.writer);
  if (
    found !== undefined &&
    found.machine === place.machine &&
    found.device === place.device &&
    found.inode === place.inode
  ) {
    return { writer: found.writer, branch: found.branch, fresh: false, copied: false };
  }
  const made = { writer: newWriterId(context), branch: found?.branch ?? defaultBranch };
  const text = encode({ ...made, ...place });
  const placed = writeSmallFile(context.disk, layout.writer, utf8(text), {
    random: context.random,
    ifAbsent: found === undefined,
  });
  if (!placed) return openWriterFile(context, layout);
  return { ...made, fresh: true, copied: found !== undefined };
}

/** A writer id: 64 random bits, never 0. */
export function newWriterId(context: AppContext): WriterId {
  const id = BigInt(`0x${toHex(context.random(8))}`);
  return id === 0n ? newWriterId(context) : id;
}

function placeOf(disk: Disk, layout: Layout): Place {
  const stat = disk.stat(layout.box);
  if (stat === undefined) throw new OuroError("no-box", `Cannot open ${layout.box}: it has gone`);
  return { machine: machineId(), device: stat.device.toString(), inode: stat.inode.toString() };
}

/** This machine's own id (machine-id(5)), hashed as that page asks; empty where there is none. */
function machineId(): string {
  try {
    return hash("sha256", `ourobox machine ${readFileSync("/etc/machine-id", "utf8").trim()}`, "hex").slice(0, 32);
  } catch {
    return "";
  }
}

function encode(fields: WriterFile & Place): string {
  const { branch, device, inode, machine } = fields;
  return encodeSummed({ branch, device, inode, machine, writer: writerHex(fields.writer) });
}

function decode(text: string, path: string): WriterFile & Place {
  const hint = "Remove that file: the box then goes on with a new writer id and loses nothing.";
  const { writer, branch, machine, device, inode } = decodeSummed(text, path, { hint });
  const [id, ...rest] = [writer, branch, machine, device, inode].map((each) =>
    typeof each === "string" ? each : undefined,
  );
  if (id === undefined || !/^[0-9a-f]{16}$/.test(id) || rest.includes(undefined)) {
    throw new OuroError("corrupt", `Cannot read ${path}: a field is missing`, { subject: path, hint });
  }
  const [branchText = "", machineText = "", deviceText = "", inodeText = ""] = rest;
  return { writer: BigInt(`0x${id}`), branch: branchText, machine: machineText, device: deviceText, inode: inodeText };
}
