/**
 * `.ouroboxignore`: which untracked names are left alone. Syntax and meaning are those of gitignore, nested: a file's rules count
 * for its own directory and all below, the deeper file first. See doc/ignore.md.
 *
 * Rules and names are compared as text where both are UTF-8, else byte by byte. A rule file has at most 1 MiB.
 */

import { readSync } from "node:fs";
import ignore, { type Ignore } from "ignore";
import { findText } from "../base/bytes.ts";
import { errnoOf } from "../base/errors.ts";
import { close, fstat, openAt, openFlags } from "../base/posix.ts";
import { below, FolderWalk } from "./folder-walk.ts";

export const ignoreFileName = ".ouroboxignore";
const ruleBytesMax = 1024 * 1024;

/** The rules of one directory's file. */
class RuleFile {
  readonly #bytes: Buffer;
  #text: Ignore | undefined;
  #latin: Ignore | undefined;

  constructor(bytes: Buffer) {
    this.#bytes = bytes;
  }

  /** @param path Below this file's directory, one character a byte; a directory's ends with "/". */
  test(path: string): { readonly ignored: boolean; readonly unignored: boolean } {
    const text = findText(Buffer.from(path, "latin1"));
    const rules = findText(this.#bytes);
    if (text !== undefined && rules !== undefined) {
      this.#text ??= ignore({ ignorecase: false }).add(rules);
      return this.#text.test(text);
    }
    this.#latin ??= ignore({ ignorecase: false }).add(this.#bytes.toString("latin1"));
    return this.#latin.test(path);
  }
}

/** The rules that count in one directory: its own file's and those of the directories above. */
export class IgnoreRules {
  readonly #above: IgnoreRules | undefined;
  /** The name of this directory in the one above. */
  readonly #name: string;
  readonly #file: RuleFile | undefined;

  private constructor(above: IgnoreRules | undefined, name: string, file: RuleFile | undefined) {
    this.#above = above;
    this.#name = name;
    this.#file = file;
  }

  static readonly none: IgnoreRules = new IgnoreRules(undefined, "", undefined);

  /**
   * The rules of the directory `name` in this one (of the root: in `none`).
   * @param fd The directory, open. @param hasFile Whether it lists a rule file.
   * @throws Error with `code` when the file is there and cannot be read.
   */
  below(name: string, fd: number, hasFile: boolean): IgnoreRules {
    const file = hasFile ? readRules(fd) : undefined;
    if (file === undefined && !this.#hasAny) return IgnoreRules.none;
    return new IgnoreRules(this, name, file);
  }

  get #hasAny(): boolean {
    return this.#file !== undefined || this.#above !== undefined;
  }

  /** Whether an untracked name in this directory is left alone. */
  ignores(name: string, isDirectory: boolean): boolean {
    let path = isDirectory ? `${name}/` : name;
    for (let rules: IgnoreRules | undefined = this; rules !== undefined; rules = rules.#above) {
      const found = rules.#file?.test(path);
      if (found?.ignored === true) return true;
      if (found?.unignored === true) return false;
      path = `${rules.#name}/${path}`;
    }
    return false;
  }
}

/** The rules in a directory's file; undefined when it is no regular file (a symlink is not followed) or holds nothing. */
function readRules(directory: number): RuleFile | undefined {
  let fd: number;
  try {
    fd = openAt(directory, ignoreFileName, openFlags.read | openFlags.nonBlock);
  } catch (thrown) {
    if (["ELOOP", "ENOENT", "ENXIO"].includes(errnoOf(thrown) ?? "")) return undefined;
    throw thrown;
  }
  try {
    if (fstat(fd).kind !== "file") return undefined;
    const bytes = Buffer.alloc(ruleBytesMax);
    let length = 0;
    for (let count = -1; count !== 0 && length < bytes.length; length += count)
      count = readSync(fd, bytes, length, bytes.length - length, null);
    return length === 0 ? undefined : new RuleFile(Buffer.from(bytes.subarray(0, length)));
  } finally {
    close(fd);
  }
}

/** Told of a rule file that cannot be read: its rules do not count. */
export type OnRuleProblem = (path: string, why: string) => void;

/** The rules in the directory at hand. @param hasFile Whether it has a rule file, as far as is known. */
export function rulesIn(above: IgnoreRules, walk: FolderWalk, hasFile: boolean, onProblem: OnRuleProblem): IgnoreRules {
  const name = walk.name;
  try {
    return above.below(name, walk.fd, hasFile);
  } catch (thrown) {
    const errno = errnoOf(thrown);
    if (errno === undefined) throw thrown;
    onProblem(below(walk.path, ignoreFileName), `its rules do not count: it cannot be read (${errno})`);
    return above.below(name, walk.fd, false);
  }
}

/** The rules of the directories above a path. */
export function rulesAbove(root: number, path: string, onProblem: OnRuleProblem): IgnoreRules {
  let rules = IgnoreRules.none;
  const names = path.split("/").filter(Boolean);
  if (names.length === 0) return rules;
  using walk = new FolderWalk(root);
  rules = rulesIn(rules, walk, true, onProblem);
  for (const name of names.slice(0, -1)) {
    walk.enter(name);
    rules = rulesIn(rules, walk, true, onProblem);
  }
  return rules;
}
