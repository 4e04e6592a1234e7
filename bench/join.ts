/** What do a join, the rename of a large directory, and a two-way sync cost? */
import { lstatSync, renameSync } from "node:fs";
import { join } from "node:path";
import { sourceTree, tinyFiles } from "./support/dataset.ts";
import { editShare } from "./support/edit.ts";
import { compare, limit, memoryGoal } from "./support/goals.ts";
import type { Ground } from "./support/ground.ts";
import { type JoinCost, joinHeads, makeTree } from "./support/heads.ts";
import { type Command, measure, run, shell, tryRun } from "./support/measure.ts";
import { ours, pushAll, remoteOf } from "./support/ours.ts";
import { type Bench, type Question, withEnvironment } from "./support/question.ts";
import { countBytes, type Place, type Tool } from "./support/tool.ts";

const treeFiles = 1_000_000;
const fewDiffer = 10;
const renamedFiles = 100_000;
const changedShare = 0.01;
const sizes = { tree: treeFiles, many: treeFiles / 10, renamed: renamedFiles };

const joinStep = (differing: number): string =>
  `join of two heads of ${sizes.tree.toLocaleString("en")} files, ${differing.toLocaleString("en")} of them other`;
const renameSteps = {
  commit: "a large directory renamed: commit",
  push: "a large directory renamed: push",
  pull: "a large directory renamed: pull",
};
const syncStep = "two-way sync, 1 % changed on each side";

/** Joins alone, in this process: commands are started and open a box besides. */
async function trialHeads(bench: Bench, tool: Tool): Promise<void> {
  await using ground = await bench.makeGround();
  const folder = ground.folder("heads");
  const tree = await makeTree(folder, sizes.tree);
  for (const differing of [fewDiffer, sizes.many]) {
    const { wallMs, packBytes }: JoinCost = await joinHeads(folder, tree, sizes.tree, differing);
    bench.record(joinStep(differing), tool.name, { wallS: wallMs / 1000, extra: packBytes });
  }
}

async function trialRename(bench: Bench, tool: Tool): Promise<void> {
  await bench.useDataset(await tinyFiles(bench.options.directory, sizes.renamed, 1000));
  await using place = await bench.openPlace(tool);
  await using ground = await bench.makeGround();
  const other = await shareTree(tool, place, ground);
  // All folders of the dataset into one, which is what is renamed.
  await run(shell('cd "$1" && mkdir large && mv d* large/', [place.tree]));
  await run(withEnvironment(tool, place, ours(place.tree, "sync", "-q")));
  await run(withEnvironment(tool, place, ours(other, "pull", "-q", "--force")));
  const [folder] = await namesIn(join(other, "large"));
  const before = lstatSync(join(other, "large", folder ?? ""));
  renameSync(join(place.tree, "large"), join(place.tree, "renamed"));
  const remote = remoteOf(place);
  await bench.step(renameSteps.commit, tool, tool.commit(place, "renamed"), { place, counted: true });
  const pushed = countBytes(remote);
  await bench.step(renameSteps.push, tool, ours(place.tree, "push", "-q"), { place });
  bench.record(renameSteps.push, tool.name, { addedBytes: countBytes(remote) - pushed });
  const packs = join(other, ".ourobox/packs");
  const pulled = countBytes(packs);
  await bench.step(renameSteps.pull, tool, ours(other, "pull", "-q", "--force"), { place, flushed: ground });
  bench.record(renameSteps.pull, tool.name, { addedBytes: countBytes(packs) - pulled });
  const after = lstatSync(join(other, "renamed", folder ?? ""));
  if (after.ino !== before.ino) throw new Error("The other folder was written anew, not renamed");
}

async function namesIn(path: string): Promise<string[]> {
  return (await run({ argv: ["ls", path] })).trim().split("\n");
}

/** A clone of the place's tree, through a directory. */
async function shareTree(tool: Tool, place: Place, ground: Ground): Promise<string> {
  await run(withEnvironment(tool, place, tool.commit(place, "first")));
  await pushAll(place);
  const other = join(ground.path, "other");
  await run(withEnvironment(tool, place, ours(place.home, "clone", "-q", remoteOf(place), other)));
  return other;
}

/** Ours and, each on grounds of their own, what else brings two folders together. */
async function trialSync(bench: Bench, tool: Tool): Promise<void> {
  await bench.useDataset(await sourceTree(bench.options.directory, bench.options.scale));
  await using place = await bench.openPlace(tool);
  await using ground = await bench.makeGround();
  const other = await shareTree(tool, place, ground);
  editBoth(bench, place.tree, other);
  const sync = shell('for each in "$2" "$3" "$2"; do cd "$each"; "$1" sync -q --force; done', [
    ours("/").argv[0],
    place.tree,
    other,
  ]);
  await bench.step(syncStep, tool, sync, { place, flushed: ground });
  await bench.verify(place.tree, other);
  for (const peer of await syncPeers()) await trialPeer(bench, peer);
}

function editBoth(bench: Bench, one: string, other: string): void {
  const pristine = bench.dataset?.path ?? "";
  editShare(one, pristine, changedShare, 1);
  editShare(other, pristine, changedShare, 2);
}

interface SyncPeer {
  readonly name: string;
  /** Brings two folders together; the first time they are equal. */
  readonly sync: (one: string, other: string, home: string) => Command;
}

async function syncPeers(): Promise<SyncPeer[]> {
  const unison: SyncPeer = {
    name: "unison",
    sync: (one, other, home) => ({
      argv: ["unison", one, other, "-batch", "-auto", "-silent", "-times", "-owner", "-group", "-numericids"],
      environment: { HOME: home, UNISON: join(home, ".unison") },
      // 1: some were skipped, as both sides had changed them.
      accept: [0, 1],
    }),
  };
  const rsync: SyncPeer = {
    name: "rsync, both ways",
    sync: (one, other) => shell('rsync -aHAXu "$1/" "$2/"; rsync -aHAXu "$2/" "$1/"', [one, other]),
  };
  const found: SyncPeer[] = [];
  for (const peer of [unison, rsync])
    if ((await tryRun(shell(`command -v ${peer.name.split(",")[0]}`))) !== undefined) found.push(peer);
  return found;
}

async function trialPeer(bench: Bench, peer: SyncPeer): Promise<void> {
  await using ground = await bench.makeGround();
  await using otherGround = await bench.makeGround();
  const [one, other] = [join(ground.path, "tree"), join(otherGround.path, "tree")];
  for (const path of [one, other]) await run({ argv: ["cp", "-a", bench.dataset?.path ?? "", path] });
  const command = peer.sync(one, other, ground.folder("home"));
  await run(command);
  editBoth(bench, one, other);
  for (const each of [ground, otherGround]) await each.flush();
  await bench.settle();
  const { output: _, ...sample } = await measure(command);
  bench.record(syncStep, peer.name, { ...sample, flushS: await otherGround.flush() });
}

export const question: Question = {
  title: "Joins, renames, two-way sync",
  about:
    "Two heads of a tree of a million files are joined, in one process with nothing in its caches: 5 and 50,000 files edited in each. The right column is what was read of packs. Then a directory of 100,000 files is renamed, committed, pushed and pulled; the other folder must rename it too. Then 1 % of the source tree is edited in each of two folders that have a directory as their remote: sync here, there, and here again, beside unison and rsync (-u, both ways) between two folders on two filesystems. --scale makes all of it less.",
  tools: ["ours"],
  runs: 3,
  extra: "read bytes",
  async prepare(bench) {
    const { scale } = bench.options;
    sizes.tree = Math.max(10_000, Math.round((treeFiles * scale) / 1000) * 1000);
    sizes.many = sizes.tree / 10;
    sizes.renamed = Math.max(2000, Math.round((renamedFiles * scale) / 1000) * 1000);
  },
  async trial(bench, tool) {
    if (tool.inTree !== true) return;
    await trialHeads(bench, tool);
    await trialRename(bench, tool);
    await trialSync(bench, tool);
  },
  goals: (results) => [
    limit(results, "10 files other: joined in under 100 ms", joinStep(fewDiffer), "wallS", 0.1),
    limit(results, "and with under 1 MB read", joinStep(fewDiffer), "extra", 1e6),
    limit(results, "a tenth of the files other: in under 5 s", joinStep(sizes.many), "wallS", 5),
    ...Object.values(renameSteps).map((step) =>
      limit(results, `${step} adds under 64 KiB`, step, "addedBytes", 65_536),
    ),
    compare(results, "two-way sync faster than unison and rsync", {
      step: syncStep,
      peers: ["unison", "rsync, both ways"],
      atMost: 1,
    }),
    memoryGoal(results),
  ],
};
