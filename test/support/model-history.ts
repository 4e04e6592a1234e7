/** A history in memory, for tests: commits of model trees, signed by a toy that is quick and notices every change. */
import { concatBytes, equalBytes } from "../../src/base/bytes.ts";
import {
  type EventName,
  fullVector,
  getHasher,
  type Hash,
  joinVectors,
  type NamedCommit,
  type VersionVector,
} from "../../src/format/mod.ts";
import { type CommitKeys, CommitReader, makeEventCommit, nextEvent, putCommit } from "../../src/history/mod.ts";
import { MemoryMeta } from "./memory-meta.ts";
import type { ModelTree } from "./model-tree.ts";

export const testBox: Uint8Array = new Uint8Array(16).fill(0xb0);
const peer = new Uint8Array(32).fill(0x9e);
const hasher = getHasher("blake3");

function toySign(message: Uint8Array): Uint8Array {
  const hash = hasher.hash(concatBytes([peer, message]));
  return concatBytes([hash, hash]);
}

export const testKeys: CommitKeys = {
  hasher,
  box: testBox,
  verify: (key, message, signature) => equalBytes(key, peer) && equalBytes(signature, toySign(message)),
};

export interface CommitOptions {
  readonly writer?: bigint;
  readonly parents?: readonly NamedCommit[];
  readonly timeMs?: number;
  readonly message?: string;
}

export class ModelHistory {
  readonly meta: MemoryMeta = new MemoryMeta();
  readonly #last = new Map<bigint, NamedCommit>();
  #nowMs = 1_700_000_000_000;

  /** A reader that knows nothing yet. */
  reader(): CommitReader {
    return new CommitReader(this.meta, testKeys);
  }

  /** Commits a tree on its parents: by default the writer's last commit. */
  commit(tree: ModelTree | Hash, options: CommitOptions = {}): NamedCommit {
    const writer = options.writer ?? 1n;
    this.#nowMs += 60_000;
    const timeMs = options.timeMs ?? this.#nowMs;
    const last = this.#last.get(writer);
    const parents = options.parents ?? (last === undefined ? [] : [last]);
    const seen = parents.reduce((vector: VersionVector, each) => joinVectors(vector, fullVector(each)), []);
    const lastEvent = last?.commit.type === "event" ? { clock: last.commit.clock, id: last.id } : undefined;
    const event: EventName = nextEvent({
      writer,
      nowMs: timeMs,
      seen,
      ...(lastEvent === undefined ? {} : { last: lastEvent }),
    });
    const made = makeEventCommit(
      {
        ...event,
        box: testBox,
        tree: tree instanceof Uint8Array ? tree : tree.build(this.meta),
        seen,
        parents: parents.map(({ id }) => id),
        ...(lastEvent === undefined ? {} : { previous: lastEvent }),
        peer,
        timeMs,
        flags: 0,
        author: "Ada",
        message: options.message ?? "",
      },
      { hasher, sign: toySign },
    );
    putCommit(this.meta, made);
    this.#last.set(writer, made);
    return made;
  }
}
