/** Does a million files work, in how much memory for each, and what does one change among 100,000 in a folder write? */
import { appendFileSync } from "node:fs";
import { join } from "node:path";
import { tinyFiles } from "./support/dataset.ts";
import { limit, memoryGoal } from "./support/goals.ts";
import { run } from "./support/measure.ts";
import { ours, pushAll } from "./support/ours.ts";
import { type Bench, type Question, withEnvironment } from "./support/question.ts";
import type { Results } from "./support/results.ts";
import type { Tool } from "./support/tool.ts";

const manyFiles = 1_000_000;
const fewFiles = 10_000;
const filesPerFolder = 1000;
const wideFiles = 100_000;
const steps = ["commit", "unchanged", "status", "clone"] as const;
const bytesPerFileMax = 300;

const named = (step: string, count: number): string => `${step}, ${count.toLocaleString("en")} files`;

async function trialOf(bench: Bench, tool: Tool, count: number): Promise<void> {
  await bench.useDataset(await tinyFiles(bench.options.directory, count, filesPerFolder));
  await using place = await bench.openPlace(tool);
  await bench.step(named("commit", count), tool, tool.commit(place, "first"), { place, counted: true });
  if (tool.forgetful !== true)
    await bench.step(named("unchanged", count), tool, tool.commit(place, "again"), { place });
  if (tool.inTree === true) {
    await bench.step(named("status", count), tool, ours(place.tree, "status"), { place, flushed: null });
    await pushAll(place);
  }
  if (tool.restore === undefined) return;
  await using there = await bench.makeGround();
  await bench.step(named("clone", count), tool, tool.restore(place, there.folder("restored")), {
    place,
    flushed: there,
  });
  await bench.verify(place.tree, join(there.path, "restored"));
}

/** One small file changed among very many in one folder. */
async function trialWide(bench: Bench, tool: Tool, count: number): Promise<void> {
  await bench.useDataset(await tinyFiles(bench.options.directory, count, count));
  await using place = await bench.openPlace(tool);
  await run(withEnvironment(tool, place, tool.commit(place, "first")));
  const changed = join(place.tree, "d0000", `f${String(count >>> 1).padStart(7, "0")}.txt`);
  appendFileSync(changed, "changed\n");
  await bench.step(wideStep(count), tool, tool.commit(place, "changed"), { place, counted: true });
}

const wideStep = (count: number): string => `one of ${count.toLocaleString("en")} files in a folder changed`;

/** Bytes of peak memory that each further file costs in a step. */
function slope(results: Results, tool: string, step: string, few: number, many: number): number | undefined {
  const [low, high] = [few, many].map((count) => results.median(named(step, count), tool)?.memoryBytes);
  return low === undefined || high === undefined ? undefined : (high - low) / (many - few);
}

const sizes = { few: fewFiles, many: manyFiles, wide: wideFiles };

export const question: Question = {
  title: "Very many files",
  about:
    "A million tiny files, 1,000 in a folder: commit, commit with nothing changed, `status`, clone (for the peers: restore). The same with 10,000 files tells what each file costs in peak memory. Then 100,000 files in one folder of which one is changed: what the commit adds to the box, its content of under 1 KB and the pack's own bytes included. --scale makes the million less.",
  tools: ["ours", "restic", "git"],
  runs: 1,
  async prepare(bench) {
    sizes.many = Math.max(2 * fewFiles, Math.round(manyFiles * bench.options.scale));
    sizes.wide = Math.max(1000, Math.round(wideFiles * bench.options.scale));
  },
  async trial(bench, tool) {
    await trialWide(bench, tool, sizes.wide);
    await trialOf(bench, tool, sizes.few);
    await trialOf(bench, tool, sizes.many);
  },
  goals(results) {
    const { few, many, wide } = sizes;
    const perFile = steps.map((step) => {
      const bytes = slope(results, "ours", step, few, many);
      const text = `${step}: at most ${bytesPerFileMax} bytes of memory for each further file`;
      if (bytes === undefined) return { text, measured: "not measured", reached: undefined };
      return { text, measured: `${bytes.toFixed(0)} bytes`, reached: bytes <= bytesPerFileMax };
    });
    return [
      ...perFile,
      limit(results, "one change in a wide folder writes under 64 KiB", wideStep(wide), "addedBytes", 65_536),
      memoryGoal(results),
    ];
  },
};
