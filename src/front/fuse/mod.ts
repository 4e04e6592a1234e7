/** The face of front/fuse: mounting a filesystem, and what is mounted where. */
export type { RequestCounts } from "./dispatch.ts";
export { opcodes } from "./kernel.ts";
export { type FuseMount, type MountOptions, mountFilesystem, unmountDirectory } from "./mount.ts";
export { findMount, listMounts, type MountedAt } from "./mount-table.ts";
export type { Notifications } from "./notifications.ts";
export { defaultBehaviour, type FuseBehaviour } from "./options.ts";
