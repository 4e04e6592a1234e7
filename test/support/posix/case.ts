/**
 * What a conformance case is: a name that says which rule, and what must not throw, run in an empty directory of its own that everybody may write to, by root,
 * with umask 022. And the things that cases begin with: one of each kind of file.
 */
import * as call from "./calls.ts";

export interface Case {
  readonly name: string;
  readonly run: () => void;
  /** Makes what the case begins with, where that may have been long before, and by another way than the calls that are tried. */
  readonly prepare?: () => void;
}

/** Gives the cases of a table to `add`. */
export type Table = (add: (name: string, run: () => void, prepare?: () => void) => void) => void;

export class Mismatch extends Error {}

/** @param wanted Errno names, any of which will do, or "ok", or a value. */
export function want(found: number | string | bigint | boolean, wanted: unknown, what: string): void {
  const isNumber = typeof found === "number" && typeof wanted !== "number";
  const isOutcome = isNumber && (typeof wanted === "string" || Array.isArray(wanted));
  const shown = isOutcome || (isNumber && found < 0) ? call.nameOf(found) : found;
  if (Array.isArray(wanted) ? wanted.includes(shown) : shown === wanted) return;
  throw new Mismatch(
    `${what}: must be ${String(wanted)}, is ${typeof found === "number" && found < 0 ? call.nameOf(found) : String(shown)}`,
  );
}

/** What must work for a case to begin. */
export function must(result: number): number {
  if (result < 0) throw new Mismatch(`cannot prepare: ${call.nameOf(result)}`);
  return result;
}

export const content: string = "some content";

interface Made {
  readonly mode?: number;
  readonly who?: call.Who;
}

export function makeFile(
  path: string,
  { mode = 0o644, who = call.root, text = content }: Made & { readonly text?: string } = {},
): void {
  const fd = must(call.open(path, call.flags.WRONLY | call.flags.CREAT | call.flags.EXCL, 0o600));
  if (text.length > 0) must(call.write(fd, Buffer.from(text), Buffer.byteLength(text)));
  must(call.close(fd));
  give(path, who, mode);
}

export function makeDirectory(path: string, { mode = 0o755, who = call.root }: Made = {}): void {
  must(call.mkdir(path, 0o700));
  give(path, who, mode);
}

/** Gives something to somebody, and then its mode. */
export function give(path: string, who: call.Who, mode?: number): void {
  if (who.uid !== 0) must(call.chownAt(call.cwd, path, who.uid, who.gid, call.atFlags.NOFOLLOW));
  if (mode !== undefined) must(call.chmod(path, mode));
}

export const kinds = [
  "nothing",
  "file",
  "directory",
  "full directory",
  "fifo",
  "socket",
  "character",
  "block",
  "link to file",
  "link to directory",
  "dangling link",
  "loop",
] as const;
export type Kind = (typeof kinds)[number];
export const linkKinds: readonly Kind[] = ["link to file", "link to directory", "dangling link", "loop"];
export const directoryKinds: readonly Kind[] = ["directory", "full directory"];
export const nodeKinds: readonly Kind[] = ["file", "directory", "fifo", "socket", "character", "block"];

export const isLink = (kind: Kind): boolean => linkKinds.includes(kind);
export const isDirectory = (kind: Kind): boolean => directoryKinds.includes(kind);

/** Makes something, with mode 644, a directory 755. What links lead to is beside it: its name with ".to" behind. */
export function make(kind: Kind, path: string, who: call.Who = call.root): void {
  const { fifo, socket, character, block } = call.kindBits;
  if (kind === "file") makeFile(path, { who });
  if (isDirectory(kind)) makeDirectory(path, { who });
  if (kind === "full directory") makeFile(`${path}/inside`);
  if (kind === "fifo") must(call.mknod(path, fifo | 0o644));
  if (kind === "socket") must(call.mknod(path, socket | 0o644));
  if (kind === "character") must(call.mknod(path, character | 0o644, 1, 3));
  if (kind === "block") must(call.mknod(path, block | 0o644, 7, 250));
  if (kind === "link to file") makeFile(`${path}.to`, { who });
  if (kind === "link to directory") makeDirectory(`${path}.to`, { who });
  const base = path.slice(path.lastIndexOf("/") + 1);
  if (isLink(kind)) must(call.symlink(kind === "loop" ? base : `${base}.to`, path));
  if (kind !== "nothing" && kind !== "file" && !isDirectory(kind)) give(path, who);
}

/** What a path leads to, itself: its kind as `stat` has it, or "nothing". */
export function kindAt(path: string): string {
  const found = call.findStat(path);
  if (typeof found === "number") return found === -2 ? "nothing" : call.nameOf(found);
  const bits = found.mode & 0o170000;
  return Object.entries(call.kindBits).find(([, each]) => each === bits)?.[0] ?? "unknown";
}

/** As `kindAt` says it of what `make` has made. */
export function madeKind(kind: Kind): string {
  return isLink(kind) ? "symlink" : isDirectory(kind) ? "directory" : kind;
}

export function readAll(path: string): string {
  const fd = must(call.open(path, call.flags.RDONLY, 0));
  const bytes = Buffer.alloc(1 << 20);
  const count = must(call.read(fd, bytes, bytes.length));
  must(call.close(fd));
  return bytes.toString("latin1", 0, count);
}

const pause = new Int32Array(new SharedArrayBuffer(4));

/** Until the clock that files are marked with has gone on. */
export function waitTick(ms = 12): void {
  Atomics.wait(pause, 0, 0, ms);
}
