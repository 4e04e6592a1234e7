/**
 * Schedules by hand, one for each rule by which pushes and prunes go on beside one another (doc/decisions/0013-retention.md): with the rule as it is a
 * schedule ends with every head whole, and with the rule bent it does not.
 */
import assert from "node:assert/strict";
import { isKind } from "../../src/base/errors.ts";
import { Prng } from "../../src/base/prng.ts";
import type { PruneRules } from "../../src/sync/mod.ts";
import type { Files, TestBox } from "../support/sync-box.ts";
import { dayMs, died, forgetOlder, hourMs, type PruneWorld } from "./prune-world.ts";

export interface PruneSchedule {
  readonly rule: keyof PruneRules;
  readonly name: string;
  readonly play: (world: PruneWorld, rules: Partial<PruneRules>) => Promise<void>;
}

const prng = new Prng(1);
/** What is forgotten, and needed again. */
const old = prng.bytes(20_000);
const always: Files = { always: prng.bytes(20_000) };

/** A writer whose first commit, with the old content, is forgotten and no longer needed on the remote. */
async function forgetful(world: PruneWorld): Promise<TestBox> {
  const box = world.box();
  await box.init(world.remote());
  await box.commit({ ...always, old });
  await box.push(world.remote());
  await box.commit({ ...always, other: "1" });
  forgetOlder(box);
  await box.push(world.remote());
  return box;
}

/** Another writer, with a history of its own. */
async function another(world: PruneWorld): Promise<TestBox> {
  const box = world.box();
  await box.commit({ mine: "1" });
  await box.push(world.remote());
  return box;
}

/** Commits something small and pushes it: the head is newer then. */
async function step(world: PruneWorld, box: TestBox, files: Files = always): Promise<void> {
  await box.commit({ ...files, now: `${world.nowMs}` });
  await box.push(world.remote());
}

/** Does something once, before the first operation whose name begins so. */
function once(beginning: string, body: () => Promise<void>): { readonly before: (operation: string) => Promise<void> } {
  let isDone = false;
  return {
    before: async (operation) => {
      if (isDone || !operation.startsWith(beginning)) return;
      isDone = true;
      await body();
    },
  };
}

/** Dies after the head was written: whatever is asked for later is not done. */
function dieAfterHead(before?: (operation: string) => Promise<void>): {
  readonly before: (operation: string) => Promise<void>;
  readonly after: (operation: string) => void;
} {
  let isDead = false;
  return {
    before: async (operation) => {
      if (isDead) throw died();
      await before?.(operation);
    },
    after: (operation) => {
      if (operation.startsWith("put heads/")) isDead = true;
    },
  };
}

async function mustDie(pushed: Promise<unknown>): Promise<void> {
  await assert.rejects(pushed, (thrown) => isKind(thrown, "offline"));
}

/** Deletes what has been condemned: a writer's head is newer by then, and it was long enough ago. */
async function deleteLater(world: PruneWorld, pruner: TestBox, rules: Partial<PruneRules>): Promise<void> {
  world.wait(7 * hourMs);
  await world.prune(pruner, { rules });
}

/** While a prune is about to delete the pack with the old content, its content is committed and pushed again. */
async function needAgain(world: PruneWorld, rules: Partial<PruneRules>): Promise<void> {
  const box = await forgetful(world);
  const pruner = world.box();
  assert.ok((await world.prune(pruner, { rules })).condemned > 0);
  world.wait(hourMs);
  await step(world, box);
  world.wait(7 * hourMs);
  const again = async (): Promise<void> => {
    await box.commit({ ...always, old });
    await box.push(world.remote(), { rules });
  };
  const { deleted } = await world.prune(pruner, { rules, hooks: once("remove packs/", again) });
  assert.ok(deleted > 0);
}

/** Six days in which another writes, and what a silent writer counts on is condemned and deleted. */
function sixDays(world: PruneWorld, other: TestBox, rules: Partial<PruneRules>): () => Promise<void> {
  const pruner = world.box();
  return async () => {
    world.wait(6 * dayMs);
    await step(world, other);
    await world.prune(pruner, { rules });
    world.wait(hourMs);
    await step(world, other);
    await deleteLater(world, pruner, rules);
  };
}

export const pruneSchedules: readonly PruneSchedule[] = [
  { rule: "avoidsCondemned", name: "what is about to be deleted is needed again", play: needAgain },
  { rule: "givesNewNames", name: "what is about to be deleted is sent again", play: needAgain },
  {
    rule: "looksAgain",
    name: "a push stands still for six days before its head, and goes on",
    play: async (world, rules) => {
      const box = await forgetful(world);
      const meanwhile = sixDays(world, await another(world), rules);
      await box.commit({ ...always, old });
      await box.push(world.remote(once("put heads/", meanwhile)), { rules });
    },
  },
  {
    rule: "remembersUnsettled",
    name: "a push stands still for six days before its head, dies after it, and is run again",
    play: async (world, rules) => {
      const box = await forgetful(world);
      const meanwhile = sixDays(world, await another(world), rules);
      await box.commit({ ...always, old });
      await mustDie(box.push(world.remote(dieAfterHead(once("put heads/", meanwhile).before)), { rules }));
      await box.push(world.remote(), { rules });
    },
  },
  {
    rule: "rescues",
    name: "a pack is condemned just before a head is written that needs it, and its writer never comes back",
    play: async (world, rules) => {
      const box = await forgetful(world);
      const pruner = world.box();
      const condemn = async (): Promise<void> => {
        await world.prune(pruner, { rules });
        world.wait(hourMs);
      };
      await box.commit({ ...always, old });
      await mustDie(box.push(world.remote(dieAfterHead(once("put heads/", condemn).before)), { rules }));
      await deleteLater(world, pruner, rules);
    },
  },
  {
    rule: "waitsForHeads",
    name: "a push stands still for a day before its head, and dies after it",
    play: async (world, rules) => {
      const box = await forgetful(world);
      const other = await another(world);
      const pruner = world.box();
      const meanwhile = async (): Promise<void> => {
        await world.prune(pruner, { rules });
        world.wait(hourMs);
        await step(world, other);
        world.wait(dayMs);
        await world.prune(pruner, { rules });
      };
      await box.commit({ ...always, old });
      await mustDie(box.push(world.remote(dieAfterHead(once("put heads/", meanwhile).before)), { rules }));
      await deleteLater(world, pruner, rules);
    },
  },
  {
    rule: "waitsAWhile",
    name: "a first push stands still for an hour before its head, and dies after it",
    play: async (world, rules) => {
      const box = await forgetful(world);
      const pruner = world.box();
      const first = world.box();
      // It has the old content from when it was there.
      await first.fetch(world.remote());
      const meanwhile = async (): Promise<void> => {
        await world.prune(pruner, { rules });
        world.wait(hourMs);
        await step(world, box);
        await world.prune(pruner, { rules });
      };
      await first.commit({ mine: "1", old });
      await mustDie(first.push(world.remote(dieAfterHead(once("put heads/", meanwhile).before)), { rules }));
      await deleteLater(world, pruner, rules);
    },
  },
  {
    rule: "keepsLists",
    name: "a deletion is a day late, after another prune has done it and one more has tidied up",
    play: async (world, rules) => {
      const box = await forgetful(world);
      const pruner = world.box();
      const late = world.box();
      await world.prune(pruner, { rules });
      world.wait(hourMs);
      await step(world, box);
      world.wait(7 * hourMs);
      const meanwhile = async (): Promise<void> => {
        await world.prune(pruner, { rules });
        world.wait(hourMs);
        await world.prune(pruner, { rules });
        world.wait(dayMs);
        await box.commit({ ...always, old });
        await box.push(world.remote(), { rules });
      };
      await world.prune(late, { rules, hooks: once("remove packs/", meanwhile) });
    },
  },
  {
    rule: "asksAllHeads",
    name: "one writer has forgotten what another keeps, who is away",
    play: async (world, rules) => {
      const box = world.box(1n);
      const keeper = world.box(2n);
      const pruner = world.box();
      await box.init(world.remote());
      const first = await box.commit({ ...always, old });
      await box.push(world.remote());
      await keeper.fetch(world.remote());
      keeper.adopt(first);
      await step(world, keeper);
      await box.commit({ ...always, other: "1" });
      forgetOlder(box);
      await box.push(world.remote());
      await world.prune(pruner, { rules });
      world.wait(6 * dayMs);
      await step(world, box);
      await deleteLater(world, pruner, rules);
    },
  },
];
