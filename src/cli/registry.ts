/** The commands there are. Loaded only when asked for, so that none pays for another. */
import type { Loader } from "./command.ts";

export const commands: ReadonlyMap<string, Loader> = new Map<string, Loader>([
  ["add", () => import("./commands/add.ts")],
  ["branch", () => import("./commands/branch.ts")],
  ["cat", () => import("./commands/cat.ts")],
  ["check", () => import("./commands/check.ts")],
  ["clone", () => import("./commands/clone.ts")],
  ["commit", () => import("./commands/commit.ts")],
  ["config", () => import("./commands/config.ts")],
  ["diff", () => import("./commands/diff.ts")],
  ["du", () => import("./commands/du.ts")],
  ["fetch", () => import("./commands/fetch.ts")],
  ["gc", () => import("./commands/gc.ts")],
  ["help", () => import("./commands/help.ts")],
  ["init", () => import("./commands/init.ts")],
  ["log", () => import("./commands/log.ts")],
  ["ls", () => import("./commands/ls.ts")],
  ["pull", () => import("./commands/pull.ts")],
  ["push", () => import("./commands/push.ts")],
  ["remote", () => import("./commands/remote.ts")],
  ["restore", () => import("./commands/restore.ts")],
  ["show", () => import("./commands/show.ts")],
  ["status", () => import("./commands/status.ts")],
  ["switch", () => import("./commands/switch.ts")],
  ["tag", () => import("./commands/tag.ts")],
  ["version", () => import("./commands/version.ts")],
]);
