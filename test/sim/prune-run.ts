/**
 * A run of chance: several writers commit, forget, fetch and push, several machines prune, all on one remote and one operation at a time, in an order made from the
 * seed. Between any two operations of one a day or two may go by for the others, or its process may die there. Some writers never come back.
 *
 * Where a run ends, every head is whole in what its writer keeps; and when no more is written, what is not needed is soon gone.
 */
import assert from "node:assert/strict";
import { setImmediate } from "node:timers/promises";
import { isKind } from "../../src/base/errors.ts";
import { Prng } from "../../src/base/prng.ts";
import { compareVectors, fullVector } from "../../src/format/mod.ts";
import type { Files, TestBox } from "../support/sync-box.ts";
import { collect, dayMs, died, forgetOlder, type Hooks, hourMs, PruneWorld } from "./prune-world.ts";

/** So many turns of the event loop, and whoever had a turn stands still again: nothing here waits for anything but its next turn. */
const turnsToRest = 8;
const operationsMax = 20_000;

interface Waiting {
  readonly atMs: number;
  readonly go: () => void;
}

/** Who may go on next, one at a time. */
class Schedule {
  readonly #world: PruneWorld;
  readonly #prng: Prng;
  readonly #waiting: Waiting[] = [];
  #running = 0;

  constructor(world: PruneWorld, prng: Prng) {
    this.#world = world;
    this.#prng = prng;
  }

  start(body: () => Promise<void>): Promise<void> {
    this.#running += 1;
    return this.turn(0)
      .then(body)
      .finally(() => {
        this.#running -= 1;
      });
  }

  turn(delayMs: number): Promise<void> {
    return new Promise((resolve) => this.#waiting.push({ atMs: this.#world.nowMs + delayMs, go: resolve }));
  }

  async run(): Promise<void> {
    for (let operations = 0; this.#running > 0; operations += 1) {
      assert.ok(operations < operationsMax, "it does not end");
      for (let turns = 0; turns < turnsToRest; turns += 1) await setImmediate();
      const next = Math.min(...this.#waiting.map(({ atMs }) => atMs));
      if (next === Number.POSITIVE_INFINITY) continue;
      if (next > this.#world.nowMs) this.#world.nowMs = next;
      const ready = this.#waiting.filter(({ atMs }) => atMs <= this.#world.nowMs);
      const chosen = this.#prng.pick(ready);
      this.#waiting.splice(this.#waiting.indexOf(chosen), 1);
      this.#world.nowMs += this.#prng.int(1, 60_000);
      chosen.go();
    }
  }
}

export interface PruneRunCounts {
  pushes: number;
  prunes: number;
  stalls: number;
  deaths: number;
  condemned: number;
  deleted: number;
  rescuedOrMerged: number;
  retired: number;
}

/** @returns What happened, so that a test can see that there was something. */
export async function playPruneRun(prng: Prng): Promise<PruneRunCounts> {
  using world = new PruneWorld(prng.chance(0.5) ? "plain" : "aes-256-gcm", new Prng(prng.u32()));
  const run = new Run(world, prng);
  await run.play();
  return run.counts;
}

class Run {
  readonly counts: PruneRunCounts = {
    ...{ pushes: 0, prunes: 0, stalls: 0, deaths: 0, condemned: 0, deleted: 0, rescuedOrMerged: 0, retired: 0 },
  };
  readonly #world: PruneWorld;
  readonly #prng: Prng;
  readonly #schedule: Schedule;
  readonly #pool: readonly Uint8Array[];
  /** Those that come back. */
  readonly #living: TestBox[] = [];

  constructor(world: PruneWorld, prng: Prng) {
    this.#world = world;
    this.#prng = prng;
    this.#schedule = new Schedule(world, prng);
    this.#pool = Array.from({ length: 8 }, () => prng.bytes(prng.int(2000, 9000)));
  }

  async play(): Promise<void> {
    const world = this.#world;
    const writers = Array.from({ length: this.#prng.int(2, 3) }, (_, at) => world.box(BigInt(at + 1)));
    const pruners = Array.from({ length: this.#prng.int(1, 2) }, () => world.box());
    for (const [at, box] of writers.entries()) {
      await box.init(world.remote());
      // A first push is waited for as long as packs are condemned at least, and no longer: it is not cut off here.
      await box.fetch(world.remote());
      if (at > 0 && this.#prng.chance(0.6)) box.adopt(this.#prng.pick(box.state.remoteHeads()).commit);
      await box.commit(this.#files());
      await box.push(world.remote());
    }
    const actors = [
      ...writers.map((box, at) =>
        this.#schedule.start(() => this.#write(box, { vanishes: at === writers.length - 1 })),
      ),
      ...pruners.map((box) => this.#schedule.start(() => this.#pruneOften(box))),
    ];
    const ended = Promise.allSettled(actors);
    await this.#schedule.run();
    for (const each of await ended) if (each.status === "rejected") throw each.reason;
    for (const box of this.#living) await box.push(world.remote());
    assert.deepEqual(await world.damage(), []);
    await this.#rest(pruners[0] as TestBox);
  }

  #files(): Files {
    const files: Record<string, Uint8Array> = {};
    for (let left = this.#prng.int(1, 3); left > 0; left -= 1) files[`f${left}`] = this.#prng.pick(this.#pool);
    return { ...files, small: `${this.#world.nowMs}` };
  }

  /** A process: it may stand still between two operations, or die. */
  #process(): Hooks {
    let isDead = false;
    const hook = async (): Promise<void> => {
      if (isDead) throw died();
      const isStall = this.#prng.chance(0.01);
      if (isStall) this.counts.stalls += 1;
      await this.#schedule.turn(isStall ? this.#prng.int(hourMs, 2 * dayMs) : 0);
      if (!this.#prng.chance(0.004)) return;
      this.counts.deaths += 1;
      isDead = true;
      throw died();
    };
    return { before: hook, after: () => (this.#prng.chance(0.002) ? hook() : undefined) };
  }

  async #attempt(body: () => Promise<unknown>, ...kinds: readonly string[]): Promise<void> {
    try {
      await body();
    } catch (thrown) {
      if (!isKind(thrown) || !["offline", "stale", ...kinds].includes(thrown.kind)) throw thrown;
    }
  }

  async #write(box: TestBox, { vanishes }: { readonly vanishes: boolean }): Promise<void> {
    const steps = this.#prng.int(8, 16);
    for (let step = 0; step < steps; step += 1) {
      await this.#schedule.turn(this.#prng.int(0, 10 * hourMs));
      await box.commit(this.#files());
      if (this.#prng.chance(0.3)) await this.#attempt(() => this.#fetch(box));
      if (this.#prng.chance(0.5)) forgetOlder(box, this.#prng.int(1, 3));
      if (this.#prng.chance(0.2)) await collect(box);
      if (!vanishes && this.#prng.chance(0.05)) await this.#schedule.turn(6 * dayMs);
      await this.#attempt(() => box.push(this.#world.remote(this.#process())));
      this.counts.pushes += 1;
    }
    if (!vanishes) this.#living.push(box);
  }

  async #fetch(box: TestBox): Promise<void> {
    await box.fetch(this.#world.remote(this.#process()));
    const own = box.state.head();
    if (own === undefined) return;
    const vector = fullVector(box.commits.read(own.commit));
    const ahead = box.state
      .remoteHeads()
      .find(({ commit }) => compareVectors(fullVector(box.commits.read(commit)), vector) === "after");
    if (ahead !== undefined) box.adopt(ahead.commit);
  }

  async #pruneOften(box: TestBox): Promise<void> {
    for (let left = this.#prng.int(6, 14); left > 0; left -= 1) {
      await this.#schedule.turn(this.#prng.int(hourMs, 12 * hourMs));
      await this.#attempt(async () => {
        const { condemned, deleted, written, retired } = await this.#world.prune(box, { hooks: this.#process() });
        this.counts.condemned += condemned;
        this.counts.deleted += deleted;
        this.counts.rescuedOrMerged += written;
        this.counts.retired += retired.length;
      });
      this.counts.prunes += 1;
    }
  }

  /** When no more is written but what is needed to see that everybody is there, waste goes. */
  async #rest(pruner: TestBox): Promise<void> {
    const world = this.#world;
    for (let round = 0; round < 4; round += 1) {
      world.wait(2 * dayMs);
      for (const box of this.#living) {
        await box.commit({ small: `${round}` });
        forgetOlder(box);
        await box.push(world.remote());
      }
      const { deleted, retired } = await world.prune(pruner);
      this.counts.deleted += deleted;
      this.counts.retired += retired.length;
    }
    assert.deepEqual(await world.damage(), []);
    // What is left: the last prune has condemned some, the last pushes have added some.
    const { condemnedBytes, waitingBytes, writtenBytes } = await world.prune(pruner, { dryRun: true });
    const needed = world.packBytes() - condemnedBytes - waitingBytes + writtenBytes;
    assert.ok(world.packBytes() <= 3 * needed + 100_000, `${world.packBytes()} bytes for ${needed}`);
  }
}
