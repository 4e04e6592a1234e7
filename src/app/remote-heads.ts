/** The heads that were seen on remotes, opened: which branch each is of, and whose it is. */
import { decodeHead, type Hash, type Head, openBlob, type WriterId, writerHex } from "../format/mod.ts";
import { verifySignature } from "../peer/mod.ts";
import type { OpenBox } from "./open-box.ts";

export interface BranchHead {
  readonly remote: string;
  readonly branch: string;
  readonly writer: WriterId;
  readonly commit: Hash;
  readonly peerName: string;
}

/** By remote and writer. @param remote Only this one's; absent: all. @throws OuroError "corrupt". */
export function headsOfRemotes({ state, secrets }: OpenBox, remote?: string): BranchHead[] {
  return state.remoteHeads(remote).map(({ remote: from, writer, commit, raw }) => {
    const what = `the head of ${writerHex(writer)} on ${from}`;
    const head: Head = decodeHead(openBlob(secrets, "head", raw, what), secrets.box, verifySignature, what);
    return { remote: from, writer, commit, branch: head.branch, peerName: head.peerName };
  });
}
