/**
 * Mounting a filesystem through the kernel's FUSE, with nothing between: open /dev/fuse, mount(2) or fusermount3, and answer requests until the end.
 *
 * The process that serves a mount must not touch it: it would wait for itself. Whoever calls this keeps its event loop free (see request-loop.ts).
 */
import { closeSync, constants, existsSync, openSync, realpathSync, statSync, writeFileSync } from "node:fs";
import { errnoOf, ioError, OuroError } from "../../base/errors.ts";
import { findEventLoopFd } from "../../base/posix-device.ts";
import { mount as mountCall, mountFlags, unmount as unmountCall } from "../../base/posix-mount.ts";
import type { ChangeListener, Filesystem, UnwantedInode } from "../../vfs/mod.ts";
import { Connection } from "./connection.ts";
import { Dispatcher, type RequestCounts } from "./dispatch.ts";
import { mountAsUser, unmountAsUser } from "./fusermount.ts";
import { dataBytesMax } from "./init.ts";
import { findMount } from "./mount-table.ts";
import { Notifications } from "./notifications.ts";
import { defaultBehaviour, type FuseBehaviour } from "./options.ts";
import { serveRequests } from "./request-loop.ts";

/** Of the protocol: FUSE_NOTIFY_PRUNE. */
const pruneMinor = 45;
const wishesMax = 1024;
const kernelReadAheadBytes = 128 * 1024;
/** There where the kernel has SELinux, and it is not turned off. */
const selinuxDirectory = "/sys/fs/selinux";

export interface MountOptions extends Partial<FuseBehaviour> {
  /** Must be there, and be a directory. */
  readonly directory: string;
  /** What `mount` and `df` show as the device. No commas. */
  readonly source: string;
  /** "ourobox": the type is then fuse.ourobox. */
  readonly subtype: string;
  /** Whose mount it is: by default nobody else may look in. 0 mounts by mount(2), others by fusermount3. */
  readonly uid: number;
  readonly gid: number;
  readonly allowOther?: boolean;
  readonly readOnly?: boolean;
  /** Setuid bits and device nodes count. Only for root, and content that is trusted. */
  readonly allowSpecial?: boolean;
  /** Bugs and damage that the filesystem throws; who asked gets an EIO. */
  readonly onFailure?: (thrown: unknown) => void;
  readonly counts?: RequestCounts;
}

export interface FuseMount {
  /** Absolute, without symlinks. */
  readonly directory: string;
  readonly notifications: Notifications;
  /** When it has ended, however that came: unmounted by anyone, or aborted. Rejects when the device fails. */
  readonly ended: Promise<void>;
  /** @throws OuroError "locked": in use. With `lazy` it goes out of sight at once, and ends with its last user. */
  unmount(options?: { readonly lazy?: boolean }): Promise<void>;
  /** Ends it now: whoever waits gets ECONNABORTED, and so does everybody after, until it is unmounted. */
  abort(): void;
}

/**
 * Mounts, and serves until it is unmounted.
 * @returns When the kernel has been answered for the first time: from then on the directory can be used.
 * @throws OuroError "unsupported": no FUSE here. "permission", "not-found", "not-dir".
 */
export async function mountFilesystem(filesystem: Filesystem, options: MountOptions): Promise<FuseMount> {
  const directory = checkDirectory(options.directory);
  const behaviour: FuseBehaviour = { ...defaultBehaviour, withoutLabels: !existsSync(selinuxDirectory), ...options };
  const eventLoopFd = await findEventLoopFd();
  const fd = options.uid === 0 ? mountAsRoot(directory, options) : await mountAsUser(directory, userOptions(options));
  const ready = Promise.withResolvers<void>();
  const connection = new Connection(filesystem, behaviour, fd);
  const dispatcher = new Dispatcher(connection, {
    onReady: ready.resolve,
    onFailure: options.onFailure ?? (() => {}),
    ...(options.counts === undefined ? {} : { counts: options.counts }),
  });
  const deviceMinor = findMount(Buffer.from(directory).toString("latin1"))?.deviceMinor;
  let isStopped = false;
  const loop = serveRequests({ fd, eventLoopFd, dispatcher, isStopped: () => isStopped });
  const notifications = new Notifications(fd);
  // Nobody else has the device open: closing it is the end, also for those who wait.
  const served = loop
    .finally(() => notifications.close())
    .finally(() => {
      connection.replies.end();
      closeSync(fd);
    });
  served.catch(() => {});
  const notStarted = served.then(() => {
    throw new OuroError("io", `Cannot mount on ${directory}: the kernel ended it before it began`);
  });
  await Promise.race([ready.promise, notStarted]);
  notStarted.catch(() => {});
  const stopListening = filesystem.listen(listenerFor(connection, notifications, options.onFailure));
  served.finally(stopListening).catch(() => {});
  if (deviceMinor !== undefined && options.uid === 0) setReadAhead(deviceMinor, behaviour.readAheadBytes);
  return {
    directory,
    notifications,
    ended: served,
    unmount: (how = {}) => unmountDirectory(directory, { uid: options.uid, lazy: how.lazy ?? false }),
    abort: () => {
      isStopped = true;
      abortConnection(directory, deviceMinor);
    },
  };
}

/**
 * Takes a mount away, whoever serves it. Not to be called by the process that does while it answers nothing.
 * @param options.uid Whose mount it is, or 0: root unmounts by umount2(2), others by fusermount3.
 * @throws OuroError "locked": in use. "permission", "unsupported" (no fusermount3).
 */
export function unmountDirectory(
  directory: string,
  { uid, lazy }: { readonly uid: number; readonly lazy: boolean },
): Promise<void> {
  return uid === 0 ? unmountAsRoot(directory, { lazy }) : unmountAsUser(directory, { lazy });
}

/** Passes changes on to the kernel; what cannot be told is told to whoever listens for failures. */
function listenerFor(
  connection: Connection,
  notifications: Notifications,
  onFailure: MountOptions["onFailure"],
): ChangeListener {
  const pass = (sent: Promise<void>): void => {
    sent.catch((thrown: unknown) => onFailure?.(thrown));
  };
  return {
    attributesChanged: (inode) => notifications.invalidateAttributes(inode),
    contentChanged: (inode, range) => pass(notifications.invalidateInode(inode, range)),
    entryChanged: (parent, name) => pass(notifications.invalidateEntry(parent, name)),
    entryRemoved: (parent, name, child) => pass(notifications.removed(parent, name, child)),
    unwanted: (inodes) => pass(forget(inodes, notifications, (connection.agreement?.minor ?? 0) >= pruneMinor)),
  };
}

/** Asks the kernel to forget. One that can't by number forgets names of files; not of directories, which somebody may be in. */
async function forget(
  inodes: readonly UnwantedInode[],
  notifications: Notifications,
  canPrune: boolean,
): Promise<void> {
  // A wish that comes too often is not worth a queue.
  if (notifications.waiting > wishesMax) return;
  if (canPrune) return notifications.prune(inodes.map(({ inode }) => inode));
  const names = inodes.flatMap((each) => (each.kind === "directory" ? [] : (each.name() ?? [])));
  await Promise.all(names.map(({ parent, name }) => notifications.invalidateEntry(parent, name)));
}

function checkDirectory(given: string): string {
  try {
    const directory = realpathSync(given);
    if (statSync(directory).isDirectory()) return directory;
  } catch (thrown) {
    throw ioError(`Cannot mount on ${given}`, thrown, given);
  }
  throw new OuroError("not-dir", `Cannot mount on ${given}: it is not a directory`, { subject: given });
}

function mountAsRoot(directory: string, options: MountOptions): number {
  const fd = openDevice();
  const { readOnly, allowSpecial } = options;
  const safe = allowSpecial === true ? 0 : mountFlags.noSuid | mountFlags.noDev;
  const data = [
    `fd=${fd}`,
    "rootmode=40000",
    `user_id=${options.uid}`,
    `group_id=${options.gid}`,
    ...commonOptions(options),
  ];
  try {
    const flags = safe | (readOnly === true ? mountFlags.readOnly : 0);
    const type = `fuse.${options.subtype}`;
    mountCall({ source: options.source, target: directory, type, flags, data: data.join(",") });
    return fd;
  } catch (thrown) {
    closeSync(fd);
    throw ioError(`Cannot mount on ${directory}`, thrown, directory);
  }
}

function openDevice(): number {
  try {
    return openSync("/dev/fuse", constants.O_RDWR | constants.O_NONBLOCK);
  } catch (thrown) {
    const isMissing = ["ENOENT", "ENODEV", "ENXIO"].includes(errnoOf(thrown) ?? "");
    if (!isMissing) throw ioError("Cannot open /dev/fuse", thrown);
    throw new OuroError("unsupported", "Cannot mount: this machine has no /dev/fuse", {
      hint: "Load the kernel module fuse, or give the container the device.",
      cause: thrown,
    });
  }
}

/** The kernel checks permission bits; who else may look in is said by allow_other. */
function commonOptions(options: MountOptions): string[] {
  return ["default_permissions", ...(options.allowOther === true ? ["allow_other"] : []), `max_read=${dataBytesMax}`];
}

/** In the words of mount(8), which fusermount3 reads. */
function userOptions(options: MountOptions): string {
  const words = [`fsname=${options.source}`, `subtype=${options.subtype}`, ...commonOptions(options)];
  if (options.readOnly === true) words.push("ro");
  return words.join(",");
}

async function unmountAsRoot(directory: string, options?: { readonly lazy?: boolean }): Promise<void> {
  try {
    await unmountCall(directory, options);
  } catch (thrown) {
    if (errnoOf(thrown) !== "EBUSY") throw ioError(`Cannot unmount ${directory}`, thrown, directory);
    throw new OuroError("locked", `Cannot unmount ${directory}: it is in use`, { subject: directory, cause: thrown });
  }
}

/** By the kernel's control file system, else by force (root only), else it ends when the device is closed. */
function abortConnection(directory: string, deviceMinor: number | undefined): void {
  try {
    if (deviceMinor !== undefined) writeFileSync(`/sys/fs/fuse/connections/${deviceMinor}/abort`, "1");
  } catch {
    unmountCall(directory, { force: true }).catch(() => {});
  }
}

/** More than the kernel's own must be allowed by root, for each mount. Without it reads are only shorter. */
function setReadAhead(deviceMinor: number, bytes: number): void {
  if (bytes === kernelReadAheadBytes) return;
  try {
    writeFileSync(`/sys/class/bdi/0:${deviceMinor}/read_ahead_kb`, String(Math.floor(bytes / 1024)));
  } catch {
    // No sysfs here.
  }
}
