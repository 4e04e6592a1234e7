/**
 * Runs the tests: all but the slow ones, the slow ones (`--slow`), or those in the files and folders given.
 * Other flags go to `node --test`: `npm test -- --test-name-pattern=join src/history/join.test.ts`.
 * Becomes that process, so there is no parent to outlive or to forward signals.
 */
import { statSync } from "node:fs";
import { availableParallelism } from "node:os";

const root = `${import.meta.dirname}/..`;
const fast = ["src/**/*.test.ts", "test/*.test.ts", "test/!(slow)/**/*.test.ts"];
const slow = ["test/slow/**/*.test.ts"];

process.chdir(root);
const args = process.argv.slice(2);
const isSlow = args.includes("--slow");
const flags = args.filter((arg) => arg.startsWith("-") && arg !== "--slow");
const given = args.filter((arg) => !arg.startsWith("-"));
const isFolder = (path: string): boolean => statSync(path, { throwIfNoEntry: false })?.isDirectory() === true;
const patterns = given.map((path) => (isFolder(path) ? `${path.replace(/\/+$/, "")}/**/*.test.ts` : path));
// A test that hangs must not keep the others from being run.
const [testMinutes, fileMinutes] = isSlow ? [20, 40] : [5, 10];
// Slow tests use disks, ports and folders of their own, and wait much: two at a time, more would run into their time limits.
const concurrency = isSlow ? 2 : Math.max(2, availableParallelism() - 1);

process.execve?.(
  process.execPath,
  [
    process.execPath,
    "--test",
    `--test-concurrency=${concurrency}`,
    `--test-timeout=${testMinutes * 60_000}`,
    `--test-global-setup=${root}/test/support/file-limit.ts`,
    ...flags,
    ...(patterns.length > 0 ? patterns : isSlow ? slow : fast),
  ],
  // Every test file is a process of its own: each would strip the types of what it imports again.
  {
    ...process.env,
    NODE_COMPILE_CACHE: process.env.NODE_COMPILE_CACHE ?? `${root}/node_modules/.cache/node`,
    TEST_FILE_LIMIT_MS: process.env.TEST_FILE_LIMIT_MS ?? `${fileMinutes * 60_000}`,
  },
);
