/** Which paths the next commit takes: picking them, and taking that back. A path that would never be committed is refused at once. */
import { concatBytes, utf8 } from "../base/bytes.ts";
import { errnoOf, ioError, OuroError } from "../base/errors.ts";
import { quoteBytes, quotePath } from "../base/quote.ts";
import { nameProblem } from "../format/mod.ts";
import { isWithin, splitPath } from "../history/mod.ts";
import { statusOf } from "./box-commit.ts";
import { findEntry } from "./box-history.ts";
import type { Path } from "./changes.ts";
import type { OpenBox } from "./open-box.ts";

/**
 * Picks paths for the next commit.
 * @throws OuroError "not-found" (neither in the folder nor in the last commit), "invalid" (never taken in, or ignored): nothing is picked then.
 */
export async function addPicks(
  box: OpenBox,
  paths: readonly Path[],
  { dryRun }: { readonly dryRun: boolean },
): Promise<void> {
  const root = box.requireRoot("pick paths");
  const head = box.head()?.commit;
  const untracked: Path[] = [];
  for (const path of paths) {
    refuseName(path);
    if (head !== undefined && findEntry(box, head, path) !== undefined) continue;
    if (!isThere(box, root, path)) throw notThere(path);
    untracked.push(path);
  }
  if (untracked.length > 0) await refuseIgnored(box, untracked);
  if (!dryRun) box.state.addPicks(paths);
}

/** Takes picked paths, and those below them, back out. @throws OuroError "not-found" for one that was not picked. */
export function removePicks(box: OpenBox, paths: readonly Path[], { dryRun }: { readonly dryRun: boolean }): void {
  const picked = box.state.picks();
  const found = paths.map((path) => {
    const within = picked.filter((each) => isWithin(each, path));
    if (within.length > 0) return within;
    throw new OuroError("not-found", `Cannot take back ${quotePath(path)}: it is not picked`, {
      subject: quotePath(path),
      hint: "Run `ourobox status` to see what is.",
    });
  });
  if (!dryRun) box.state.removePicks(found.flat());
}

function refuseName(path: Path): void {
  for (const name of splitPath(path)) {
    const problem = nameProblem(name);
    if (problem === undefined) continue;
    throw new OuroError("invalid", `Cannot pick ${quotePath(path)}: the name ${quoteBytes(name)} ${problem}`, {
      subject: quotePath(path),
    });
  }
}

function isThere({ context: { disk } }: OpenBox, root: string, path: Path): boolean {
  try {
    return disk.stat(concatBytes([utf8(`${root}/`), path])) !== undefined;
  } catch (thrown) {
    const errno = errnoOf(thrown);
    // Too long for one call, or behind a folder that may not be entered: the commit will see.
    if (errno === "ENAMETOOLONG" || errno === "EACCES") return true;
    throw ioError(`Cannot look at ${quotePath(path)}`, thrown, quotePath(path));
  }
}

function notThere(path: Path): OuroError {
  return new OuroError(
    "not-found",
    `Cannot pick ${quotePath(path)}: it is neither in the folder nor in the last commit`,
    {
      subject: quotePath(path),
      hint: "Run `ourobox status` to see what has changed.",
    },
  );
}

/** What is there, is in no commit and is no change either, is left alone. */
async function refuseIgnored(box: OpenBox, paths: readonly Path[]): Promise<void> {
  const { changes, partial } = await statusOf(box, { paths });
  const ignored = paths.find((path) => !changes.some((each) => isWithin(each.path, path) || isWithin(path, each.path)));
  if (ignored === undefined || partial) return;
  throw new OuroError("invalid", `Cannot pick ${quotePath(ignored)}: it is ignored`, {
    subject: quotePath(ignored),
    hint: "A rule in .ouroboxignore leaves it alone, or a folder above it is a symlink.",
  });
}
