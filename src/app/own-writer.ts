/** Who this working copy is on each branch. */
import { ByteWriter, equalBytes, utf8 } from "../base/bytes.ts";
import { findVectorEntry, fullVector, type WriterId } from "../format/mod.ts";
import type { OwnHead } from "../history/mod.ts";
import type { OpenBox } from "./open-box.ts";

/**
 * The writer id on a branch: that of `.ourobox/writer` on the first one, on others made from it and the name. So a copied box, which gets a
 * new id there, is another writer on every branch.
 */
export function ownWriterOn(box: OpenBox, branch: string): WriterId {
  const { writer, branch: first } = box.writer();
  if (branch === first) return writer;
  const name = new ByteWriter(256).bytes(utf8("ourobox branch writer\0")).u64(writer).bytes(utf8(branch)).finish();
  const hash = box.store.hasher.hash(name);
  const id = Buffer.from(hash.buffer, hash.byteOffset, 8).readBigUInt64BE();
  return id === 0n ? 1n : id;
}

/** Whether two heads are of one branch and at one commit. */
export function isSameHead(a: OwnHead | undefined, b: OwnHead | undefined): boolean {
  return a === undefined || b === undefined ? a === b : a.branch === b.branch && equalBytes(a.commit, b.commit);
}

/** Who this working copy is on a branch that is not at hand: its writer, and that one's last event. */
export function ownOn(box: OpenBox, branch: string): Omit<OwnHead, "commit"> {
  const writer = ownWriterOn(box, branch);
  const parked = box.state.findBranch(branch);
  const last = parked?.writer === writer ? parked.last : undefined;
  return { writer, branch, ...(last === undefined ? {} : { last }) };
}

/**
 * Who commits, and its last event: the head's, unless this copy of the box has become a writer of its own. When somebody has seen a later event of
 * this writer than it knows itself, it was restored from an older copy: it goes on as a new writer, and never gives out a dot twice.
 * @param branch Of a box without a head: where its first commit goes.
 */
export function currentWriter(
  box: OpenBox,
  head: OwnHead | undefined,
  branch: string = head?.branch ?? box.writer().branch,
): Omit<OwnHead, "commit"> {
  const writer = ownWriterOn(box, branch);
  const last = head?.writer === writer ? head.last : undefined;
  // Where another command has moved the head meanwhile, what is known is that command's own: whoever asks finds the head moved, and begins again.
  if (isKnownBeyond(box, writer, last?.clock ?? 0n) && isSameHead(box.state.head(), head)) {
    box.renewWriter();
    box.context.notice(
      "This box was restored from an older copy, or used as two: it goes on under a new writer id, and nothing is lost.",
    );
    return { writer: ownWriterOn(box, branch), branch };
  }
  return last === undefined ? { writer, branch } : { writer, branch, last };
}

/** Whether the head or what was seen on remotes has taken in an event of a writer after this clock. */
function isKnownBeyond(box: OpenBox, writer: WriterId, clock: bigint): boolean {
  const head = box.headCommit();
  const others = box.state.remoteHeads().map(({ commit }) => box.commits.read(commit));
  return [...(head === undefined ? [] : [head]), ...others].some((commit) => {
    const entry = findVectorEntry(fullVector(commit), writer);
    return entry !== undefined && entry.clock > clock;
  });
}
