import assert from "node:assert/strict";
import { type TestContext, test } from "node:test";
import { AutoCommits } from "./auto-commits.ts";

const quietMs = 5000;

/** Commits with a clock that stands still unless told to go on. */
class Played {
  readonly commits: AutoCommits;
  readonly failures: string[] = [];
  /** When each commit began, in seconds. */
  readonly begun: number[] = [];
  /** Of the next commits: how long they take, and whether they fail. */
  commitMs = 0;
  fails = false;
  looks = 0;
  #nowMs = 0;
  readonly #t: TestContext;

  constructor(t: TestContext) {
    t.mock.timers.enable({ apis: ["setTimeout", "setInterval"] });
    this.#t = t;
    this.commits = new AutoCommits({
      quietMs,
      clock: { nowMs: () => this.#nowMs },
      commit: async () => {
        this.begun.push(this.#nowMs / 1000);
        const { fails } = this;
        if (this.commitMs > 0) await new Promise<void>((resolve) => setTimeout(resolve, this.commitMs));
        if (fails) throw new Error("no space");
      },
      look: () => {
        this.looks += 1;
      },
      onFailure: (thrown) => this.failures.push((thrown as Error).message),
    });
  }

  async pass(seconds: number): Promise<void> {
    for (let left = seconds * 10; left > 0; left -= 1) {
      this.#nowMs += 100;
      this.#t.mock.timers.tick(100);
      await new Promise((resolve) => setImmediate(resolve));
    }
  }
}

test("auto commits: one comes when it has been quiet, and none without a change", async (t) => {
  const played = new Played(t);
  await played.pass(20);
  assert.deepEqual(played.begun, []);
  assert.equal(played.looks, 4);
  played.commits.changed();
  await played.pass(3);
  played.commits.changed();
  await played.pass(20);
  assert.deepEqual(played.begun, [28]);
  await played.commits.end();
  assert.deepEqual(played.begun, [28]);
});

test("auto commits: while all is changing all the time they come all the same", async (t) => {
  const played = new Played(t);
  for (let second = 0; second < 130; second += 1) {
    played.commits.changed();
    await played.pass(1);
  }
  assert.deepEqual(played.begun, [60, 120]);
  await played.commits.end();
  assert.deepEqual(played.begun, [60, 120, 130]);
});

test("auto commits: what fails is told, and tried again without another change", async (t) => {
  const played = new Played(t);
  played.fails = true;
  played.commits.changed();
  await played.pass(66);
  played.fails = false;
  await played.pass(100);
  assert.deepEqual(played.begun, [5, 65, 125]);
  assert.deepEqual(played.failures, ["no space", "no space"]);
  await played.commits.end();
  assert.equal(played.begun.length, 3);
});

test("auto commits: the end waits for the one that is being made, and for one of what came after", async (t) => {
  const played = new Played(t);
  played.commitMs = 10_000;
  played.commits.changed();
  await played.pass(6);
  played.commits.changed();
  let hasEnded = false;
  const ended = played.commits.end().then(() => {
    hasEnded = true;
  });
  await played.pass(8);
  assert.deepEqual([played.begun, hasEnded], [[5], false]);
  await played.pass(2);
  assert.deepEqual([played.begun, hasEnded], [[5, 15], false]);
  await played.pass(10);
  await ended;
  await played.pass(100);
  assert.deepEqual(played.begun, [5, 15]);
});
