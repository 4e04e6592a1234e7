/**
 * Extended attributes of files, directories and symlinks themselves, POSIX ACLs among them. Names and values are bytes.
 *
 * A value has at most 64 KiB and a list of names too (the kernel's limits). 0.7 us a call. Failures are Errors with
 * `code`: ENOTSUP where the file system has none, EPERM, ENOSPC, E2BIG.
 */
import { check, dataAt, errnos, type Library, library, type PathLike, putData, putPath } from "./posix-library.ts";

const valueBytesMax = 65_536;

/** A path, or an open descriptor (not one opened as a path only). */
export type XattrTarget = PathLike | number;

/** The names a file has, in no order; none where the file system knows no attributes. The caller owns the bytes. */
export function listXattrNames(target: XattrTarget): Uint8Array[] {
  const lib = library();
  const { call, data, scratch } = lib;
  const length =
    typeof target === "number"
      ? call.flistxattr(target, data, valueBytesMax)
      : call.llistxattr(putPath(lib, target), data, valueBytesMax);
  if (length === 0) return [];
  if (length < 0 && lib.errno() === errnos.EOPNOTSUPP) return [];
  check(length, "listxattr", pathOf(target));
  const names: Uint8Array[] = [];
  for (let at = dataAt; at < dataAt + length; ) {
    const end = scratch.indexOf(0, at);
    names.push(new Uint8Array(scratch.subarray(at, end)));
    at = end + 1;
  }
  return names;
}

/** An attribute's value, or undefined when there is none of that name. The caller owns the bytes. */
export function findXattr(target: XattrTarget, name: PathLike): Uint8Array | undefined {
  const lib = library();
  const { call, data } = lib;
  const length =
    typeof target === "number"
      ? call.fgetxattr(target, putPath(lib, name, true), data, valueBytesMax)
      : call.lgetxattr(putPath(lib, target), putPath(lib, name, true), data, valueBytesMax);
  if (length < 0 && [errnos.ENODATA, errnos.EOPNOTSUPP].includes(lib.errno() as 61)) return undefined;
  check(length, "getxattr", pathOf(target));
  return new Uint8Array(lib.scratch.subarray(dataAt, dataAt + length));
}

export function setXattr(target: XattrTarget, name: PathLike, value: Uint8Array): void {
  const lib = library();
  const pointer = putData(lib, value);
  const result =
    typeof target === "number"
      ? lib.call.fsetxattr(target, putPath(lib, name, true), pointer, value.length, 0)
      : lib.call.lsetxattr(putPath(lib, target), putPath(lib, name, true), pointer, value.length, 0);
  check(result, "setxattr", pathOf(target));
}

/** Removes an attribute; one that is not there is fine. */
export function removeXattr(target: XattrTarget, name: PathLike): void {
  const lib = library();
  const result = remove(lib, target, name);
  if (result < 0 && lib.errno() === errnos.ENODATA) return;
  check(result, "removexattr", pathOf(target));
}

function remove(lib: Library, target: XattrTarget, name: PathLike): number {
  if (typeof target === "number") return lib.call.fremovexattr(target, putPath(lib, name, true));
  return lib.call.lremovexattr(putPath(lib, target), putPath(lib, name, true));
}

function pathOf(target: XattrTarget): PathLike | undefined {
  return typeof target === "number" ? undefined : target;
}
