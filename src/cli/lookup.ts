/** What arguments name: commits, and entries in their trees. One that names nothing, but would as the other of the two, is told how to write it. */
import type { Box, Entry } from "../app/mod.ts";
import { toText } from "../base/bytes.ts";
import { isKind, OuroError } from "../base/errors.ts";
import type { CommandContext, Operand } from "./command.ts";
import { currentPath, type PathBase, pathBase, pathOf, revisionPath, splitRevision, textOf } from "./paths.ts";
import { type Path, quotePath } from "./quote.ts";

export interface Found {
  readonly commit: Uint8Array;
  readonly path: Path;
  readonly entry: Entry;
  /** The folder that paths begin at when they are printed: where this one, as it was written, began. */
  readonly from: Path;
}

const top: Path = new Uint8Array();
const here: Operand = { text: ".", bytes: Uint8Array.of(0x2e), afterDashes: false };

/** The entry of each argument "[COMMIT:]PATH"; without arguments the current folder's. @throws OuroError "not-found". */
export function* lookUp(box: Box, context: CommandContext, operands: readonly Operand[]): Generator<Found> {
  const base = pathBase(box, context);
  for (const operand of operands.length === 0 ? [here] : operands) {
    const { revision, path } = revisionPath(operand, base);
    const commit = commitBefore(box, operand, { revision, base });
    const entry = box.find(commit, path);
    if (entry === undefined) {
      const isCommit = splitRevision(operand).revision === undefined && namesCommit(box, operand.text);
      const log = `Run \`ourobox log -- ${quotePath(path)}\` to see when it was there, or \`ourobox status\` if it is new.`;
      throw new OuroError("not-found", `Cannot find ${quotePath(path)}: it is not in ${revision}`, {
        subject: quotePath(path),
        hint: isCommit ? `It is a commit: write ${operand.text}: or ${operand.text}:PATH to look into it.` : log,
      });
    }
    yield { commit, path, entry, from: isFromTop(operand) ? top : currentPath(base) };
  }
}

/** Whether it is "COMMIT:PATH" with a path from the top of the box. */
function isFromTop(operand: Operand): boolean {
  const { revision, path } = splitRevision(operand);
  return revision !== undefined && !/^\.\.?(\/|$)/.test(toText(path.subarray(0, 3)));
}

/** What stands before the colon, or HEAD. */
function commitBefore(
  box: Box,
  operand: Operand,
  { revision, base }: { readonly revision: string; readonly base: PathBase },
): Uint8Array {
  try {
    return box.resolve(revision);
  } catch (thrown) {
    const head = box.head()?.commit;
    if (!isKind(thrown, "not-found") || head === undefined) throw thrown;
    if (box.find(head, pathOf(operand.bytes, base)) === undefined) throw thrown;
    throw withHint(thrown, `A path with a colon in it is written ./${operand.text}, or after --.`);
  }
}

/**
 * The commit that an argument names.
 * @param options.command What takes the paths after `--`, such as "log".
 * @throws OuroError "not-found".
 */
export function commitOf(
  box: Box,
  operand: Operand,
  { context, command }: { readonly context: CommandContext; readonly command: string },
): Uint8Array {
  try {
    return box.resolve(textOf(operand, "a commit"));
  } catch (thrown) {
    if (!isKind(thrown, "not-found") || !namesFile(box, operand, context)) throw thrown;
    throw withHint(thrown, `It is a path: write \`ourobox ${command} -- ${quotePath(operand.bytes)}\`.`);
  }
}

function withHint({ kind, message, subject }: OuroError, hint: string): OuroError {
  return new OuroError(kind, message, { hint, ...(subject === undefined ? {} : { subject }) });
}

/** Whether a text names a commit. */
export function namesCommit(box: Box, text: string): boolean {
  try {
    box.resolve(text);
    return true;
  } catch (thrown) {
    if (isKind(thrown)) return false;
    throw thrown;
  }
}

/** Whether it is a path in the last commit, or in the folder. */
function namesFile(box: Box, { bytes, text }: Operand, context: CommandContext): boolean {
  try {
    const path = pathOf(bytes, pathBase(box, context));
    const head = box.head()?.commit;
    if (head !== undefined && box.find(head, path) !== undefined) return true;
    return box.root !== undefined && context.world.disk.stat(`${context.cwd}/${text}`) !== undefined;
  } catch {
    return false; // It is outside of the box, or nothing that a disk knows.
  }
}
