/** How fast is work in the live mount of a box, and how soon is the first byte of what is elsewhere there? */
import { join } from "node:path";
import { setTimeout } from "node:timers/promises";
import { sourceTree } from "./support/dataset.ts";
import { compare, limit } from "./support/goals.ts";
import { dropCaches, type Ground } from "./support/ground.ts";
import { type Command, measure, run, shell, tryRun } from "./support/measure.ts";
import { ourEnvironment, ours } from "./support/ours.ts";
import type { Bench, Question } from "./support/question.ts";
import { countBytes } from "./support/tool.ts";

const native = "ext4";
const bindfs = "bindfs";
const unrealBytes = 2 ** 30;
const firstByteStep = "first byte of 1 GiB elsewhere";

/** Where somebody works, and what takes it away. */
interface Workplace extends AsyncDisposable {
  readonly path: string;
  readonly ground: Ground;
}

const random = (bytes: number): string =>
  `(openssl enc -aes-128-ctr -K 00 -iv 00 -in /dev/zero 2> /dev/null || true) | head -c ${bytes}`;

/** What takes a tenth of a second is done more often. */
const steps: readonly (readonly [name: string, command: (tree: string, archive: string) => Command, times?: number])[] =
  [
    ["tar x", (tree, archive) => ({ argv: ["tar", "-C", tree, "-xf", archive] })],
    ["ls -lR", (tree) => shell('ls -lR "$1" > /dev/null', [tree])],
    ["tar c", (tree) => shell('tar -C "$1" -cf - . | cat > /dev/null', [tree])],
    ["512 MiB written", (tree) => shell('dd if=/dev/zero of="$1/big" bs=1M count=512 status=none', [tree]), 5],
    ["512 MiB read", (tree) => shell('cat "$1/big" > /dev/null', [tree]), 5],
    ["rm -r", (tree) => shell('rm -rf "$1"/*', [tree])],
  ];

async function openNative(bench: Bench): Promise<Workplace> {
  const ground = await bench.makeGround();
  return { path: ground.folder("tree"), ground, [Symbol.asyncDispose]: () => ground[Symbol.asyncDispose]() };
}

async function openBindfs(bench: Bench): Promise<Workplace | undefined> {
  if ((await tryRun(shell("command -v bindfs"))) === undefined) return undefined;
  const ground = await bench.makeGround();
  const path = ground.folder("mounted");
  await run({ argv: ["bindfs", ground.folder("tree"), path] });
  return {
    path,
    ground,
    async [Symbol.asyncDispose]() {
      await run({ argv: ["umount", path] });
      await ground[Symbol.asyncDispose]();
    },
  };
}

async function openOurs(bench: Bench): Promise<Workplace> {
  const ground = await bench.makeGround();
  const [box, path, environment] = [ground.folder("box"), ground.folder("mounted"), homeOf(ground)];
  await run({ ...ours(box, "init", "-q"), environment });
  await run({ ...ours(box, "mount", "-q", "--commit-after", "off", path), environment });
  return {
    path,
    ground,
    async [Symbol.asyncDispose]() {
      await run({ ...ours("/", "umount", "-q", path), environment });
      await ground[Symbol.asyncDispose]();
    },
  };
}

function homeOf(ground: Ground): Record<string, string> {
  return ourEnvironment(ground.folder("home"));
}

/** An unreal clone with one large file, mounted live; what was fetched is what came into its packs. */
async function trialFirstByte(bench: Bench): Promise<void> {
  await using ground = await bench.makeGround();
  const environment = homeOf(ground);
  const [box, remote, lean] = ["box", "remote", "lean"].map((name) => join(ground.path, name)) as [
    string,
    string,
    string,
  ];
  const path = ground.folder("mounted");
  const inBox = async (folder: string, ...args: string[]): Promise<void> =>
    void (await run({ ...ours(folder, ...args), environment }));
  await run(shell(`mkdir "$1"; ${random(unrealBytes)} > "$1/big"`, [box]));
  await inBox(box, "init", "-q");
  await inBox(box, "commit", "-q", "-m", "big");
  await inBox(box, "remote", "add", "origin", remote);
  await inBox(box, "push", "-q");
  await inBox("/", "clone", "-q", "--unreal", remote, lean);
  await inBox(lean, "mount", "-q", "--commit-after", "off", path);
  try {
    await dropCaches();
    await run({ argv: ["ls", "-l", path] });
    const packs = join(lean, ".ourobox/packs");
    const before = await allocated(packs);
    const { output: _, ...sample } = await measure(shell('head -c 1 "$1" > /dev/null', [join(path, "big")]));
    // What has come is kept a moment later.
    await setTimeout(1000);
    bench.record(firstByteStep, "ours", { ...sample, addedBytes: (await allocated(packs)) - before });
    const { output: __, ...whole } = await measure(shell('cat "$1" > /dev/null', [join(path, "big")]));
    bench.record("1 GiB elsewhere, read", "ours", { ...whole, extra: unrealBytes / 1e6 / (whole.wallS ?? 1) });
    await dropCaches();
    const { output: ___, ...again } = await measure(shell('cat "$1" > /dev/null', [join(path, "big")]));
    bench.record("1 GiB in the cache, read", "ours", { ...again, extra: unrealBytes / 1e6 / (again.wallS ?? 1) });
  } finally {
    await inBox("/", "umount", "-q", path);
  }
}

/** Sparse packs have holes: what they take on the disk. */
async function allocated(path: string): Promise<number> {
  if (countBytes(path) === 0) return 0;
  return Number((await run(shell('du -s --block-size=1 "$1" | cut -f 1', [path]))).trim());
}

export const question: Question = {
  title: "Work in a live mount",
  about:
    "The source tree is unpacked from an archive, listed, read and removed in the live mount of an empty box, which makes no commits meanwhile; a file of 512 MiB is written and read. Beside it the same on ext4 itself, and in a mount by bindfs (libfuse, in C, which hands everything on). Processor time and memory are those of the program that works. Then a file of 1 GiB that is on a directory remote only is read in the live mount of an unreal clone: its first byte, all of it, and all of it again without the kernel's caches; *added* is what the first byte has brought, the right column MB a second.",
  tools: ["ours"],
  runs: 3,
  extra: "MB/s",
  async prepare(bench) {
    await bench.useDataset(await sourceTree(bench.options.directory, bench.options.scale));
  },
  async trial(bench, tool) {
    if (tool.name !== "ours") return;
    const archive = join(bench.options.directory, `live-${process.pid}.tar`);
    await run({ argv: ["tar", "-C", bench.dataset?.path ?? "", "-cf", archive, "."] });
    try {
      const opens = { ours: openOurs, [bindfs]: openBindfs, [native]: openNative };
      for (const [name, open] of Object.entries(opens)) {
        await using place = await open(bench);
        if (place === undefined) continue;
        for (const [step, command, times = 1] of steps) {
          for (let time = 0; time < times; time += 1) {
            await bench.settle();
            const { output: _, ...sample } = await measure(command(place.path, archive));
            bench.record(step, name, { ...sample, flushS: await place.ground.flush() });
          }
        }
      }
    } finally {
      await run({ argv: ["rm", "-f", archive] });
    }
    await trialFirstByte(bench);
  },
  goals: (results) => [
    compare(results, "tar x within 3 times native", { step: "tar x", peers: [native], atMost: 3 }),
    compare(results, "tar x faster than another FUSE filesystem", { step: "tar x", peers: [bindfs], atMost: 1 }),
    compare(results, "a real file written within 1.1 of native", {
      step: "512 MiB written",
      peers: [native],
      atMost: 1.1,
    }),
    compare(results, "a real file read within 1.1 of native", { step: "512 MiB read", peers: [native], atMost: 1.1 }),
    limit(results, "first byte of 1 GiB in under 50 ms", firstByteStep, "wallS", 0.05),
    limit(results, "and under 1 MiB fetched for it", firstByteStep, "addedBytes", 2 ** 20),
  ],
};
