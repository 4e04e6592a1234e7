/**
 * Summaries: what a directory's entry and a reference say of what is below them. Format: doc/format.md, 4.4.
 *
 * A function of the entries below alone: however they are grouped, the summary is the same. The vectors let a join keep or
 * drop a subtree without opening it (doc/merge.md, T1 to T5). Sums stop at 2^53 - 1.
 */
import type { EventName, WriterId } from "./dot.ts";
import { type Entry, kinds, type Reference, type Summary, summaryFlags } from "./entry.ts";

/** Of an empty directory. */
export const emptySummary: Summary = { names: 0, entries: 0, bytes: 0, flags: 0, max: [], minBirth: [] };

/** Of a directory or a node with these entries. */
export function summarizeEntries(entries: readonly Entry[]): Summary {
  const sum = new Sum();
  for (const entry of entries) sum.addEntry(entry);
  return sum.finish();
}

/** Of what these references of one directory refer to, together. */
export function summarizeReferences(references: readonly Reference[]): Summary {
  const sum = new Sum();
  for (const { summary } of references) {
    sum.names += summary.names;
    sum.addBelow(summary, true);
  }
  return sum.finish();
}

class Sum {
  names = 0;
  #entries = 0;
  #bytes = 0;
  #flags = 0;
  readonly #max = new Extremes(true);
  readonly #minBirth = new Extremes(false);

  addEntry(entry: Entry): void {
    const { id, meta, data } = entry;
    this.names += 1;
    this.#entries += 1;
    this.#minBirth.add(id);
    this.#max.add(id);
    if (entry.placeDot !== id) this.#max.add(entry.placeDot);
    if (entry.metaDot !== id) this.#max.add(entry.metaDot);
    if (entry.mtimeDot !== id) this.#max.add(entry.mtimeDot);
    if (meta.xattrs !== undefined) this.#flags |= summaryFlags.xattrs;
    if (meta.atomic) this.#flags |= summaryFlags.atomics;
    if (meta.link !== undefined) {
      this.#flags |= summaryFlags.links;
      this.#max.add(meta.link);
    }
    if (entry.kind >= kinds.fifo) this.#flags |= summaryFlags.specials;
    if (data.length > 1) this.#flags |= summaryFlags.conflicts;
    for (let index = 0; index < data.length; index += 1) {
      const { dot, value } = data[index] as Entry["data"][0];
      if (dot !== id) this.#max.add(dot);
      if (value.kind === kinds.directory) this.addBelow(value.summary, index === 0);
      else if (value.kind === kinds.file && index === 0) this.#bytes = capped(this.#bytes + value.content.size);
    }
  }

  /** @param isCounted Whether it is what the directory shows, not another value of it. */
  addBelow(summary: Summary, isCounted: boolean): void {
    if (isCounted) {
      this.#entries = capped(this.#entries + summary.entries);
      this.#bytes = capped(this.#bytes + summary.bytes);
    }
    this.#flags |= summary.flags;
    for (const event of summary.max) this.#max.add(event);
    for (const event of summary.minBirth) this.#minBirth.add(event);
  }

  finish(): Summary {
    const { names } = this;
    const [max, minBirth] = [this.#max.finish(), this.#minBirth.finish()];
    return { names: capped(names), entries: this.#entries, bytes: this.#bytes, flags: this.#flags, max, minBirth };
  }
}

function capped(sum: number): number {
  return Math.min(sum, Number.MAX_SAFE_INTEGER);
}

/** Per writer the greatest clock of those added, or the smallest. */
class Extremes {
  readonly #wantsGreatest: boolean;
  readonly #rows = new Map<WriterId, { writer: WriterId; clock: bigint }>();
  #last: { writer: WriterId; clock: bigint } | undefined;

  constructor(wantsGreatest: boolean) {
    this.#wantsGreatest = wantsGreatest;
  }

  add({ writer, clock }: EventName): void {
    let row = this.#last;
    if (row === undefined || row.writer !== writer) {
      row = this.#rows.get(writer);
      if (row === undefined) {
        row = { writer, clock };
        this.#rows.set(writer, row);
      }
      this.#last = row;
    }
    if (row.clock === clock) return;
    if (this.#wantsGreatest ? clock > row.clock : clock < row.clock) row.clock = clock;
  }

  finish(): EventName[] {
    const rows = [...this.#rows.values()].map(({ clock, writer }) => ({ clock, writer }));
    return rows.sort((a, b) => (a.writer < b.writer ? -1 : 1));
  }
}
