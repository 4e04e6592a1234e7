/**
 * The numbers of the kernel's FUSE protocol, in the order of its header, include/uapi/linux/fuse.h: what is called FUSE_X_Y there is `x.y` here.
 * Versions 7.31 (Linux 5.10 and what others carry) to 7.45 (Linux 6.18). What we do not use is left out.
 */

export const kernelVersion = { major: 7, minor: 45, minorMin: 31 } as const;

/** FUSE_ROOT_ID. */
export const rootInode = 1;

/** FATTR_*: which fields of a fuse_setattr_in count. */
export const setattrValid = {
  mode: 0x1,
  uid: 0x2,
  gid: 0x4,
  size: 0x8,
  atime: 0x10,
  mtime: 0x20,
  atimeNow: 0x80,
  mtimeNow: 0x100,
  ctime: 0x400,
  killSuidGid: 0x800,
} as const;

/** FOPEN_*: what the reply to an open asks of the kernel. */
export const openReply = {
  directIo: 0x1,
  keepCache: 0x2,
  cacheDir: 0x8,
  noFlush: 0x20,
  parallelDirectWrites: 0x40,
  passthrough: 0x80,
} as const;

/** FUSE_* flags of INIT, those of the first word. */
export const initFlags = {
  asyncRead: 0x1,
  posixLocks: 0x2,
  atomicTruncate: 0x8,
  exportSupport: 0x10,
  bigWrites: 0x20,
  dontMask: 0x40,
  flockLocks: 0x400,
  autoInvalidateData: 0x1000,
  readdirplus: 0x2000,
  readdirplusAuto: 0x4000,
  asyncDirectIo: 0x8000,
  writebackCache: 0x10000,
  noOpenSupport: 0x20000,
  parallelDirectoryOps: 0x40000,
  posixAcl: 0x100000,
  abortError: 0x200000,
  maxPages: 0x400000,
  cacheSymlinks: 0x800000,
  noOpendirSupport: 0x1000000,
  explicitInvalidateData: 0x2000000,
  handleKillPrivV2: 0x10000000,
  setxattrExtended: 0x20000000,
  initExtended: 0x40000000,
} as const;

/** Those of the second word: bits 32 and up in the header. */
export const initFlags2 = {
  hasExpireOnly: 0x8,
  directIoAllowMmap: 0x10,
  passthrough: 0x20,
} as const;

export const releaseFlags = { flockUnlock: 0x2 } as const;
export const lockFlags = { flock: 0x1 } as const;
export const writeFlags = { cache: 0x1, killSuidGid: 0x4 } as const;
export const fsyncFlags = { dataOnly: 0x1 } as const;
export const openFlags = { killSuidGid: 0x1 } as const;
export const setxattrFlags = { aclKillSgid: 0x1 } as const;
export const entryNotifyFlags = { expireOnly: 0x1 } as const;

export const opcodes = {
  lookup: 1,
  forget: 2,
  getattr: 3,
  setattr: 4,
  readlink: 5,
  symlink: 6,
  mknod: 8,
  mkdir: 9,
  unlink: 10,
  rmdir: 11,
  rename: 12,
  link: 13,
  open: 14,
  read: 15,
  write: 16,
  statfs: 17,
  release: 18,
  fsync: 20,
  setxattr: 21,
  getxattr: 22,
  listxattr: 23,
  removexattr: 24,
  flush: 25,
  init: 26,
  opendir: 27,
  readdir: 28,
  releasedir: 29,
  fsyncdir: 30,
  getlk: 31,
  setlk: 32,
  setlkw: 33,
  create: 35,
  interrupt: 36,
  destroy: 38,
  notifyReply: 41,
  batchForget: 42,
  fallocate: 43,
  readdirplus: 44,
  rename2: 45,
  lseek: 46,
  copyFileRange: 47,
  syncfs: 50,
  tmpfile: 51,
  copyFileRange64: 53,
} as const;

/** FUSE_NOTIFY_*; `prune` since 7.45. */
export const notifyCodes = { invalidateInode: 2, invalidateEntry: 3, store: 4, delete: 6, prune: 9 } as const;

/** The least that may be read with. */
export const readBufferMin = 8192;

/** sizeof, of what is read and written. */
export const structBytes = {
  attr: 88,
  entryOut: 128,
  attrOut: 104,
  openOut: 16,
  statfsOut: 80,
  lkOut: 24,
  initOut: 64,
  inHeader: 40,
  outHeader: 16,
  dirent: 24,
  writeIn: 40,
} as const;

/** FUSE_DEV_IOC_*. */
export const deviceIoctls = { backingOpen: 0x4010_e501, backingClose: 0x4004_e502 } as const;

/** S_IF* of the mode word, which linux/stat.h has. */
export const formatOfKind = {
  fifo: 0o010000,
  character: 0o020000,
  directory: 0o040000,
  block: 0o060000,
  file: 0o100000,
  symlink: 0o120000,
  socket: 0o140000,
} as const;

/** O_* of the flags of an open. Some differ between processors; the kernel passes them on as they are. */
export const accessModeMask = 3;
export const pageBytes = 4096;
