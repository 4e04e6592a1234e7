/** How many bytes do several versions of a source tree take together? */
import { existsSync } from "node:fs";
import { join } from "node:path";
import { secondRelease, sourceTree } from "./support/dataset.ts";
import { editShare } from "./support/edit.ts";
import { compare, memoryGoal } from "./support/goals.ts";
import { run, shell } from "./support/measure.ts";
import type { Question } from "./support/question.ts";

const changedShare = 0.01;

/** Makes `tree` equal to `wanted`, touching only what differs; keeps a box that lies in it. */
async function becomeLike(tree: string, wanted: string): Promise<void> {
  if (existsSync("/usr/bin/rsync")) {
    await run({ argv: ["rsync", "-aH", "--delete", "--exclude=/.ourobox", `${wanted}/`, `${tree}/`] });
  } else {
    const clear = 'find "$1" -mindepth 1 -maxdepth 1 ! -name .ourobox -exec rm -rf {} +; cp -a "$2/." "$1"';
    await run(shell(clear, [tree, wanted]));
  }
}

export const question: Question = {
  title: "Three versions of a source tree",
  about:
    "Bytes stored for the tree, the tree with 1 % of its files edited, and its second release, one after another in one place.",
  tools: ["ours", "ours-plain", "ours-bare", "restic", "borg-lz4", "borg-zstd", "casync", "desync", "bup", "git"],
  runs: 1,
  async prepare(bench) {
    await bench.useDataset(await sourceTree(bench.options.directory, bench.options.scale));
    const second = await secondRelease(bench.options.directory, bench.options.scale);
    bench.results.notes.push(`v2: ${second.about} (${second.files} files, ${second.bytes} bytes)`);
  },
  async trial(bench, tool) {
    const pristine = bench.dataset?.path ?? "";
    const { directory, scale } = bench.options;
    const second = await secondRelease(directory, scale);
    await using place = await bench.openPlace(tool);
    await bench.step("v1", tool, tool.commit(place, "v1"), { place, counted: true });
    const edit = editShare(place.tree, pristine, changedShare);
    try {
      await bench.step("+ v1 edited", tool, tool.commit(place, "v1-edited"), { place, counted: true });
      await becomeLike(place.tree, second.path);
      await bench.step("+ v2", tool, tool.commit(place, "v2"), { place, counted: true });
    } finally {
      edit.undo();
      if (!join(place.tree, "/").startsWith(join(place.ground.path, "/"))) await becomeLike(place.tree, pristine);
    }
  },
  goals: (results) => [
    compare(results, "three versions in fewer bytes than restic and borg zstd", {
      step: "+ v2",
      figure: "storedBytes",
      peers: ["restic", "borg-zstd"],
      atMost: 0.9999,
    }),
    memoryGoal(results),
  ],
};
