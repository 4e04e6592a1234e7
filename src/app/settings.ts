/**
 * Settings: what the box's and the user's config files say, below the environment and above the defaults.
 *
 * A file is lines of `key = value`; a line that begins with `#` or `;` is a comment. A value stands as it is, or in double
 * quotes with JSON's escapes when it would lose white space or a line end. Of a key given twice the last counts. Editing keeps
 * comments, order and unknown keys. At most 256 KiB.
 */
import { realpathSync } from "node:fs";
import { dirname, join } from "node:path";
import { toText, utf8 } from "../base/bytes.ts";
import type { Disk } from "../base/disk.ts";
import { ioError, isKind, OuroError } from "../base/errors.ts";
import { makeFolders } from "./disk-folders.ts";
import { findBox } from "./layout.ts";
import { findSetting, settingTable } from "./setting-table.ts";
import { findSmallFile, writeSmallFile } from "./small-files.ts";

const configBytesMax = 256 * 1024;

export type SettingScope = "box" | "user";

/** One setting as it stands, and where it comes from. */
export interface SettingRow {
  readonly key: string;
  readonly value: string;
  readonly origin: "environment" | SettingScope | "default";
  /** The file and line, or the variable. */
  readonly place?: string;
}

interface Line {
  readonly key: string;
  readonly value: string;
  readonly number: number;
}

interface ConfigFile {
  readonly scope: SettingScope;
  readonly path: string;
  readonly text: string;
  readonly lines: readonly Line[];
}

export interface SettingsPlace {
  readonly disk: Disk;
  readonly env: Readonly<Record<string, string | undefined>>;
  /** The box is looked for here and above; without one only the user's file counts. */
  readonly cwd: string;
}

export class Settings {
  /** What is wrong in the files: lines that are no setting, unknown keys, values that do not fit. They are ignored, and kept. */
  readonly problems: readonly string[];
  readonly #files: readonly ConfigFile[];
  readonly #env: Readonly<Record<string, string | undefined>>;
  readonly #disk: Disk;
  readonly #boxPath: string | undefined;

  private constructor(place: SettingsPlace, paths: Readonly<Record<SettingScope, string | undefined>>) {
    const problems: string[] = [];
    this.#env = place.env;
    this.#disk = place.disk;
    this.#boxPath = paths.box;
    const scopes: SettingScope[] = ["box", "user"];
    this.#files = scopes.flatMap((scope) => {
      const path = paths[scope];
      return path === undefined ? [] : [readConfig(place.disk, { scope, path, problems })];
    });
    this.problems = problems;
  }

  /** @throws OuroError "too-large", "permission", "io" about a config file that cannot be read. */
  static load(place: SettingsPlace): Settings {
    return new Settings(place, { box: findBoxConfig(place), user: userConfigPath(place.env) });
  }

  /** What environment or files say, as text; undefined where only a default is left. */
  find(key: string): string | undefined {
    const row = this.#findSet(key);
    return row?.value;
  }

  /** The value with its origin, down to the default; undefined when there is none of any kind. */
  findRow(key: string): SettingRow | undefined {
    const set = this.#findSet(key);
    if (set !== undefined) return set;
    const value = findSetting(key)?.default;
    return value === undefined ? undefined : { key, value, origin: "default" };
  }

  /** Every setting that has a value, by key. */
  list(): SettingRow[] {
    const keys = new Set([
      ...Object.keys(settingTable),
      ...this.#files.flatMap(({ lines }) => lines.map(({ key }) => key)),
    ]);
    const rows = [...keys].map((key) => this.findRow(key)).filter((row) => row !== undefined);
    return rows.sort((a, b) => (a.key < b.key ? -1 : 1));
  }

  /** As `find`, for a setting of the table that is true or false. */
  isOn(key: string): boolean {
    return /^(1|true|yes|on)$/i.test(this.findRow(key)?.value ?? "");
  }

  /**
   * Writes a value into a file, or takes it out with `undefined`.
   * @throws OuroError "usage" (no such setting, or a value that does not fit), "no-box" (scope "box" without one), "no-space" and its like.
   */
  set(
    key: string,
    value: string | undefined,
    options: { readonly scope: SettingScope; readonly random: (length: number) => Uint8Array },
  ): void {
    if (value !== undefined) checkValue(key, value, options.scope);
    const path = options.scope === "box" ? this.#boxPath : userConfigPath(this.#env);
    if (path === undefined) throw noFile(options.scope);
    const problems: string[] = [];
    const { text } = readConfig(this.#disk, { scope: options.scope, path, problems });
    const edited = editConfig(text, key, value);
    if (edited === text) return;
    if (options.scope === "user") makeFolder(this.#disk, dirname(path));
    writeSmallFile(this.#disk, resolveLink(path), utf8(edited), { random: options.random });
  }

  #findSet(key: string): SettingRow | undefined {
    const variable = variableOfSetting(key);
    const fromEnv = this.#env[variable];
    if (fromEnv !== undefined && fromEnv !== "") return { key, value: fromEnv, origin: "environment", place: variable };
    for (const { scope, path, lines } of this.#files) {
      const line = lines.findLast((each) => each.key === key);
      if (line !== undefined) return { key, value: line.value, origin: scope, place: `${path}:${line.number}` };
    }
    return undefined;
  }
}

/** "user.name" -> "OUROBOX_USER_NAME" */
export function variableOfSetting(key: string): string {
  return findSetting(key)?.env ?? `OUROBOX_${key.replaceAll(/[^A-Za-z0-9]/g, "_").toUpperCase()}`;
}

/** @throws OuroError "usage". */
function checkValue(key: string, value: string, scope: SettingScope): void {
  const setting = findSetting(key);
  if (setting === undefined) {
    throw new OuroError("usage", `Cannot set "${key}": there is no such setting`, {
      subject: key,
      hint: `There are ${Object.keys(settingTable).join(", ")}.`,
    });
  }
  if (setting.isUserOnly === true && scope === "box") {
    throw new OuroError("usage", `Cannot set ${key} in a box: it starts a program, and a box may come from elsewhere`, {
      subject: key,
      hint: `Run \`ourobox config set --user ${key} …\`: it counts in the user's config only.`,
    });
  }
  const problem = setting.check?.(value);
  if (problem !== undefined) throw new OuroError("usage", `Cannot set ${key} to "${value}": ${problem}`);
}

function readConfig(
  disk: Disk,
  { scope, path, problems }: { readonly scope: SettingScope; readonly path: string; readonly problems: string[] },
): ConfigFile {
  const text = toText(findSmallFile(disk, path, configBytesMax) ?? new Uint8Array());
  const lines: Line[] = [];
  text.split("\n").forEach((raw, index) => {
    const number = index + 1;
    const line = raw.trim();
    if (line === "" || line.startsWith("#") || line.startsWith(";")) return;
    const parsed = parseLine(line);
    const problem = parsed === undefined ? 'it is not "key = value"' : problemOf(parsed, scope);
    if (problem !== undefined) problems.push(`${path}:${number} is ignored: ${problem}`);
    else if (parsed !== undefined) lines.push({ ...parsed, number });
  });
  return { scope, path, text, lines };
}

/** Why a line does not count; undefined when it does. */
function problemOf(
  { key, value }: { readonly key: string; readonly value: string },
  scope: SettingScope,
): string | undefined {
  const setting = findSetting(key);
  if (setting === undefined) return `there is no setting ${key}`;
  if (setting.isUserOnly === true && scope === "box") return `${key} counts in the user's config only`;
  const problem = setting.check?.(value);
  return problem === undefined ? undefined : `${key} cannot be "${value}": ${problem}`;
}

function parseLine(line: string): { key: string; value: string } | undefined {
  const match = /^([^\s=]+)\s*=\s*(.*)$/.exec(line);
  if (match === null) return undefined;
  const [, key = "", raw = ""] = match;
  if (!raw.startsWith('"')) return { key, value: raw };
  try {
    const value: unknown = JSON.parse(raw);
    return typeof value === "string" ? { key, value } : undefined;
  } catch {
    return undefined;
  }
}

/** The text with the last line of `key` replaced and its other lines gone; a new key goes to the end. */
function editConfig(text: string, key: string, value: string | undefined): string {
  const lines = text === "" ? [] : text.replace(/\n$/, "").split("\n");
  const isOfKey = (line: string): boolean => parseLine(line.trim())?.key === key;
  const lastAt = lines.findLastIndex(isOfKey);
  const written = value === undefined ? [] : [`${key} = ${encodeValue(value)}`];
  const kept = lines.flatMap((line, index) => (index === lastAt ? written : isOfKey(line) ? [] : [line]));
  const result = lastAt === -1 ? [...kept, ...written] : kept;
  return result.length === 0 ? "" : `${result.join("\n")}\n`;
}

function encodeValue(value: string): string {
  return value === "" || value !== value.trim() || value.startsWith('"') || /[\p{Cc}]/u.test(value)
    ? JSON.stringify(value)
    : value;
}

function findBoxConfig({ disk, cwd }: SettingsPlace): string | undefined {
  try {
    return findBox(disk, cwd).settings;
  } catch (thrown) {
    if (isKind(thrown, "no-box")) return undefined;
    throw thrown;
  }
}

function userConfigPath(env: SettingsPlace["env"]): string | undefined {
  const { XDG_CONFIG_HOME: config = "", HOME: home = "" } = env;
  // The XDG specification: a relative path in the variable is to be ignored.
  if (config.startsWith("/")) return join(config, "ourobox/config");
  return home === "" ? undefined : join(home, ".config/ourobox/config");
}

function noFile(scope: SettingScope): OuroError {
  return scope === "box"
    ? new OuroError("no-box", "Cannot write the box's config: there is no box here", {
        hint: "Add --user to write your own.",
      })
    : new OuroError("not-found", "Cannot write your config: neither XDG_CONFIG_HOME nor HOME is set");
}

/** People keep their config as a link to somewhere else: what it points to is replaced, not the link. */
function resolveLink(path: string): string {
  try {
    return realpathSync(path);
  } catch {
    return path;
  }
}

function makeFolder(disk: Disk, folder: string): void {
  try {
    makeFolders(disk, folder, 0o700);
  } catch (thrown) {
    throw ioError(`Cannot make ${folder}`, thrown, folder);
  }
}
