/** One file of the memory filesystem, of any kind: what stat(2) says of it, and its content. */
import type { FileKind } from "../base/posix.ts";
import type { Attributes } from "./filesystem.ts";
import { MemoryDirectory } from "./memory-directory.ts";
import { SparseBytes } from "./sparse-bytes.ts";

export interface InodeStart {
  readonly inode: number;
  readonly kind: FileKind;
  readonly mode: number;
  readonly uid: number;
  readonly gid: number;
  readonly nowNs: bigint;
  readonly rdevMajor?: number;
  readonly rdevMinor?: number;
  readonly target?: Uint8Array;
}

const setUidBit = 0o4000;
const setGidBit = 0o2000;
const groupExecuteBit = 0o010;

export class MemoryInode {
  readonly inode: number;
  readonly kind: FileKind;
  readonly rdevMajor: number;
  readonly rdevMinor: number;
  readonly target: Uint8Array | undefined;
  readonly content: SparseBytes | undefined;
  readonly directory: MemoryDirectory<MemoryInode> | undefined;
  readonly xattrs: Map<string, Uint8Array> = new Map();
  mode: number;
  uid: number;
  gid: number;
  nlink = 0;
  atimeNs: bigint;
  mtimeNs: bigint;
  ctimeNs: bigint;
  lookups = 0;
  handles = 0;
  /** Made without a name, and may still get one. */
  isTemporary = false;

  /** @param parent Of a directory; the root is its own. */
  constructor(start: InodeStart, parent?: MemoryInode) {
    this.inode = start.inode;
    this.kind = start.kind;
    this.mode = start.mode;
    this.uid = start.uid;
    this.gid = start.gid;
    this.rdevMajor = start.rdevMajor ?? 0;
    this.rdevMinor = start.rdevMinor ?? 0;
    this.target = start.target;
    this.content = start.kind === "file" ? new SparseBytes() : undefined;
    this.directory = start.kind === "directory" ? new MemoryDirectory<MemoryInode>(parent ?? this) : undefined;
    this.atimeNs = start.nowNs;
    this.mtimeNs = start.nowNs;
    this.ctimeNs = start.nowNs;
  }

  attributes(): Attributes {
    const { inode, kind, mode, nlink, uid, gid, rdevMajor, rdevMinor, atimeNs, mtimeNs, ctimeNs } = this;
    const size = this.content?.size ?? this.target?.length ?? this.directory?.count ?? 0;
    const blocks = (this.content?.usedBytes ?? 0) / 512;
    const times = { atimeNs, mtimeNs, ctimeNs };
    return { inode, generation: 0, kind, mode, nlink, uid, gid, rdevMajor, rdevMinor, size, blocks, ...times };
  }

  /**
   * What a write or change of owner by someone without privileges takes away.
   * @returns Whether there was anything.
   */
  clearSetId(): boolean {
    if (this.kind === "directory") return false;
    const before = this.mode;
    this.mode &= ~setUidBit;
    if ((this.mode & groupExecuteBit) !== 0) this.mode &= ~setGidBit;
    return this.xattrs.delete("security.capability") || this.mode !== before;
  }
}
