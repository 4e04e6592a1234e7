/**
 * Mends of names: of several nodes under one name one keeps it (rules M5 and M6 of doc/merge.md), and no register has more values
 * than its limit.
 */
import { compareBytes, utf8 } from "../base/bytes.ts";
import {
  compareDots,
  compareEvents,
  type DatedValue,
  type Dot,
  type Entry,
  kinds,
  limits,
  nameProblem,
  writerHex,
} from "../format/mod.ts";
import { bornData, copyValue } from "./copy-subtree.ts";
import { plainDirectory, type Values, valuesOf } from "./join-registers.ts";
import { type Clash, JoinNode, type JoinResult } from "./join-result.ts";
import type { MendTools } from "./mend-event.ts";
import { equalValues } from "./mend-values.ts";

/** M5 and M6. @returns Whether anything was mended. */
export function separateNames(result: JoinResult, tools: MendTools): boolean {
  const clashes = result.takeClashes();
  clashes.sort((x, y) => compareDots(x.directory.id, y.directory.id) || compareBytes(x.name, y.name));
  for (const clash of clashes) separate(result, clash, tools);
  return clashes.length > 0;
}

function separate(result: JoinResult, clash: Clash, tools: MendTools): void {
  const at = (): JoinNode[] => result.at(clash).toSorted((x, y) => compareDots(x.id, y.id));
  mergeDirectories(result, at().filter(isDirectory), tools);
  for (const kind of Object.values(kinds)) {
    mergeLeaves(
      result,
      at().filter((node) => node.entry.kind === kind && !isDirectory(node)),
      tools,
    );
  }
  const rest = at();
  const keeper = rest.find(isDirectory) ?? rest[0];
  for (const node of rest) {
    if (node === keeper) continue;
    const name = freeName(result, node.id, clash.directory, node.entry.name);
    result.place(node, clash.directory, { ...node.entry, name, placeDot: tools.mend.dot(0) });
    tools.mend.note("name", node.entry);
  }
}

function isDirectory({ entry }: JoinNode): boolean {
  return plainDirectory(entry) !== undefined;
}

/** Directories by id: the first keeps the name and takes in what is in the others. */
function mergeDirectories(result: JoinResult, [winner, ...losers]: readonly JoinNode[], { mend }: MendTools): void {
  if (winner === undefined) return;
  for (const loser of losers) {
    for (const child of result.allChildren(loser))
      result.place(child, winner, { ...child.entry, placeDot: mend.dot(0) });
    result.remove(loser);
    mend.dot(0);
    mend.note("directories", loser.entry);
  }
}

/** A value that a mend dates. */
interface Foreign {
  /** Its dot says how late it is. */
  readonly each: DatedValue;
  /** Of the node that has it. */
  readonly id: Dot;
  /** The winner's value that looks the same, and is dated again instead. */
  readonly own?: DatedValue;
}

function laterOf(own: DatedValue, winner: JoinNode, each: DatedValue, other: JoinNode): Foreign {
  const isLater = compareDots(each.dot, own.dot) > 0;
  return { each: isLater ? each : own, id: isLater ? other.id : winner.id, own };
}

/** Leaves of one kind by id: the first takes in the values of the others, as long as there is room. */
function mergeLeaves(result: JoinResult, [winner, ...others]: readonly JoinNode[], tools: MendTools): void {
  if (winner === undefined || others.length === 0) return;
  const { mend, options, rules } = tools;
  const merged = [winner];
  let kept = valuesOf(winner.entry);
  const dated: Foreign[] = [];
  for (const other of others) {
    const added: Foreign[] = [];
    const again: Foreign[] = [];
    for (const each of valuesOf(other.entry)) {
      const isEqual = ({ value }: DatedValue): boolean => equalValues(options.reader, value, each.value);
      if ([...dated, ...added, ...again].some((one) => isEqual(one.own ?? one.each))) continue;
      const own = kept.find(isEqual);
      if (own === undefined) added.push({ each, id: other.id });
      // One edit wrote both: who has seen the one has seen the other.
      else if (compareEvents(own.dot, each.dot) !== 0) again.push(laterOf(own, winner, each, other));
    }
    if (kept.length + dated.length + added.length > rules.valuesMax) continue;
    kept = kept.filter((each) => !again.some(({ own }) => own === each));
    dated.push(...added, ...again);
    merged.push(other);
    result.remove(other);
    mend.note("leaves", other.entry);
  }
  if (merged.length === 1) return;
  dated.sort((x, y) => compareDots(x.each.dot, y.each.dot) || compareDots(x.id, y.id));
  let data: Values = kept;
  for (const { each, own } of dated)
    data = [
      { dot: mend.nextDot(data), value: own === undefined ? copyValue(each.value, options) : own.value },
      ...data,
    ];
  const meta = latest(merged, ({ metaDot }) => metaDot);
  const mtime = latest(merged, ({ mtimeDot }) => mtimeDot);
  const dot = mend.dot(0);
  const [first = winner.entry.data[0], ...rest] = data;
  winner.entry = {
    ...winner.entry,
    data: [first, ...rest],
    meta: meta.entry.meta,
    metaDot: meta === winner ? winner.entry.metaDot : dot,
    mtimeNs: mtime.entry.mtimeNs,
    mtimeDot: mtime === winner && dated.length === 0 ? winner.entry.mtimeDot : dot,
  };
}

function latest(nodes: readonly JoinNode[], dotOf: (entry: Entry) => Dot): JoinNode {
  return nodes.reduce((best, each) => (compareDots(dotOf(each.entry), dotOf(best.entry)) > 0 ? each : best));
}

/** Equal values once, then the oldest go to a node of their own, where a register has too many. @returns Whether anything was mended. */
export function splitLongRegisters(result: JoinResult, tools: MendTools): boolean {
  const { mend, options, rules } = tools;
  const long = [...result.nodes.values()].filter((node) => node.isKept && node.entry.data.length > rules.valuesMax);
  for (const node of long.sort((x, y) => compareDots(x.id, y.id))) {
    const data: DatedValue[] = [];
    for (const each of node.entry.data)
      if (!data.some(({ value }) => equalValues(options.reader, value, each.value))) data.push(each);
    const { entry } = node;
    node.entry = { ...entry, data: data.slice(0, rules.valuesMax) as [DatedValue, ...DatedValue[]] };
    mend.dot(0);
    mend.note("values", entry);
    for (let at = rules.valuesMax; at < data.length; at += rules.valuesMax) {
      const values = data.slice(at, at + rules.valuesMax) as [DatedValue, ...DatedValue[]];
      bear(result, node, entry, values, tools);
    }
  }
  return long.length > 0;
}

/** Makes a node beside another, with the looks of `entry` and these values. */
export function bear(
  result: JoinResult,
  beside: JoinNode,
  entry: Entry,
  values: readonly [DatedValue, ...DatedValue[]],
  { mend, options }: MendTools,
): void {
  const id = mend.take(values.length);
  const data = bornData(values, id, (value) => copyValue(value, options));
  const parent = beside.parent as JoinNode;
  const name = freeName(result, beside.id, parent, entry.name);
  const born: Entry = { ...entry, id, name, placeDot: id, metaDot: id, mtimeDot: id, data };
  result.place(new JoinNode(born), parent, born);
}

/** M6: the name with the writer of the node's birth, and a number where that is taken, too. */
function freeName(result: JoinResult, id: Dot, directory: JoinNode, name: Uint8Array): Uint8Array {
  for (let count = 1; ; count += 1) {
    const found = withEnding(name, utf8(`~${writerHex(id.writer)}${count === 1 ? "" : `~${count}`}`));
    if (nameProblem(found) === undefined && result.isFree(directory, found)) return found;
  }
}

/** A name with an ending, cut between characters where it would be too long. */
function withEnding(name: Uint8Array, ending: Uint8Array): Uint8Array {
  let end = Math.min(name.length, limits.nameBytes - ending.length);
  if (end < name.length) while (end > 0 && ((name[end] as number) & 0xc0) === 0x80) end -= 1;
  const made = new Uint8Array(end + ending.length);
  made.set(name.subarray(0, end));
  made.set(ending, end);
  return made;
}
