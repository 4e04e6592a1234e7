import assert from "node:assert/strict";
import { test } from "node:test";
import { Turns } from "./turns.ts";

test("work that never waits lets timers have their turn after so many steps", async () => {
  const turns = new Turns(undefined, 10);
  let others = 0;
  const interval = setInterval(() => {
    others += 1;
  }, 0);
  for (let step = 0; step < 9; step += 1) await turns.step();
  assert.equal(others, 0);
  for (let step = 0; step < 1_000_000 && others === 0; step += 1) await turns.step();
  clearInterval(interval);
  assert.equal(others, 1);
});

test("work ends with the signal's reason between two turns", async () => {
  const aborter = new AbortController();
  const turns = new Turns(aborter.signal, 10);
  const reason = new Error("enough");
  setImmediate(() => aborter.abort(reason));
  await assert.rejects(
    async () => {
      for (;;) await turns.step(3);
    },
    (error) => error === reason,
  );
});
