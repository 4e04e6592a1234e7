/**
 * The account of values: each that was ever written must be there at the end, unless an edit or a delete removed it in a state
 * that had seen it written.
 */
import type { EventName } from "../../src/format/mod.ts";
import { isCovered } from "../support/flat-join.ts";
import type { FlatVector, Nodes } from "../support/flat-tree.ts";
import { commonTokens, type Edit, tokensIn } from "./edit.ts";

export class Ledger {
  readonly #written = new Map<number, EventName[]>();
  readonly #removed = new Map<number, FlatVector[]>();

  /** @param seen What the state after the edit covers, its own event included. */
  note(edit: Edit, event: EventName, seen: FlatVector): void {
    for (const token of edit.written) push(this.#written, token, event);
    for (const token of edit.removed) push(this.#removed, token, seen);
  }

  /** @throws Error when a value is lost. */
  check(nodes: Nodes): void {
    const there = tokensIn(nodes);
    for (const [token, events] of this.#written) {
      if (token <= commonTokens || there.has(token)) continue;
      const removals = this.#removed.get(token) ?? [];
      const lost = events.find((event) => !removals.some((seen) => isCovered(seen, event)));
      if (lost !== undefined) throw new Error(`the value ${token} is lost, and nobody who saw it removed it`);
    }
  }
}

function push<T>(map: Map<number, T[]>, key: number, item: T): void {
  const list = map.get(key);
  if (list === undefined) map.set(key, [item]);
  else list.push(item);
}
