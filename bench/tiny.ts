/** How long do very many very small files take? */
import { tinyFiles } from "./support/dataset.ts";
import { compare, memoryGoal } from "./support/goals.ts";
import type { Question } from "./support/question.ts";

const fileCount = 200_000;
const filesPerFolder = 500;

export const question: Question = {
  title: "200,000 tiny files",
  about: "200,000 files of 20 to 400 bytes in 400 folders: saved, and saved again with nothing changed.",
  tools: ["ours", "ours-bare", "restic", "borg-lz4", "casync", "bup", "git", "tar+zstd"],
  runs: 3,
  async prepare(bench) {
    const { directory, scale } = bench.options;
    await bench.useDataset(await tinyFiles(directory, Math.max(100, Math.round(fileCount * scale)), filesPerFolder));
  },
  async trial(bench, tool) {
    await using place = await bench.openPlace(tool);
    await bench.step("first commit", tool, tool.commit(place, "first"), { place, counted: true });
    if (tool.forgetful === true) return;
    await bench.step("unchanged", tool, tool.commit(place, "unchanged"), { place, counted: true });
  },
  goals: (results) => [
    compare(results, "first commit faster than restic and borg", {
      step: "first commit",
      peers: ["restic", "borg-lz4"],
      atMost: 1,
    }),
    compare(results, "unchanged 3 times as fast as restic", { step: "unchanged", peers: ["restic"], atMost: 1 / 3 }),
    memoryGoal(results),
  ],
};
