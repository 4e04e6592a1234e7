/** How many bytes does one byte cost that is inserted in the middle of a large file? */
import { randomFiles } from "./support/dataset.ts";
import { insertByte } from "./support/edit.ts";
import { limit, memoryGoal } from "./support/goals.ts";
import type { Question } from "./support/question.ts";

const fileBytes = 200 * 2 ** 20;
const mebibyte = 2 ** 20;

export const question: Question = {
  title: "One byte inserted",
  about: "An incompressible file of 200 MiB is saved, one byte is inserted in its middle, and it is saved again.",
  tools: ["ours", "ours-bare", "restic", "borg-lz4", "casync", "desync", "bup"],
  runs: 1,
  async prepare(bench) {
    const { directory, scale } = bench.options;
    await bench.useDataset(
      await randomFiles(directory, 1, Math.max(1, Math.round((fileBytes * scale) / mebibyte)) * mebibyte),
    );
  },
  async trial(bench, tool) {
    const dataset = bench.dataset?.path ?? "";
    await using place = await bench.openPlace(tool);
    await bench.step("first commit", tool, tool.commit(place, "first"), { place, counted: true });
    const edit = insertByte(place.tree, dataset, "file-000.bin");
    try {
      await bench.step("one byte inserted", tool, tool.commit(place, "edited"), { place, counted: true });
    } finally {
      edit.undo();
    }
  },
  goals: (results) => [
    limit(results, "an inserted byte costs under 1 MiB", "one byte inserted", "addedBytes", mebibyte),
    memoryGoal(results),
  ],
};
