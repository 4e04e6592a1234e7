/** Packs as a member of a box can make them: sealed and named as they should be, with whatever they like in them. */
import { randomBytes } from "node:crypto";
import { closeSync } from "node:fs";
import { join } from "node:path";
import { toHex, utf8 } from "../../src/base/bytes.ts";
import { nodeDisk } from "../../src/base/node-disk.ts";
import { type BoxSecrets, getHasher, type Hash, type PackInfo } from "../../src/format/mod.ts";
import { PackWriter } from "../../src/store/pack-writer.ts";
import { StorePaths } from "../../src/store/store-paths.ts";

export interface Claim {
  /** What the pack's directory says that the bytes are. */
  readonly hash: Hash;
  readonly bytes: Uint8Array;
}

export const hashOf = (bytes: Uint8Array): Hash => getHasher("blake3").hash(bytes);
export const truth = (text: string): Claim => ({ hash: hashOf(utf8(text)), bytes: utf8(text) });
export const lie = (text: string): Claim => ({ hash: hashOf(utf8(text)), bytes: utf8("~".repeat(text.length)) });

/** @param directory A box's, in whose temporary folder the pack is made. */
export function makeLyingPack(
  directory: string,
  secrets: BoxSecrets,
  claims: readonly Claim[],
): PackInfo & { readonly path: string } {
  const paths = new StorePaths({ directory });
  const writer = new PackWriter("content", { disk: nodeDisk, secrets, paths, random: randomBytes });
  for (const { hash, bytes } of claims) writer.add(hash, bytes);
  const { fd, name, size, directorySize, directory: listed, temporaryPath } = writer.complete();
  closeSync(fd);
  const path = join(paths.temporary, `fetch-${toHex(name)}`);
  nodeDisk.rename(temporaryPath, path);
  return { path, name, class: "content", size, directorySize, objects: listed.objects };
}
