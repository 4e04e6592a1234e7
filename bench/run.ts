/**
 * Runs a question of the benchmarks: `npm run bench -- NAME [options]`, or `node bench/run.ts NAME`. See doc/benchmarks.md.
 *
 * Prints its tables and writes them, with machine and commit, to `bench/results/` as Markdown and JSON.
 */
import { globSync, mkdirSync, writeFileSync } from "node:fs";
import { basename, join } from "node:path";
import { parseArgs } from "node:util";
import { type GroundKind, groundKinds, removeGrounds } from "./support/ground.ts";
import { describeMachine } from "./support/machine.ts";
import { killRunning } from "./support/measure.ts";
import { benchDirectory as directory, installProgram } from "./support/program.ts";
import { allTools, Bench, type Goal, type Options, type Question } from "./support/question.ts";
import { markdownTable, Results } from "./support/results.ts";
import type { Tool } from "./support/tool.ts";

/** Time for killed processes to let go of their files. */
const afterKillMs = 500;

const usage = `Usage: node bench/run.ts NAME [options]

  --runs N            runs of each tool, in turn (default: by question)
  --scale S           share of the full size, over 0 to 1 (default 1)
  --only A,B          these tools alone
  --peers A,B         ours and these, instead of the question's own choice
  --ground KIND       loop (default), loop-direct (no second page cache) or directory
  --warm-memory GIB   memory touched before each measured command (default 4; 0: none)
  --cold              drop caches before each measured command (root)
  --no-verify         do not compare what was restored
  --list              the questions and tools

Files are kept below $OUROBOX_BENCH_DIR (now: ${directory}).
`;

const names = globSync("*.ts", { cwd: import.meta.dirname })
  .map((file) => basename(file, ".ts"))
  .filter((name) => name !== "run")
  .sort();

function readOptions(): {
  name: string;
  question: Promise<{ question: Question }>;
  values: ReturnType<typeof parse>["values"];
} {
  const { values, positionals } = parseOrExit();
  const [name = ""] = positionals;
  if (values.list) {
    process.stdout.write(`questions: ${names.join(" ")}\ntools: ${allTools.map((tool) => tool.name).join(", ")}\n`);
    process.exit(0);
  }
  if (!names.includes(name)) exitWithUsage();
  return { name, values, question: import(`./${name}.ts`) as Promise<{ question: Question }> };
}

function parseOrExit(): ReturnType<typeof parse> {
  try {
    return parse();
  } catch (thrown) {
    process.stderr.write(`${(thrown as Error).message}\n\n`);
    return exitWithUsage();
  }
}

function exitWithUsage(): never {
  process.stderr.write(`${usage}\nQuestions: ${names.join(" ")}\n`);
  process.exit(2);
}

function parse() {
  return parseArgs({
    allowPositionals: true,
    options: {
      runs: { type: "string" },
      scale: { type: "string", default: "1" },
      only: { type: "string" },
      peers: { type: "string" },
      ground: { type: "string", default: "loop" },
      "warm-memory": { type: "string", default: "4" },
      cold: { type: "boolean", default: false },
      "no-verify": { type: "boolean", default: false },
      list: { type: "boolean", default: false },
    },
  });
}

/** The tools to run with their versions; those not installed are said. */
async function chooseTools(
  question: Question,
  only: string | undefined,
  peers: string | undefined,
): Promise<Map<Tool, string>> {
  const ours = question.tools.filter((name) => name.startsWith("ours"));
  const wanted = only?.split(",") ?? (peers === undefined ? question.tools : [...ours, ...peers.split(",")]);
  const chosen = new Map<Tool, string>();
  for (const name of wanted) {
    const tool = allTools.find((each) => each.name === name);
    if (tool === undefined)
      throw new Error(`Cannot run "${name}": the tools are ${allTools.map((each) => each.name).join(", ")}`);
    const version = await tool.findVersion();
    if (version === undefined) process.stderr.write(`  ${name}: not installed (or not usable), left out\n`);
    else chosen.set(tool, version);
  }
  return chosen;
}

async function runTrials(bench: Bench, question: Question, tools: readonly Tool[]): Promise<void> {
  await question.prepare?.(bench);
  for (bench.round = 0; bench.round < bench.options.runs; bench.round += 1) {
    for (const tool of tools) {
      if (bench.results.hasFailed(tool.name)) continue;
      process.stderr.write(`  run ${bench.round + 1} of ${bench.options.runs}: ${tool.name}\n`);
      try {
        await question.trial(bench, tool);
      } catch (error) {
        const problem = error instanceof Error ? error.message : String(error);
        process.stderr.write(`  ${tool.name} failed: ${problem}\n`);
        bench.results.addFailure(tool.name, problem);
      }
    }
  }
}

function showGoals(goals: readonly Goal[]): string {
  if (goals.length === 0) return "";
  const word = (reached: boolean | undefined): string => (reached === undefined ? "-" : reached ? "yes" : "NO");
  const rows = goals.map(({ text, measured, reached }) => [text, measured, word(reached)]);
  return `### Goals\n\n${markdownTable([["goal", "measured", "reached"], ...rows])}\n\n`;
}

async function main(): Promise<void> {
  const { name, question: loading, values } = readOptions();
  const { question } = await loading;
  mkdirSync(directory, { recursive: true });
  removeGrounds(directory, "gone");
  installProgram();
  // Newer peers than the system's, unpacked by bench/newest-peers.sh.
  process.env["PATH"] = `${join(directory, "peers/bin")}:${process.env["PATH"] ?? ""}`;
  const options: Options = {
    directory,
    runs: Number(values.runs ?? question.runs),
    scale: Number(values.scale),
    ground: values.ground as GroundKind,
    warmGib: Number(values["warm-memory"]),
    cold: values.cold,
    verify: !values["no-verify"],
  };
  if (!(options.runs >= 1 && options.scale > 0 && options.scale <= 1) || !groundKinds.includes(options.ground)) {
    process.stderr.write(usage);
    process.exit(2);
  }
  const tools = await chooseTools(question, values.only, values.peers);
  const results = new Results();
  await using bench = new Bench(options, results);
  const started = new Date();
  await runTrials(bench, question, [...tools.keys()]);
  const facts = {
    question: name,
    command: `node bench/run.ts ${process.argv.slice(2).join(" ")}`,
    started: started.toISOString(),
    took: `${Math.round((Date.now() - started.getTime()) / 1000)} s`,
    dataset:
      bench.dataset === undefined
        ? "none"
        : `${bench.dataset.about} (${bench.dataset.files} files, ${bench.dataset.bytes} bytes)`,
    ground: [...bench.groundKinds].join(", ") || "none",
    options: `runs ${options.runs}, scale ${options.scale}, memory warmed ${options.warmGib} GiB${options.cold ? ", cold" : ""}`,
    ...(await describeMachine()),
    tools: [...tools].map(([tool, version]) => `${tool.name} ${version}`).join(", "),
  };
  const goals = question.goals?.(results) ?? [];
  const body = `${results.toMarkdown(question.extra)}\n\n${showGoals(goals)}`;
  const factLines = Object.entries(facts).map(([key, value]) => `- ${key}: ${value}`);
  const markdown = `# ${question.title}\n\n${question.about}\n\n${body}### Facts\n\n${factLines.join("\n")}\n`;
  const folder = join(import.meta.dirname, "results");
  mkdirSync(folder, { recursive: true });
  const stem = join(folder, `${name}-${started.toISOString().replaceAll(/[-:]|\.\d+/g, "")}`);
  writeFileSync(`${stem}.md`, markdown);
  writeFileSync(`${stem}.json`, `${JSON.stringify({ facts, goals, ...(results.toJson() as object) }, null, 2)}\n`);
  process.stdout.write(`${markdown}\nWritten to ${stem}.md and .json\n`);
}

for (const [signal, status] of [
  ["SIGINT", 130],
  ["SIGTERM", 143],
] as const) {
  process.on(signal, () => {
    killRunning();
    Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, afterKillMs);
    removeGrounds(directory, "own");
    process.exit(status);
  });
}

await main();
