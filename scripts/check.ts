/**
 * Type-checks and lints at once, says nothing of what is fine, and fails if either does.
 * tsc and Biome are both native programs; together they take about as long as the slower one.
 */
import { spawn } from "node:child_process";
import { text } from "node:stream/consumers";

const root = `${import.meta.dirname}/..`;

interface Check {
  readonly name: string;
  readonly command: readonly [string, ...string[]];
}

/** What these print is collected first, so they cannot see for themselves whether a person reads it. */
const inColor = process.stderr.isTTY === true;

const checks: readonly Check[] = [
  { name: "types", command: ["tsc", "--noEmit", "--pretty", `${inColor}`] },
  { name: "lint", command: ["biome", "check", `--colors=${inColor ? "force" : "off"}`, "--error-on-warnings", "."] },
];

/** @returns Whether the check found nothing. What it found has been printed. */
async function run({ name, command: [program, ...args] }: Check): Promise<boolean> {
  const startMs = performance.now();
  const stdio: ["ignore", "pipe", "pipe"] = ["ignore", "pipe", "pipe"];
  const child = spawn(`${root}/node_modules/.bin/${program}`, args, { cwd: root, stdio });
  const status = new Promise<number>((resolve, reject) => {
    child.on("error", reject);
    child.on("close", (code) => resolve(code ?? 1));
  });
  const [found, complaint, code] = await Promise.all([text(child.stdout), text(child.stderr), status]);
  const seconds = ((performance.now() - startMs) / 1000).toFixed(1);
  if (code !== 0) process.stderr.write(found + complaint);
  process.stderr.write(`${code === 0 ? "✔" : "✖"} ${name} (${seconds} s)\n`);
  return code === 0;
}

const results = await Promise.all(checks.map(run));
process.exitCode = results.includes(false) ? 1 : 0;
