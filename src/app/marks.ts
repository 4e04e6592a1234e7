/**
 * Marks: what is to be real in this box and what unreal, by node, so that they go along when something is moved. The nearest mark counts, of the thing
 * itself or of what is around it; without one what `box.content` says. They are this box's own, one value of its state.
 */
import { ByteReader, ByteWriter } from "../base/bytes.ts";
import { OuroError } from "../base/errors.ts";
import { type Dot, dotKey, type Entry, type Hash } from "../format/mod.ts";
import { directoryOf, splitPath, type TreeReader } from "../history/mod.ts";
import type { OpenBox } from "./open-box.ts";
import { isUnreal, marksKey } from "./unreal-setting.ts";

export type Mark = "real" | "unreal";

const version = 1;
const marksMax = 100_000;
const codes = { real: 1, unreal: 2 } as const;

export class Marks {
  readonly #byId = new Map<string, { readonly id: Dot; readonly mark: Mark }>();

  /** @throws OuroError "corrupt". */
  static load({ state }: Pick<OpenBox, "state">): Marks {
    const marks = new Marks();
    const bytes = state.value(marksKey);
    if (bytes === undefined) return marks;
    const reader = new ByteReader(bytes, "the marks of what is real");
    if (reader.u8() !== version) throw reader.corrupt("they are of another version");
    for (let left = reader.varint(marksMax, "marks"); left > 0; left -= 1) {
      const id = { clock: reader.u64(), writer: reader.u64(), counter: reader.varint(2 ** 32 - 1, "counter") };
      const mark = reader.u8() === codes.real ? "real" : "unreal";
      marks.#byId.set(dotKey(id), { id, mark });
    }
    return marks;
  }

  get isEmpty(): boolean {
    return this.#byId.size === 0;
  }

  /** Whether anything is marked real. */
  get hasReal(): boolean {
    return this.#byId.values().some(({ mark }) => mark === "real");
  }

  of(id: Dot): Mark | undefined {
    return this.#byId.get(dotKey(id))?.mark;
  }

  /** @throws OuroError "too-large" for more than there may be. */
  set(id: Dot, mark: Mark | undefined): void {
    if (mark === undefined) this.#byId.delete(dotKey(id));
    else this.#byId.set(dotKey(id), { id, mark });
    if (this.#byId.size > marksMax)
      throw new OuroError("too-large", `Cannot mark more than ${marksMax} things`, { hint: "Mark folders instead." });
  }

  save({ state }: Pick<OpenBox, "state">): void {
    const writer = new ByteWriter(64).u8(version).varint(this.#byId.size);
    for (const { id, mark } of this.#byId.values())
      writer.u64(id.clock).u64(id.writer).varint(id.counter).u8(codes[mark]);
    state.setValue(marksKey, writer.finish());
  }
}

/** Whether what comes to a path of a tree from elsewhere is to stand in the folder: as marks say. In a branch's only what is changed there does. */
export function wantedIn(box: OpenBox, reader: TreeReader, tree: Hash): (path: Uint8Array) => boolean {
  if (box.layout.branch !== undefined) return () => false;
  const marked = new MarkedTree(box, reader, reader.root(tree));
  return (path) => marked.of(path) === "real";
}

/** What marks say of the things in a tree. */
export class MarkedTree {
  readonly #marks: Marks;
  readonly #reader: TreeReader;
  readonly #root: Entry;
  readonly #default: Mark;

  constructor(box: OpenBox, reader: TreeReader, root: Entry, marks: Marks = Marks.load(box)) {
    this.#marks = marks;
    this.#reader = reader;
    this.#root = root;
    this.#default = isUnreal(box) ? "unreal" : "real";
  }

  /** Of an entry, by what counts for the directory around it. */
  below(around: Mark, entry: Entry): Mark {
    return this.#marks.of(entry.id) ?? around;
  }

  get ofRoot(): Mark {
    return this.#marks.of(this.#root.id) ?? this.#default;
  }

  of(path: Uint8Array): Mark {
    if (this.#marks.isEmpty) return this.#default;
    let mark = this.ofRoot;
    let at: Entry | undefined = this.#root;
    for (const name of splitPath(path)) {
      const directory: ReturnType<typeof directoryOf> = at === undefined ? undefined : directoryOf(at);
      at = directory === undefined ? undefined : this.#reader.find(directory, name);
      if (at === undefined) return mark;
      mark = this.below(mark, at);
    }
    return mark;
  }
}
