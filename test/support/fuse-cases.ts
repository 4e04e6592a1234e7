/** Runs the suite of filesystems in the directory of its argument, which is in a mount, and tells the outcome of each case as a line of JSON. */
import { mkdirSync } from "node:fs";
import { join } from "node:path";
import { filesystemCases } from "../../src/vfs/filesystem.suite.ts";
import { KernelClient } from "./fs-client-kernel.ts";

const directory = process.argv[2] ?? "";
const uid = process.getuid?.() ?? 0;
process.umask(0o022);
for (const [index, { name, asRoot, run }] of filesystemCases.entries()) {
  if (asRoot === true && uid !== 0) continue;
  const own = join(directory, `case-${index}`);
  mkdirSync(own);
  const problem = await run(new KernelClient(own, uid)).then(
    () => undefined,
    (thrown: unknown) => (thrown instanceof Error ? thrown.stack : String(thrown)),
  );
  console.log(JSON.stringify({ name, problem }));
}
