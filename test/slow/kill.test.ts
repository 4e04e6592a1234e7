/**
 * Killed at any time, nothing is lost: commits, pushes, pulls, clones, restores and gcs of the real program are killed with SIGKILL at random
 * times, over two hundred in all. After each the box opens and every byte of it is whole, every commit that was told of is in the log, and
 * the same command run again ends well, with every byte where it belongs.
 */
import assert from "node:assert/strict";
import { mkdirSync, rmSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import type { Prng } from "../../src/base/prng.ts";
import { describeRan, jsonLines, type Ran } from "../support/program.ts";
import { testSeeds } from "../support/seeds.ts";
import { fillFolder, workOn } from "../support/slow-folder.ts";
import { copyFolder, requireSame, type SlowMachine, SlowPlace } from "../support/slow-machine.ts";

const rounds = 6;
const killsMin = 200;
/** Starting Node and loading the program takes about as long, and nothing can go wrong meanwhile. */
const startMs = 70;
const size = { files: 300, largeFiles: 4, largeBytes: 1_500_000 };

/** How many commands were killed, and not just ended before. */
const kills = new Map<string, number>();

testSeeds("whatever is killed, nothing is lost and the same command ends well", 4, async (prng) => {
  using place = new SlowPlace();
  const story = new Story(place, prng);
  await story.begin();
  for (let round = 1; round <= rounds; round += 1) await story.round(round);
});

test(`at least ${killsMin} commands were killed`, { skip: process.env["SEED"] !== undefined }, (t) => {
  const total = [...kills.values()].reduce((sum, count) => sum + count, 0);
  t.diagnostic(`${total} kills: ${[...kills].map(([command, count]) => `${command} ${count}`).join(", ")}`);
  assert(total >= killsMin, `${total}`);
});

/** Two machines that exchange their work by a directory, and a third that starts anew all the time. */
class Story {
  readonly #place: SlowPlace;
  readonly #prng: Prng;
  readonly #remote: string;
  readonly #a: SlowMachine;
  readonly #b: SlowMachine;
  /** How long each command took when it was let. */
  readonly #durations = new Map<string, number>();
  /** Commits of `a` whose folders were kept, oldest first. */
  readonly #kept: string[] = [];

  constructor(place: SlowPlace, prng: Prng) {
    this.#place = place;
    this.#prng = prng;
    this.#remote = place.path("remote");
    this.#a = place.machine("a");
    this.#b = place.machine("b");
  }

  /** The first day: nothing is killed, and everything is timed. */
  async begin(): Promise<void> {
    mkdirSync(this.#a.folder);
    fillFolder(this.#prng, this.#a.folder, size);
    await this.#a.ok(["init"]);
    await this.#a.ok(["remote", "add", "origin", this.#remote]);
    await this.#timed(this.#a, ["commit", "-m", "first"]);
    await this.#keep();
    await this.#timed(this.#a, ["push"]);
    await this.#b.ok(["clone", this.#remote, this.#b.folder], { cwd: this.#place.top });
    workOn(this.#prng, this.#a.folder, 15);
    await this.#timed(this.#a, ["commit", "-m", "second"]);
    await this.#keep();
    await this.#timed(this.#a, ["push"]);
    await this.#timed(this.#b, ["pull"]);
    const c = this.#newMachine();
    await this.#timed(c, ["clone", this.#remote, c.folder], { cwd: this.#place.top });
    await this.#timed(c, ["restore", "--source", this.#oldest(), "."]);
    rmSync(c.folder, { recursive: true });
    await this.#timed(this.#a, ["gc"]);
  }

  /** A day's work, each command killed up to three times. */
  async round(round: number): Promise<void> {
    const [a, b] = [this.#a, this.#b];
    workOn(this.#prng, a.folder, 15);
    await this.#killed(a, ["commit", "-m", `round ${round}`]);
    await this.#keep();
    await this.#killed(a, ["push"]);
    await this.#killed(b, ["pull"]);
    requireSame(a.folder, b.folder, `round ${round}: what was pulled`);
    await b.requireClean("after a pull");
    b.requireTidy("after a pull");
    const [head] = await a.log();
    assert.equal((await b.log())[0], head);

    const c = this.#newMachine();
    await this.#killed(c, ["clone", this.#remote, c.folder], { cwd: this.#place.top, canBeDone: "exists" });
    requireSame(a.folder, c.folder, `round ${round}: what was cloned`);
    assert.deepEqual(await c.log(), await a.log());
    await c.requireClean("after a clone");
    c.requireTidy("after a clone");

    if (this.#prng.chance(0.5)) {
      workOn(this.#prng, c.folder, 3);
      await this.#killed(c, ["restore", "--source", this.#oldest(), "."]);
      requireSame(this.#place.path(`kept-${this.#oldest()}`), c.folder, `round ${round}: what was restored`);
    } else {
      const target = this.#place.path("target");
      await this.#killed(c, ["restore", "--source", this.#oldest(), "--target", target]);
      requireSame(this.#place.path(`kept-${this.#oldest()}`), target, `round ${round}: what was restored`);
      rmSync(target, { recursive: true });
    }
    const cleaned = this.#prng.pick([a, b, c]);
    await this.#killed(cleaned, ["gc"]);
    await cleaned.requireSound(`round ${round}: after gc`);
    cleaned.requireTidy("after gc");
    rmSync(c.folder, { recursive: true });
  }

  #newMachine(): SlowMachine {
    return this.#place.machine("c").at(this.#place.path("c"));
  }

  /** Remembers the folder as it is at the head. */
  async #keep(): Promise<void> {
    const [head = ""] = await this.#a.log();
    copyFolder(this.#a.folder, this.#place.path(`kept-${head}`));
    rmSync(join(this.#place.path(`kept-${head}`), ".ourobox"), { recursive: true });
    this.#kept.push(head);
    if (this.#kept.length > 3) rmSync(this.#place.path(`kept-${this.#kept.shift()}`), { recursive: true });
  }

  #oldest(): string {
    return this.#kept[0] ?? "HEAD";
  }

  async #timed(machine: SlowMachine, args: readonly string[], options: { readonly cwd?: string } = {}): Promise<void> {
    const ran = await machine.run(args, options);
    assert.equal(ran.status, 0, describeRan(ran));
    this.#durations.set(args[0] ?? "", ran.ms);
  }

  /**
   * Kills a command up to three times, looks at the box each time, and runs it to its end.
   * @param options.canBeDone The error when there is nothing left to do, as the one that was killed had got that far.
   */
  async #killed(
    machine: SlowMachine,
    args: readonly string[],
    { cwd, canBeDone }: { readonly cwd?: string; readonly canBeDone?: string } = {},
  ): Promise<void> {
    const [name = ""] = args;
    const where = cwd === undefined ? {} : { cwd };
    const requireEnded = (ran: Ran): void => {
      const [error] = jsonLines(ran.err).flatMap((line) => line["error"] ?? []) as { readonly kind?: string }[];
      assert(ran.status === 0 || (canBeDone !== undefined && error?.kind === canBeDone), describeRan(ran));
    };
    for (let times = this.#prng.int(1, 3); times > 0; times -= 1) {
      const lastMs = this.#durations.get(name) ?? 500;
      const killAfterMs = startMs + (this.#prng.int(0, 1000) / 1000) * Math.max(20, lastMs - startMs);
      const ran = await machine.run(args, { ...where, killAfterMs });
      if (machine.hasBox) await machine.requireSound(`killed ${name} after ${Math.round(killAfterMs)} ms`);
      if (ran.status === undefined) kills.set(name, (kills.get(name) ?? 0) + 1);
      else {
        requireEnded(ran);
        break;
      }
    }
    const again = await machine.run(args, where);
    requireEnded(again);
    if (again.status === 0) this.#durations.set(name, ((this.#durations.get(name) ?? again.ms) + again.ms) / 2);
  }
}
