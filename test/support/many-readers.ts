/**
 * Run as a program: reads files of a folder again and again, by sixteen at once. `many-readers.ts FOLDER SUMS OPENS SECONDS`, SUMS being a file of JSON: the SHA-256 of each file by
 * name. Tells as JSON how often it went well, how often there was an I/O error, what had other bytes, any other failure, and the longest that one open and read took.
 */
import { createHash } from "node:crypto";
import { constants, readFileSync } from "node:fs";
import { open } from "node:fs/promises";
import { join } from "node:path";
import { Prng } from "../../src/base/prng.ts";

const [folder = "", sumsPath = "", opens = "0", seconds = "0"] = process.argv.slice(2);
const sums = Object.entries(JSON.parse(readFileSync(sumsPath, "utf8")) as Record<string, string>);
const readers = 16;
const told = { read: 0, failed: 0, longestMs: 0, wrong: [] as string[], other: [] as string[] };
const endMs = Date.now() + Number(seconds) * 1000;
let left = Number(opens);

async function readOne(prng: Prng): Promise<void> {
  const [name, sum] = prng.pick(sums);
  const startMs = performance.now();
  try {
    // Past what the kernel has kept.
    await using file = await open(join(folder, name), constants.O_RDONLY | constants.O_DIRECT);
    const bytes = await file.readFile();
    told.read += 1;
    if (createHash("sha256").update(bytes).digest("hex") !== sum) told.wrong.push(name);
  } catch (thrown) {
    const { code } = thrown as { code?: string };
    if (code === "EIO") told.failed += 1;
    else told.other.push(`${name}: ${String(thrown)}`);
  }
  told.longestMs = Math.max(told.longestMs, performance.now() - startMs);
}

await Promise.all(
  Array.from({ length: readers }, async (_, reader) => {
    const prng = new Prng(reader);
    while (left > 0 && Date.now() < endMs) {
      left -= 1;
      await readOne(prng);
    }
  }),
);
console.log(JSON.stringify({ ...told, left }));
