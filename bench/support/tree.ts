/** Looking at trees of files: what the edits need. */
import { readdirSync } from "node:fs";
import { join } from "node:path";

/** Regular files below a folder, as paths within it, in byte order; without `.ourobox`. Symlinks are left out. */
export function listFiles(root: string): string[] {
  const found: string[] = [];
  function walk(folder: string): void {
    for (const each of readdirSync(join(root, folder), { withFileTypes: true })) {
      const path = folder === "" ? each.name : `${folder}/${each.name}`;
      if (each.isDirectory() && each.name !== ".ourobox") walk(path);
      else if (each.isFile()) found.push(path);
    }
  }
  walk("");
  return found.sort((a, b) => (a < b ? -1 : 1));
}
