/**
 * What the runner of all tests does besides (`--test-global-setup` in scripts/test.ts): kills the process of a test file, with all it has started, that takes longer than
 * TEST_FILE_LIMIT_MS, and says which. The limit of one test does not do for that: it goes off in that process itself, which may let no timer go
 * off any more, or may have a handle open that keeps it from ending.
 *
 * Limit: Linux; what has left its parents goes on.
 */
import { readdirSync, readFileSync } from "node:fs";

const limitMs = Number(process.env["TEST_FILE_LIMIT_MS"]);
const lookMsMax = 5000;

export function globalSetup(): void {
  const startsMs = new Map<number, number>();
  setInterval(
    () => {
      for (const pid of childrenOf(process.pid)) {
        const startMs = startsMs.get(pid) ?? performance.now();
        startsMs.set(pid, startMs);
        if (performance.now() - startMs > limitMs) end(pid);
      }
    },
    Math.min(lookMsMax, limitMs / 10),
  ).unref();
}

function end(pid: number): void {
  const file = read(`/proc/${pid}/cmdline`).split("\0").at(-2);
  process.stderr.write(`${file}: killed, since it took more than ${limitMs / 1000} s\n`);
  const all = [pid];
  for (const each of all) all.push(...childrenOf(each));
  for (const each of all) {
    try {
      process.kill(each, "SIGKILL");
    } catch {
      // It has ended.
    }
  }
}

function childrenOf(pid: number): number[] {
  const folder = `/proc/${pid}/task`;
  try {
    return readdirSync(folder).flatMap((thread) =>
      read(`${folder}/${thread}/children`).split(" ").filter(Boolean).map(Number),
    );
  } catch {
    return [];
  }
}

/** Empty when that process has ended. */
function read(path: string): string {
  try {
    return readFileSync(path, "utf8");
  } catch {
    return "";
  }
}
