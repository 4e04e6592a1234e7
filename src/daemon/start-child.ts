/**
 * Starting this program once more, to go on by itself when it is ready. It says so on descriptor 3; until then what it says on stderr is passed on, and its end
 * is the end of the start.
 */
import { spawn } from "node:child_process";
import { once } from "node:events";

const toldBytesMax = 64 * 1024;

export interface ChildStart {
  /** What to run, and all arguments. */
  readonly command: readonly string[];
  readonly env: Readonly<Record<string, string | undefined>>;
  /** What it is told by a signal while it is not ready. */
  readonly signal: AbortSignal;
}

export interface Started {
  /** Undefined when it is ready and goes on. */
  readonly status: number | undefined;
  /** What it said on stderr, a bounded part. */
  readonly told: Uint8Array;
}

/** @throws Error with `code` when it cannot be started. */
export async function startChild({ command, env, signal }: ChildStart): Promise<Started> {
  const [program = "", ...args] = command;
  const child = spawn(program, args, {
    cwd: "/",
    env: { ...env },
    detached: true,
    stdio: ["ignore", "ignore", "pipe", "pipe"],
  });
  const told: Uint8Array[] = [];
  let left = toldBytesMax;
  const [, , stderr, ready] = child.stdio as unknown as readonly NodeJS.ReadableStream[];
  stderr?.on("data", (bytes: Buffer) => {
    told.push(bytes.subarray(0, left));
    left = Math.max(0, left - bytes.length);
  });
  const stop = (): void => void child.kill("SIGTERM");
  signal.addEventListener("abort", stop, { once: true });
  try {
    const isReady = new Promise<undefined>((resolve) => ready?.once("data", () => resolve(undefined)));
    const ended = once(child, "close").then(([status]) => (status as number | null) ?? 1);
    const status = await Promise.race([isReady, ended]);
    return { status, told: Buffer.concat(told) };
  } finally {
    signal.removeEventListener("abort", stop);
    for (const stream of [child.stderr, child.stdio[3]]) stream?.destroy();
    child.unref();
  }
}
