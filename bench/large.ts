/** How long do large incompressible files take, beside a plain copy that waits for the disk? */
import { randomFiles } from "./support/dataset.ts";
import { compare, memoryGoal } from "./support/goals.ts";
import type { Question } from "./support/question.ts";

const fileCount = 8;
const fileBytes = 256 * 2 ** 20;
const mebibyte = 2 ** 20;

export const question: Question = {
  title: "Commit of large incompressible files",
  about: `${fileCount} files of 256 MiB of random bytes (2 GiB in all; --scale makes them smaller), saved once. \`dd fsync\` is \`dd bs=1M conv=fsync\` of each: the disk's own speed.`,
  tools: ["ours", "ours-plain", "ours-bare", "restic", "borg-lz4", "borg-plain", "casync", "bup", "rsync", "dd fsync"],
  runs: 3,
  async prepare(bench) {
    const { directory, scale } = bench.options;
    const bytes = Math.max(1, Math.round((fileBytes * scale) / mebibyte)) * mebibyte;
    await bench.useDataset(await randomFiles(directory, fileCount, bytes));
  },
  async trial(bench, tool) {
    await using place = await bench.openPlace(tool);
    await bench.step("first commit", tool, tool.commit(place, "first"), { place, counted: true });
  },
  goals: (results) => [
    compare(results, "no slower than borg", { step: "first commit", peers: ["borg-lz4", "borg-plain"], atMost: 1 }),
    compare(results, "within 1.15 of dd conv=fsync", { step: "first commit", peers: ["dd fsync"], atMost: 1.15 }),
    memoryGoal(results),
  ],
};
