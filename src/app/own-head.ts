/**
 * The own head as a file, `.ourobox/heads/<writer>`: the same sealed and signed bytes that a push writes to a remote. State.sqlite is
 * what counts; this is what it is made from again when it is lost.
 */
import { join } from "node:path";
import { equalBytes } from "../base/bytes.ts";
import { encodeHead, type Head, sealBlob, writerHex } from "../format/mod.ts";
import type { OpenBox } from "./open-box.ts";
import { peerName } from "./peer-name.ts";
import { writeSmallFile } from "./small-files.ts";

/** This working copy's head; undefined before there is a commit. */
export function ownHead(box: OpenBox): Head | undefined {
  const head = box.state.head();
  if (head === undefined) return undefined;
  return { ...head, peer: box.peer().publicKey, peerName: peerName(box), tags: box.state.tags() };
}

/** Writes the head's file; of several processes that do so at once, the last to write has read the newest head. */
export function saveOwnHead(box: OpenBox): void {
  for (let head = ownHead(box); head !== undefined; ) {
    const payload = encodeHead(head, box.identity.box, (message) => box.peer().sign(message));
    const path = join(box.layout.heads, writerHex(head.writer));
    const bytes = sealBlob(box.secrets, "head", payload, box.context.random);
    writeSmallFile(box.context.disk, path, bytes, { permissions: 0o600, random: box.context.random });
    const now = ownHead(box);
    if (now === undefined || equalBytes(now.commit, head.commit)) return;
    head = now;
  }
}
