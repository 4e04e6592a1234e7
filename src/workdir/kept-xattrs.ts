/**
 * Which extended attributes are kept, and reading them. The table for people is in doc/kept.md.
 *
 * Kept are those that belong to the file: `user.*`, POSIX ACLs, `security.capability`, and `trusted.*` where one may see it
 * (root). Left alone is what belongs to the host: labels of SELinux, AppArmor, SMACK, IMA and EVM, overlayfs's own marks, and
 * views that file systems make up (`system.nfs4_acl`, `btrfs.*`).
 */
import { compareBytes } from "../base/bytes.ts";
import { findXattr, listXattrNames, type XattrTarget } from "../base/posix.ts";
import type { Xattr } from "../format/mod.ts";

/** Whether an attribute is part of what is versioned. */
export function isKeptXattr(name: Uint8Array): boolean {
  const text = Buffer.from(name.buffer, name.byteOffset, name.byteLength).toString("latin1");
  if (text.startsWith("user.")) return true;
  if (text.startsWith("trusted.")) return !text.startsWith("trusted.overlay.");
  return text === "system.posix_acl_access" || text === "system.posix_acl_default" || text === "security.capability";
}

/** Whether only root may set it, so that its absence says nothing about what an ordinary user did. */
export function isRootsXattr(name: Uint8Array): boolean {
  const text = Buffer.from(name.buffer, name.byteOffset, name.byteLength).toString("latin1");
  return text.startsWith("trusted.") || text.startsWith("security.");
}

/**
 * The kept attributes of a file, by name; none where the file system has none.
 * @throws Error with `code`.
 */
export function readKeptXattrs(target: XattrTarget): readonly Xattr[] {
  const names = listXattrNames(target);
  if (names.length === 0) return noXattrs;
  const list: Xattr[] = [];
  for (const name of names) {
    if (!isKeptXattr(name)) continue;
    const value = findXattr(target, name);
    if (value !== undefined) list.push({ name, value });
  }
  return list.sort((a, b) => compareBytes(a.name, b.name));
}

const noXattrs: readonly Xattr[] = [];

/** A mark of these attributes for a scan row: 0 for none, else never 0. @param list By name. */
export function markXattrs(list: readonly Xattr[]): number {
  if (list.length === 0) return 0;
  let hash = 0x811c9dc5;
  for (const { name, value } of list) {
    for (const bytes of [name, value]) {
      hash = Math.imul(hash ^ bytes.length, 0x01000193);
      for (const byte of bytes) hash = Math.imul(hash ^ byte, 0x01000193);
    }
  }
  return hash | 1;
}

/** Of an entry's attributes those that a checkout sets. */
export function setXattrsOf(list: readonly Xattr[], setsOwner: boolean): readonly Xattr[] {
  return setsOwner ? list : list.filter(({ name }) => !isRootsXattr(name));
}
