/** How long does the program take to start and say its version? */
import { tmpdir } from "node:os";
import { limit } from "./support/goals.ts";
import { measure, shell } from "./support/measure.ts";
import { ourEnvironment } from "./support/ours.ts";
import { program } from "./support/program.ts";
import type { Question } from "./support/question.ts";

const repeats = 20;

const versionOf: Readonly<Record<string, readonly [string, ...string[]]>> = {
  ours: [program, "--version"],
  restic: ["restic", "version"],
  "borg-lz4": ["borg", "--version"],
  casync: ["casync", "--version"],
  desync: ["desync", "--help"],
  bup: ["bup", "--version"],
  git: ["git", "--version"],
  rsync: ["rsync", "--version"],
};

export const question: Question = {
  title: "Start-up",
  about: `The program says its version ${repeats} times in a row, started by a shell; a ${repeats}th of that is shown. \`bare node\` runs an empty program.`,
  tools: Object.keys(versionOf),
  runs: 5,
  async trial(bench, tool) {
    const argv = versionOf[tool.name];
    if (argv === undefined) return;
    const timed = async (name: string, command: readonly string[]): Promise<void> => {
      const script = `for i in {1..${repeats}}; do "$@" > /dev/null; done`;
      const environment = name === "ours" ? ourEnvironment(tmpdir()) : {};
      const { wallS = 0, cpuS = 0, memoryBytes = 0 } = await measure(shell(script, command, { environment }));
      bench.record("version", name, { wallS: wallS / repeats, cpuS: cpuS / repeats, memoryBytes });
    };
    await timed(tool.name, argv);
    if (tool.name === "ours") await timed("bare node", [process.execPath, "-e", "0"]);
  },
  goals: (results) => [limit(results, "starts in under 100 ms", "version", "wallS", 0.1)],
};
