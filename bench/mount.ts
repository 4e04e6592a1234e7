/** How fast is a saved tree read through a mount? */
import { existsSync } from "node:fs";
import { join } from "node:path";
import { sourceTree } from "./support/dataset.ts";
import { compare } from "./support/goals.ts";
import { dropCaches } from "./support/ground.ts";
import { type Command, measure, run, shell } from "./support/measure.ts";
import { mountSaved } from "./support/mounts.ts";
import { type Question, withEnvironment } from "./support/question.ts";

const native = "cp -a";
const bigBytes = 256 * 2 ** 20;
const randomReads = 2000;

const listAll = (tree: string): Command => shell('ls -lR "$1" | tail -n 1 > /dev/null', [tree]);
const tarAll = (tree: string): Command => shell('tar -C "$1" -cf - . | cat > /dev/null', [tree]);
const gitStatus = (tree: string): Command => ({
  argv: ["git", "-c", "safe.directory=*", "-C", join(tree, "git"), "status", "--porcelain"],
  environment: { GIT_OPTIONAL_LOCKS: "0" },
});
const readBig = (tree: string): Command => shell('cat "$1/big" > /dev/null', [tree]);
/** 4 KiB at places all over the file, one after the other. */
const readRandomly = (tree: string): Command => ({
  argv: [
    process.execPath,
    "-e",
    `const fs = require("fs"), fd = fs.openSync(process.argv[1]), b = Buffer.alloc(4096);
     for (let i = 0, at = 1; i < ${randomReads}; i += 1) {
       at = (at * 1103515245 + 12345) % 2147483648;
       fs.readSync(fd, b, 0, 4096, (at % ${bigBytes / 4096}) * 4096);
     }`,
    join(tree, "big"),
  ],
});

/** Beside the tree: a repository of git, and a large file that does not compress. */
async function addMore(tree: string): Promise<void> {
  if (existsSync(join(tree, "big"))) return;
  const script = `part=$(cd "$1" && ls -d fs kernel */ 2> /dev/null | head -n 1) && cp -a "$1/$part" "$1/git" && cd "$1/git" && git init -q && git add -A -f . &&
    git -c user.name=b -c user.email=b@localhost commit -q -m all`;
  await run(shell(script, [tree]));
  const random = `openssl enc -aes-128-ctr -K 00 -iv 00 -in /dev/zero 2> /dev/null | head -c ${bigBytes} > "$1/big"`;
  await run(shell(`(${random}) || true`, [tree]));
}

export const question: Question = {
  title: "A saved tree, read through a mount",
  about:
    "The saved tree, a repository of git and a file of 256 MiB in it, is mounted by each tool and read. *cold*: mounted anew with all caches of the kernel dropped; *warm*: once more after that. `cp -a` is a plain copy on ext4, read directly. Peak memory and processor time are those of the reader, not of the daemon.",
  tools: ["ours", "restic", "borg-lz4", "rclone", "squashfuse", native],
  runs: 3,
  async prepare(bench) {
    await bench.useDataset(await sourceTree(bench.options.directory, bench.options.scale));
  },
  async trial(bench, tool) {
    await using place = await bench.openPlace(tool);
    await addMore(place.tree);
    await run(withEnvironment(tool, place, tool.commit(place, "first")));
    await place.ground.flush();
    const directory = place.ground.folder("mounted");
    const steps: readonly (readonly [name: string, command: (tree: string) => Command, isAgain: boolean])[] = [
      ["ls -lR", listAll, true],
      ["tar", tarAll, true],
      ["git status", gitStatus, false],
      [`${randomReads} reads of 4 KiB`, readRandomly, false],
      ["reading 256 MiB", readBig, true],
    ];
    for (const [name, command, isAgain] of steps) {
      await dropCaches();
      await using mounted = await mountSaved(tool, place, directory);
      const { output: _, ...cold } = await measure(command(mounted.tree));
      bench.record(`${name}, cold`, tool.name, cold);
      if (!isAgain) continue;
      const { output: __, ...warm } = await measure(command(mounted.tree));
      bench.record(`${name}, warm`, tool.name, warm);
    }
  },
  goals(results) {
    return [
      compare(results, "ls -lR cold under half of squashfuse", {
        step: "ls -lR, cold",
        peers: ["squashfuse"],
        atMost: 1 / 2,
      }),
      compare(results, "ls -lR warm within 1.5 of native", { step: "ls -lR, warm", peers: [native], atMost: 1.5 }),
      compare(results, "tar cold no slower than squashfuse", { step: "tar, cold", peers: ["squashfuse"], atMost: 1 }),
      compare(results, "tar cold 3 times as fast as borg", { step: "tar, cold", peers: ["borg-lz4"], atMost: 1 / 3 }),
      compare(results, "tar warm within 2 of native", { step: "tar, warm", peers: [native], atMost: 2 }),
      compare(results, "random reads at half of native or better", {
        step: `${randomReads} reads of 4 KiB, cold`,
        peers: [native],
        atMost: 2,
      }),
    ];
  },
};
