/** Changes in numbers, for who would like to know what a commit will count before it is made. */
import { kinds } from "../format/mod.ts";
import { pathKey } from "../history/mod.ts";
import type { ChangeCounts } from "../workdir/mod.ts";
import type { Change } from "./changes.ts";

/** The numbers that a commit of all these changes has. What stands in place of something removed is one that is changed. */
export function countChanges(changes: readonly Change[]): ChangeCounts {
  const counts = { added: 0, changed: 0, removed: 0, renamed: 0, times: 0 };
  const removed = new Set(changes.filter(({ type }) => type === "remove").map(({ path }) => pathKey(path)));
  for (const change of changes) {
    const isInPlace = (change.type === "add" || change.type === "rename") && removed.delete(pathKey(change.path));
    if (isTimeAlone(change)) counts.times += 1;
    else if (change.type === "rename") counts.renamed += 1;
    else if (change.type === "change" || isInPlace) counts.changed += 1;
    else if (change.type === "add") counts.added += 1;
  }
  return { ...counts, removed: removed.size };
}

/** Whether it is a directory of which only the time moved, as it does with every name in it. */
function isTimeAlone({ type, after, what }: Change): boolean {
  return type === "change" && after?.kind === kinds.directory && [...what].every((each) => each === "mtime");
}
