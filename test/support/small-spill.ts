/** A place to put bytes aside that comes to the disk soon, as it does of millions of files: for tests. */
import { randomUUID } from "node:crypto";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { nodeDisk } from "../../src/base/node-disk.ts";
import { Spill } from "../../src/base/spill.ts";

export function smallSpill(): Spill {
  const path = (): string => join(tmpdir(), `ourobox-spill-${randomUUID()}`);
  return new Spill({ disk: nodeDisk, path, blockBytes: 500 });
}
