/**
 * Compares two folders, in which the second may be a mount: names, kinds, all attributes of stat but times of access and change, targets, bytes, extended
 * attributes, and which names are one file; what is the box's own at the top is left out. Prints each difference as a line; ends with 1 when there are any.
 */
import { closeSync, lstatSync, openSync, readdirSync, readlinkSync, readSync } from "node:fs";
import { findXattr, listXattrNames } from "../../src/base/posix.ts";

const blockBytes = 1024 * 1024;
const [one = "", two = ""] = process.argv.slice(2);
const groups = [new Map<bigint, string>(), new Map<bigint, string>()] as const;
let differences = 0;

function differ(path: string, what: string, ...values: readonly unknown[]): void {
  differences += 1;
  if (differences < 100) console.log(`${path}: ${what}: ${values.map(String).join(" and ")}`);
}

/** Where a path is whose names have one character a byte. */
function within(top: string, path: string): Buffer {
  return Buffer.concat([Buffer.from(`${top}/`), Buffer.from(path, "latin1")]);
}

function namesIn(top: string, path: string): string[] {
  const names = readdirSync(within(top, path), { encoding: "latin1" });
  return names.filter((name) => path !== "" || name !== ".ourobox").sort();
}

/** The first name that a linked file had. */
function groupOf(which: 0 | 1, path: string, inode: bigint): string {
  const known = groups[which].get(inode) ?? path;
  groups[which].set(inode, known);
  return known;
}

function compareBytes(path: string): void {
  const fds = [one, two].map((top) => openSync(within(top, path), "r"));
  const buffers = fds.map(() => Buffer.alloc(blockBytes));
  for (let at = 0; ; at += blockBytes) {
    const counts = fds.map((fd, index) => readSync(fd, buffers[index] as Buffer, 0, blockBytes, at));
    const [a, b] = buffers.map((buffer, index) => buffer.subarray(0, counts[index]));
    if (a === undefined || b === undefined || !a.equals(b)) {
      differ(path, "content", at);
      break;
    }
    if (a.length < blockBytes) break;
  }
  for (const fd of fds) closeSync(fd);
}

function compareXattrs(path: string): void {
  const lists = [one, two].map((top) => {
    const names = listXattrNames(within(top, path)).map((name) => Buffer.from(name).toString("latin1"));
    return names
      .sort()
      .map((name) => `${name}=${Buffer.from(findXattr(within(top, path), name) ?? []).toString("hex")}`);
  });
  if (String(lists[0]) !== String(lists[1])) differ(path, "attributes", ...lists);
}

function compare(path: string): void {
  const [a, b] = [one, two].map((top) => lstatSync(within(top, path), { bigint: true }));
  if (a === undefined || b === undefined) return;
  for (const field of ["mode", "uid", "gid", "mtimeNs", "rdev"] as const)
    if (a[field] !== b[field]) differ(path, field, a[field], b[field]);
  if (a.isDirectory()) {
    compareXattrs(path);
    const [these, those] = [one, two].map((top) => namesIn(top, path));
    if (String(these) !== String(those)) differ(path, "names", these, those);
    else for (const name of these ?? []) compare(path === "" ? name : `${path}/${name}`);
    return;
  }
  if (a.size !== b.size || a.nlink !== b.nlink) differ(path, "size and links", a.size, a.nlink, b.size, b.nlink);
  if (a.nlink > 1n && groupOf(0, path, a.ino) !== groupOf(1, path, b.ino)) differ(path, "linked", a.ino, b.ino);
  if (a.isSymbolicLink()) {
    const [from, to] = [one, two].map((top) => readlinkSync(within(top, path), { encoding: "latin1" }));
    if (from !== to) differ(path, "target", from, to);
  } else if (a.isFile()) {
    compareBytes(path);
    compareXattrs(path);
  }
}

compare("");
console.log(`${differences} differences`);
process.exitCode = differences === 0 ? 0 : 1;
