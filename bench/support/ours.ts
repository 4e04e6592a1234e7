/** Ourobox as a tool of the benchmarks: in the folder (sealed, and plain), and as a bare box that folders are saved into. */
import { join } from "node:path";
import { type Command, run, tryRun } from "./measure.ts";
import { program } from "./program.ts";
import type { Place, Tool } from "./tool.ts";

/** What makes up the box and is not derived or local: SQLite databases, the last scan and temporary files are. */
const notStored = /\.sqlite(-wal|-shm|-journal)?$|^tmp$|^lock/;

async function findVersion(): Promise<string | undefined> {
  const version = await tryRun({ argv: [program, "--version"] });
  const usable = await tryRun({ argv: [program, "init", "--help"] });
  return usable?.includes("--plain") === true ? version : undefined;
}

/**
 * A home of its own; the compiled-code cache stays shared, as it is warm for anyone who runs the program twice. No
 * OUROBOX_ variable from outside changes what is measured.
 */
export function ourEnvironment(home: string): Record<string, string> {
  const { HOME = "/root", XDG_CACHE_HOME } = process.env;
  return {
    HOME: home,
    XDG_CONFIG_HOME: join(home, ".config"),
    XDG_DATA_HOME: join(home, ".local/share"),
    NODE_COMPILE_CACHE:
      process.env["NODE_COMPILE_CACHE"] ?? join(XDG_CACHE_HOME ?? join(HOME, ".cache"), "ourobox/node"),
    OUROBOX_PASSPHRASE: "a passphrase for benchmarks",
    OUROBOX_YES: "1",
  };
}

/** A command of ours, in a folder. */
export function ours(cwd: string, ...args: string[]): Command {
  return { argv: [program, ...args], cwd };
}

function inFolder(name: string, ...initOptions: string[]): Tool {
  return {
    name,
    inTree: true,
    findVersion,
    notStored,
    environment: (place) => ourEnvironment(place.home),
    init: (place) => ours(place.tree, "init", ...initOptions),
    commit: (place, label) => ours(place.tree, "commit", "-q", "-m", label),
    restore: (place, target) => ours(place.tree, "clone", "-q", remoteOf(place), target),
    repositoryOf: (place) => join(place.tree, ".ourobox"),
  };
}

/** Where `pushAll` puts the box. */
export function remoteOf(place: Place): string {
  return join(place.scratch, "remote");
}

/** Gives a box a remote in the place's scratch folder and pushes to it, not measured. */
export async function pushAll(place: Place): Promise<void> {
  const environment = ourEnvironment(place.home);
  await run({ ...ours(place.tree, "remote", "add", "origin", remoteOf(place)), environment });
  await run({ ...ours(place.tree, "push", "-q"), environment });
}

function bare(name: string, ...initOptions: string[]): Tool {
  return {
    name,
    findVersion,
    notStored,
    environment: (place) => ourEnvironment(place.home),
    init: (place) => ({ argv: [program, "init", "--bare", ...initOptions, place.repository] }),
    commit: (place, label) => ours(place.repository, "commit", "-q", "-m", label, "--from", place.tree),
    restore: (place, target) => ours(place.repository, "restore", "-q", "--source", "HEAD", "--target", target),
    repositoryOf: (place) => place.repository,
  };
}

export const ourTools: readonly Tool[] = [
  inFolder("ours"),
  inFolder("ours-plain", "--plain"),
  inFolder("ours-sha256", "--hash", "sha256"),
  bare("ours-bare"),
];
