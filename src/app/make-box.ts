/**
 * Making `.ourobox/`: all of it under another name first, then one rename, so that a killed `init` leaves no half a box.
 */
import { join } from "node:path";
import { toHex, toText, utf8 } from "../base/bytes.ts";
import { ioError, OuroError } from "../base/errors.ts";
import { type BoxIdentity, type BoxSecrets, decodeIdentity, encodeIdentity, identityBytesMax } from "../format/mod.ts";
import type { AppContext } from "./context.ts";
import { findStat, makeFolders } from "./disk-folders.ts";
import { type Layout, layoutOf } from "./layout.ts";
import { findSmallFile, writeSmallFile } from "./small-files.ts";
import { TemporaryFolder } from "./temporary-folder.ts";

const keyBytes = 32;

export interface NewBox {
  /** Without wrapped keys. */
  readonly identity: BoxIdentity;
  /** 32 bytes; absent for a plain box. */
  readonly key?: Uint8Array;
  /** Lines of `.ourobox/config`. */
  readonly settings: readonly string[];
}

/**
 * Makes a box in `top`, which may be there already, with files in it.
 * @throws OuroError "exists" when it holds a box.
 */
export function makeBoxFolder(context: AppContext, top: string, { identity, key, settings }: NewBox): Layout {
  const { disk, random } = context;
  const layout = layoutOf(top);
  if (findStat(disk, layout.identity) !== undefined) {
    throw new OuroError("exists", `Cannot make a box in ${top}: there is one already`, {
      subject: top,
      hint: "Run `ourobox status` there to see it.",
    });
  }
  const there = findStat(disk, `${top}/.`) ?? findStat(disk, top);
  if (there !== undefined && there.kind !== "directory") {
    throw new OuroError("not-dir", `Cannot make a box in ${top}: it is a file (must be a folder)`, { subject: top });
  }
  try {
    makeFolders(disk, top);
    using made = new TemporaryFolder(top, context);
    const temporary = made.path;
    for (const name of ["packs", "heads", "tmp"]) disk.makeDirectory(join(temporary, name), 0o700);
    const write = (name: string, text: string, permissions: number): boolean =>
      writeSmallFile(disk, join(temporary, name), utf8(text), { permissions, random });
    if (key !== undefined) write("keys", `${toHex(key)}\n`, 0o600);
    write(
      "config",
      ["# Settings of this box: `ourobox config list` shows them all.", ...settings, ""].join("\n"),
      0o644,
    );
    write("box", encodeIdentity(identity), 0o644);
    disk.rename(temporary, layout.box);
    disk.syncDirectory(top);
  } catch (thrown) {
    throw ioError(`Cannot make a box in ${top}`, thrown, top);
  }
  return layout;
}

/**
 * What one needs to open a box's packs.
 * @throws OuroError "corrupt", "newer-format", "wrong-key" (a sealed box without its key).
 */
export function readSecrets(
  context: AppContext,
  layout: Layout,
): { readonly identity: BoxIdentity; readonly secrets: BoxSecrets } {
  const bytes = findSmallFile(context.disk, layout.identity, identityBytesMax);
  if (bytes === undefined) throw new OuroError("no-box", `Cannot open ${layout.box}: its file "box" is gone`);
  const identity = decodeIdentity(toText(bytes), layout.identity);
  const common = { box: identity.box, hash: identity.hash, suite: identity.suite };
  return { identity, secrets: identity.suite === "plain" ? common : { ...common, key: readKey(context, layout) } };
}

function readKey({ disk }: AppContext, { key }: Layout): Uint8Array {
  const bytes = findSmallFile(disk, key, 1024);
  const text = bytes === undefined ? undefined : toText(bytes).trimEnd();
  if (text !== undefined && /^[0-9a-f]{64}$/.test(text)) return Buffer.from(text, "hex").subarray(0, keyBytes);
  throw new OuroError("wrong-key", `Cannot open the box: ${key} ${text === undefined ? "is missing" : "is damaged"}`, {
    subject: key,
    hint:
      text === undefined
        ? "Run `ourobox fetch`: it asks for a passphrase or recovery key of a remote, and brings the key back. Or copy that file from another machine of the same box."
        : "Copy that file from another machine of the same box. Or remove it, and run `ourobox fetch`, which brings it back from a remote with its passphrase.",
  });
}
