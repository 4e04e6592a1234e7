/**
 * The own head as a file, `.ourobox/heads/<writer>`: the same sealed and signed bytes that a push writes to a remote. State.sqlite is
 * what counts; this is what it is made from again when it is lost.
 */
import { join } from "node:path";
import { equalBytes } from "../base/bytes.ts";
import { isKind } from "../base/errors.ts";
import { encodeHead, type Head, headLimits, openBlob, sealBlob, writerHex } from "../format/mod.ts";
import type { OpenBox } from "./open-box.ts";
import { peerName } from "./peer-name.ts";
import { findSmallFile, writeSmallFile } from "./small-files.ts";

/** This working copy's head; undefined before there is a commit. */
export function ownHead(box: OpenBox): Head | undefined {
  const head = box.state.head();
  if (head === undefined) return undefined;
  return { ...head, peer: box.peer().publicKey, peerName: peerName(box), tags: box.state.tags() };
}

/** Writes the head's file where it does not say what the head is: a command has ended, or failed, between the one and the other. */
export function keepOwnHead(box: OpenBox): void {
  const head = ownHead(box);
  if (head !== undefined && !isSaved(box, head)) saveOwnHead(box);
}

function isSaved(box: OpenBox, head: Head): boolean {
  const path = pathOf(box, head);
  try {
    const bytes = findSmallFile(box.context.disk, path, headLimits.bytes);
    return bytes !== undefined && equalBytes(openBlob(box.secrets, "head", bytes, path), payloadOf(box, head));
  } catch (thrown) {
    if (!isKind(thrown, "corrupt") && !isKind(thrown, "wrong-key") && !isKind(thrown, "too-large")) throw thrown;
    return false;
  }
}

function pathOf(box: OpenBox, { writer }: Head): string {
  return join(box.layout.heads, writerHex(writer));
}

/** Signing is deterministic: of equal heads the bytes are equal. */
function payloadOf(box: OpenBox, head: Head): Uint8Array {
  return encodeHead(head, box.identity.box, (message) => box.peer().sign(message));
}

/** Writes the head's file; of several processes that do so at once, the last to write has read the newest head. */
export function saveOwnHead(box: OpenBox): void {
  for (let head = ownHead(box); head !== undefined; ) {
    const bytes = sealBlob(box.secrets, "head", payloadOf(box, head), box.context.random);
    writeSmallFile(box.context.disk, pathOf(box, head), bytes, { permissions: 0o600, random: box.context.random });
    const now = ownHead(box);
    if (now === undefined || equalBytes(now.commit, head.commit)) return;
    head = now;
  }
}
