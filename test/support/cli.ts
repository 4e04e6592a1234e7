/** Runs the program in this process, and returns all that a user would see of it. */
import { toText } from "../../src/base/bytes.ts";
import type { Disk } from "../../src/base/disk.ts";
import { nodeDisk } from "../../src/base/node-disk.ts";
import type { Loader, World } from "../../src/cli/command.ts";
import { main } from "../../src/cli/main.ts";

export interface Seen {
  readonly out: string;
  readonly err: string;
  readonly status: number;
}

export interface RunOptions {
  readonly cwd?: string;
  /** All of the environment. */
  readonly env?: Readonly<Record<string, string>>;
  readonly commands?: ReadonlyMap<string, Loader>;
  readonly disk?: Disk;
  /** Both streams are a terminal of this width. */
  readonly terminal?: number;
  /** What a person types when asked; nobody is there without. */
  readonly answer?: string;
  /** The arguments as bytes, where they are not UTF-8. */
  readonly argumentBytes?: readonly Uint8Array[];
  readonly signal?: AbortSignal;
  readonly nowMs?: number;
  /** One that goes on; else it stands still at `nowMs`. */
  readonly clock?: World["clock"];
}

/** Runs `ourobox` with the arguments. The clock stands still unless one is given, and nothing of this process's environment is seen. */
export async function runCli(args: readonly string[], options: RunOptions = {}): Promise<Seen> {
  const seen = { out: [] as Uint8Array[], err: [] as Uint8Array[] };
  const sink = (parts: Uint8Array[]) => ({
    write: (bytes: Uint8Array) => void parts.push(Uint8Array.from(bytes)),
    isTerminal: options.terminal !== undefined,
    columns: options.terminal ?? 80,
  });
  const status = await main(args, cliWorld(options, sink(seen.out), sink(seen.err)), {
    ...(options.commands === undefined ? {} : { commands: options.commands }),
  });
  return { out: toText(Buffer.concat(seen.out)), err: toText(Buffer.concat(seen.err)), status };
}

const nowhere: World["stdout"] = { write() {}, isTerminal: false, columns: 80 };

/** What the program takes from the process, made up. */
export function cliWorld(
  options: RunOptions,
  stdout: World["stdout"] = nowhere,
  stderr: World["stderr"] = nowhere,
): World {
  return {
    stdout,
    stderr,
    cwd: options.cwd ?? "/nonexistent",
    env: options.env ?? {},
    clock: options.clock ?? { nowMs: () => options.nowMs ?? Date.UTC(2026, 10, 1, 10) },
    disk: options.disk ?? nodeDisk,
    random: (length) => crypto.getRandomValues(new Uint8Array(length)),
    workers: 0,
    signal: options.signal ?? new AbortController().signal,
    argumentBytes: async () => options.argumentBytes ?? [],
    ask: async () => options.answer,
  };
}
