/**
 * A mount of a box by the real program, for tests: served by the process that the program leaves behind, used by others with a time limit, never by the test
 * itself. Whatever happens, the server is killed in the end and the mount taken away.
 */
import { spawn, spawnSync } from "node:child_process";
import { once } from "node:events";
import { closeSync, existsSync, mkdirSync, openSync, readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { flock } from "../../src/base/posix-space.ts";
import { findMount } from "../../src/front/fuse/mod.ts";
import type { Program, Ran } from "./program.ts";

const runMsMax = 120_000;
const waitMsMax = 10_000;
const stepMs = 20;

export interface Used {
  /** Null when it took too long. */
  readonly status: number | null;
  readonly out: string;
}

/** The files of living mounts of a box; with `all`, those that dead ones have left, too. */
export function mountHolds(box: string, { all = false }: { readonly all?: boolean } = {}): string[] {
  const folder = join(box, ".ourobox/mounts");
  if (!existsSync(folder)) return [];
  return readdirSync(folder).filter((name) => all || isLocked(join(folder, name)));
}

function isLocked(path: string): boolean {
  try {
    const fd = openSync(path, "r");
    const isFree = flock(fd, "exclusive");
    closeSync(fd);
    return !isFree;
  } catch {
    return false; // It has just been removed.
  }
}

export class BoxMount {
  readonly directory: string;
  readonly started: Ran;
  readonly #box: string;

  private constructor(directory: string, started: Ran, box: string) {
    this.directory = directory;
    this.started = started;
    this.#box = box;
  }

  /** Runs `ourobox mount ARGS… DIRECTORY` in the folder of a box. */
  static async start(
    program: Program,
    { box, directory, args = ["HEAD"] }: { readonly box: string; readonly directory: string; readonly args?: string[] },
  ): Promise<BoxMount> {
    mkdirSync(directory, { recursive: true });
    return new BoxMount(directory, await program.run(["mount", ...args, directory], { cwd: box }), box);
  }

  get isMounted(): boolean {
    return findMount(this.directory) !== undefined;
  }

  /** The process that serves it, found without touching the mount. */
  get server(): number | undefined {
    for (const pid of readdirSync("/proc").filter((name) => /^\d+$/.test(name))) {
      try {
        const words = readFileSync(`/proc/${pid}/cmdline`, "utf8").split("\0");
        if (words.includes("mount") && words.includes("-f") && words.includes(this.directory)) return Number(pid);
      } catch {
        // It has ended.
      }
    }
    return undefined;
  }

  /** Runs a shell command in the mount; another command line, too. What has not ended in time, 2 minutes unless given, is killed with the server. */
  async run(
    command: string,
    words: readonly string[] = ["sh", "-c", `cd '${this.directory}' || exit; ${command}`],
    { env, limitMs = runMsMax }: { readonly env?: NodeJS.ProcessEnv; readonly limitMs?: number } = {},
  ): Promise<Used> {
    const [program = "", ...args] = words;
    const child = spawn(program, args, { stdio: ["ignore", "pipe", "pipe"], cwd: "/", env });
    let out = "";
    for (const stream of [child.stdout, child.stderr])
      stream.setEncoding("utf8").on("data", (text: string) => {
        out += text;
      });
    // Only the end of the server frees a process that hangs in its mount.
    const timer = setTimeout(() => {
      this.kill();
      child.kill("SIGKILL");
    }, limitMs);
    const [status] = (await once(child, "close")) as [number | null];
    clearTimeout(timer);
    return { status, out };
  }

  /** Runs a program of Node's, a file in test/support. */
  async runProgram(name: string, ...args: readonly string[]): Promise<Used> {
    return this.run("", [process.execPath, join(import.meta.dirname, name), ...args]);
  }

  kill(): void {
    const { server } = this;
    if (server !== undefined) process.kill(server, "SIGKILL");
  }

  /** Whether there is no mount, no server and no hold any more, in time. */
  async hasEnded(): Promise<boolean> {
    for (let left = waitMsMax; left > 0; left -= stepMs) {
      if (!this.isMounted && this.server === undefined && mountHolds(this.#box).length === 0) return true;
      await delay(stepMs);
    }
    return false;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.kill();
    for (let left = waitMsMax; left > 0 && (this.isMounted || this.server !== undefined); left -= stepMs) {
      spawnSync("umount", ["-l", this.directory], { timeout: waitMsMax, stdio: "ignore" });
      if (this.isMounted)
        spawnSync("fusermount3", ["-u", "-z", this.directory], { timeout: waitMsMax, stdio: "ignore" });
      await delay(stepMs);
    }
  }
}
