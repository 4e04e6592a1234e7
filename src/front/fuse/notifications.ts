/**
 * Telling the kernel what has changed without it: FUSE_NOTIFY_*. An orderly end of what it has cached of an inode or a name, or new content for its cache.
 *
 * The kernel may wait inside of the call for requests that are being answered here (a locked page, a locked directory). So the call is made on another
 * thread, one at a time and in order (but for what cannot wait); this thread goes on answering. What the kernel does not know is nothing to tell: no failure.
 */
import { constants } from "node:os";
import { writeLater, writeNow } from "../../base/posix-device.ts";
import { addressOf } from "../../base/posix-library.ts";
import { failure } from "./errno.ts";
import { dataBytesMax } from "./init.ts";
import { entryNotifyFlags, notifyCodes, structBytes } from "./kernel.ts";
import { putOutHeader, putU64 } from "./structs-out.ts";

/** More waiting than this is refused: whoever has so much to tell should wait. */
const waitingMax = 65_536;
const bodyAt = structBytes.outHeader;
const { ENOENT, ENODEV, ECONNABORTED, ENOTDIR } = constants.errno;

export interface ByteRange {
  readonly offset: number;
  readonly length: number;
}

export class Notifications {
  readonly #fd: number;
  #last: Promise<void> = Promise.resolve();
  #waiting = 0;
  #isClosed = false;

  /** @param fd Of /dev/fuse; stays the caller's. */
  constructor(fd: number) {
    this.#fd = fd;
  }

  /**
   * The attributes of an inode, and its content from an offset on (all of it when not said), are not to be believed any more.
   * @param range.length 0 is to the end.
   */
  invalidateInode(inode: number, range: ByteRange = { offset: 0, length: 0 }): Promise<void> {
    return this.#send(notifyCodes.invalidateInode, inodeMessage(inode, range));
  }

  /** As `invalidateInode`, of the attributes alone. That waits for nobody, so it is done when this returns: before the request in hand is answered. */
  invalidateAttributes(inode: number): void {
    if (this.#isClosed) return;
    const message = inodeMessage(inode, { offset: -1, length: 0 });
    putOutHeader(message, { length: message.length, error: notifyCodes.invalidateInode, unique: 0 });
    checkSent(writeNow(this.#fd, addressOf(message), message.length));
  }

  /**
   * A name does not lead where it did.
   * @param options.expireOnly It is only to be looked up again; nothing mounted below it is taken away.
   */
  invalidateEntry(parent: number, name: Uint8Array, options: { readonly expireOnly?: boolean } = {}): Promise<void> {
    const message = Buffer.alloc(bodyAt + 16 + name.length + 1);
    putU64(message, bodyAt, parent);
    message.writeUInt32LE(name.length, bodyAt + 8);
    message.writeUInt32LE(options.expireOnly === true ? entryNotifyFlags.expireOnly : 0, bodyAt + 12);
    message.set(name, bodyAt + 16);
    return this.#send(notifyCodes.invalidateEntry, message);
  }

  /** A name was removed, and this is what it led to: watchers of the directory are told, too. */
  removed(parent: number, name: Uint8Array, child: number): Promise<void> {
    const message = Buffer.alloc(bodyAt + 24 + name.length + 1);
    putU64(message, bodyAt, parent);
    putU64(message, bodyAt + 8, child);
    message.writeUInt32LE(name.length, bodyAt + 16);
    message.set(name, bodyAt + 24);
    return this.#send(notifyCodes.delete, message);
  }

  /** How many wait to be told. */
  get waiting(): number {
    return this.#waiting;
  }

  /** Inodes that nobody uses are to be forgotten; the others stay. For kernels from 7.45 on. */
  prune(inodes: readonly number[]): Promise<void> {
    const message = Buffer.alloc(bodyAt + 16 + inodes.length * 8);
    message.writeUInt32LE(inodes.length, bodyAt);
    inodes.forEach((inode, index) => {
      putU64(message, bodyAt + 16 + index * 8, inode);
    });
    return this.#send(notifyCodes.prune, message);
  }

  /** Puts content into the kernel's cache before anybody asks for it. At most 1 MiB at once. */
  store(inode: number, offset: number, bytes: Uint8Array): Promise<void> {
    if (bytes.length > dataBytesMax) throw failure("EINVAL", "too much is stored at once");
    const message = Buffer.alloc(bodyAt + 24 + bytes.length);
    putU64(message, bodyAt, inode);
    putU64(message, bodyAt + 8, offset);
    message.writeUInt32LE(bytes.length, bodyAt + 16);
    message.set(bytes, bodyAt + 24);
    return this.#send(notifyCodes.store, message);
  }

  /**
   * The mount has ended: there is nobody to tell. Only after this may the descriptor be closed, or a message would go to whatever has its number next.
   * @returns When the last write has.
   */
  close(): Promise<void> {
    this.#isClosed = true;
    return this.#last;
  }

  #send(code: number, message: Buffer): Promise<void> {
    if (this.#waiting >= waitingMax) throw failure("EAGAIN", "too many notifications wait");
    putOutHeader(message, { length: message.length, error: code, unique: 0 });
    this.#waiting += 1;
    const sent = this.#last.then(async () => {
      this.#waiting -= 1;
      if (!this.#isClosed) checkSent(await writeLater(this.#fd, message));
    });
    this.#last = sent.catch(() => {});
    return sent;
  }
}

/** fuse_notify_inval_inode_out. */
function inodeMessage(inode: number, range: ByteRange): Buffer {
  const message = Buffer.alloc(bodyAt + 24);
  putU64(message, bodyAt, inode);
  message.writeBigInt64LE(BigInt(range.offset), bodyAt + 8);
  message.writeBigInt64LE(BigInt(range.length), bodyAt + 16);
  return message;
}

/** @param result Of the write. What the kernel does not know, or no more, was nothing to tell. */
function checkSent(result: number): void {
  if (result >= 0 || [ENOENT, ENODEV, ECONNABORTED, ENOTDIR].includes(-result)) return;
  throw failure("EIO", `a notification was refused with errno ${-result}`);
}
