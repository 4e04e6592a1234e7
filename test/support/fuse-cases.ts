/**
 * Runs the suite of filesystems in the directory of its argument, which is in a mount, and tells the outcome of each case as a line of JSON. A second
 * argument says that the directory is ext4's, or stands on it.
 */
import { mkdirSync } from "node:fs";
import { join } from "node:path";
import { filesystemCases } from "../../src/vfs/filesystem.suite.ts";
import { KernelClient } from "./fs-client-kernel.ts";

const directory = process.argv[2] ?? "";
const isExt4 = process.argv[3] === "ext4";
const uid = process.getuid?.() ?? 0;
process.umask(0o022);
for (const [index, { name, asRoot, beyondExt4, run }] of filesystemCases.entries()) {
  if (asRoot === true && uid !== 0) continue;
  if (beyondExt4 === true && isExt4) continue;
  const own = join(directory, `case-${index}`);
  mkdirSync(own);
  const problem = await run(new KernelClient(own, uid)).then(
    () => undefined,
    (thrown: unknown) => (thrown instanceof Error ? thrown.stack : String(thrown)),
  );
  console.log(JSON.stringify({ name, problem }));
}
