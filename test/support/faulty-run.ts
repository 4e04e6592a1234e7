/** Runs a command once for every operation of it, and lets that one fail, be the last, or be the last before the power goes. */
import assert from "node:assert/strict";
import { globSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import type { OuroError } from "../../src/base/errors.ts";
import { isKind } from "../../src/base/errors.ts";
import { nodeDisk } from "../../src/base/node-disk.ts";
import { Prng } from "../../src/base/prng.ts";
import { FaultyPlace } from "./faulty-box.ts";
import { type Fault, FaultyDisk } from "./faulty-disk.ts";
import { FaultyFolder } from "./faulty-folder.ts";
import type { Scenario } from "./faulty-scenarios.ts";
import { faultySqlite } from "./faulty-sqlite.ts";

/** "power": what was not synced is lost from some moment on; "reordered": any of it is. */
export type FaultKind = Exclude<Fault["kind"], "ENOSPC"> | "power" | "reordered";
export const faultKinds: readonly FaultKind[] = ["EIO", "full", "crash", "power", "reordered"];

export interface FaultCounts {
  runs: number;
  /** Operations of the command. */
  operations: number;
  failed: number;
  stopped: number;
  /** The command went on all the same, and said that it was done. */
  survived: number;
}

interface Outcome {
  readonly how: "done" | "partial" | "failed" | "stopped";
  readonly error?: OuroError;
}

/** One fault in a copy of the place. @returns How the command ended, how many operations there were, and which was the first to fail. */
async function runOnce(
  scenario: Scenario,
  place: FaultyPlace,
  { kind, at }: { readonly kind: FaultKind; readonly at: number },
): Promise<Outcome & { readonly operations: number; readonly failedAt: number | undefined }> {
  const { graveyard, folderGraveyard } = place.graveyards;
  const losesPower = kind === "power" || kind === "reordered";
  const fault: Fault = { at, kind: losesPower ? "crash" : kind, passesReads: losesPower || kind === "crash" };
  const keepsOrder = kind !== "reordered";
  const disk = new FaultyDisk(nodeDisk, { graveyard, fault, keepsOrder });
  const folder = new FaultyFolder(disk, { graveyard: folderGraveyard, keepsOrder });
  const indexes = losesPower ? keepIndexes(place) : undefined;
  const outcome = await attempt(scenario, place, disk, folder);
  const operations = disk.log.length;
  const { failedAt } = disk;
  if (losesPower && outcome.how === "stopped") {
    const prng = new Prng(at * 31 + scenario.name.length);
    folder.losePower(prng);
    disk.losePower(prng);
    if (prng.chance(0.7)) indexes?.goBack();
  } else {
    folder.close();
    disk.end();
  }
  return { ...outcome, operations, failedAt };
}

async function attempt(
  scenario: Scenario,
  place: FaultyPlace,
  disk: FaultyDisk,
  folder: FaultyFolder,
): Promise<Outcome> {
  using _sqlite = faultySqlite(disk);
  try {
    const isDone = await scenario.run(place, place.context({ disk, folderWriter: folder.writer }));
    if (disk.hasCrashed) return { how: "stopped" };
    return { how: isDone ? "done" : "partial" };
  } catch (error) {
    // A process that has ended says nothing.
    if (disk.hasCrashed) return { how: "stopped" };
    if (!isKind(error)) throw new Error(`the command failed with no error of ours`, { cause: error });
    assert(!/undefined|\[object/.test(error.message), error.message);
    return { how: "failed", error };
  }
}

/** Commits of index.sqlite may be lost when the power goes: it comes back as it was before the command. */
function keepIndexes(place: FaultyPlace): { goBack(): void } {
  const all = (): string[] => globSync(`${place.path(".")}/*/.ourobox/index.sqlite`);
  const kept = new Map(all().map((path) => [path, readFileSync(path)]));
  return {
    goBack() {
      for (const path of all()) {
        for (const ending of ["-wal", "-shm", ""]) rmSync(path + ending, { force: true });
        const bytes = kept.get(path);
        if (bytes !== undefined) writeFileSync(path, bytes);
      }
    },
  };
}

/**
 * Lets the operations fail whose numbers are `first`, `first + step`, …, to the end of the command. A kind of fault that passes by an operation
 * (a full disk one that needs no space, a stop one that only reads) has the one that it meets next instead, and goes on after that one.
 * @throws AssertionError, with the kind of fault and the number of the operation.
 */
export async function failEvery(
  scenario: Scenario,
  kind: FaultKind,
  { first, step }: { readonly first: number; readonly step: number },
): Promise<FaultCounts> {
  using place = new FaultyPlace();
  await scenario.prepare(place);
  place.save();
  const counts: FaultCounts = { runs: 0, operations: 0, failed: 0, stopped: 0, survived: 0 };
  for (let at = first; ; ) {
    place.reset(at);
    try {
      const { how, error, operations, failedAt } = await runOnce(scenario, place, { kind, at });
      counts.operations = Math.max(counts.operations, operations);
      const isOver = failedAt === undefined;
      if (isOver) assert.equal(how, "done", error?.message ?? place.warnings.join("; "));
      await place.verify();
      await scenario.always?.(place);
      if (how === "done") await scenario.finished(place);
      else {
        place.notices.length = 0;
        place.warnings.length = 0;
        assert(await scenario.run(place, place.context()), `again: ${place.warnings.join("; ")}`);
        await place.verify();
        await scenario.finished(place);
      }
      counts.runs += 1;
      if (how === "failed") counts.failed += 1;
      else if (how === "stopped") counts.stopped += 1;
      else if (!isOver) counts.survived += 1;
      if (isOver) return counts;
      at = Math.max(at + step, failedAt + 1);
    } catch (thrown) {
      throw new Error(`${scenario.name}: ${kind} at operation ${at}`, { cause: thrown });
    }
  }
}
