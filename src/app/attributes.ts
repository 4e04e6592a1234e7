/**
 * `.ouroboxattributes`: what is special about some files. Lines are a pattern of gitignore and then attributes, as in gitattributes; a file counts for its
 * own directory and all below, the deeper one and the later line win. See doc/attributes.md.
 *
 * They are read from a commit's tree, so they are the same on every machine. A file has at most 1 MiB, and of it 10,000 lines count.
 */
import ignore, { type Ignore } from "ignore";
import { findText } from "../base/bytes.ts";
import { type Entry, type Hash, kinds } from "../format/mod.ts";
import { directoryOf, pathKey, splitPath } from "../history/mod.ts";
import type { Path } from "./changes.ts";
import type { OpenBox } from "./open-box.ts";
import { readWhole } from "./whole-file.ts";

export const attributesFileName = ".ouroboxattributes";
const fileBytesMax = 1024 * 1024;
const linesMax = 10_000;

export interface Attributes {
  /** How `sync` settles a conflict: "text", "keep-both", or a driver of the machine. */
  readonly merge?: string;
  /** Whether a directory joins as one, as a file does. */
  readonly atomic?: boolean;
}

interface Rule {
  readonly pattern: Ignore;
  readonly attributes: Attributes;
}

/** The attributes that a tree gives its files. */
export class TreeAttributes {
  readonly #box: OpenBox;
  readonly #root: Entry;
  readonly #rules = new Map<string, readonly Rule[]>();

  constructor(box: OpenBox, tree: Hash) {
    this.#box = box;
    this.#root = box.reader.root(tree);
  }

  /** Of a file or directory. One whose path is not UTF-8 has none. */
  of(path: Path, isDirectory = false): Attributes {
    const names = splitPath(path);
    let found: Attributes = {};
    for (let depth = 0; depth < names.length; depth += 1) {
      const text = findText(
        Buffer.concat(names.slice(depth).flatMap((name, index) => (index === 0 ? [name] : [slash, name]))),
      );
      if (text === undefined) continue;
      for (const { pattern, attributes } of this.#rulesOf(names.slice(0, depth)))
        if (pattern.ignores(isDirectory ? `${text}/` : text)) found = { ...found, ...attributes };
    }
    return found;
  }

  #rulesOf(directory: readonly Uint8Array[]): readonly Rule[] {
    const key = directory.map(pathKey).join("/");
    let rules = this.#rules.get(key);
    if (rules === undefined) {
      rules = this.#read(directory);
      this.#rules.set(key, rules);
    }
    return rules;
  }

  #read(directory: readonly Uint8Array[]): readonly Rule[] {
    const { reader } = this.#box;
    const entry = reader.findPath(this.#root, [...directory]);
    const value = entry === undefined ? undefined : directoryOf(entry);
    const file = value === undefined ? undefined : reader.find(value, Buffer.from(attributesFileName));
    const data = file?.data[0].value;
    if (data?.kind !== kinds.file || data.content.size > fileBytesMax) return [];
    return parseAttributes(findText(readWhole(this.#box, data.content)) ?? "");
  }
}

const slash = Buffer.from("/");

/** What is not understood is passed over: a later version may. */
export function parseAttributes(text: string): Rule[] {
  const lines = text.split("\n", linesMax);
  return lines.flatMap((line): Rule[] => {
    const [, quoted, plain, rest = ""] = /^\s*(?:"((?:[^"\\]|\\.)*)"|([^\s"]\S*))((?:\s+\S+)*)\s*$/.exec(line) ?? [];
    const pattern = quoted?.replaceAll(/\\(.)/g, "$1") ?? plain;
    if (pattern === undefined || pattern.startsWith("#") || pattern.startsWith("!")) return [];
    const attributes: { merge?: string; atomic?: boolean } = {};
    for (const word of rest.split(/\s+/)) {
      const [, merge] = /^merge=([\w-]{1,64})$/.exec(word) ?? [];
      if (merge !== undefined) attributes.merge = merge;
      else if (word === "atomic" || word === "-atomic") attributes.atomic = word === "atomic";
    }
    return Object.keys(attributes).length === 0
      ? []
      : [{ pattern: ignore({ ignorecase: false }).add(pattern), attributes }];
  });
}
