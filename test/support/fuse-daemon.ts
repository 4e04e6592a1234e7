/**
 * The process that serves a mount in tests: a memory filesystem or a folder, mounted with the options of its argument (JSON). It is told by messages what
 * to do behind the kernel's back (in the memory filesystem), and ends with whoever started it, leaving no mount.
 */
import { closeSync, openSync } from "node:fs";
import { systemClock } from "../../src/base/clock.ts";
import { type FuseMount, type MountOptions, mountFilesystem, opcodes } from "../../src/front/fuse/mod.ts";
import {
  type Answer,
  type Filesystem,
  FolderFilesystem,
  MemoryFilesystem,
  type Opened,
  rootInode,
} from "../../src/vfs/mod.ts";
import { withMethods } from "./with-methods.ts";

export type Ask =
  /** How many requests of each opcode there were since it was last asked, by name; and how many reads have waited at once. */
  | { readonly kind: "counts" }
  /** Sets a file's content without the kernel's knowledge, and tells it if asked to. Names are in the root. */
  | { readonly kind: "replace"; readonly name: string; readonly content: string; readonly tell: boolean }
  | { readonly kind: "make" | "remove"; readonly name: string; readonly tell: boolean }
  /** Gives the kernel content that the filesystem does not have. */
  | { readonly kind: "store"; readonly name: string; readonly content: string }
  /** Reads of this file take so long from now on. */
  | { readonly kind: "slow"; readonly name: string; readonly ms: number }
  /** The kernel is to forget these, if nobody uses them. */
  | { readonly kind: "forget"; readonly names: readonly string[] }
  | { readonly kind: "unmount"; readonly lazy?: boolean }
  | { readonly kind: "abort" };

/** What it says: first that it has mounted or why not, then an answer to each `Ask`, at last that the mount has ended. */
export type Told =
  | { readonly kind: "mounted" | "ended" }
  | { readonly kind: "refused"; readonly why: string }
  | { readonly kind: "answer"; readonly to: number; readonly value: unknown };

export interface Asked {
  readonly number: number;
  readonly ask: Ask;
}

export interface FuseDaemonOptions extends Omit<MountOptions, "source" | "subtype" | "onFailure" | "counts"> {
  /** The content of all files is this local file's: for passthrough. */
  readonly backing?: string;
  /** Shows this folder instead of a memory filesystem. */
  readonly folder?: string;
}

const options = JSON.parse(process.argv[2] ?? "{}") as FuseDaemonOptions;
const caller = { uid: options.uid, gid: options.gid, pid: process.pid, signal: new AbortController().signal };
const counts = new Map<number, number>();
const slowMs = new Map<number, number>();
const waiting = { now: 0, most: 0 };
const backingOfHandle = new Map<number, number>();
const memory = new MemoryFilesystem({ clock: systemClock, uid: options.uid, gid: options.gid });
const filesystem =
  options.folder === undefined
    ? withMethods<Filesystem>(memory, { read: readSlowly, open: openBacked, release: closeBacked })
    : new FolderFilesystem({ path: options.folder });

function readSlowly(
  ...[inode, handle, offset, length, asker]: Parameters<Filesystem["read"]>
): Answer<readonly Uint8Array[]> {
  const ms = slowMs.get(inode);
  if (ms === undefined) return memory.read(inode, handle, offset, length);
  waiting.now += 1;
  waiting.most = Math.max(waiting.most, waiting.now);
  const late = new Promise<readonly Uint8Array[]>((resolve, reject) => {
    const timer = setTimeout(() => resolve(memory.read(inode, handle, offset, length)), ms);
    asker.signal.addEventListener("abort", () => {
      clearTimeout(timer);
      reject(Object.assign(new Error("Interrupted"), { code: "EINTR" }));
    });
  });
  return late.finally(() => {
    waiting.now -= 1;
  });
}

function openBacked(...[inode, flags]: Parameters<Filesystem["open"]>): Opened {
  const opened = memory.open(inode, flags);
  if (options.backing === undefined) return opened;
  const backingFd = openSync(options.backing, "r+");
  backingOfHandle.set(opened.handle, backingFd);
  return { ...opened, backingFd };
}

function closeBacked(...[inode, handle, owner]: Parameters<Filesystem["release"]>): void {
  const fd = backingOfHandle.get(handle);
  if (fd !== undefined) closeSync(fd);
  backingOfHandle.delete(handle);
  memory.release(inode, handle, owner);
}

function inodeOf(name: string): number {
  const found = memory.lookup(rootInode, Buffer.from(name));
  if (found === undefined) throw new Error(`Cannot find ${name}`);
  memory.forget(found.attributes.inode, 1);
  return found.attributes.inode;
}

async function answer(mount: FuseMount, ask: Ask): Promise<unknown> {
  const { notifications } = mount;
  switch (ask.kind) {
    case "counts": {
      const nameOf = new Map<number, string>(Object.entries(opcodes).map(([name, opcode]) => [opcode, name]));
      const named = Object.fromEntries(
        [...counts].map(([opcode, count]) => [nameOf.get(opcode) ?? `${opcode}`, count]),
      );
      counts.clear();
      return { ...named, waitedAtOnce: waiting.most };
    }
    case "replace": {
      const inode = inodeOf(ask.name);
      memory.setattr(inode, { size: 0 });
      memory.write(inode, 0, 0, Buffer.from(ask.content), {});
      return ask.tell ? notifications.invalidateInode(inode) : undefined;
    }
    case "make": {
      const node = { kind: "file", mode: 0o644, umask: 0, rdevMajor: 0, rdevMinor: 0 } as const;
      const { attributes } = memory.mknod(rootInode, Buffer.from(ask.name), node, caller);
      memory.forget(attributes.inode, 1);
      if (!ask.tell) return undefined;
      await notifications.invalidateEntry(rootInode, Buffer.from(ask.name));
      return notifications.invalidateInode(rootInode);
    }
    case "remove": {
      const inode = inodeOf(ask.name);
      memory.unlink(rootInode, Buffer.from(ask.name));
      return ask.tell ? notifications.removed(rootInode, Buffer.from(ask.name), inode) : undefined;
    }
    case "store":
      return notifications.store(inodeOf(ask.name), 0, Buffer.from(ask.content));
    case "slow":
      return slowMs.set(inodeOf(ask.name), ask.ms).size;
    case "forget":
      return notifications.prune(ask.names.map(inodeOf));
    case "unmount":
      return mount.unmount({ lazy: ask.lazy ?? false }).then(
        () => "unmounted",
        (thrown: unknown) => String(thrown),
      );
    case "abort":
      return mount.abort();
  }
}

function tell(told: Told): void {
  process.send?.(told);
}

try {
  const mount = await mountFilesystem(filesystem, {
    ...options,
    source: "ourobox",
    subtype: "ourobox",
    counts,
    onFailure: (thrown) => console.error(thrown),
  });
  let last: Promise<void> = Promise.resolve();
  const leave = (): void => {
    mount.unmount({ lazy: true }).catch(() => {});
  };
  process.on("disconnect", leave);
  // A signal for all of a group, as timeout(1) and a terminal send it, comes here too.
  for (const signal of ["SIGTERM", "SIGINT", "SIGHUP"] as const) process.on(signal, leave);
  process.on("message", ({ number, ask }: Asked) => {
    last = answer(mount, ask).then((value) => tell({ kind: "answer", to: number, value }));
  });
  void mount.ended.then(async () => {
    process.off("disconnect", leave);
    await last;
    tell({ kind: "ended" });
    process.disconnect?.();
  });
  tell({ kind: "mounted" });
} catch (thrown) {
  tell({ kind: "refused", why: String(thrown) });
  process.disconnect?.();
}
