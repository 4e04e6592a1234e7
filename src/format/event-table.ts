/**
 * The tables of writers and events at the head of a tree node, to which its dots refer by index.
 * Format: doc/format.md, 4.2.
 *
 * Bigints are touched once per event, not once per dot: decoded dots share their clocks and writers.
 */
import type { ByteReader, ByteWriter } from "../base/bytes.ts";
import { clockMax } from "../base/clock.ts";
import { compareEvents, type Dot, type EventName, rootId, type WriterId } from "./dot.ts";

const writersMax = 2 ** 16;
const eventsMax = 2 ** 20;
const counterMax = 2 ** 32 - 1;

interface Row extends EventName {
  index: number;
  /** Another row of the same clock. */
  readonly next: Row | undefined;
}

/** Collects the events of a node, then gives each its index. */
export class EventCollector {
  readonly #byClock = new Map<bigint, Row>();
  #rows: Row[] = [];
  #last: Row | undefined;

  add(event: EventName): void {
    const last = this.#last;
    if (last !== undefined && last.clock === event.clock && last.writer === event.writer) return;
    this.#last = this.#find(event) ?? this.#insert(event);
  }

  /** Sorts the rows and writes both tables. Nothing may be added afterwards. */
  write(writer: ByteWriter): void {
    const ids = [...new Set(this.#rows.map((row) => row.writer))].sort((a, b) => (a < b ? -1 : 1));
    const indexOf = new Map(ids.map((id, index) => [id, index]));
    this.#rows.sort(compareEvents);
    writer.varint(ids.length);
    for (const id of ids) writer.u64(id);
    writer.varint(this.#rows.length);
    let clock = 0n;
    for (const [index, row] of this.#rows.entries()) {
      row.index = index;
      writer.varint64(row.clock - clock).varint(indexOf.get(row.writer) as number);
      clock = row.clock;
    }
  }

  /** The index of an event that was added, once the tables are written. */
  indexOf(event: EventName): number {
    const last = this.#last;
    if (last !== undefined && last.clock === event.clock && last.writer === event.writer) return last.index;
    const row = this.#find(event) as Row;
    this.#last = row;
    return row.index;
  }

  #find(event: EventName): Row | undefined {
    let row = this.#byClock.get(event.clock);
    while (row !== undefined && row.writer !== event.writer) row = row.next;
    return row;
  }

  #insert({ clock, writer }: EventName): Row {
    const row = { clock, writer, index: -1, next: this.#byClock.get(clock) };
    this.#byClock.set(clock, row);
    this.#rows.push(row);
    return row;
  }
}

/** The tables of a node being read. Knows at the end whether every row was used. */
export class EventReader {
  readonly #reader: ByteReader;
  readonly #events: EventName[] = [];
  readonly #isUsed: Uint8Array;
  /** Per event its dot of counter 0, the one that most edits have. */
  readonly #zeroDots: (Dot | undefined)[] = [];

  /** @param options.isRoot Whether the event (0, 0) is legal. */
  constructor(reader: ByteReader, options: { readonly isRoot: boolean }) {
    this.#reader = reader;
    const writers = readWriters(reader, options.isRoot);
    const isWriterUsed = new Uint8Array(writers.length);
    const count = boundedCount(reader, eventsMax, 2, "events");
    let clock = 0n;
    let before = -1;
    for (let index = 0; index < count; index += 1) {
      const difference = reader.varint64("a clock");
      clock += difference;
      if (clock > clockMax) throw reader.corrupt("a clock has more than 64 bits");
      const row = reader.varint(writersMax, "the index of a writer");
      const writer = writers[row];
      if (writer === undefined) throw reader.corrupt(`an event names writer ${row} of ${writers.length}`);
      if (index > 0 && difference === 0n && row <= before) throw reader.corrupt("events are not in order");
      if ((clock === 0n) !== (writer === 0n)) throw reader.corrupt("an event has no clock or no writer");
      before = row;
      isWriterUsed[row] = 1;
      this.#events.push({ clock, writer });
    }
    if (isWriterUsed.includes(0)) throw reader.corrupt("a row of its table of writers is not used");
    this.#isUsed = new Uint8Array(count);
  }

  event(): EventName {
    const index = this.#reader.varint(eventsMax, "the index of an event");
    const event = this.#events[index];
    if (event === undefined) throw this.#reader.corrupt(`it names event ${index} of ${this.#events.length}`);
    this.#isUsed[index] = 1;
    return event;
  }

  dot(): Dot {
    const index = this.#reader.varint(eventsMax, "the index of an event");
    const event = this.#events[index];
    if (event === undefined) throw this.#reader.corrupt(`it names event ${index} of ${this.#events.length}`);
    this.#isUsed[index] = 1;
    const counter = this.#reader.varint(counterMax, "a counter");
    if (counter !== 0) {
      if (event.writer === 0n) throw this.#reader.corrupt("a dot has no writer");
      return { clock: event.clock, writer: event.writer, counter };
    }
    let dot = this.#zeroDots[index];
    if (dot === undefined) {
      dot = event.writer === 0n ? rootId : { clock: event.clock, writer: event.writer, counter };
      this.#zeroDots[index] = dot;
    }
    return dot;
  }

  /** Ascending by writer, each once. */
  vector(): EventName[] {
    const count = boundedCount(this.#reader, writersMax, 1, "writers");
    const vector: EventName[] = [];
    let before = 0n;
    for (let index = 0; index < count; index += 1) {
      const event = this.event();
      if (event.writer <= before) throw this.#reader.corrupt("a vector is not in order");
      before = event.writer;
      vector.push(event);
    }
    return vector;
  }

  /** @throws OuroError "corrupt" unless every event was used. */
  end(): void {
    if (this.#isUsed.includes(0)) throw this.#reader.corrupt("a row of its table of events is not used");
  }
}

function readWriters(reader: ByteReader, isRoot: boolean): WriterId[] {
  const count = boundedCount(reader, writersMax, 8, "writers");
  const writers: WriterId[] = [];
  let before = isRoot ? -1n : 0n;
  for (let index = 0; index < count; index += 1) {
    const writer = reader.u64();
    if (writer <= before) throw reader.corrupt("its table of writers is not in order");
    before = writer;
    writers.push(writer);
  }
  return writers;
}

/** A count of things of at least `size` bytes each, which must have room in what is left. */
function boundedCount(reader: ByteReader, max: number, size: number, what: string): number {
  const count = reader.varint(max, `the number of ${what}`);
  if (count * size > reader.remaining) throw reader.corrupt(`it announces ${count} ${what}, more than it has room for`);
  return count;
}
