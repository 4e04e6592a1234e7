/**
 * Random entries, contents and names for tests of trees: every kind, every register, every optional part, often at its bounds.
 */
import { compareBytes, toHex, utf8 } from "../../src/base/bytes.ts";
import type { Prng } from "../../src/base/prng.ts";
import {
  buildXattrs,
  type Content,
  type ContentItem,
  compareDots,
  type DatedValue,
  type DirectoryValue,
  type Dot,
  type Entry,
  type EntryKind,
  type EventName,
  emptySummary,
  equalDots,
  kinds,
  limits,
  type Meta,
  nameProblem,
  type Summary,
  type Value,
  type Xattr,
} from "../../src/format/mod.ts";

/** A few events, so that values share them as they do in a real tree. */
export function randomEvents(prng: Prng, count: number): EventName[] {
  const writers = Array.from({ length: 4 }, () => BigInt(prng.int(1, 2 ** 32 - 1)) * 2n ** 31n + 1n);
  return Array.from({ length: count }, () => ({
    clock: prng.chance(0.2) ? BigInt(prng.int(1, 300)) : BigInt(prng.u32()) * 2n ** 32n + BigInt(prng.int(1, 9)),
    writer: prng.pick(writers),
  }));
}

export function randomDot(prng: Prng, events: readonly EventName[], min = 0): Dot {
  const { clock, writer } = prng.pick(events);
  return { clock, writer, counter: prng.chance(0.1) ? 2 ** 32 - 1 : prng.int(min, min + 3) };
}

/** A legal name of random bytes. */
export function randomName(prng: Prng): Uint8Array {
  for (;;) {
    const length = prng.chance(0.05) ? limits.nameBytes : prng.int(1, 12);
    const name = prng.bytes(length).map((byte) => (prng.chance(0.7) ? 97 + (byte % 26) : byte));
    if (nameProblem(name) === undefined) return new Uint8Array(name);
  }
}

/** `count` different legal names, in order. */
export function randomNames(prng: Prng, count: number): Uint8Array[] {
  const names = new Map<string, Uint8Array>();
  while (names.size < count) {
    const name = randomName(prng);
    names.set(toHex(name), name);
  }
  return [...names.values()].sort(compareBytes);
}

export function randomItems(prng: Prng, count: number): ContentItem[] {
  const items: ContentItem[] = [];
  for (let index = 0; index < count; index += 1) {
    const isHole = items.at(-1)?.form !== "hole" && prng.chance(0.2);
    if (isHole) items.push({ form: "hole", length: prng.chance(0.1) ? limits.holeBytes : prng.int(1, 1_000_000) });
    else items.push({ form: "chunk", hash: prng.bytes(32), length: prng.int(1, 262_144) });
  }
  return items;
}

function randomContent(prng: Prng): Content {
  if (prng.chance(0.1)) return { size: prng.int(1, 2 ** 40), list: { level: prng.int(0, 8), hash: prng.bytes(32) } };
  const items = randomItems(prng, prng.chance(0.7) ? 1 : prng.int(0, 8));
  return items.length === 0 ? { size: 0 } : { size: items.reduce((sum, { length }) => sum + length, 0), items };
}

function randomSummary(prng: Prng, events: readonly EventName[]): Summary {
  const byWriter = new Map<bigint, EventName[]>();
  for (const event of prng.chance(0.5) ? events : [prng.pick(events)]) {
    byWriter.set(event.writer, [...(byWriter.get(event.writer) ?? []), event]);
  }
  const rows = [...byWriter.values()].sort((a, b) =>
    (a[0] as EventName).writer < (b[0] as EventName).writer ? -1 : 1,
  );
  const ends = rows.map((row) => row.toSorted((a, b) => (a.clock < b.clock ? -1 : 1)));
  const names = prng.int(1, 1000);
  return {
    names,
    entries: names + prng.int(0, 1000),
    bytes: prng.int(0, 2 ** 50),
    flags: prng.int(0, 31),
    max: ends.map((row) => row.at(-1) as EventName),
    minBirth: ends.slice(0, prng.int(1, ends.length)).map((row) => row[0] as EventName),
  };
}

export function randomDirectory(prng: Prng, events: readonly EventName[]): DirectoryValue {
  if (prng.chance(0.2)) return { kind: kinds.directory, summary: emptySummary };
  return { kind: kinds.directory, top: prng.bytes(32), summary: randomSummary(prng, events) };
}

function randomValue(prng: Prng, events: readonly EventName[], kind: EntryKind): Value {
  if (kind === kinds.file) return { kind, content: randomContent(prng) };
  if (kind === kinds.directory) return randomDirectory(prng, events);
  if (kind === kinds.symlink) return { kind, target: utf8("t".repeat(prng.chance(0.1) ? 4095 : prng.int(1, 20))) };
  if (kind === kinds.fifo || kind === kinds.socket) return { kind };
  return { kind, major: prng.u32(), minor: prng.int(0, 255) };
}

export function randomXattrs(prng: Prng, count: number, valueBytes: number): Xattr[] {
  return randomNames(prng, count).map((name) => ({ name, value: prng.bytes(prng.int(0, valueBytes)) }));
}

function randomMeta(prng: Prng, events: readonly EventName[], kind: EntryKind): Meta {
  const isDirectory = kind === kinds.directory;
  const list = prng.chance(0.2) ? randomXattrs(prng, prng.int(1, 4), prng.chance(0.3) ? 700 : 10) : [];
  const xattrs = buildXattrs(list, () => prng.bytes(32));
  return {
    mode: prng.int(0, 0o7777),
    uid: prng.chance(0.8) ? 1000 : prng.u32(),
    gid: prng.chance(0.8) ? 1000 : prng.u32(),
    atomic: isDirectory && prng.chance(0.2),
    ...(xattrs === undefined ? {} : { xattrs }),
    ...(!isDirectory && prng.chance(0.1) ? { link: randomDot(prng, events, 1) } : {}),
  };
}

/** A legal entry, mostly a file in the state of its birth. */
export function randomEntry(prng: Prng, events: readonly EventName[], name: Uint8Array): Entry {
  const kind = (prng.chance(0.6) ? kinds.file : prng.int(1, 7)) as EntryKind;
  const id = randomDot(prng, events, 1);
  const meta = randomMeta(prng, events, kind);
  const register = (): Dot => {
    const dot = prng.chance(0.8) ? id : randomDot(prng, events);
    return equalDots(dot, id) ? id : dot;
  };
  const isPlain = kind === kinds.fifo || kind === kinds.socket || (kind === kinds.directory && !meta.atomic);
  const dots =
    isPlain || prng.chance(0.7) ? [id] : Array.from({ length: prng.int(1, 4) }, () => randomDot(prng, events));
  const sorted = dots
    .toSorted((a, b) => compareDots(b, a))
    .filter((dot, at, all) => at === 0 || !equalDots(dot, all[at - 1] as Dot));
  const data = sorted.map(
    (dot): DatedValue => ({ dot: equalDots(dot, id) ? id : dot, value: randomValue(prng, events, kind) }),
  );
  return {
    name,
    kind,
    id,
    placeDot: register(),
    metaDot: register(),
    meta,
    mtimeDot: register(),
    mtimeNs:
      (BigInt(prng.u32()) - (prng.chance(0.1) ? 2n ** 31n : 0n)) * 1_000_000_000n + BigInt(prng.int(0, 999_999_999)),
    data: data as [DatedValue, ...DatedValue[]],
  };
}

/** The simplest file: born with all its registers. */
export function plainFile(name: Uint8Array, id: Dot, size = 1): Entry {
  const content: Content = {
    size,
    items: [{ form: "chunk", hash: new Uint8Array(32).fill(id.counter & 255), length: size }],
  };
  return {
    name,
    kind: kinds.file,
    id,
    placeDot: id,
    metaDot: id,
    meta: { mode: 0o644, uid: 1000, gid: 1000, atomic: false },
    mtimeDot: id,
    mtimeNs: 1_700_000_000_000_000_000n,
    data: [{ dot: id, value: { kind: kinds.file, content } }],
  };
}

/** A directory entry with these children, born at `id`. */
export function plainDirectory(name: Uint8Array, id: Dot, value: DirectoryValue): Entry {
  return {
    name,
    kind: kinds.directory,
    id,
    placeDot: id,
    metaDot: id,
    meta: { mode: 0o755, uid: 1000, gid: 1000, atomic: false },
    mtimeDot: id,
    mtimeNs: 1_700_000_000_000_000_000n,
    data: [{ dot: id, value }],
  };
}

/** The same bytes with something changed: bits flipped, a stretch cut out, doubled or overwritten, or the end cut off. */
export function mutate(prng: Prng, bytes: Uint8Array): Uint8Array {
  const at = prng.int(0, Math.max(0, bytes.length - 1));
  const length = prng.int(1, 8);
  switch (prng.int(0, 5)) {
    case 0:
      return bytes.subarray(0, at);
    case 1:
      return Buffer.concat([bytes.subarray(0, at), bytes.subarray(at + length)]);
    case 2:
      return Buffer.concat([bytes.subarray(0, at), bytes.subarray(at, at + length), bytes.subarray(at)]);
    case 3:
      return Buffer.concat([bytes.subarray(0, at), prng.bytes(length), bytes.subarray(at + length)]);
    case 4:
      return Buffer.concat([bytes.subarray(0, at), new Uint8Array(length).fill(0xff), bytes.subarray(at)]);
    default: {
      const copy = new Uint8Array(bytes);
      for (let flips = prng.int(1, 3); flips > 0 && copy.length > 0; flips -= 1) {
        const place = prng.int(0, copy.length - 1);
        copy[place] = (copy[place] as number) ^ (1 << prng.int(0, 7));
      }
      return copy;
    }
  }
}
