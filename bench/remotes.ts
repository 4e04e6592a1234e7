/** What does it cost to save a source tree to a server, over SFTP and to S3: time, bytes that are sent, requests? */
import { join } from "node:path";
import { sourceTree } from "./support/dataset.ts";
import { editShare } from "./support/edit.ts";
import { compare, limit, memoryGoal } from "./support/goals.ts";
import { type Command, measure, run, shell } from "./support/measure.ts";
import { ours } from "./support/ours.ts";
import { program } from "./support/program.ts";
import { type Bench, type Question, withEnvironment } from "./support/question.ts";
import { type Served, serveS3, serveSftp } from "./support/served.ts";
import type { Place, Tool } from "./support/tool.ts";

const changedShare = 0.01;

/** A first push makes the remote, with the passphrase's key, as `restic init` and `borg init` do. */
const makeRemote =
  '"$1" remote add origin "$2" && : > made && "$1" add made && "$1" commit -q -m made && "$1" push -q && rm made';

type Action = "init" | "save";

/** What a tool is told to do; undefined where it cannot. */
function commandOf(tool: Tool, place: Place, server: Served, action: Action): Command | undefined {
  if (tool.inTree === true) {
    if (action === "init") return shell(makeRemote, [program, server.url], { cwd: place.tree });
    // A backup is both: what is saved is to be there.
    return ours(place.tree, "commit", "-q", "-m", "saved", "--push");
  }
  if (tool.name === "restic") {
    const { resticOptions } = server;
    const args =
      action === "init" ? ["init", "-q", "--repository-version", "2"] : ["backup", "-q", "--compression", "auto", "."];
    return { argv: ["restic", ...resticOptions, ...args], cwd: place.tree };
  }
  if (tool.name.startsWith("borg")) {
    if (server.name !== "SFTP") return undefined;
    return action === "init" ? tool.init?.(place) : tool.commit(place, `saved-${Date.now()}`);
  }
  if (server.name !== "SFTP" || action === "init") return undefined;
  return shell('tar -C "$1" -cf - . | rclone rcat "bench:$2"', [place.tree, server.rclonePath]);
}

async function trialOn(bench: Bench, tool: Tool, server: Served): Promise<void> {
  const pristine = bench.dataset?.path ?? "";
  await using place = await bench.openPlace(tool);
  const told = (command: Command): Command => {
    const all = withEnvironment(tool, place, command);
    return { ...all, environment: { ...all.environment, ...server.env } };
  };
  const step = async (name: string, command: Command): Promise<void> => {
    await bench.settle();
    server.proxy.begin();
    const { output: _, ...sample } = await measure(told(command));
    const { sent, requests } = server.proxy;
    const counted = { ...sample, addedBytes: sent, ...(server.name === "S3" ? { extra: requests } : {}) };
    bench.record(`${server.name}: ${name}`, tool.name, counted);
  };
  const init = commandOf(tool, place, server, "init");
  if (init !== undefined) await run(told(init));
  const save = commandOf(tool, place, server, "save");
  if (save === undefined) return;
  await step("first", save);
  if (tool.forgetful === true) return;
  const edit = editShare(place.tree, pristine, changedShare);
  try {
    await step("1 % changed", commandOf(tool, place, server, "save") ?? save);
  } finally {
    edit.undo();
  }
  if (tool.inTree === true) await step("pull that finds nothing", ours(place.tree, "pull", "-q"));
}

export const question: Question = {
  title: "Saving to a server",
  about:
    "The source tree is saved to an OpenSSH server by SFTP, and to Ceph's S3 gateway (three disks in memory), both on this machine: `commit --push` for ours, `backup` for restic, `create` over ssh for borg; `tar+rclone` streams one tar. Making the repository there, with its key, is not in it. Then again with 1 % of the files edited; then `pull` where nothing is new. `added` is what went to the server, as a proxy between has counted it, ssh's own bytes among it. The proxy and the servers take processor time of the same machine.",
  tools: ["ours", "ours-plain", "restic", "borg-lz4", "tar+rclone"],
  runs: 3,
  extra: "requests",
  async prepare(bench) {
    await bench.useDataset(await sourceTree(bench.options.directory, bench.options.scale));
  },
  async trial(bench, tool) {
    for (const serve of [serveSftp, serveS3]) {
      await using ground = await bench.makeGround();
      await using server = await serve(join(ground.path, "served"));
      if (server === undefined) bench.results.notes.push(`${serve.name}: not installed, left out`);
      else await trialOn(bench, tool, server);
    }
  },
  goals: (results) => [
    compare(results, "saved over SFTP 2 times as fast as restic", {
      step: "SFTP: first",
      peers: ["restic"],
      atMost: 1 / 2,
    }),
    compare(results, "... and no slower than one tar by rclone", {
      step: "SFTP: first",
      peers: ["tar+rclone"],
      atMost: 1,
    }),
    compare(results, "... in fewer bytes than restic", {
      step: "SFTP: first",
      figure: "addedBytes",
      peers: ["restic"],
      atMost: 0.9999,
    }),
    compare(results, "saved to S3 2 times as fast as restic", { step: "S3: first", peers: ["restic"], atMost: 1 / 2 }),
    compare(results, "encryption under 15 % of the time", { step: "SFTP: first", peers: ["ours-plain"], atMost: 1.15 }),
    compare(results, "... and of the processor's", {
      step: "SFTP: first",
      figure: "cpuS",
      peers: ["ours-plain"],
      atMost: 1.15,
    }),
    limit(results, "1 % changed in under 15 requests (and 1 for 32 MiB)", "S3: 1 % changed", "extra", 14),
    limit(results, "a pull that finds nothing in at most 2 requests", "S3: pull that finds nothing", "extra", 2),
    memoryGoal(results),
  ],
};
