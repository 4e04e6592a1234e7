/**
 * The real program, in processes of its own: run to the end, killed with all it has started, or run below another program
 * such as strace. It sees a made-up environment, and leaves nothing outside of the folder it was given.
 */
import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdirSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { runCli } from "./cli.ts";

const checkout = join(import.meta.dirname, "../..");
const launcher = join(checkout, "bin/ourobox.mjs");

/** What takes so long will never end, on the slowest of machines. */
const limitMsDefault = 120_000;

export interface Ran {
  readonly args: readonly string[];
  readonly out: string;
  readonly err: string;
  /** Undefined when a signal ended it. */
  readonly status: number | undefined;
  readonly ms: number;
}

export interface RunProgram {
  readonly cwd: string;
  /** So long after its start it is killed with SIGKILL, and its whole process group. */
  readonly killAfterMs?: number;
  /** Killed as soon as this resolves. */
  readonly killWhen?: Promise<unknown>;
  /** What has not ended by then is killed, and the run fails; 2 minutes unless given. */
  readonly limitMs?: number;
  /** The program and arguments to run it below: `["strace", "-f"]`. */
  readonly below?: readonly string[];
}

/** Someone's machine: a home and a configuration of its own. */
export class Program {
  readonly #env: Readonly<Record<string, string>>;

  /** @param home A folder, which is made if need be. */
  constructor(home: string) {
    mkdirSync(home, { recursive: true });
    this.#env = {
      PATH: process.env["PATH"] ?? "",
      TMPDIR: process.env["TMPDIR"] ?? tmpdir(),
      HOME: home,
      XDG_CONFIG_HOME: join(home, "config"),
      NODE_COMPILE_CACHE: join(checkout, "node_modules/.cache/ourobox-slow"),
      OUROBOX_PASSPHRASE: "the passphrase of the slow tests",
      NO_COLOR: "1",
    };
  }

  /** @throws Error when it does not end in time: with its arguments, and what it has said last. */
  async run(args: readonly string[], options: RunProgram): Promise<Ran> {
    const { cwd, killAfterMs, killWhen, below = [], limitMs = limitMsDefault } = options;
    const [first = launcher, ...rest] = [...below, launcher, ...args];
    const startMs = performance.now();
    const child = spawn(first, rest, { cwd, env: this.#env, detached: true, stdio: ["ignore", "pipe", "pipe"] });
    const texts = { out: "", err: "" };
    const keep = (name: "out" | "err") => (text: string) => {
      texts[name] += text;
    };
    child.stdout.setEncoding("utf8").on("data", keep("out"));
    child.stderr.setEncoding("utf8").on("data", keep("err"));
    const kill = (): void => {
      if (child.pid !== undefined && child.exitCode === null) killGroup(child.pid);
    };
    const timer = killAfterMs === undefined ? undefined : setTimeout(kill, killAfterMs);
    void killWhen?.then(kill);
    let isLate = false;
    const limit = setTimeout(() => {
      isLate = true;
      if (child.pid !== undefined) killGroup(child.pid);
      // Somebody who has left the group may hold the other ends.
      child.stdout.destroy();
      child.stderr.destroy();
    }, limitMs);
    const [status] = (await once(child, "close")) as [number | null];
    clearTimeout(timer);
    clearTimeout(limit);
    const ran = { args, ...texts, status: status ?? undefined, ms: performance.now() - startMs };
    if (isLate) throw new Error(`It did not end in ${limitMs / 1000} s and was killed: ${describeRan(ran)}`);
    return ran;
  }

  /** As `run`, to the end, but in this process: several times as fast. @param options.aheadMs How far ahead its clock is. */
  async runHere(
    args: readonly string[],
    { cwd, aheadMs = 0 }: { readonly cwd: string; readonly aheadMs?: number },
  ): Promise<Ran> {
    const startMs = performance.now();
    const seen = await runCli(args, { cwd, env: this.#env, nowMs: Date.now() + aheadMs });
    return { args, ...seen, ms: performance.now() - startMs };
  }
}

function killGroup(pid: number): void {
  try {
    process.kill(-pid, "SIGKILL");
  } catch {
    // It has ended.
  }
}

/** How a run ended, and what it said last. */
export function describeRan({ args, status, out, err }: Ran): string {
  return `ourobox ${args.join(" ")}: status ${status}\n${out.slice(-2000)}${err.slice(-4000)}`;
}

/** What a run has said, which has to succeed. */
export async function succeed(running: Promise<Ran>): Promise<string> {
  const ran = await running;
  assert.equal(ran.status, 0, describeRan(ran));
  return ran.out;
}

/** What the program says with `--json` when it fails; nothing of it when it does not. */
export function errorOf({ err }: Ran): { readonly kind?: string; readonly hint?: string; readonly status?: number } {
  const [error = {}] = jsonLines(err).flatMap((line) => line["error"] ?? []) as Record<string, never>[];
  return error;
}

/** The objects of `--json`: each whole line of a text that is one. A process that was killed may have written half a line. */
export function jsonLines(text: string): Record<string, unknown>[] {
  return text.split("\n").flatMap((line) => {
    try {
      const value: unknown = JSON.parse(line);
      return typeof value === "object" && value !== null ? [value as Record<string, unknown>] : [];
    } catch {
      return [];
    }
  });
}
