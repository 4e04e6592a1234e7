/**
 * Passthrough: the kernel reads and writes a local file itself and asks nobody (FUSE_PASSTHROUGH, Linux 6.9 and later; root only, never with the
 * write-back cache). Cached reads are then 17-21 GB/s and no request.
 *
 * The kernel refuses to have one inode open in both ways, or on two backing files at once. So what an inode's first open is decides: while it is open
 * passed through, all others use the same registration, or the page cache not at all; while it is open cached, no other is passed through.
 */
import { ioctl } from "../../base/posix-device.ts";
import type { Opened } from "../../vfs/mod.ts";
import { deviceIoctls, openReply } from "./kernel.ts";

const backingMapBytes = 16;

interface OpenInode {
  /** The kernel's number of the registration; 0 of an inode that is open cached. */
  readonly backing: number;
  handles: number;
}

export interface HowOpened {
  /** Of `openReply`. */
  readonly flags: number;
  readonly backing: number;
}

export class Passthrough {
  readonly #fd: number;
  readonly #open = new Map<number, OpenInode>();
  readonly #inodeOfHandle = new Map<number, number>();
  #isPossible = true;

  constructor(fd: number) {
    this.#fd = fd;
  }

  /** Counts an open, and says how the kernel is to be told. */
  opened(inode: number, { handle, backingFd, isVolatile }: Opened): HowOpened {
    if (isVolatile === true) return { flags: openReply.directIo, backing: 0 };
    let open = this.#open.get(inode);
    if (open !== undefined && open.backing > 0 && backingFd === undefined)
      return { flags: openReply.directIo, backing: 0 };
    if (open === undefined) {
      open = { backing: backingFd === undefined ? 0 : this.#register(backingFd), handles: 0 };
      this.#open.set(inode, open);
    }
    open.handles += 1;
    this.#inodeOfHandle.set(handle, inode);
    return open.backing === 0 ? { flags: 0, backing: 0 } : { flags: openReply.passthrough, backing: open.backing };
  }

  released(handle: number): void {
    const inode = this.#inodeOfHandle.get(handle);
    if (inode === undefined) return;
    this.#inodeOfHandle.delete(handle);
    const open = this.#open.get(inode) as OpenInode;
    open.handles -= 1;
    if (open.handles > 0) return;
    this.#open.delete(inode);
    if (open.backing > 0) this.#deregister(open.backing);
  }

  /** @returns 0 where the kernel will not: not root, too old, a file on a file system that is itself stacked. */
  #register(backingFd: number): number {
    if (!this.#isPossible) return 0;
    const map = Buffer.alloc(backingMapBytes);
    map.writeInt32LE(backingFd, 0);
    try {
      return ioctl(this.#fd, deviceIoctls.backingOpen, map);
    } catch (thrown) {
      // Of this file only: it is stacked, or not a regular one.
      const code = (thrown as NodeJS.ErrnoException).code ?? "";
      if (!["ELOOP", "EINVAL", "EOPNOTSUPP", "EBADF"].includes(code)) this.#isPossible = false;
      return 0;
    }
  }

  #deregister(backing: number): void {
    const number = Buffer.alloc(4);
    number.writeInt32LE(backing, 0);
    try {
      ioctl(this.#fd, deviceIoctls.backingClose, number);
    } catch {
      // After the end of the mount the kernel has let go of it already.
    }
  }
}
