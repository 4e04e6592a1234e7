/**
 * `.ourobox/writer`: who this working copy is. It remembers the machine and the inode of `.ourobox`, so that a copied or restored
 * box notices that it is one and takes a new writer id: two working copies with one id would give out the same dots twice. So does one whose
 * device has got a new key.
 */
import { hash } from "node:crypto";
import { readFileSync } from "node:fs";
import { toHex, toText, utf8 } from "../base/bytes.ts";
import type { Disk } from "../base/disk.ts";
import { OuroError } from "../base/errors.ts";
import { decodeSummed, encodeSummed } from "../base/summed-json.ts";
import { type WriterId, writerHex } from "../format/mod.ts";
import type { AppContext } from "./context.ts";
import { findStat } from "./disk-folders.ts";
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
  /** This device's public key, in hex: a writer's commits are all signed by one. */
  readonly peer: string;
}

export const defaultBranch = "main";

/**
 * Reads the writer file, or makes one.
 * @param peer This device's public key.
 * @returns `fresh` when the id is new: on first use, or because the box has been copied, restored or moved to another disk.
 */
export function openWriterFile(
  context: AppContext,
  layout: Layout,
  peer: Uint8Array,
): WriterFile & { readonly fresh: boolean; readonly copied: boolean } {
  const place = placeOf(context.disk, layout, peer);
  const bytes = findSmallFile(context.disk, layout.writer);
  const found = bytes === undefined ? undefined : decode(toText(bytes), layout.writer);
  if (
    found !== undefined &&
    found.machine === place.machine &&
    found.device === place.device &&
    found.inode === place.inode &&
    found.peer === place.peer
  ) {
    return { writer: found.writer, branch: found.branch, fresh: false, copied: false };
  }
  const made = { writer: newWriterId(context), branch: found?.branch ?? defaultBranch };
  const text = encode({ ...made, ...place });
  const placed = writeSmallFile(context.disk, layout.writer, utf8(text), {
    random: context.random,
    ifAbsent: found === undefined,
  });
  if (!placed) return openWriterFile(context, layout, peer);
  return { ...made, fresh: true, copied: found !== undefined };
}

/** @throws OuroError "corrupt" when the file is there and damaged. */
export function checkWriterFile(disk: Disk, { writer }: Layout): void {
  const bytes = findSmallFile(disk, writer);
  if (bytes !== undefined) decode(toText(bytes), writer);
}

/** A writer id: 64 random bits, never 0. */
export function newWriterId(context: AppContext): WriterId {
  const id = BigInt(`0x${toHex(context.random(8))}`);
  return id === 0n ? newWriterId(context) : id;
}

function placeOf(disk: Disk, layout: Layout, peer: Uint8Array): Place {
  const stat = findStat(disk, layout.box);
  if (stat === undefined) throw new OuroError("no-box", `Cannot open ${layout.box}: it has gone`);
  return { machine: machineId(), device: stat.device.toString(), inode: stat.inode.toString(), peer: toHex(peer) };
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
  const { branch, device, inode, machine, peer } = fields;
  return encodeSummed({ branch, device, inode, machine, peer, writer: writerHex(fields.writer) });
}

function decode(text: string, path: string): WriterFile & Place {
  const hint = "Remove that file: the box then goes on with a new writer id and loses nothing.";
  const fields = decodeSummed(text, path, { hint });
  const field = (name: keyof WriterFile | keyof Place): string => {
    const value = fields[name];
    if (typeof value === "string" && (name !== "writer" || /^[0-9a-f]{16}$/.test(value))) return value;
    throw new OuroError("corrupt", `Cannot read ${path}: its "${name}" is not as it must be`, { subject: path, hint });
  };
  return {
    writer: BigInt(`0x${field("writer")}`),
    branch: field("branch"),
    machine: field("machine"),
    device: field("device"),
    inode: field("inode"),
    peer: field("peer"),
  };
}
