/**
 * Who keeps a mount busy, from /proc: working directories, roots, open files, mapped files, other mounts in it. The mount itself is not touched. Of processes of
 * others only root sees that.
 */
import { readdirSync, readFileSync, readlinkSync } from "node:fs";
import { listMounts } from "../front/fuse/mod.ts";

export interface MountUser {
  readonly pid: number;
  readonly command: string;
  readonly how: "working directory" | "root" | "open file" | "mapped file";
}

/** At most `max`. @param directory Absolute and without symlinks. */
export function mountUsers(directory: string, max = 10): MountUser[] {
  const users: MountUser[] = [];
  for (const pid of readdirSync("/proc").filter((name) => /^\d+$/.test(name))) {
    if (users.length === max) break;
    const how = howUsed(`/proc/${pid}`, directory);
    const command = Number(pid) === process.pid ? "this command" : commandOf(`/proc/${pid}`);
    if (how !== undefined) users.push({ pid: Number(pid), command, how });
  }
  return users;
}

/** Where something is mounted in a mount. @param directory Absolute and without symlinks. */
export function mountsIn(directory: string): string[] {
  const all = listMounts().map((each) => Buffer.from(each.directory, "latin1").toString());
  return all.filter((each) => each.startsWith(`${directory}/`));
}

function howUsed(process: string, directory: string): MountUser["how"] | undefined {
  const isWithin = (path: string | undefined): boolean =>
    path !== undefined && (path === directory || path.startsWith(`${directory}/`));
  if (isWithin(link(`${process}/cwd`))) return "working directory";
  if (isWithin(link(`${process}/root`))) return "root";
  if (names(`${process}/fd`).some((fd) => isWithin(link(`${process}/fd/${fd}`)))) return "open file";
  const isMapped = text(`${process}/maps`)
    .split("\n")
    .some((line) => isWithin(/ (\/.*)$/.exec(line)?.[1]));
  return isMapped ? "mapped file" : undefined;
}

function commandOf(process: string): string {
  return text(`${process}/comm`).trim();
}

/** What may not be read, and what has ended meanwhile, is nothing. */
function link(path: string): string | undefined {
  try {
    return readlinkSync(path);
  } catch {
    return undefined;
  }
}

function names(path: string): string[] {
  try {
    return readdirSync(path);
  } catch {
    return [];
  }
}

function text(path: string): string {
  try {
    return readFileSync(path, "utf8");
  } catch {
    return "";
  }
}
