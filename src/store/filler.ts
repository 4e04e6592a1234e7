/**
 * A few random bytes in a pack, as an object that nothing refers to: so that a pack of a plain box, in which sealing adds nothing random, has a name that no
 * other pack has had. A name that was condemned on a remote is not to be given again (doc/decisions/0013-retention.md).
 */
import { type BoxSecrets, encodeXattrs, getHasher, type PackClass } from "../format/mod.ts";
import type { PackWriter } from "./pack-writer.ts";

const chunkBytes = 32;
/** More than what attributes take that stand in their entry. */
const valueBytes = 600;

/** Adds an object to a pack that is empty so far, if sealing does not give it a name of its own. */
export function addFiller(
  writer: PackWriter,
  packClass: PackClass,
  { secrets, random }: { readonly secrets: BoxSecrets; readonly random: (count: number) => Uint8Array },
): void {
  if (secrets.suite !== "plain") return;
  const hasher = getHasher(secrets.hash);
  if (packClass === "content") {
    const bytes = random(chunkBytes);
    writer.add(hasher.hash(bytes), bytes);
    return;
  }
  const block = encodeXattrs([{ name: Buffer.from("filler"), value: random(valueBytes) }]);
  writer.add(hasher.hash(block), block, { kind: "xattrs" });
}
