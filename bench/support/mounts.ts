/** How tools show what they have saved as a folder, to be read: mounted with the program's own command, and taken away again. */
import { lstatSync } from "node:fs";
import { join } from "node:path";
import { type Command, run, shell, tryRun } from "./measure.ts";
import { ours } from "./ours.ts";
import { withEnvironment } from "./question.ts";
import type { Place, Tool } from "./tool.ts";

interface Mounting {
  /** Returns when the mount answers. */
  start(place: Place, directory: string): Command;
  /** Where in the mount the saved tree is. */
  readonly below?: string;
  stop(place: Place, directory: string): Command;
}

const unmount = (_place: Place, directory: string): Command => ({ argv: ["umount", directory] });

/** Programs that stay in the foreground are waited for until something is mounted. */
const inBackground = (command: string): string =>
  `(${command} > /dev/null 2>&1 &); for i in $(seq 300); do mountpoint -q "$1" && exit 0; sleep 0.1; done; exit 1`;

const mountings: Readonly<Record<string, Mounting>> = {
  ours: {
    start: (place, directory) => ours(place.tree, "mount", "-q", "HEAD", directory),
    stop: (place, directory) => ours(place.tree, "umount", "-q", directory),
  },
  restic: {
    start: (_place, directory) => shell(inBackground('restic mount -q "$1"'), [directory]),
    below: "snapshots/latest",
    stop: unmount,
  },
  "borg-lz4": {
    start: (_place, directory) => shell('borg mount "::$(borg list --short --last 1)" "$1"', [directory]),
    stop: (_place, directory) => ({ argv: ["borg", "umount", directory] }),
  },
  rclone: {
    start: (place, directory) =>
      shell(inBackground('rclone mount --links ":local:$2" "$1"'), [directory, place.repository]),
    stop: unmount,
  },
  squashfuse: {
    start: (place, directory) => ({ argv: ["squashfuse", join(place.repository, "tree.squashfs"), directory] }),
    stop: (_place, directory) => ({ argv: ["fusermount3", "-u", directory] }),
  },
  "cp -a": {
    start: () => ({ argv: ["true"] }),
    stop: () => ({ argv: ["true"] }),
  },
};

export interface Mounted extends AsyncDisposable {
  /** Where the saved tree is. */
  readonly tree: string;
}

export const canMount = (tool: Tool): boolean => mountings[tool.name] !== undefined;

/** Mounts what a tool has saved last. @param directory An empty folder. */
export async function mountSaved(tool: Tool, place: Place, directory: string): Promise<Mounted> {
  const mounting = mountings[tool.name];
  if (mounting === undefined) throw new Error(`Cannot mount with ${tool.name}: it is not known how`);
  await run(withEnvironment(tool, place, mounting.start(place, directory)));
  const isNative = tool.name === "cp -a";
  return {
    // With a dot at the end: "latest" is a symlink.
    tree: `${isNative ? place.repository : join(directory, mounting.below ?? "")}/.`,
    async [Symbol.asyncDispose]() {
      await run(withEnvironment(tool, place, mounting.stop(place, directory)));
      if (isNative) return;
      for (let tries = 0; tries < 100 && isMountPoint(directory); tries += 1) await tryRun({ argv: ["sleep", "0.05"] });
    },
  };
}

function isMountPoint(directory: string): boolean {
  return lstatSync(directory).dev !== lstatSync(join(directory, "..")).dev;
}
