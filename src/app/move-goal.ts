/**
 * Where a move of the folder is going, in the state from before the folder is touched until head and rows have moved: what a later command
 * goes on with after a crash. As one value: the commit, and of another branch its writer, last event (zeros: none) and name.
 */
import { ByteReader, ByteWriter, toText, utf8 } from "../base/bytes.ts";
import { type Hash, hashBytes } from "../format/mod.ts";
import type { OwnHead } from "../history/mod.ts";
import type { OpenBox } from "./open-box.ts";

const movingKey = "moving";

export interface Goal {
  readonly commit: Hash;
  /** The branch to go to, and who this working copy is there; undefined: the one at hand. */
  readonly onto: Omit<OwnHead, "commit"> | undefined;
}

export function setGoal({ state }: OpenBox, { commit, onto }: Goal): void {
  const writer = new ByteWriter(128).bytes(commit);
  if (onto !== undefined) {
    const { clock, id } = onto.last ?? { clock: 0n, id: new Uint8Array(hashBytes) };
    writer.u64(onto.writer).u64(clock).bytes(id).bytes(utf8(onto.branch));
  }
  state.setFolderValue(movingKey, writer.finish());
}

export function clearGoal({ state }: OpenBox): void {
  state.setFolderValue(movingKey, undefined);
}

/** Undefined when no move was interrupted. @throws OuroError "corrupt". */
export function findGoal({ state }: Pick<OpenBox, "state">): Goal | undefined {
  const bytes = state.folderValue(movingKey);
  if (bytes === undefined) return undefined;
  const reader = new ByteReader(bytes, "the goal of an interrupted move");
  const commit = reader.bytes(hashBytes);
  if (reader.remaining === 0) return { commit, onto: undefined };
  const [writer, clock, id] = [reader.u64(), reader.u64(), reader.bytes(hashBytes)];
  const branch = toText(reader.bytes(reader.remaining));
  return { commit, onto: { writer, branch, ...(clock === 0n ? {} : { last: { clock, id } }) } };
}
