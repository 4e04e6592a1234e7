/**
 * Events and dots: who wrote what, and when. Format: doc/format.md, section 2.
 *
 * Decoders share the objects, so that a million entries of one commit hold a handful of them.
 */

/** A writer's id: a random u64, never 0 but in the root's own id. */
export type WriterId = bigint;

/** One commit's worth of edits. */
export interface EventName {
  readonly clock: bigint;
  readonly writer: WriterId;
}

/** One edit within an event; also the id of the node born then. */
export interface Dot extends EventName {
  readonly counter: number;
}

/** The id of every box's root directory. */
export const rootId: Dot = { clock: 0n, writer: 0n, counter: 0 };

/** By clock, then by writer: the order that decides between values. */
export function compareEvents(a: EventName, b: EventName): number {
  if (a.clock !== b.clock) return a.clock < b.clock ? -1 : 1;
  if (a.writer !== b.writer) return a.writer < b.writer ? -1 : 1;
  return 0;
}

/** By clock, writer, then counter: a total order. */
export function compareDots(a: Dot, b: Dot): number {
  return a === b ? 0 : compareEvents(a, b) || a.counter - b.counter;
}

export function equalDots(a: Dot, b: Dot): boolean {
  return a === b || (a.counter === b.counter && a.clock === b.clock && a.writer === b.writer);
}

/** A dot as a key of a Map, and as people see it: "clock-writer-counter" in hex and decimal. */
export function dotKey(dot: Dot): string {
  return `${dot.clock.toString(16)}-${dot.writer.toString(16)}-${dot.counter}`;
}

/** A writer id as 16 hex digits, as in `heads/<writer>`. */
export function writerHex(writer: WriterId): string {
  return writer.toString(16).padStart(16, "0");
}
