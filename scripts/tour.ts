/**
 * `npm start`: what Ourobox does, shown on real files in a temporary folder. Every line after `$` is run as it is printed.
 * Ends with status 0 only if every byte that came back is the byte that went in.
 */
import { spawnSync } from "node:child_process";
import { appendFileSync, cpSync, lstatSync, mkdirSync, mkdtempSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { compareTrees } from "./compare-trees.ts";

const project = resolve(import.meta.dirname, "..");
const program = join(project, "bin/ourobox.mjs");
const top = mkdtempSync(join(tmpdir(), "ourobox-tour-"));
const [box, remote, clone, original] = ["work", "remote", "clone", "original"].map((name) => join(top, name)) as [
  string,
  string,
  string,
  string,
];
const isTerminal = process.stdout.isTTY === true;
/** Nothing of the user's own settings is read or written, and nobody is asked. */
const env = {
  ...process.env,
  XDG_CONFIG_HOME: join(top, "config"),
  OUROBOX_PASSPHRASE: "correct horse battery staple",
  OUROBOX_COLOR: isTerminal ? "always" : "never",
};
const outputLinesMax = 14;
let isGood = true;

const print = (text: string): boolean => process.stdout.write(`${text}\n`);
const title = (text: string): boolean => print(`\n${isTerminal ? `\x1b[1m${text}\x1b[22m` : text}`);

/** Runs `ourobox` in a folder and prints the command and what it said, shortened in the middle. */
function ourobox(folder: string, ...args: string[]): void {
  const shown = args.map((arg) => (/[^\w@%+=:,./~^-]/.test(arg) ? `'${arg}'` : arg)).join(" ");
  print(`$ ourobox ${shown}`);
  const startMs = performance.now();
  // Both streams into one file would lose their order; a shell keeps it.
  const { stdout, status, error } = spawnSync("/bin/sh", ["-c", 'exec "$0" "$@" 2>&1', program, ...args], {
    cwd: folder,
    env,
    encoding: "utf8",
    maxBuffer: 1024 ** 3,
  });
  const lines = (stdout ?? "")
    .trimEnd()
    .split("\n")
    .filter((line, _index, all) => all.length > 1 || line !== "");
  const head = lines.length <= outputLinesMax ? lines : lines.slice(0, outputLinesMax - 4);
  for (const line of head) print(`  ${line}`);
  if (head.length < lines.length) print(`  … ${lines.length - head.length - 2} lines more …`);
  if (head.length < lines.length) for (const line of lines.slice(-2)) print(`  ${line}`);
  print(`  (${((performance.now() - startMs) / 1000).toFixed(2)} s)`);
  if (status !== 0) fail(error === undefined ? `That ended with status ${status}, not 0.` : error.message);
}

function fail(message: string): void {
  isGood = false;
  print(`  !! ${message}`);
}

function compare(a: string, b: string): void {
  const { files, bytes, differences } = compareTrees(a, b);
  for (const difference of differences) fail(difference);
  if (differences.length === 0)
    print(`  Compared: ${files} files, ${(bytes / 1024 ** 2).toFixed(0)} MiB, every byte, mode and time is equal.`);
}

print(`Ourobox in ${top}`);
cpSync(join(project, "node_modules"), box, {
  recursive: true,
  preserveTimestamps: true,
  verbatimSymlinks: true,
  filter: (path) => !path.endsWith("/node_modules/.cache"),
});
// The state that we want to go back to in the end, kept outside of the box.
const copied = spawnSync("cp", ["-a", box, original]);
if (copied.status !== 0) fail(`Cannot copy: ${copied.stderr}`);

title("1. Make a box of a folder with real files: a copy of this project's node_modules.");
ourobox(box, "init");
ourobox(box, "commit", "-m", "All as it came");
ourobox(box, "commit", "-m", "Nothing has changed: found out in no time");

title("2. Change things: write, edit, rename, delete.");
mkdirSync(join(box, "notes"));
writeFileSync(join(box, "notes/first.txt"), "Everything is kept.\nEven this.\n");
appendFileSync(join(box, "typescript/README.md"), "\nOne line more.\n");
renameSync(join(box, "fast-check"), join(box, "quick-check"));
rmSync(join(box, "pure-rand"), { recursive: true });
ourobox(box, "status");
ourobox(box, "diff", "--", "typescript/README.md");
ourobox(box, "commit", "-m", "Notes; a rename; one package less");

title("3. Look back.");
ourobox(box, "log", "--stat");
ourobox(box, "log", "--oneline", "--", "quick-check/package.json");
ourobox(box, "du", "HEAD~1:");

title(
  "4. Carry it elsewhere: an encrypted remote is a folder, on whatever disk. (OUROBOX_PASSPHRASE is set; you would be asked.)",
);
ourobox(box, "remote", "add", "origin", remote);
ourobox(box, "push");
ourobox(top, "clone", remote, clone);
compare(box, clone);

title("5. Lose something, and get it back.");
rmSync(join(clone, "typescript"), { recursive: true });
ourobox(clone, "restore", "typescript");
compare(box, clone);

title("6. Go back in time: the whole folder as it came.");
ourobox(box, "restore", "--source", "HEAD~1", ".");
compare(original, box);
ourobox(box, "check", "--read-data");

title(isGood ? "All is well." : "Something is wrong, see the lines with !! above.");
const at = (path: string): string => (lstatSync(path, { throwIfNoEntry: false }) === undefined ? "(missing)" : path);
print(`
  the box      ${at(box)} (its history is in .ourobox)
  its remote   ${at(remote)} (nothing in there can be read without the passphrase)
  the clone    ${at(clone)}

Try next:
  alias ourobox=${program}
  cd ${box} && ourobox log
  ourobox help
  rm -rf ${top}            when you have seen enough
`);
process.exitCode = isGood ? 0 : 1;
