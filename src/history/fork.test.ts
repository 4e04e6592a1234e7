import assert from "node:assert/strict";
import { test } from "node:test";
import { isKind } from "../base/errors.ts";
import { getHasher, type VersionVector } from "../format/mod.ts";
import { type ChainLink, type ForkOptions, findForks } from "./fork.ts";

const hasher = getHasher("blake3");
const writer = 7n;

/** Chains of events of one writer: "1a 2b" is an event of clock 1 and, after it, one of clock 2; the letters tell them apart. */
class Chains {
  readonly #links = new Map<string, ChainLink>();
  readonly options: ForkOptions = { hasher, findEvent: ({ clock, event }) => this.#links.get(`${clock} ${event[0]}`) };

  vector(chain: string): VersionVector {
    let last: ChainLink | undefined;
    for (const name of chain.split(" ")) {
      const clock = BigInt(Number.parseInt(name, 10));
      const id = new Uint8Array(32).fill(name.charCodeAt(name.length - 1));
      last = { clock, id, ...(last === undefined ? {} : { previous: last }) };
      this.#links.set(`${clock} ${id[0]}`, last);
    }
    return last === undefined ? [] : [{ writer, clock: last.clock, event: last.id.subarray(0, 8) }];
  }
}

test("a chain that goes on where the other ends is no fork", () => {
  const chains = new Chains();
  const [one, two] = [chains.vector("1a 2b"), chains.vector("1a 2b 3c 4d")];
  assert.deepEqual([findForks(one, two, chains.options), findForks(two, one, chains.options)], [[], []]);
  assert.deepEqual(findForks(two, two, chains.options), []);
  assert.deepEqual(findForks(one, [], chains.options), []);
});

test("of two branches the one whose first event is smaller keeps the writer's id, whoever asks", () => {
  const chains = new Chains();
  const [one, two] = [chains.vector("1a 2b 9c"), chains.vector("1a 3d 4e 5f")];
  const [fork] = findForks(one, two, chains.options);
  const [same] = findForks(two, one, chains.options);
  assert.deepEqual([fork?.side, fork?.common?.clock, same?.side, same?.to], ["b", 1n, "a", fork?.to]);
});

test("branches of one clock are told apart by their ids, and a fork may have no event before it", () => {
  const chains = new Chains();
  const [fork] = findForks(chains.vector("1b 2c"), chains.vector("1a"), chains.options);
  assert.deepEqual([fork?.side, fork?.common, fork?.writer], ["a", undefined, writer]);
});

test("a branch's writer follows from its first event alone, so that three branches get the same ids in any order", () => {
  const chains = new Chains();
  const [x, y, z] = [chains.vector("1a 2b"), chains.vector("1a 3c 4d"), chains.vector("1a 3c 5e")];
  const yOfX = findForks(x, y, chains.options)[0]?.to;
  const zOfX = findForks(x, z, chains.options)[0]?.to;
  const zOfY = findForks(y, z, chains.options)[0]?.to;
  assert.equal(yOfX, zOfX);
  const renamed = [y, z].map((vector) => vector.map((entry) => ({ ...entry, writer: yOfX as bigint })));
  const [again] = findForks(renamed[0] as VersionVector, renamed[1] as VersionVector, chains.options);
  assert.deepEqual([again?.side, again?.to], ["b", zOfY]);
});

test("where an event's commit is not there, nothing is said", () => {
  const chains = new Chains();
  const one = chains.vector("1a 2b");
  const two = [{ writer, clock: 3n, event: new Uint8Array(8).fill(200) }];
  assert.throws(
    () => findForks(one, two, chains.options),
    (error) => isKind(error, "not-found"),
  );
});
