/**
 * The one event of a join's mends: it exists from the first mend on, and all that they write carries its dots. What was mended is
 * noted for people.
 */
import { compareEvents, type DatedValue, type Dot, type Entry, type EventName } from "../format/mod.ts";
import type { Births, CopyOptions } from "./copy-subtree.ts";
import type { Values } from "./join-registers.ts";
import type { JoinRules } from "./join-rules.ts";

/** What a mend did to a node: see doc/merge.md. */
export type MendKind = "kept" | "parent" | "cycle" | "unit" | "values" | "directories" | "leaves" | "name";

export interface Mend {
  readonly kind: MendKind;
  readonly id: Dot;
  /** The node's name afterwards; of one that was merged into another, its last. */
  readonly name: Uint8Array;
}

export class MendEvent implements Births {
  readonly #make: () => EventName;
  readonly mends: Mend[] = [];
  #event: EventName | undefined;
  #zero: Dot | undefined;
  #births: number;

  /** @param births How many nodes the event has made already. */
  constructor(make: () => EventName, births: number) {
    this.#make = make;
    this.#births = births;
  }

  /** Undefined as long as nothing was mended. */
  get event(): EventName | undefined {
    return this.#event;
  }

  get births(): number {
    return this.#births;
  }

  note(kind: MendKind, { id, name }: Entry): void {
    this.mends.push({ kind, id, name });
  }

  dot(counter: number): Dot {
    this.#event ??= this.#make();
    if (counter === 0) {
      this.#zero ??= { ...this.#event, counter };
      return this.#zero;
    }
    return { ...this.#event, counter };
  }

  take(count: number): Dot {
    const first = this.#births + 1;
    this.#births += count;
    return this.dot(first);
  }

  /** The dot for one more value of a register, above all that it has. */
  nextDot(values: Values): Dot {
    const event = this.dot(0);
    let counter = 0;
    for (const { dot } of values) if (compareEvents(dot, event) === 0) counter = Math.max(counter, dot.counter + 1);
    return this.dot(counter);
  }

  /** All registers, dated again. @param data Its values, greatest dot first; of what has no data register, as it is. */
  redate(
    entry: Entry,
    data: Entry["data"],
    options: { readonly hasData: boolean; readonly onlyPlace: boolean },
  ): Entry {
    const dot = this.dot(0);
    if (options.onlyPlace) return { ...entry, placeDot: dot, data };
    const [first, ...rest] = data;
    const date = ({ value }: DatedValue, at: number): DatedValue => ({ dot: this.dot(data.length - 1 - at), value });
    const dated: Entry["data"] = [date(first, 0), ...rest.map((each, at) => date(each, at + 1))];
    return { ...entry, placeDot: dot, metaDot: dot, mtimeDot: dot, data: options.hasData ? dated : data };
  }
}

/** What every mend needs at hand. */
export interface MendTools {
  readonly mend: MendEvent;
  readonly options: CopyOptions;
  readonly rules: JoinRules;
}
