/**
 * Runs the suite of reading in a mount: the directory of each case is "case-N" in that of the argument, where it was made before. Tells the outcome of each as
 * a line of JSON; and that all that writes is refused.
 */
import assert from "node:assert/strict";
import { join } from "node:path";
import { readingCases, refusedWrites } from "../../src/vfs/filesystem-reading.suite.ts";
import { assertFails } from "./assert-fails.ts";
import { KernelClient } from "./fs-client-kernel.ts";

const directory = process.argv[2] ?? "";
const uid = process.getuid?.() ?? 0;

async function outcome(run: () => Promise<void>): Promise<string | undefined> {
  try {
    await run();
    return undefined;
  } catch (thrown) {
    return thrown instanceof Error ? thrown.stack : String(thrown);
  }
}

for (const [index, { name, asRoot, read }] of readingCases.entries()) {
  if (asRoot === true && uid !== 0) continue;
  const problem = await outcome(() => read(new KernelClient(join(directory, `case-${index}`), uid)));
  console.log(JSON.stringify({ name, problem }));
}
const client = new KernelClient(join(directory, "refused"), uid);
for (const [name, refused] of Object.entries(refusedWrites)) {
  const problem = await outcome(() => assertFails("EROFS", refused(client)));
  console.log(JSON.stringify({ name: `${name} is refused`, problem }));
}
assert.ok(readingCases.length > 0);
