/**
 * Files and directories that are in no tree: what a mount says of itself. Each is what it was when it was looked up, and is another one, with another number,
 * when there is something else to say; so nobody reads half of two, and whoever keeps a name for a moment only (`isVolatile`) sees what is new.
 */
import { compareBytes, toText, utf8 } from "../base/bytes.ts";
import type { FileKind } from "../base/posix.ts";
import { FilesystemFailure } from "./failure.ts";
import { numberOfText } from "./node-number.ts";
import type { ShownAttributes, ShownChild, ShownNode } from "./shown-node.ts";

export interface MadeOptions {
  readonly parent: ShownNode;
  readonly name: string;
  readonly uid: number;
  readonly gid: number;
  readonly timeNs: bigint;
}

const modes = { directory: 0o555, file: 0o444, symlink: 0o777 } as const;

abstract class MadeNode implements ShownNode {
  abstract readonly kind: "directory" | "file" | "symlink";
  readonly parent: ShownNode;
  readonly number: number;
  readonly #generation: number;
  readonly #key: string;
  readonly #options: MadeOptions;

  /** @param says What it holds: another text is another file. */
  constructor(options: MadeOptions, says: string) {
    this.parent = options.parent;
    this.#options = options;
    this.#key = `${options.parent.number} ${options.name} ${says}`;
    const { number, generation } = numberOfText(this.#key);
    this.number = number;
    this.#generation = generation;
  }

  abstract readonly size: number;

  get name(): Uint8Array {
    return utf8(this.#options.name);
  }

  isSame(other: ShownNode): boolean {
    return other === this || (other instanceof MadeNode && other.#key === this.#key);
  }

  preparing(): undefined {}

  attributes(): ShownAttributes {
    const { uid, gid, timeNs } = this.#options;
    const times = { atimeNs: timeNs, mtimeNs: timeNs, ctimeNs: timeNs };
    const kind: FileKind = this.kind;
    const counts = { size: this.size, blocks: Math.ceil(this.size / 512) };
    const device = { rdevMajor: 0, rdevMinor: 0 };
    const generation = this.#generation;
    return {
      generation,
      kind,
      mode: modes[this.kind],
      nlink: 1,
      uid,
      gid,
      ...device,
      ...counts,
      ...times,
      isVolatile: true,
    };
  }

  find(_name: Uint8Array): ShownNode | undefined {
    throw notDirectory();
  }

  children(_start: number): Iterable<ShownChild> {
    throw notDirectory();
  }

  get target(): Uint8Array | undefined {
    return undefined;
  }

  get content(): Uint8Array | undefined {
    return undefined;
  }

  findXattr(_name: string): undefined {}

  listXattrs(): readonly Uint8Array[] {
    return [];
  }

  get path(): string {
    const above = this.parent.path;
    return above === "" ? this.#options.name : `${above}/${this.#options.name}`;
  }
}

export class MadeFile extends MadeNode {
  override readonly kind = "file";
  readonly #bytes: Uint8Array;

  constructor(options: MadeOptions, text: string) {
    super(options, text);
    this.#bytes = utf8(text);
  }

  get size(): number {
    return this.#bytes.length;
  }

  override get content(): Uint8Array {
    return this.#bytes;
  }
}

export class MadeLink extends MadeNode {
  override readonly kind = "symlink";
  readonly #target: Uint8Array;

  constructor(options: MadeOptions, target: string) {
    super(options, target);
    this.#target = utf8(target);
  }

  get size(): number {
    return this.#target.length;
  }

  override get target(): Uint8Array {
    return this.#target;
  }
}

/** What is in a made-up directory. */
export interface MadeContents {
  /** All names, or the part of them that is listed. */
  list(directory: ShownNode): Iterable<readonly [name: string, node: ShownNode]>;
  /** One by its name, also one that is not listed; by default the listed ones. */
  find?(directory: ShownNode, name: string): ShownNode | undefined;
  /** The same names each time, but not the same things: they are listed anew. */
  readonly changes?: boolean;
}

export class MadeDirectory extends MadeNode {
  override readonly kind = "directory";
  readonly #contents: MadeContents;
  #listed: readonly ShownChild[] | undefined;

  /** @param says Changes when what is listed does. */
  constructor(options: MadeOptions, contents: MadeContents, says = "") {
    super(options, says);
    this.#contents = contents;
  }

  get size(): number {
    return 0;
  }

  override find(name: Uint8Array): ShownNode {
    const text = toText(name);
    const found =
      this.#contents.find === undefined
        ? this.#list().find((each) => compareBytes(each.name, name) === 0)?.node
        : this.#contents.find(this, text);
    // Not "never": it may be there the next time.
    if (found === undefined) throw new FilesystemFailure("ENOENT", "cannot find a name");
    return found;
  }

  override children(start: number): readonly ShownChild[] {
    return this.#list().slice(start);
  }

  #list(): readonly ShownChild[] {
    if (this.#contents.changes === true) this.#listed = undefined;
    this.#listed ??= Array.from(this.#contents.list(this), ([name, node]) => ({ name: utf8(name), node })).sort(
      (a, b) => compareBytes(a.name, b.name),
    );
    return this.#listed;
  }
}

function notDirectory(): FilesystemFailure {
  return new FilesystemFailure("ENOTDIR", "cannot look into it: it is not a directory");
}
