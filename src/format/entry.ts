/**
 * Entries: what a tree says of one file, directory, symlink or special file. Format: doc/format.md, sections 3 and 4.
 *
 * All values are immutable. A register is a value and the dot of the edit that wrote it.
 */
import type { Dot, EventName } from "./dot.ts";

/** 32 bytes naming an object. */
export type Hash = Uint8Array;

/** As in the format; `kindNames` has their words. */
export const kinds = { file: 1, directory: 2, symlink: 3, fifo: 4, socket: 5, character: 6, block: 7 } as const;
export type EntryKind = (typeof kinds)[keyof typeof kinds];

export interface Xattr {
  readonly name: Uint8Array;
  readonly value: Uint8Array;
}

/** Extended attributes sorted by name: in the entry when small, else an object of their own. */
export type Xattrs =
  | { readonly form: "inline"; readonly list: readonly Xattr[] }
  | { readonly form: "block"; readonly hash: Hash; readonly size: number };

export interface Meta {
  /** The twelve permission bits. */
  readonly mode: number;
  readonly uid: number;
  readonly gid: number;
  /** This directory joins as one unit. */
  readonly atomic: boolean;
  /** Absent when there are none. */
  readonly xattrs?: Xattrs;
  /** The group of names that are one file; absent when not linked. */
  readonly link?: Dot;
}

export type ContentItem =
  | { readonly form: "chunk"; readonly hash: Hash; readonly length: number }
  | { readonly form: "hole"; readonly length: number };

/** A file's bytes: items in the entry when at most `inlineItemsMax`, else a list of list nodes. */
export interface Content {
  readonly size: number;
  readonly items?: readonly ContentItem[];
  readonly list?: { readonly level: number; readonly hash: Hash };
}

/** What is below a directory or a reference. Vectors are sorted by writer, one event each. */
export interface Summary {
  /** Names directly here. */
  readonly names: number;
  /** Entries below, of all levels. */
  readonly entries: number;
  /** Sizes of the files below. */
  readonly bytes: number;
  /** Of `summaryFlags`. */
  readonly flags: number;
  readonly max: readonly EventName[];
  readonly minBirth: readonly EventName[];
}

export const summaryFlags = { xattrs: 1, conflicts: 2, links: 4, specials: 8, atomics: 16 } as const;

export type FileValue = { readonly kind: typeof kinds.file; readonly content: Content };
export type DirectoryValue = {
  readonly kind: typeof kinds.directory;
  /** The top node; absent when the directory is empty. */
  readonly top?: Hash;
  readonly summary: Summary;
};
export type SymlinkValue = { readonly kind: typeof kinds.symlink; readonly target: Uint8Array };
export type PlainValue = { readonly kind: typeof kinds.fifo | typeof kinds.socket };
export type DeviceValue = {
  readonly kind: typeof kinds.character | typeof kinds.block;
  readonly major: number;
  readonly minor: number;
};
export type Value = FileValue | DirectoryValue | SymlinkValue | PlainValue | DeviceValue;

/** One value of the data register. */
export interface DatedValue {
  readonly dot: Dot;
  readonly value: Value;
}

export interface Entry {
  /** Empty only for the root. */
  readonly name: Uint8Array;
  readonly kind: EntryKind;
  readonly id: Dot;
  readonly placeDot: Dot;
  readonly metaDot: Dot;
  readonly meta: Meta;
  readonly mtimeDot: Dot;
  /** Nanoseconds since 1970; may be negative. */
  readonly mtimeNs: bigint;
  /** Greatest dot first, at least one; several are a conflict. All of the entry's kind. */
  readonly data: readonly [DatedValue, ...DatedValue[]];
}

/** Whether an entry's data is one value for ever, dated by its id: what is in a plain directory are nodes of their own. */
export function isDatedById({ kind, meta }: Pick<Entry, "kind" | "meta">): boolean {
  return kind === kinds.fifo || kind === kinds.socket || (kind === kinds.directory && !meta.atomic);
}

/** A child of a tree node of level 1 and up. */
export interface Reference {
  /** The last name below it. */
  readonly last: Uint8Array;
  readonly hash: Hash;
  readonly summary: Summary;
}

export type TreeNode =
  | { readonly level: 0; readonly entries: readonly Entry[] }
  | { readonly level: number; readonly references: readonly Reference[] };

export const limits: {
  readonly nameBytes: 255;
  readonly symlinkBytes: 4095;
  readonly inlineItems: 8;
  readonly nodeItems: 1024;
  readonly nodeLevel: 8;
  readonly values: 1024;
  readonly inlineXattrBytes: 512;
  readonly xattrBlockBytes: number;
  readonly holeBytes: number;
  readonly fileBytes: number;
} = {
  nameBytes: 255,
  symlinkBytes: 4095,
  inlineItems: 8,
  nodeItems: 1024,
  nodeLevel: 8,
  values: 1024,
  inlineXattrBytes: 512,
  xattrBlockBytes: 1024 * 1024,
  holeBytes: 2 ** 48,
  fileBytes: 2 ** 53 - 1,
};
