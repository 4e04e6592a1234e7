/**
 * Who this device is: an ed25519 key under the user's config, made on first use. Every commit and head made here is signed by it.
 *
 * The file is 64 hex digits and a line end, mode 0600. It is written beside its place and linked there, so that of two processes that
 * make it at once one wins and both go on with the same key, and a crash leaves none or a whole one.
 */
import { dirname, join } from "node:path";
import { fromHex, toHex, toText, utf8 } from "../base/bytes.ts";
import type { Disk } from "../base/disk.ts";
import { errnoOf, ioError, isKind, OuroError } from "../base/errors.ts";
import { SigningKey, seedBytes } from "./signing.ts";

/** A little more than a key file has. */
const keyFileBytesMax = 4096;

export interface PeerIdentityOptions {
  readonly disk: Disk;
  /** Unpredictable bytes. */
  readonly random: (length: number) => Uint8Array;
}

/**
 * This device's signing key, made if there is none.
 * @param path Of the key file; its folder is made too (0700).
 * @throws OuroError "corrupt" for a file that is no key, "permission" when others may read it, "io" and its like.
 */
export function openPeerIdentity(path: string, options: PeerIdentityOptions): SigningKey {
  const { disk, random } = options;
  try {
    const found = findKey(disk, path);
    if (found !== undefined) return found;
    makeFolder(disk, dirname(path));
    makeKey(disk, path, random);
    const made = findKey(disk, path);
    if (made !== undefined) return made;
    throw new OuroError("io", `Cannot make ${path}: it has gone again`, { subject: path });
  } catch (thrown) {
    throw ioError(`Cannot open the peer key ${path}`, thrown, path);
  }
}

function findKey(disk: Disk, path: string): SigningKey | undefined {
  let fd: number;
  try {
    fd = disk.open(path, "read");
  } catch (thrown) {
    if (errnoOf(thrown) === "ENOENT") return undefined;
    throw thrown;
  }
  try {
    const { mode, size } = disk.statFile(fd);
    if ((mode & 0o077) !== 0) {
      throw new OuroError("permission", `Cannot use the peer key ${path}: others may read it (must be mode 0600)`, {
        subject: path,
        hint: `Run \`chmod 600 ${path}\`, or remove it if somebody else may have had it.`,
      });
    }
    const bytes = new Uint8Array(Math.min(size, keyFileBytesMax));
    return decodeKey(toText(bytes.subarray(0, disk.read(fd, bytes, 0))), path);
  } finally {
    disk.close(fd);
  }
}

function decodeKey(text: string, path: string): SigningKey {
  try {
    return new SigningKey(fromHex(text.endsWith("\n") ? text.slice(0, -1) : text, seedBytes));
  } catch (thrown) {
    if (!isKind(thrown, "invalid")) throw thrown;
    throw new OuroError("corrupt", `Cannot use the peer key ${path}: it is not ${seedBytes * 2} hex digits`, {
      subject: path,
      hint: "Bring it back from a backup, or remove it: this device then gets a new key, which others must trust anew.",
    });
  }
}

function makeKey(disk: Disk, path: string, random: (length: number) => Uint8Array): void {
  const temporary = join(dirname(path), `.${toHex(random(8))}.tmp`);
  const fd = disk.open(temporary, "create-new", 0o600);
  try {
    disk.write(fd, utf8(`${toHex(random(seedBytes))}\n`), 0);
    disk.syncFile(fd);
  } finally {
    disk.close(fd);
  }
  try {
    place(disk, temporary, path);
  } finally {
    disk.unlink(temporary);
  }
  disk.syncDirectory(dirname(path));
}

/** Links the key to its name; when another process was first, its key stays. */
function place(disk: Disk, temporary: string, path: string): void {
  try {
    disk.link(temporary, path);
  } catch (thrown) {
    if (errnoOf(thrown) !== "EEXIST") throw thrown;
  }
}

function makeFolder(disk: Disk, folder: string): void {
  if (disk.stat(`${folder}/.`)?.kind === "directory") return;
  if (dirname(folder) !== folder) makeFolder(disk, dirname(folder));
  try {
    disk.makeDirectory(folder, 0o700);
  } catch (thrown) {
    if (errnoOf(thrown) !== "EEXIST") throw thrown;
    return;
  }
  disk.syncDirectory(dirname(folder));
}
