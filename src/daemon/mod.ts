/** The face of the layer daemon: processes that serve. */
export { type ListedMount, listBoxMounts, mountSource } from "./box-mounts.ts";
export { waitForLast } from "./last-mount.ts";
export { type MountUser, mountUsers } from "./mount-users.ts";
export { type ServeRequest, serveCommit } from "./serve-commit.ts";
export { type LiveServeRequest, serveLive } from "./serve-live.ts";
export { startChild } from "./start-child.ts";
export { unmountBox } from "./unmount-box.ts";
