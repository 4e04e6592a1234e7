/** How much dearer than a plain copy of the bytes are push and pull, and what does a pull cost that finds nothing? */
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { sourceTree } from "./support/dataset.ts";
import { compare, limit, memoryGoal } from "./support/goals.ts";
import { measure, run, shell } from "./support/measure.ts";
import { ours, remoteOf } from "./support/ours.ts";
import { type Question, withEnvironment } from "./support/question.ts";
import { countBytes } from "./support/tool.ts";

const idlePulls = 7;

export const question: Question = {
  title: "Push and pull over a directory",
  about:
    "The fresh box of a source tree is pushed to an empty directory on another filesystem (which makes the remote, with a key derived from the passphrase), pulled by a bare clone that had one file before, and cloned bare to another filesystem (all bytes, no folder; with the key derived again). Beside each, the same files by `cp -a` and `sync -f`, right afterwards. Then `pull` in a clone that has everything; it is run several times in each run.",
  tools: ["ours", "ours-plain"],
  runs: 3,
  async prepare(bench) {
    await bench.useDataset(await sourceTree(bench.options.directory, bench.options.scale));
  },
  async trial(bench, tool) {
    if (tool.inTree !== true) return;
    const copyName = tool.name === "ours" ? "cp -a + sync" : `cp -a + sync (of ${tool.name})`;
    const copyAndSync = async (step: string, from: string): Promise<void> => {
      await using ground = await bench.makeGround();
      await bench.settle();
      const { output: _, ...sample } = await measure(
        shell('cp -a "$1" "$2" && exec sync -f "$2"', [from, ground.path]),
      );
      bench.record(step, copyName, { ...sample, addedBytes: countBytes(ground.path) });
    };
    await using place = await bench.openPlace(tool);
    const command = (...args: string[]) => withEnvironment(tool, place, ours(place.tree, ...args));
    // A clone that has the box, and nearly nothing of what is in it.
    await using earlyGround = await bench.makeGround();
    await using pullGround = await bench.makeGround();
    const [early, puller] = [join(earlyGround.path, "remote"), join(pullGround.path, "clone")];
    writeFileSync(join(place.tree, "start"), "start\n");
    await run(command("add", "-q", "start"));
    await run(command("commit", "-q", "-m", "start"));
    await run(command("remote", "add", "early", early));
    await run(command("push", "-q", "early"));
    await run(withEnvironment(tool, place, ours(place.home, "clone", "-q", "--bare", early, puller)));

    await run(command("commit", "-q", "-a", "-m", "first"));
    await using remoteGround = await bench.makeGround();
    const remote = join(remoteGround.path, "remote");
    await run(command("remote", "add", "origin", remote));
    await place.ground.flush();
    await bench.step("push", tool, ours(place.tree, "push", "-q"), { place, flushed: remoteGround });
    await copyAndSync("push", join(place.tree, ".ourobox/packs"));

    await run(command("push", "-q", "early"));
    await earlyGround.flush();
    await bench.step("pull of everything", tool, ours(puller, "pull", "-q"), { place, flushed: pullGround });
    await copyAndSync("pull of everything", early);

    await using cloneGround = await bench.makeGround();
    const clone = join(cloneGround.path, "clone");
    await bench.step("clone of everything", tool, ours(place.home, "clone", "-q", "--bare", remote, clone), {
      place,
      flushed: cloneGround,
    });
    await copyAndSync("clone of everything", remote);
    for (let index = 0; index < idlePulls; index += 1) {
      await bench.step("pull that finds nothing", tool, ours(clone, "pull", "-q"), { place, flushed: null });
    }
    bench.results.notes.push(`${tool.name}: ${countBytes(remoteOf(place)) + countBytes(remote)} bytes on the remote`);
  },
  goals: (results) => [
    compare(results, "push within 1.3 times a plain copy", { step: "push", peers: ["cp -a + sync"], atMost: 1.3 }),
    compare(results, "pull within 1.3 times a plain copy", {
      step: "pull of everything",
      peers: ["cp -a + sync"],
      atMost: 1.3,
    }),
    limit(results, "a pull that finds nothing in under 150 ms", "pull that finds nothing", "wallS", 0.15),
    memoryGoal(results),
  ],
};
