/**
 * Runs the conformance cases in a directory, as root, and says how it went: a line "not ok NAME: WHY" for each that fails, and at the end "N cases, M failed".
 *
 * node run.ts DIRECTORY [--prepare | --prepared] [PART OF A NAME…]
 *
 * With `--prepare` only what cases begin with is made, each in a directory of its own, as far as they know it; with `--prepared` those cases are run on what was made so: in another box, say,
 * that has got it from this one.
 */
import { mkdirSync, readdirSync, rmSync, unlinkSync } from "node:fs";
import { join } from "node:path";
import * as call from "./calls.ts";
import { type Case, must } from "./case.ts";
import { tables } from "./tables.ts";

const [directory = "", ...rest] = process.argv.slice(2);
const [isPreparing, isPrepared] = [rest.includes("--prepare"), rest.includes("--prepared")];
const parts = rest.filter((each) => !each.startsWith("--"));
process.umask(0o022);
const place = join(directory, "posix-cases");
if (!isPrepared) mkdirSync(place);
process.chdir(place);

const cases: Case[] = [];
for (const [title, table] of Object.entries(tables))
  table((name, run, prepare) => {
    const full = `${title}: ${name}`;
    const isWanted = parts.length === 0 || parts.some((part) => full.includes(part));
    if (!isWanted || ((isPreparing || isPrepared) && prepare === undefined)) return;
    cases.push({ name: full, run, ...(prepare === undefined ? {} : { prepare }) });
  });

/** One directory for all, emptied after each: another one is made where that fails. */
let own = "";
let made = 0;
function enterOwn(): void {
  if (own !== "") return;
  made += 1;
  own = join(place, `${made}`);
  if (isPrepared) {
    process.chdir(own);
    return;
  }
  mkdirSync(own);
  must(call.chmod(own, 0o777));
  process.chdir(own);
}

function clear(): void {
  process.umask(0o022);
  process.chdir(place);
  if (isPreparing || isPrepared) own = "";
  if (own === "") return;
  try {
    process.chdir(own);
    for (const each of readdirSync(".", { withFileTypes: true }))
      if (each.isDirectory()) rmSync(each.name, { recursive: true });
      else unlinkSync(each.name);
  } catch {
    process.chdir(place);
    rmSync(own, { recursive: true, force: true });
    own = "";
  }
}

let failed = 0;
const seconds = new Map<string, number>();
for (const { name, run, prepare } of cases) {
  const began = performance.now();
  try {
    enterOwn();
    if (!isPrepared) prepare?.();
    if (!isPreparing) run();
  } catch (thrown) {
    failed += 1;
    process.stdout.write(`not ok ${name}: ${thrown instanceof Error ? thrown.message : String(thrown)}\n`);
  } finally {
    clear();
  }
  const title = name.slice(0, name.indexOf(":"));
  seconds.set(title, (seconds.get(title) ?? 0) + (performance.now() - began) / 1000);
}
process.chdir("/");
if (!isPreparing && !isPrepared) rmSync(place, { recursive: true, force: true });
if (process.env["POSIX_TIMES"] !== undefined)
  for (const [title, each] of seconds) process.stdout.write(`# ${title} ${each.toFixed(1)} s\n`);
process.stdout.write(`${cases.length} cases, ${failed} failed\n`);
