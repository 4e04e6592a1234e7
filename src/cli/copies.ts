/** In how many remotes what is committed is: in words and for --json. */
import type { CopiesReport } from "../app/mod.ts";
import { counted, formatSize } from "./format.ts";
import type { JsonValue } from "./output.ts";

/** As `commitsMax` of the application, which would have to be loaded for it. */
const commitsMax = 1000;

/** "Not yet in 2 remotes: 3 commits, up to 1.2 MiB to send" */
export function describeCopies({ wanted, holders, commits, bytes }: CopiesReport): string {
  const where = wanted === 1 ? "any remote" : `${wanted} remotes`;
  const few = holders < wanted ? ` (there ${holders === 1 ? "is" : "are"} ${holders})` : "";
  const many = commits >= commitsMax ? `${counted(commits, "commit")} or more` : counted(commits, "commit");
  return `Not yet in ${where}${few}: ${many}, up to ${formatSize(bytes)} to send`;
}

export function copiesJson({ wanted, holders, commits, bytes }: CopiesReport): { readonly [key: string]: JsonValue } {
  return { copies: wanted, remotes: holders, commits, bytes };
}
