/** How long does it take to get a source tree back into an empty folder? */
import { sourceTree } from "./support/dataset.ts";
import { compare, memoryGoal } from "./support/goals.ts";
import { run } from "./support/measure.ts";
import { pushAll } from "./support/ours.ts";
import { type Question, withEnvironment } from "./support/question.ts";

export const question: Question = {
  title: "Restore of a source tree",
  about:
    "The saved tree is written into an empty folder on a filesystem of its own; nothing there is flushed by most tools, so `flush` is shown beside. `ours` is `clone` of a pushed box (copies the box too), `ours-bare` is `restore --source HEAD --target DIR`. In the first run what came back is compared byte for byte.",
  tools: [
    "ours",
    "ours-plain",
    "ours-bare",
    "restic",
    "borg-lz4",
    "borg-plain",
    "casync",
    "bup",
    "git",
    "tar+zstd",
    "rsync",
    "cp -a",
  ],
  runs: 3,
  async prepare(bench) {
    await bench.useDataset(await sourceTree(bench.options.directory, bench.options.scale));
  },
  async trial(bench, tool) {
    if (tool.restore === undefined) return;
    await using place = await bench.openPlace(tool);
    await run(withEnvironment(tool, place, tool.commit(place, "first")));
    if (tool.inTree === true) await pushAll(place);
    await place.ground.flush();
    await using there = await bench.makeGround();
    const target = there.folder("restored");
    await bench.step("restore into an empty folder", tool, tool.restore(place, target), { place, flushed: there });
    await bench.verify(place.tree, target);
  },
  goals(results) {
    const step = "restore into an empty folder";
    const peers = ["restic", "borg-lz4", "borg-plain"];
    return [
      compare(results, "clone 2 times as fast as restic and borg", { step, peers, atMost: 1 / 2 }),
      compare(results, "restore 2 times as fast as restic and borg", { step, ours: "ours-bare", peers, atMost: 1 / 2 }),
      memoryGoal(results),
    ];
  },
};
