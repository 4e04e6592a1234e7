/** How many bytes do scattered small edits of a disk image cost? */
import { join } from "node:path";
import { blockBytes, diskImage, keyStream } from "./support/dataset.ts";
import { editBlocks } from "./support/edit.ts";
import { compare, memoryGoal } from "./support/goals.ts";
import type { Question } from "./support/question.ts";

const imageBytes = 4 * 2 ** 30;
const editedBlocks = 200;
const mebibyte = 2 ** 20;

export const question: Question = {
  title: "Scattered edits of a disk image",
  about: `A 4 GiB image, about half holes, is saved; ${editedBlocks} blocks of 4 KiB with data in them are overwritten with random bytes; it is saved again. casync and desync take the image as a blob, with an index of each state: all of them can give back both. "added" is what the repository grew by.`,
  tools: ["ours", "ours-bare", "restic", "borg-lz4", "borg-zstd", "casync", "desync", "bup"],
  runs: 1,
  async prepare(bench) {
    const { directory, scale } = bench.options;
    await bench.useDataset(
      await diskImage(directory, Math.max(16, Math.round((imageBytes * scale) / mebibyte)) * mebibyte),
    );
  },
  async trial(bench, tool) {
    const pristine = join(bench.dataset?.path ?? "", "disk.img");
    await using place = await bench.openPlace(tool);
    const image = join(place.tree, "disk.img");
    const save = (label: string) => tool.image?.commit(place, image, label) ?? tool.commit(place, label);
    await bench.step("first commit", tool, save("first"), { place, counted: true });
    const edit = editBlocks(image, pristine, editedBlocks, blockBytes, keyStream("edits of the image"));
    try {
      await bench.step("200 blocks changed", tool, save("edited"), { place, counted: true });
    } finally {
      edit.undo();
    }
  },
  goals: (results) => [
    compare(results, "the edits cost fewer bytes than desync's", {
      step: "200 blocks changed",
      figure: "addedBytes",
      peers: ["desync", "casync"],
      atMost: 0.9999,
    }),
    memoryGoal(results),
  ],
};
