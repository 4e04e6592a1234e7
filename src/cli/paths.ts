/** Arguments as paths in a box, and as "commit:path". A path is bytes. */
import { isAbsolute } from "node:path";
import { concatBytes, copyBytes, equalBytes, findText, toText, utf8 } from "../base/bytes.ts";
import { OuroError } from "../base/errors.ts";
import type { CommandContext, Operand } from "./command.ts";
import { usage } from "./options.ts";
import type { Path } from "./quote.ts";

const slash = 0x2f;
const slashBytes: Uint8Array = Uint8Array.of(slash);
const colon = 0x3a;
const nothing = new Uint8Array();
const dots: Uint8Array = utf8("..");

/** Where paths on the command line begin. */
export interface PathBase {
  /** The box's folder; undefined for a bare box, whose paths all begin at its root. */
  readonly root: string | undefined;
  readonly cwd: string;
  /** Where that folder is mounted live, when the command is run there. */
  readonly mount?: string;
}

/** Of a command that works on a box. */
export function pathBase(
  { root }: { readonly root: string | undefined },
  { cwd, mounted }: Pick<CommandContext, "cwd" | "mounted">,
): PathBase {
  return { root, cwd, ...(mounted === undefined ? {} : { mount: mounted.directory }) };
}

/**
 * An argument as a path in the box: relative to the current folder, or absolute within the box's folder or its live mount.
 * ".." is resolved by name, as the shell's `cd` does.
 * @throws OuroError "usage" when it is outside the box.
 */
export function pathOf(bytes: Uint8Array, { root, cwd, mount }: PathBase): Path {
  if (bytes.length === 0) throw usage('Cannot use "" as a path: it is empty', "Write . for the current folder.");
  if (root === undefined) return joinNames(normalize(splitNames(bytes), bytes));
  const start = bytes[0] === slash ? [] : splitNames(utf8(cwd));
  const names = normalize([...start, ...splitNames(bytes)], bytes);
  for (const place of mount === undefined ? [root] : [root, mount]) {
    const placeNames = splitNames(utf8(place));
    const isInside = placeNames.every((name, index) => equalBytes(name, names[index] ?? nothing));
    if (isInside) return joinNames(names.slice(placeNames.length));
  }
  throw usage(`Cannot use ${toText(bytes)}: it is outside the box (${root})`);
}

/** The current folder as a path in the box, for `pathFrom`; the root when it is outside, as that of a bare box is. */
export function currentPath({ root, cwd }: PathBase): Path {
  const isInside = root !== undefined && (root === "/" || cwd === root || cwd.startsWith(`${root}/`));
  return isInside ? pathOf(utf8("."), { root, cwd }) : nothing;
}

/** A path of the box as it is written from the folder at `from`: with "../" for what is above. The folder itself is empty. */
export function pathFrom(path: Path, from: Path): Path {
  if (from.length === 0) return path;
  const [names, above] = [splitNames(path), splitNames(from)];
  const differs = above.findIndex((name, index) => !equalBytes(name, names[index] ?? nothing));
  const shared = differs === -1 ? above.length : differs;
  return joinNames([...above.slice(shared).map(() => dots), ...names.slice(shared)]);
}

/** An argument of the form "COMMIT:PATH", or one of the two. A path with a colon in it goes after "./". */
export function splitRevision(operand: Operand): { readonly revision: string | undefined; readonly path: Uint8Array } {
  const at = operand.afterDashes ? -1 : findColon(operand.bytes);
  if (at === -1) return { revision: undefined, path: operand.bytes };
  const revision = findText(operand.bytes.subarray(0, at));
  if (revision === undefined) throw usage(`Cannot use ${operand.text}: what stands before ":" is not UTF-8`);
  return { revision, path: copyBytes(operand.bytes.subarray(at + 1)) };
}

/**
 * "COMMIT:PATH" as a commit and a path: PATH begins at the box's root then, or at the current folder when it begins with "./"
 * or "../". Without a commit it is an ordinary path, and the commit is HEAD.
 */
export function revisionPath(operand: Operand, base: PathBase): { readonly revision: string; readonly path: Path } {
  const { revision, path } = splitRevision(operand);
  if (revision === undefined) return { revision: "HEAD", path: pathOf(path, base) };
  const isRelative = /^\.\.?(\/|$)/.test(toText(path.subarray(0, 3)));
  return {
    revision: revision === "" ? "HEAD" : revision,
    path: isRelative ? pathOf(path, base) : joinNames(normalize(splitNames(path), path)),
  };
}

/** The first colon that is not inside "@{…}", and not in a path that begins with "." or "/". */
function findColon(bytes: Uint8Array): number {
  if (bytes[0] === slash || bytes[0] === 0x2e) return -1;
  let depth = 0;
  for (let at = 0; at < bytes.length; at += 1) {
    if (bytes[at] === 0x7b) depth += 1;
    else if (bytes[at] === 0x7d) depth -= 1;
    else if (bytes[at] === colon && depth <= 0) return at;
  }
  return -1;
}

function joinNames(names: readonly Uint8Array[]): Path {
  return concatBytes(names.flatMap((name, index) => (index === 0 ? [name] : [slashBytes, name])));
}

function splitNames(bytes: Uint8Array): Uint8Array[] {
  const names: Uint8Array[] = [];
  for (let start = 0; start <= bytes.length; ) {
    const slashAt = bytes.indexOf(slash, start);
    const end = slashAt === -1 ? bytes.length : slashAt;
    if (end > start) names.push(bytes.subarray(start, end));
    start = end + 1;
  }
  return names;
}

function normalize(names: readonly Uint8Array[], shown: Uint8Array): Uint8Array[] {
  const result: Uint8Array[] = [];
  for (const name of names) {
    const text = name.length <= 2 ? toText(name) : "";
    if (text === ".") continue;
    if (text !== "..") result.push(name);
    else if (result.pop() === undefined) throw usage(`Cannot use ${toText(shown)}: it is outside the box`);
  }
  return result;
}

/** The text of an argument that can only be text, such as a revision. @throws OuroError "usage". */
export function textOf(operand: Operand, what: string): string {
  if (findText(operand.bytes) === undefined) throw usage(`Cannot use ${operand.text} as ${what}: it is not UTF-8`);
  return operand.text;
}

/** @throws OuroError "usage" unless there are `min` to `max` of them. */
export function checkCount(operands: readonly Operand[], min: number, max: number, usageText: string): void {
  if (operands.length >= min && operands.length <= max) return;
  const extra = operands[max];
  throw new OuroError(
    "usage",
    extra === undefined
      ? "Cannot go on: an argument is missing"
      : `Cannot use "${extra.text}": that is one argument too many`,
    {
      hint: `Usage: ourobox ${usageText.split("\n").join("\n       ourobox ")}`,
    },
  );
}

/** A flag's value as a folder, from the current one. @throws OuroError "usage" for a path that is not UTF-8. */
export function folderOf(value: string, flag: string, cwd: string): string {
  if (value === "") throw usage(`Cannot use "" as ${flag}: it is empty`, "Write . for the current folder.");
  if (value.includes("\ufffd"))
    throw usage(`Cannot use ${flag} ${value}: it must be UTF-8`, `Go there with cd, and use ${flag} .`);
  return isAbsolute(value) ? value : `${cwd}/${value}`;
}
