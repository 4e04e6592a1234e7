/**
 * Flags as data: what a command declares, and how its values are found.
 *
 * A value comes from the first of: the flag, its `OUROBOX_…` variable, the box's config, the user's config, the default.
 * `node:util` parseArgs splits the arguments; everything a person is told about a mistake is said here.
 */
import { parseArgs } from "node:util";
import { OuroError } from "../base/errors.ts";
import { suggest } from "./suggest.ts";

interface OptionBase {
  /** One letter, without the dash. */
  readonly short?: string;
  /** What it does, no full stop. */
  readonly help: string;
  /** The key of the config that also sets it; the variable is then the key's. */
  readonly setting?: string;
  /** The variable, where it is not `OUROBOX_<COMMAND>_<FLAG>`. */
  readonly env?: string;
}

/** Every flag has a `--no-` form, to undo what a variable or config says. */
export interface FlagOption extends OptionBase {
  readonly kind: "flag";
  readonly default?: boolean;
  /** Shown in help as `--no-x`, where the default is on. */
  readonly negative?: boolean;
}
export interface TextOption extends OptionBase {
  readonly kind: "text";
  /** What stands for the value in help: "DIR". */
  readonly value: string;
  readonly default?: string;
  /** What the flag says without a value; one is joined to it by "=" then. */
  readonly bare?: string;
  /** A folder: given again, it is a path from the one before, as of `git -C`. */
  readonly isFolder?: boolean;
}
/** A whole number of 0 and more. */
export interface CountOption extends OptionBase {
  readonly kind: "count";
  readonly value: string;
  readonly default?: number;
}
export interface ChoiceOption extends OptionBase {
  readonly kind: "choice";
  readonly choices: readonly [string, ...string[]];
  readonly default?: string;
}
export type OptionSpec = FlagOption | TextOption | CountOption | ChoiceOption;
export type OptionSpecs = { readonly [name: string]: OptionSpec };

export type OptionValue<S> = S extends { kind: "flag" }
  ? boolean
  : S extends { kind: "count" }
    ? WithDefault<S, number>
    : S extends { kind: "choice"; choices: readonly (infer C)[] }
      ? WithDefault<S, C>
      : WithDefault<S, string>;
type WithDefault<S, T> = S extends { default: unknown } ? T : T | undefined;
export type OptionValues<S extends OptionSpecs> = { readonly [K in keyof S]: OptionValue<S[K]> };

/** An argument that is not a flag. `index` is its place among all arguments. */
export interface RawOperand {
  readonly text: string;
  readonly index: number;
  /** It stands after `--`. */
  readonly afterDashes: boolean;
}

export interface ParsedArguments {
  /** The texts given by flags; a flag without a value is "true" or "false". The last one counts. */
  readonly given: ReadonlyMap<string, string>;
  readonly operands: readonly RawOperand[];
}

/** @throws OuroError "usage", with the nearest flag there is as a hint. */
export function parseArguments(args: readonly string[], specs: OptionSpecs, command: string): ParsedArguments {
  const given = new Map<string, string>();
  const operands: RawOperand[] = [];
  let afterDashes = false;
  for (const token of tokenize(args, specs)) {
    if (token.kind === "option-terminator") {
      afterDashes = true;
    } else if (token.kind === "positional") {
      operands.push({ text: token.value, index: token.index, afterDashes });
    } else {
      const spec = Object.hasOwn(specs, token.name) ? specs[token.name] : undefined;
      if (spec === undefined) throw unknownFlag(token.rawName, specs, command);
      const value = givenValue(token, spec);
      if (spec.kind === "count") checkCountText(value, token.rawName);
      const before = spec.kind === "text" && spec.isFolder === true ? given.get(token.name) : undefined;
      given.set(token.name, before === undefined || value.startsWith("/") ? value : `${before}/${value}`);
    }
  }
  return { given, operands };
}

/** The place of the first argument that is neither a flag of `specs` nor a flag's value; undefined when there is none. */
export function findFirstOperand(args: readonly string[], specs: OptionSpecs): number | undefined {
  return tokenize(args, specs).find(({ kind }) => kind === "positional")?.index;
}

type Token = ReturnType<typeof tokenize>[number];
type OptionToken = Extract<Token, { kind: "option" }>;

function tokenize(args: readonly string[], specs: OptionSpecs) {
  const options = Object.fromEntries(
    Object.entries(specs).map(([name, spec]) => [
      name,
      {
        type: takesNext(spec) ? ("string" as const) : ("boolean" as const),
        ...(spec.short === undefined ? {} : { short: spec.short }),
      },
    ]),
  );
  return parseArgs({
    args: [...args],
    options,
    strict: false,
    tokens: true,
    allowPositionals: true,
    allowNegative: true,
  }).tokens;
}

/** Whether the next argument is its value. */
function takesNext(spec: OptionSpec): boolean {
  return spec.kind === "text" ? spec.bare === undefined : spec.kind !== "flag";
}

function givenValue(token: OptionToken, spec: OptionSpec): string {
  if (spec.kind === "text" && spec.bare !== undefined)
    return token.rawName.startsWith("--no-") ? (spec.default ?? "") : (token.value ?? spec.bare);
  if (spec.kind === "flag") {
    if (token.value !== undefined) throw usage(`Cannot use ${token.rawName}=${token.value}: it takes no value`);
    return String(!token.rawName.startsWith("--no-"));
  }
  // parseArgs takes whatever comes next for the value, and a number is never "--".
  if (token.value === undefined || (spec.kind === "count" && token.value === "--")) {
    throw usage(`Cannot use ${token.rawName}: it takes a value`, `Write ${token.rawName} ${placeholder(spec)}.`);
  }
  return token.value;
}

function unknownFlag(rawName: string, specs: OptionSpecs, command: string): OuroError {
  const names = Object.entries(specs).map(([name, spec]) =>
    spec.kind === "flag" && spec.negative ? `no-${name}` : name,
  );
  const near = rawName.startsWith("--") ? suggest(rawName.replace(/^--/, ""), names) : undefined;
  const hint = near === undefined ? `Run \`ourobox ${command} --help\` for its flags.` : `Did you mean --${near}?`;
  return usage(`Cannot use ${rawName}: \`ourobox ${command}\` has no such flag`, hint);
}

export interface ValueSources {
  readonly env: Readonly<Record<string, string | undefined>>;
  /** The value of a config key as text, or undefined when neither variable nor file sets it. */
  readonly setting: (key: string) => string | undefined;
}

/** What every option comes to. @throws OuroError "usage" for a value that does not fit, naming where it came from. */
export function resolveValues<S extends OptionSpecs>(
  specs: S,
  given: ReadonlyMap<string, string>,
  options: { readonly command: string; readonly sources: ValueSources },
): OptionValues<S> {
  const values: Record<string, unknown> = {};
  for (const [name, spec] of Object.entries(specs)) {
    values[name] = resolveValue(name, spec, given.get(name), options);
  }
  return values as OptionValues<S>;
}

function resolveValue(
  name: string,
  spec: OptionSpec,
  given: string | undefined,
  { command, sources }: { readonly command: string; readonly sources: ValueSources },
): unknown {
  if (given !== undefined) return parseValue(given, spec, `--${name}`);
  const variable = variableOf(name, spec, command);
  const fromEnv = sources.env[variable];
  if (fromEnv !== undefined && fromEnv !== "") return parseValue(fromEnv, spec, variable);
  if (spec.kind === "flag" && spec.negative === true) {
    const negative = variable.replace("OUROBOX_", "OUROBOX_NO_");
    const refused = sources.env[negative];
    if (refused !== undefined && refused !== "") return parseValue(refused, spec, negative) !== true;
  }
  const fromConfig = spec.setting === undefined ? undefined : sources.setting(spec.setting);
  if (fromConfig !== undefined) return parseValue(fromConfig, spec, `config ${spec.setting}`);
  return spec.kind === "flag" ? (spec.default ?? false) : spec.default;
}

/** The variable of a flag: its own, its setting's, or `OUROBOX_<COMMAND>_<FLAG>`. */
export function variableOf(name: string, spec: OptionSpec, command: string): string {
  const words = spec.setting ?? (command === "" ? name : `${command}-${name}`);
  return spec.env ?? `OUROBOX_${words.replaceAll(/[.-]/g, "_").toUpperCase()}`;
}

function parseValue(text: string, spec: OptionSpec, source: string): string | number | boolean {
  if (spec.kind === "flag") {
    if (/^(1|true|yes|on)$/i.test(text)) return true;
    if (/^(0|false|no|off)$/i.test(text)) return false;
    throw usage(`Cannot use ${source} ${text}: it is true or false`);
  }
  if (spec.kind === "count") {
    checkCountText(text, source);
    return Number(text);
  }
  if (spec.kind === "choice" && !spec.choices.includes(text)) {
    throw usage(`Cannot use ${source} ${text}: it is one of ${spec.choices.join(", ")}`);
  }
  return text;
}

/** @param source What it was given by, as it was written. @throws OuroError "usage". */
function checkCountText(text: string, source: string): void {
  if (/^\d{1,15}$/.test(text)) return;
  throw usage(`Cannot use ${source} ${text}: it takes a whole number of 0 or more`, `Try ${source} 20.`);
}

/** What stands for the value in help. */
export function placeholder(spec: OptionSpec): string {
  return spec.kind === "flag" ? "" : spec.kind === "choice" ? spec.choices.join("|") : spec.value;
}

export function usage(message: string, hint?: string): OuroError {
  return new OuroError("usage", message, hint === undefined ? {} : { hint });
}
