#!/usr/bin/env node
/**
 * The `ourobox` program: find the command, run it, turn what it throws into a message and a status.
 *
 * Everything that a command needs is loaded when it is known which one it is: `ourobox --version` loads almost nothing.
 * `main` itself touches no process; what it needs of one is a World, made by process-world.ts.
 */
import { resolve } from "node:path";
import type { Settings } from "../app/mod.ts";
import { errnoOf, ioError, isKind, OuroError } from "../base/errors.ts";
import { styleFor } from "./color.ts";
import type { Loader, Operand, World } from "./command.ts";
import { globalOptions, resolveGlobals } from "./globals.ts";
import { type MessageOptions, Messages } from "./messages.ts";
import { findMountedFolder } from "./mounted-folder.ts";
import {
  findFirstOperand,
  parseArguments,
  type RawOperand,
  resolveValues,
  usage,
  type ValueSources,
} from "./options.ts";
import { BrokenPipe, Output } from "./output.ts";
import { commands as allCommands } from "./registry.ts";
import { exitStatus, statusByKind } from "./status.ts";
import { unknownWord } from "./suggest.ts";

/**
 * Runs one command line.
 * @param options.commands Other commands than the program's own, for tests.
 * @returns The exit status. Throws nothing.
 */
export async function main(
  args: readonly string[],
  world: World,
  options: { readonly commands?: ReadonlyMap<string, Loader> } = {},
): Promise<number> {
  const out = new Output(world.stdout);
  // Until the flags are read: errors in them are told as they ask.
  const said = { messages: new Messages(world.stderr, world.clock, earlyOptions(args, world)) };
  try {
    const status = await run(args, world, { out, said, commands: options.commands ?? allCommands });
    out.flush();
    said.messages.end();
    return status;
  } catch (thrown) {
    return fail(thrown, { out, messages: said.messages, signal: world.signal });
  }
}

interface Run {
  readonly out: Output;
  /** Where messages go, to be replaced when the flags are known. */
  readonly said: { messages: Messages };
  readonly commands: ReadonlyMap<string, Loader>;
}

async function run(args: readonly string[], world: World, { out, said, commands }: Run): Promise<number> {
  const nameAt = findFirstOperand(args, globalOptions);
  const name =
    args[0] === "--version" || args[0] === "-V" ? "version" : nameAt === undefined ? "help" : (args[nameAt] ?? "");
  const load = commands.get(name);
  if (load === undefined) throw unknownCommand(name, commands, nameAt === undefined ? undefined : args[nameAt - 1]);
  const { command } = await load();

  const rest = name === "version" && nameAt === undefined ? args.slice(1) : args;
  const { given, operands } = parseArguments(rest, { ...globalOptions, ...command.options }, name);
  if (nameAt !== undefined && !operands.some(({ index }) => index === nameAt)) {
    throw usage(`Cannot use ${args[nameAt - 1]} before ${name}: only the flags of every command can stand there`);
  }
  const sources: ValueSources = { env: world.env, setting: () => undefined };
  const early = resolveGlobals(given, sources);
  if (early.help && nameAt !== undefined) {
    const { commandHelp } = await import("./help.ts");
    out.write(commandHelp(command));
    return exitStatus.ok;
  }
  const givenCwd = resolve(world.cwd, early.directory ?? "");
  if (early.directory !== undefined && command.standalone !== true) requireFolder(world, givenCwd);
  const mounted = command.standalone === true ? undefined : await findMountedFolder(givenCwd);
  const cwd = mounted !== undefined && mounted.commit === undefined ? mounted.folder : givenCwd;
  const place = { cwd, givenCwd, ...(mounted === undefined ? {} : { mounted }) };
  const settings = command.standalone === true ? undefined : await loadSettings(world, cwd);
  const layered: ValueSources = { ...sources, setting: (key) => settings?.find(key) };
  const globals = resolveGlobals(given, layered);
  said.messages = new Messages(world.stderr, world.clock, {
    ...globals,
    before: () => out.flush(),
    style: styleFor(globals.color, world.stderr.isTerminal, world.env),
  });
  for (const problem of settings?.problems ?? []) said.messages.notice(problem);
  if (globals.dryRun && command.dryRun === "refused") {
    throw usage(`Cannot use --dry-run with ${name}: it cannot tell beforehand what it will do`);
  }
  const values = resolveValues(command.options, given, { command: name, sources: layered });
  const own = await withBytes(
    operands.filter(({ index }) => index !== nameAt),
    world,
  );
  const style = styleFor(globals.color, world.stdout.isTerminal, world.env);
  return command.run({ ...globals, ...place, world, commands, out, messages: said.messages, style }, values, own);
}

function unknownCommand(name: string, commands: Run["commands"], before: string | undefined): OuroError {
  const message = `Cannot run "${name}": there is no such command`;
  const afterFlag = "The flags of one command stand after its name: ourobox COMMAND [FLAGS].";
  return unknownWord(message, name, {
    words: [...commands.keys()],
    hint: (near) => {
      if (near !== undefined) return `Did you mean \`ourobox ${near}\`?`;
      return before?.startsWith("-") === true && before !== "--" ? afterFlag : "Run `ourobox help` for the list.";
    },
  });
}

/** @throws OuroError "usage" when -C names what is no folder. */
function requireFolder({ disk }: World, folder: string): void {
  let kind: string | undefined;
  try {
    kind = disk.stat(`${folder}/.`)?.kind;
  } catch (thrown) {
    if (errnoOf(thrown) === "ENOTCONN")
      throw new OuroError("io", `Cannot work in ${folder}: the process of the mount that is there has died`, {
        subject: folder,
        hint: "Run `ourobox umount` where it is (`ourobox mount --list` says where), and mount it again.",
        cause: thrown,
      });
    throw ioError(`Cannot work in ${folder}`, thrown, folder);
  }
  if (kind !== "directory") throw usage(`Cannot work in ${folder}: there is no such folder`);
}

async function loadSettings(world: World, cwd: string): Promise<Settings> {
  const { Settings } = await import("../app/mod.ts");
  return Settings.load({ disk: world.disk, env: world.env, cwd });
}

/** What is known of the wish for --json and -v before the flags have been read; they may be wrong. */
function earlyOptions(args: readonly string[], { env }: World): MessageOptions {
  const flag = (name: string, short: string, variable: string): boolean =>
    args.includes(name) || args.includes(short) || /^(1|true|yes|on)$/i.test(env[variable] ?? "");
  return { json: flag("--json", "--json", "OUROBOX_JSON"), verbose: flag("--verbose", "-v", "OUROBOX_VERBOSE") };
}

/** The operands' bytes: their text's, or the kernel's where Node could not read them as UTF-8. */
async function withBytes(operands: readonly RawOperand[], world: World): Promise<readonly Operand[]> {
  const encoder = new TextEncoder();
  const raw = operands.some(({ text }) => text.includes("\ufffd")) ? await world.argumentBytes() : [];
  return operands.map(({ text, index, afterDashes }) => ({
    text,
    bytes: raw[index] ?? encoder.encode(text),
    afterDashes,
  }));
}

/** Says what went wrong. Where even that fails, the status says it alone. */
function fail(
  thrown: unknown,
  { out, messages, signal }: { out: Output; messages: Messages; signal: AbortSignal },
): number {
  if (thrown instanceof BrokenPipe) return exitStatus.brokenPipe;
  const error = signal.aborted && signal.reason instanceof OuroError ? signal.reason : thrown;
  const status = isKind(error) ? statusOf(error) : exitStatus.error;
  try {
    out.flush();
    messages.end();
    if (isKind(error)) messages.error(error, status);
    else messages.bug(error, status);
  } catch (again) {
    if (again instanceof BrokenPipe) return exitStatus.brokenPipe;
  }
  return status;
}

/** Of a signal 128 and its number, as shells have it. */
function statusOf({ kind, subject }: OuroError): number {
  if (kind === "aborted" && subject === "SIGTERM") return exitStatus.terminated;
  return kind === "aborted" && subject === "SIGHUP" ? exitStatus.hungUp : statusByKind[kind];
}

if (import.meta.main) {
  const { processWorld } = await import("./process-world.ts");
  process.exitCode = await main(process.argv.slice(2), await processWorld());
  process.once("exit", (await import("../base/posix-library.ts")).discardOutput);
}
