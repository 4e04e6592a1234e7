/**
 * Finding every node on both sides of a join, and reading no more than that takes (rules T2 to T5 of doc/merge.md).
 *
 * Equal nodes of a directory are skipped by hash. What stands on one side only is matched by its id first. Of what is left, new
 * directories are opened where something below is known to the other side, deleted ones where the other side has not seen
 * something below; and what was changed is looked for by id in all that is one-sided and could hold it, before it counts as
 * deleted.
 */
import { OuroError } from "../base/errors.ts";
import { type DirectoryValue, type Dot, type Entry, equalDots, kinds, type Summary } from "../format/mod.ts";
import {
  type Coverage,
  isAllSeen,
  isKnown,
  isSameState,
  isUnit,
  type JoinedRegisters,
  joinRegisters,
  plainDirectory,
  type Values,
} from "./join-registers.ts";
import { type JoinNode, type JoinResult, nameKey, otherSide, type Side, type Standing } from "./join-result.ts";
import type { JoinRules } from "./join-rules.ts";
import { type Part, type PartVisitor, walkParts } from "./part-walk.ts";
import type { TreeReader } from "./tree-reader.ts";
import { differingEntries } from "./tree-walk.ts";

/** A node that is a unit on one side and a plain directory on the other. */
export interface MixedNode {
  readonly node: JoinNode;
  readonly plainSide: Side;
  /** The joined values of the unit. */
  readonly values: Values;
  /** Whether the later meta register has no mark, but there are values that its side has not seen: then it stays a unit. */
  readonly isUnmarked: boolean;
  /** Whether a mend has given the unit a value. */
  isFilled: boolean;
}

/** One-sided entries that were not read: those of a directory, or of a part of one. */
interface Unopened {
  readonly node: JoinNode;
  readonly part: Part | undefined;
  readonly summary: Summary;
}

/** What is on one side only, as far as is known; its birth is known to the other side. */
interface OneSided {
  readonly olds: JoinNode[];
  unopened: Unopened[];
}

export interface MatchOptions {
  readonly reader: TreeReader;
  readonly rules: JoinRules;
  readonly seenByA: Coverage;
  readonly seenByB: Coverage;
}

export class JoinMatch {
  readonly mixed: MixedNode[] = [];
  readonly #result: JoinResult;
  readonly #reader: TreeReader;
  readonly #rules: JoinRules;
  readonly #seenBy: Readonly<Record<Side, Coverage>>;
  readonly #pairs: JoinNode[] = [];
  #fresh: { readonly side: Side; readonly node: JoinNode }[] = [];
  readonly #oneSided: Readonly<Record<Side, OneSided>> = {
    a: { olds: [], unopened: [] },
    b: { olds: [], unopened: [] },
  };
  /** Directories that survive with all that their side has below them. */
  readonly #wholes = new Set<JoinNode>();

  constructor(result: JoinResult, options: MatchOptions) {
    this.#result = result;
    this.#reader = options.reader;
    this.#rules = options.rules;
    this.#seenBy = { a: options.seenByA, b: options.seenByB };
  }

  /** Afterwards every node that matters has its standings, what both sides have is joined, and what was opened has contents. */
  run(): void {
    this.#pairs.push(this.#result.root);
    do {
      for (let node = this.#pairs.pop(); node !== undefined; node = this.#pairs.pop()) this.#joinPair(node);
    } while (this.#sortFresh() || this.#lookUp() || this.#openUnseen() || this.#openSurvivors());
  }

  /** Whether a node that only this side has survives: it was changed unseen, or is below a directory that was. */
  survives(node: JoinNode, side: Side): boolean {
    const { entry, parent } = node[side] as Standing;
    if (node[otherSide(side)] !== undefined || !isKnown(entry, this.#seenBy[otherSide(side)], this.#rules))
      return false;
    return !isAllSeen(entry, this.#seenBy[otherSide(side)]) || this.#isOfWhole(parent, side);
  }

  #isOfWhole(node: JoinNode | undefined, side: Side): boolean {
    return node !== undefined && this.#wholes.has(node) && node[otherSide(side)] === undefined;
  }

  /** Joins a node that both sides have. */
  #joinPair(node: JoinNode): void {
    const [a, b] = [node.a as Standing, node.b as Standing];
    if (a.entry.kind !== b.entry.kind) {
      throw new OuroError("corrupt", `Cannot join: the node ${node.key} is of two kinds`, {
        hint: "Run `ourobox check` to see what else is damaged.",
      });
    }
    const { entry, placeFrom, values } = this.#joinRegisters(a.entry, b.entry);
    node.isKept = true;
    node.entry = entry;
    node.parent = (placeFrom === "a" ? a : b).parent;
    if (entry.kind === kinds.directory) this.#joinContents(node, a.entry, b.entry, values);
  }

  #joinRegisters(a: Entry, b: Entry): JoinedRegisters {
    return joinRegisters(a, b, { seenByA: this.#seenBy.a, seenByB: this.#seenBy.b, rules: this.#rules });
  }

  #joinContents(node: JoinNode, a: Entry, b: Entry, values: Values): void {
    const [one, two] = [plainDirectory(a), plainDirectory(b)];
    if (one !== undefined && two !== undefined) {
      if (node.openedOn.length === 0) this.#joinDirectories(node, one, two);
      else {
        this.#openAll(node, "a");
        this.#openAll(node, "b");
      }
      return;
    }
    const plain = one ?? two;
    if (plain === undefined) return;
    const plainSide: Side = one === undefined ? "b" : "a";
    const isUnmarked = values.length > 0 && !isUnit(node.entry);
    if (isUnmarked) node.entry = { ...node.entry, meta: { ...node.entry.meta, atomic: true } };
    this.mixed.push({ node, plainSide, values, isUnmarked, isFilled: false });
    if (isUnit(node.entry) || node.openedOn.length > 0) this.#openAll(node, plainSide);
    else this.#openNew(node, plainSide, plain);
  }

  #joinDirectories(node: JoinNode, one: DirectoryValue, two: DirectoryValue): void {
    const contents = node.open;
    contents.backing = one;
    contents.backedBy = ["a", "b"];
    for (const { before, after } of differingEntries(this.#reader, one, two)) {
      if (before !== undefined && after !== undefined && equalDots(before.id, after.id)) {
        this.#joinInPlace(node, before, after);
        continue;
      }
      if (before !== undefined) {
        contents.masked.add(nameKey(before.name));
        this.#note("a", before, node);
      }
      if (after !== undefined) this.#note("b", after, node);
    }
  }

  /** A node in the same place on both sides. Often A's state is the result, and stays where it is. */
  #joinInPlace(parent: JoinNode, before: Entry, after: Entry): void {
    if (isSameState(before, after)) return;
    if (before.kind !== kinds.directory && before.kind === after.kind) {
      if (this.#joinRegisters(before, after).entry === before) return;
    }
    parent.open.masked.add(nameKey(before.name));
    this.#note("a", before, parent);
    this.#note("b", after, parent);
  }

  #note(side: Side, entry: Entry, parent: JoinNode): void {
    const node = this.#result.note(side, entry, parent);
    if (node[otherSide(side)] === undefined) this.#fresh.push({ side, node });
    else this.#pairs.push(node);
  }

  /** Tells new nodes from old ones, and opens new directories in which something old may be. @returns Whether anything was there. */
  #sortFresh(): boolean {
    const fresh = this.#fresh;
    this.#fresh = [];
    for (const { side, node } of fresh) {
      const other = otherSide(side);
      if (node[other] !== undefined) continue;
      const { entry } = node[side] as Standing;
      const directory = plainDirectory(entry);
      if (isKnown(entry, this.#seenBy[other], this.#rules)) {
        const { olds, unopened } = this.#oneSided[side];
        olds.push(node);
        if (directory?.top !== undefined) unopened.push({ node, part: undefined, summary: directory.summary });
      } else if (directory !== undefined && !this.#isNewBelow(directory.summary, other)) {
        this.#openNew(node, side, directory);
      }
    }
    return fresh.length > 0;
  }

  /** T3: whether the other side knows nothing below. */
  #isNewBelow(summary: Summary, other: Side): boolean {
    return !this.#rules.asksBirthsBelow || this.#seenBy[other].coversNone(summary.minBirth);
  }

  /** T4: whether the other side has seen all below. */
  #isSeenBelow(summary: Summary, other: Side): boolean {
    return !this.#rules.asksDotsBelow || this.#seenBy[other].coversAll(summary.max);
  }

  /** T5: opens what could hold a node that the other side has changed. @returns Whether anything was opened. */
  #lookUp(): boolean {
    if (!this.#rules.looksUp) return false;
    let isAny = false;
    for (const side of ["a", "b"] as const) {
      const there = this.#oneSided[otherSide(side)];
      if (there.unopened.length === 0) continue;
      const wanted = new BirthIndex();
      for (const node of this.#oneSided[side].olds) {
        const isFound = node[otherSide(side)] !== undefined;
        if (!isFound && !isAllSeen((node[side] as Standing).entry, this.#seenBy[otherSide(side)])) wanted.add(node.id);
      }
      const chosen = this.#takeUnopened(otherSide(side), ({ summary }) => wanted.mayBeIn(summary));
      for (const each of chosen) this.#openOld(each, otherSide(side));
      isAny ||= chosen.length > 0;
    }
    return isAny;
  }

  /** Opens directories that were deleted where something below was not seen. @returns Whether anything was opened. */
  #openUnseen(): boolean {
    let isAny = false;
    for (const side of ["a", "b"] as const) {
      const chosen = this.#takeUnopened(side, ({ summary }) => !this.#isSeenBelow(summary, otherSide(side)));
      for (const each of chosen) this.#openOld(each, side);
      isAny ||= chosen.length > 0;
    }
    return isAny;
  }

  /** Opens directories that survive because they were moved or changed, and all directories in them. @returns As the others. */
  #openSurvivors(): boolean {
    let isAny = false;
    for (const side of ["a", "b"] as const) {
      for (const node of this.#oneSided[side].olds) {
        if (this.#wholes.has(node) || node[otherSide(side)] !== undefined) continue;
        const { entry } = node[side] as Standing;
        if (plainDirectory(entry) === undefined || !this.survives(node, side)) continue;
        this.#wholes.add(node);
        this.#openAll(node, side);
        isAny = true;
      }
    }
    return isAny;
  }

  /** Takes those of the unopened that are chosen and still one-sided; what is on both sides by now was dealt with. */
  #takeUnopened(side: Side, choose: (each: Unopened) => boolean): Unopened[] {
    const oneSided = this.#oneSided[side];
    const chosen: Unopened[] = [];
    oneSided.unopened = oneSided.unopened.filter((each) => {
      if (each.part === undefined && (each.node[otherSide(side)] !== undefined || each.node.openedOn.includes(side)))
        return false;
      if (!choose(each)) return true;
      chosen.push(each);
      return false;
    });
    return chosen;
  }

  /** A directory whose entries stay by reference, but for those that the other side may know. */
  #openNew(node: JoinNode, side: Side, directory: DirectoryValue): void {
    const contents = node.open;
    contents.backing = directory;
    contents.backedBy = [side];
    node.openedOn.push(side);
    const other = otherSide(side);
    walkParts(this.#reader, directory, undefined, {
      enters: ({ summary }) => !this.#isNewBelow(summary, other),
      take: (entry) => {
        const below = plainDirectory(entry);
        const isNew = !isKnown(entry, this.#seenBy[other], this.#rules);
        if (isNew && (below === undefined || this.#isNewBelow(below.summary, other))) return;
        contents.masked.add(nameKey(entry.name));
        this.#note(side, entry, node);
      },
    });
  }

  /** Makes nodes of the entries of a directory or part, but for parts that the other side has seen all of. */
  #openOld({ node, part }: Unopened, side: Side): void {
    if (part === undefined) {
      node.openedOn.push(side);
      void node.open;
    }
    const { unopened } = this.#oneSided[side];
    walkParts(this.#reader, plainDirectory((node[side] as Standing).entry), part, {
      enters: (reference, level, after) => {
        if (!this.#isSeenBelow(reference.summary, otherSide(side))) return true;
        unopened.push({ node, part: { reference, level, after }, summary: reference.summary });
        return false;
      },
      take: (entry) => this.#note(side, entry, node),
    });
  }

  /** Makes nodes of all entries that are not yet. */
  #openAll(node: JoinNode, side: Side): void {
    const parts = this.#takeUnopened(side, (each) => each.node === node && each.part !== undefined);
    const visitor: PartVisitor = { enters: () => true, take: (entry) => this.#note(side, entry, node) };
    const directory = plainDirectory((node[side] as Standing).entry);
    if (!node.openedOn.includes(side)) {
      node.openedOn.push(side);
      void node.open;
      walkParts(this.#reader, directory, undefined, visitor);
    }
    for (const { part } of parts) walkParts(this.#reader, directory, part, visitor);
  }
}

/** Births that are looked for. */
class BirthIndex {
  readonly #clocks = new Map<bigint, bigint[]>();
  #isSorted = false;

  add({ writer, clock }: Dot): void {
    const clocks = this.#clocks.get(writer);
    if (clocks === undefined) this.#clocks.set(writer, [clock]);
    else clocks.push(clock);
  }

  /** Whether one of them is within the bounds of a summary. */
  mayBeIn({ minBirth, max }: Summary): boolean {
    if (this.#clocks.size === 0) return false;
    if (!this.#isSorted)
      for (const clocks of this.#clocks.values()) clocks.sort((x, y) => (x < y ? -1 : x > y ? 1 : 0));
    this.#isSorted = true;
    return minBirth.some(({ writer, clock: first }) => {
      const clocks = this.#clocks.get(writer);
      if (clocks === undefined) return false;
      const next = firstFrom(clocks, first);
      const last = max.find((each) => each.writer === writer);
      return next !== undefined && last !== undefined && next <= last.clock;
    });
  }
}

/** The first of these ascending clocks that is not below `from`. */
function firstFrom(clocks: readonly bigint[], from: bigint): bigint | undefined {
  let [low, high] = [0, clocks.length];
  while (low < high) {
    const middle = (low + high) >>> 1;
    if ((clocks[middle] as bigint) < from) low = middle + 1;
    else high = middle;
  }
  return clocks[low];
}
