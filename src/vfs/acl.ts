/**
 * POSIX ACLs as Linux keeps them in extended attributes, `system.posix_acl_access` and `system.posix_acl_default`: what a file gets from its
 * directory, and how mode bits and ACL follow each other. The rules are acl(5) and POSIX 1003.1e draft 17; the layout is linux/posix_acl_xattr.h.
 */
import { FilesystemFailure } from "./failure.ts";

export const accessAclName = "system.posix_acl_access";
export const defaultAclName = "system.posix_acl_default";

const version = 2;
const headBytes = 4;
const entryBytes = 8;
const entriesMax = 8191;
const tags = { userObject: 0x01, user: 0x02, groupObject: 0x04, group: 0x08, mask: 0x10, other: 0x20 } as const;
const noId = 0xffff_ffff;

export interface AclEntry {
  readonly tag: number;
  /** Three bits. */
  readonly bits: number;
  readonly id: number;
}

export interface InheritedAcl {
  readonly mode: number;
  /** The new file's access ACL; undefined when the mode bits say all. */
  readonly access?: Uint8Array;
}

/** @throws FilesystemFailure EINVAL, EOPNOTSUPP (another version). */
export function decodeAcl(bytes: Uint8Array): AclEntry[] {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const count = (bytes.length - headBytes) / entryBytes;
  if (!Number.isInteger(count) || count < 0 || count > entriesMax) throw invalid("its length is odd");
  if (view.getUint32(0, true) !== version)
    throw new FilesystemFailure("EOPNOTSUPP", "cannot read an ACL: other version");
  const entries: AclEntry[] = [];
  for (let at = headBytes; at < bytes.length; at += entryBytes) {
    const bits = view.getUint16(at + 2, true);
    entries.push({ tag: view.getUint16(at, true), bits, id: view.getUint32(at + 4, true) });
    if (bits > 7) throw invalid("it has unknown permissions");
  }
  if (entries.length > 0) checkEntries(entries);
  return entries;
}

export function encodeAcl(entries: readonly AclEntry[]): Uint8Array {
  const bytes = new Uint8Array(headBytes + entries.length * entryBytes);
  const view = new DataView(bytes.buffer);
  view.setUint32(0, version, true);
  entries.forEach(({ tag, bits, id }, index) => {
    const at = headBytes + index * entryBytes;
    view.setUint16(at, tag, true);
    view.setUint16(at + 2, bits, true);
    view.setUint32(at + 4, id, true);
  });
  return bytes;
}

/** One each of owner, group and others, and a mask where somebody is named; nobody twice. */
function checkEntries(entries: readonly AclEntry[]): void {
  const count = (tag: number): number => entries.filter((entry) => entry.tag === tag).length;
  const named = entries.filter(({ tag }) => tag === tags.user || tag === tags.group);
  if ([tags.userObject, tags.groupObject, tags.other].some((tag) => count(tag) !== 1))
    throw invalid("a part is missing");
  if (count(tags.mask) > 1 || (named.length > 0 && count(tags.mask) === 0)) throw invalid("its mask is missing");
  if (new Set(named.map(({ tag, id }) => `${tag} ${id}`)).size < named.length) throw invalid("somebody is in it twice");
  if (named.some(({ id }) => id === noId)) throw invalid("a name is missing");
  const known: readonly number[] = Object.values(tags);
  if (entries.some(({ tag }) => !known.includes(tag))) throw invalid("it has a part of an unknown kind");
}

/** The nine mode bits that an access ACL says: the mask stands for the group where there is one. */
export function modeOfAcl(entries: readonly AclEntry[]): number {
  const bitsOf = (tag: number): number | undefined => entries.find((entry) => entry.tag === tag)?.bits;
  const group = bitsOf(tags.mask) ?? bitsOf(tags.groupObject) ?? 0;
  return ((bitsOf(tags.userObject) ?? 0) << 6) | (group << 3) | (bitsOf(tags.other) ?? 0);
}

/** Whether the mode bits say all of it. */
export function isMinimalAcl(entries: readonly AclEntry[]): boolean {
  return entries.length <= 3;
}

/** An access ACL after chmod. */
export function aclWithMode(entries: readonly AclEntry[], mode: number): AclEntry[] {
  const hasMask = entries.some(({ tag }) => tag === tags.mask);
  return entries.map((entry) => {
    if (entry.tag === tags.userObject) return { ...entry, bits: (mode >> 6) & 7 };
    if (entry.tag === tags.other) return { ...entry, bits: mode & 7 };
    if (entry.tag === (hasMask ? tags.mask : tags.groupObject)) return { ...entry, bits: (mode >> 3) & 7 };
    return entry;
  });
}

/**
 * What something new in a directory gets.
 * @param defaultAcl The directory's, if it has one: then the umask says nothing.
 */
export function inheritAcl(defaultAcl: Uint8Array | undefined, mode: number, umask: number): InheritedAcl {
  if (defaultAcl === undefined) return { mode: mode & ~(umask & 0o777) };
  const inherited = decodeAcl(defaultAcl);
  const masked = aclWithMode(inherited, modeOfAcl(inherited) & mode);
  const newMode = (mode & 0o7000) | modeOfAcl(masked);
  return isMinimalAcl(masked) ? { mode: newMode } : { mode: newMode, access: encodeAcl(masked) };
}

function invalid(what: string): FilesystemFailure {
  return new FilesystemFailure("EINVAL", `cannot use an ACL: ${what}`);
}
