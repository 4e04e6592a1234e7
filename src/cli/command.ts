/** What a command is, and what it is given. A command is one file in `commands/`, loaded only when asked for. */
import type { Clock } from "../base/clock.ts";
import type { Disk } from "../base/disk.ts";
import type { Style } from "./color.ts";
import type { Messages } from "./messages.ts";
import type { MountedFolder } from "./mounted-folder.ts";
import type { OptionSpecs, OptionValues } from "./options.ts";
import type { Output, Sink } from "./output.ts";

/** What the program takes from the process. Tests make another. */
export interface World {
  readonly stdout: Sink;
  readonly stderr: Sink;
  /** Absolute. */
  readonly cwd: string;
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly clock: Clock;
  readonly disk: Disk;
  /** Unpredictable bytes. */
  random(length: number): Uint8Array;
  /** Worker threads for reading and writing files; 0: none. */
  readonly workers: number;
  readonly signal: AbortSignal;
  /** What to run for this program once more, but for the arguments; undefined where it can't be. */
  readonly program?: readonly string[];
  /** The arguments as the kernel has them, in the order of `main`'s; needed only where one is not UTF-8. */
  argumentBytes(): Promise<readonly Uint8Array[]>;
  /** Asks a person at the terminal, without echo when `secret`; undefined when there is none. */
  ask(prompt: string, options: { readonly secret: boolean }): Promise<string | undefined>;
}

/** An argument that is not a flag, such as a path: bytes, and text for what can only be text. */
export interface Operand {
  readonly text: string;
  readonly bytes: Uint8Array;
  /** It stands after `--`. */
  readonly afterDashes: boolean;
}

export interface CommandContext {
  readonly world: World;
  /** All there are, for `help`. */
  readonly commands: ReadonlyMap<string, Loader>;
  readonly out: Output;
  readonly messages: Messages;
  /** For what is printed to `out`. */
  readonly style: Style;
  /** The folder in a box that the command works from: `givenCwd` or, in the live mount of a box, the box's own folder behind it. */
  readonly cwd: string;
  /** -C, else the process's: where paths begin that are of this machine and not of the box. */
  readonly givenCwd: string;
  /** The mount that `givenCwd` is in: of a box, or of a commit, which is no box. */
  readonly mounted?: MountedFolder;
  readonly json: boolean;
  readonly quiet: boolean;
  readonly verbose: boolean;
  readonly dryRun: boolean;
  readonly yes: boolean;
}

export interface Command {
  readonly name: string;
  /** Imperative, no full stop: one line in the command list. */
  readonly summary: string;
  /** Without the program's name: "log [FLAGS] [-- PATH…]". Several lines where there are several forms. */
  readonly usage: string;
  /** Paragraphs under the usage in `--help`, where their lines are broken anew. */
  readonly description: string;
  readonly options: OptionSpecs;
  /** What --dry-run does: nothing to change anyway, only says what would be done, or cannot be asked for. */
  readonly dryRun: "reads" | "says" | "refused";
  /** It needs nothing of the application, and reads no config. */
  readonly standalone?: boolean;
  /** @returns The exit status. Expected failures are thrown as OuroError. */
  run(
    context: CommandContext,
    values: Readonly<Record<string, unknown>>,
    operands: readonly Operand[],
  ): Promise<number>;
}

/** Brings a command's module. */
export type Loader = () => Promise<{ readonly command: Command }>;

/** A command whose `run` gets its values by their types. */
export function defineCommand<const S extends OptionSpecs>(
  command: Omit<Command, "options" | "run"> & {
    readonly options: S;
    run(context: CommandContext, values: OptionValues<S>, operands: readonly Operand[]): Promise<number>;
  },
): Command {
  return command as unknown as Command;
}
