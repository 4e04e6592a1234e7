/**
 * Runs one command and says what it cost: wall time, processor time, peak memory, and the time to get it onto the disk.
 *
 * Processor time is user + system of the command and all it waited for, by GNU time (Debian package `time`) or, where that is
 * missing, by the shell's `times`. Peak memory is the greater of two: the largest single process (`time`'s %M, exact)
 * and the sum over the process tree, sampled every 20 ms from /proc (catches `tar | zstd`; misses what is over sooner;
 * counts shared pages once per process). Wall time is around spawn to exit in this process and holds 1-2 ms of `time` and spawn itself.
 */
import { spawn } from "node:child_process";
import { existsSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

const gnuTime = "/usr/bin/time";
const sampleEveryMs = 20;
const pageBytes = 4096;
const keptErrorBytes = 4096;
const outputBytesMax = 64 * 1024 * 1024;

export interface Command {
  readonly argv: readonly [string, ...string[]];
  readonly cwd?: string;
  readonly environment?: Readonly<Record<string, string>>;
  /** Exit statuses that are fine. Default: 0 alone. */
  readonly accept?: readonly number[];
}

/** What one run cost. Absent fields do not apply. */
export interface Sample {
  readonly wallS?: number;
  /** Seconds of `sync -f` after the command: what it had left in the page cache. */
  readonly flushS?: number;
  readonly cpuS?: number;
  readonly memoryBytes?: number;
  /** Bytes of the repository, without caches and local databases. */
  readonly storedBytes?: number;
  /** Bytes of everything the tool keeps on this machine. */
  readonly localBytes?: number;
  /** Bytes of the repository that this step added. */
  readonly addedBytes?: number;
  /** A figure of a question's own, in the unit its column says. */
  readonly extra?: number;
}

/** A command ended badly. Its message holds the end of what it printed on stderr. */
export class CommandFailed extends Error {
  constructor(command: Command, status: string, printed: string) {
    super(`\`${command.argv.join(" ")}\` ended with ${status}: ${printed.trim().split("\n").slice(-6).join(" / ")}`);
  }
}

/** A command that is a shell script; arguments are "$1", "$2"… It stops at the first failure. */
export function shell(script: string, args: readonly string[] = [], options: Omit<Command, "argv"> = {}): Command {
  return { ...options, argv: ["bash", "-euo", "pipefail", "-c", script, "bash", ...args] };
}

const running = new Set<number>();
let nextReport = 0;

/** Ends what runs now, with all it started: for signals. */
export function killRunning(): void {
  for (const pid of running) process.kill(-pid, "SIGKILL");
}

/** Runs a command and measures it. @throws CommandFailed when its status is not accepted. */
export async function measure(command: Command): Promise<Sample & { readonly output: string }> {
  const report = join(tmpdir(), `ourobox-bench-${process.pid}-${nextReport++}.time`);
  const argv = existsSync(gnuTime)
    ? [gnuTime, "-q", "-o", report, "-f", "%U %S %M", ...command.argv]
    : ["sh", "-c", `"$@"; status=$?; times > ${report}; exit $status`, "sh", ...command.argv];
  try {
    const run = await runSampled(argv, command);
    const costs = readCosts(report);
    const memoryBytes = Math.max(costs.memoryBytes, run.treeBytes);
    return { wallS: run.wallS, cpuS: costs.cpuS, memoryBytes, output: run.output };
  } finally {
    rmSync(report, { force: true });
  }
}

/** Runs a command that is not measured (preparation). Returns its standard output. */
export async function run(command: Command): Promise<string> {
  return (await runSampled(command.argv, command, { sampled: false })).output;
}

/** The end of a command's output or undefined when it is not installed or fails. */
export async function tryRun(command: Command): Promise<string | undefined> {
  try {
    return (await run(command)).trim();
  } catch {
    return undefined;
  }
}

interface Run {
  readonly wallS: number;
  readonly treeBytes: number;
  readonly output: string;
}

async function runSampled(argv: readonly string[], command: Command, { sampled = true } = {}): Promise<Run> {
  const [program = "", ...args] = argv;
  const started = process.hrtime.bigint();
  const child = spawn(program, args, {
    cwd: command.cwd,
    env: { ...process.env, ...command.environment },
    stdio: ["ignore", "pipe", "pipe"],
    detached: true, // A process group of its own, to be killed as one.
  });
  if (child.pid !== undefined) running.add(child.pid);
  let treeBytes = 0;
  const look = (): void => {
    if (child.pid !== undefined) treeBytes = Math.max(treeBytes, sumTree(child.pid));
  };
  const timer = sampled ? setInterval(look, sampleEveryMs) : undefined;
  const output = keepEnd(child.stdout, outputBytesMax);
  const errors = keepEnd(child.stderr, keptErrorBytes);
  try {
    const [status, ended] = await new Promise<[string, bigint]>((resolve, reject) => {
      let exited: [string, bigint] | undefined;
      child.on("error", reject);
      child.on("exit", (code, signal) => {
        exited = [String(signal ?? code), process.hrtime.bigint()];
      });
      child.on("close", () => resolve(exited ?? ["nothing", process.hrtime.bigint()]));
    });
    if (!(command.accept ?? [0]).map(String).includes(status)) throw new CommandFailed(command, status, errors());
    return { wallS: Number(ended - started) / 1e9, treeBytes, output: output() };
  } finally {
    clearInterval(timer);
    if (child.pid !== undefined) running.delete(child.pid);
  }
}

/** Collects a stream; the function returned gives its last `limit` bytes as text. */
function keepEnd(stream: NodeJS.ReadableStream, limit: number): () => string {
  let kept: Buffer[] = [];
  let length = 0;
  stream.on("data", (bytes: Buffer) => {
    kept.push(bytes);
    length += bytes.length;
    if (length > 2 * limit) {
      kept = [Buffer.concat(kept).subarray(-limit)];
      length = limit;
    }
  });
  return () => Buffer.concat(kept).toString("utf8");
}

/** Resident bytes of a process and its descendants, as far as its main threads started them. */
function sumTree(pid: number): number {
  try {
    const [, resident = "0"] = readFileSync(`/proc/${pid}/statm`, "latin1").split(" ");
    const children = readFileSync(`/proc/${pid}/task/${pid}/children`, "latin1").trim();
    const below = children === "" ? [] : children.split(" ").map(Number);
    return Number(resident) * pageBytes + below.reduce((sum, child) => sum + sumTree(child), 0);
  } catch {
    return 0; // Over already.
  }
}

function readCosts(report: string): { cpuS: number; memoryBytes: number } {
  const text = readFileSync(report, "latin1").trim();
  const byTime = /^([\d.]+) ([\d.]+) (\d+)$/m.exec(text);
  if (byTime !== null) {
    return { cpuS: Number(byTime[1]) + Number(byTime[2]), memoryBytes: Number(byTime[3]) * 1024 };
  }
  const ofChildren = text.split("\n").at(-1) ?? "";
  const seconds = [...ofChildren.matchAll(/(\d+)m([\d.]+)s/g)].map(([, m, s]) => Number(m) * 60 + Number(s));
  return { cpuS: seconds.reduce((sum, each) => sum + each, 0), memoryBytes: 0 };
}
