/** A prune that is cut off at an operation: each of them, or every so manieth. What is left is whole, and everybody goes on. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { isKind } from "../../src/base/errors.ts";
import { nodeDisk } from "../../src/base/node-disk.ts";
import { Prng } from "../../src/base/prng.ts";
import { MemoryRemote } from "../../src/remote/mod.ts";
import { prune } from "../../src/sync/mod.ts";
import { dayMs, forgetOlder, hourMs, PruneWorld } from "../sim/prune-world.ts";
import { type Fault, FaultyRemote } from "./faulty-remote.ts";
import type { TestBox } from "./sync-box.ts";

const faults: readonly Fault[] = ["before", "after", "middle"];
const operationsMax = 100;
const prng = new Prng(1);
const old = prng.bytes(20_000);
const always = prng.bytes(10_000);

async function step(world: PruneWorld, box: TestBox): Promise<void> {
  await box.commit({ always, now: `${world.nowMs}` });
  await box.push(world.remote());
}

/** Two writers, one of which has forgotten something; of three times two something has been condemned that can be deleted. */
async function prepare(world: PruneWorld, failAt: number): Promise<{ box: TestBox; other: TestBox }> {
  const box = world.box();
  await box.init(world.remote());
  await box.commit({ always, old });
  await box.push(world.remote());
  await box.commit({ always, now: "1" });
  forgetOlder(box);
  await box.push(world.remote());
  const other = world.box();
  await other.commit({ mine: prng.bytes(5000) });
  await other.push(world.remote());
  if (failAt % 3 === 0) return { box, other };
  await world.prune(other);
  world.wait(dayMs);
  await step(world, box);
  await step(world, other);
  world.wait(dayMs);
  return { box, other };
}

/** @param step 1: every operation. */
export function testPruneFaults({ step: every }: { readonly step: number }): void {
  for (const [at, fault] of faults.entries()) {
    test(`prune: cut off ${fault} any operation, a push, a fetch and another prune succeed, and no head dangles`, async () => {
      let isDone = false;
      for (let failAt = 1 + ((at * 3) % every); !isDone; failAt += every) {
        assert.ok(failAt < operationsMax);
        using world = new PruneWorld(failAt % 2 === 0 ? "plain" : "aes-256-gcm");
        const { box, other } = await prepare(world, failAt);
        const bad = new FaultyRemote(new MemoryRemote(nodeDisk, world.place), failAt, fault);
        const options = { ...other.pushOptions(bad), condemnedMs: 6 * hourMs, silentMs: 5 * dayMs };
        await prune(options).catch((thrown: unknown) => assert.ok(isKind(thrown, "offline"), String(thrown)));
        other.store.endWriting();
        isDone = !bad.isDead;
        assert.deepEqual(await world.damage(), []);
        await step(world, box);
        const { keptOut, failedPacks } = await world.box().fetch(world.remote());
        assert.deepEqual([keptOut, [...failedPacks]], [[], []]);
        await world.prune(box);
        world.wait(dayMs);
        await step(world, box);
        await step(world, other);
        world.wait(dayMs);
        await world.prune(other);
        assert.deepEqual(await world.damage(), []);
      }
    });
  }
}
