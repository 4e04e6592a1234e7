/** Summaries as bytes within a tree node. Format: doc/format.md, 4.4. */
import type { ByteReader, ByteWriter } from "../base/bytes.ts";
import type { EventName } from "./dot.ts";
import type { Summary } from "./entry.ts";
import type { EventCollector, EventReader } from "./event-table.ts";

const flagsMax = 0b11111;

/** Announces the events that `writeSummary` will name. */
export function collectSummaryEvents(events: EventCollector, { max, minBirth }: Summary): void {
  for (const event of max) events.add(event);
  for (const event of minBirth) events.add(event);
}

export function writeSummary(writer: ByteWriter, events: EventCollector, summary: Summary): void {
  writer.varint(summary.names).varint(summary.entries).varint(summary.bytes).u8(summary.flags);
  writeVector(writer, events, summary.max);
  writeVector(writer, events, summary.minBirth);
}

function writeVector(writer: ByteWriter, events: EventCollector, vector: readonly EventName[]): void {
  writer.varint(vector.length);
  for (const event of vector) writer.varint(events.indexOf(event));
}

/** @throws OuroError "corrupt", also where it contradicts itself. */
export function readSummary(reader: ByteReader, events: EventReader): Summary {
  const names = reader.varint(Number.MAX_SAFE_INTEGER, "the number of names");
  const entries = reader.varint(Number.MAX_SAFE_INTEGER, "the number of entries");
  const bytes = reader.varint(Number.MAX_SAFE_INTEGER, "the size below");
  const flags = reader.u8();
  if (flags > flagsMax) throw reader.corrupt(`the flags of a summary are ${flags} (at most ${flagsMax})`);
  if (entries < names) throw reader.corrupt(`a summary has ${names} names and ${entries} entries`);
  const max = events.vector();
  const minBirth = events.vector();
  const isEmpty = names === 0;
  if (isEmpty !== (minBirth.length === 0) || (isEmpty && (entries > 0 || bytes > 0 || flags > 0 || max.length > 0))) {
    throw reader.corrupt("a summary contradicts itself");
  }
  requireBelow(reader, minBirth, max);
  return { names, entries, bytes, flags, max, minBirth };
}

/** Who made something below has a greatest clock, too. */
function requireBelow(reader: ByteReader, minBirth: readonly EventName[], max: readonly EventName[]): void {
  let at = 0;
  for (const { writer, clock } of minBirth) {
    while (at < max.length && (max[at] as EventName).writer < writer) at += 1;
    const greatest = max[at];
    if (greatest === undefined || greatest.writer !== writer || greatest.clock < clock) {
      throw reader.corrupt("a summary contradicts itself");
    }
  }
}
