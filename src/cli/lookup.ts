/** What the arguments of ls, cat and du name: entries in the trees of commits. */
import type { Box, Entry } from "../app/mod.ts";
import { OuroError } from "../base/errors.ts";
import type { CommandContext, Operand } from "./command.ts";
import { revisionPath } from "./paths.ts";
import { type Path, quotePath } from "./quote.ts";

export interface Found {
  readonly commit: Uint8Array;
  readonly path: Path;
  readonly entry: Entry;
}

const here: Operand = { text: ".", bytes: Uint8Array.of(0x2e), afterDashes: false };

/** The entry of each argument "[COMMIT:]PATH"; without arguments the current folder's. @throws OuroError "not-found". */
export function* lookUp(box: Box, { cwd }: CommandContext, operands: readonly Operand[]): Generator<Found> {
  for (const operand of operands.length === 0 ? [here] : operands) {
    const { revision, path } = revisionPath(operand, { root: box.root, cwd });
    const commit = box.resolve(revision);
    const entry = box.find(commit, path);
    if (entry === undefined) {
      throw new OuroError("not-found", `Cannot find ${quotePath(path)}: it is not in ${revision}`, {
        subject: quotePath(path),
        hint: `Run \`ourobox log -- ${quotePath(path)}\` to see when it was there, or \`ourobox status\` if it is new.`,
      });
    }
    yield { commit, path, entry };
  }
}
