/** How long does saving a source tree take: first, again with nothing changed, and with 1 % of the files changed? */
import { sourceTree } from "./support/dataset.ts";
import { editShare } from "./support/edit.ts";
import { compare, memoryGoal } from "./support/goals.ts";
import type { Question } from "./support/question.ts";

const changedShare = 0.01;

export const question: Question = {
  title: "Commit of a source tree",
  about:
    "The first commit of the tree into a new repository, a second with nothing changed, and a third after 1 % of the files were edited (a few removed and added). `flush` is what the tool left in the page cache. `ours-bare` saves the folder from outside like the peers do; `ours` keeps its box in the folder.",
  tools: [
    "ours",
    "ours-plain",
    "ours-bare",
    "restic",
    "borg-lz4",
    "borg-zstd",
    "borg-plain",
    "casync",
    "bup",
    "git",
    "tar+zstd",
  ],
  runs: 3,
  async prepare(bench) {
    await bench.useDataset(await sourceTree(bench.options.directory, bench.options.scale));
  },
  async trial(bench, tool) {
    const pristine = bench.dataset?.path ?? "";
    await using place = await bench.openPlace(tool);
    await bench.step("first commit", tool, tool.commit(place, "first"), { place, counted: true });
    if (tool.forgetful === true) return;
    await bench.step("unchanged", tool, tool.commit(place, "unchanged"), { place, counted: true });
    const edit = editShare(place.tree, pristine, changedShare);
    try {
      await bench.step("1 % changed", tool, tool.commit(place, "edited"), { place, counted: true });
    } finally {
      edit.undo();
    }
  },
  goals(results) {
    const rivals = ["restic", "borg-lz4", "borg-zstd", "borg-plain"];
    const first = "first commit";
    return [
      compare(results, "first commit at least 2.2 times as fast as restic and borg", {
        step: first,
        peers: rivals,
        atMost: 1 / 2.2,
      }),
      compare(results, "stored smaller than restic and borg", {
        step: first,
        figure: "storedBytes",
        peers: rivals,
        atMost: 0.9999,
      }),
      compare(results, "unchanged 3 times as fast as restic", { step: "unchanged", peers: ["restic"], atMost: 1 / 3 }),
      compare(results, "unchanged no slower than bup", { step: "unchanged", peers: ["bup"], atMost: 1 }),
      compare(results, "1 % changed 2 times as fast as restic", {
        step: "1 % changed",
        peers: ["restic"],
        atMost: 1 / 2,
      }),
      memoryGoal(results),
    ];
  },
};
