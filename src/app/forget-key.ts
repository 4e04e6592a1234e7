/**
 * Forgetting the box's key on this machine, and bringing it back from a remote. What is forgotten is `.ourobox/keys`, the only place where it is kept; the
 * packs here stay, sealed, and nobody reads them until it is back. The files of the folder and the names in the databases stay readable, as they are.
 */
import { equalBytes, toHex, toText, utf8 } from "../base/bytes.ts";
import { ioError, isKind, OuroError } from "../base/errors.ts";
import { decodeIdentity, findOpened, identityBytesMax, wrongPassphrase } from "../format/mod.ts";
import { unlockRemote } from "../sync/mod.ts";
import { openBoxRemote } from "./box-remotes.ts";
import type { AppContext } from "./context.ts";
import { findStat } from "./disk-folders.ts";
import { Places } from "./key-places.ts";
import { findBox } from "./layout.ts";
import type { OpenBox } from "./open-box.ts";
import type { RemoteRow } from "./remote-list.ts";
import { chooseRemotes } from "./several-remotes.ts";
import { findSmallFile, writeSmallFile } from "./small-files.ts";

/**
 * Drops the key. Before, a passphrase is asked for and tried on the remotes: what opens nowhere would be lost.
 * @returns A remote that gives it back.
 * @throws OuroError "wrong-key" when it opens none of them, "usage" when there is no remote, "offline" and its like.
 */
export async function forgetKey(box: OpenBox): Promise<string> {
  box.requireWritable();
  const { context, layout, identity } = box;
  await using places = await Places.open(box, [], { tidies: false });
  const where = places.all.map(({ row }) => row.name).join(", ");
  const passphrase = await context.askPassphrase(
    `Passphrase or recovery key of ${where}, by which the key can come back`,
  );
  for (const { row, keys } of places.all) {
    const opened = await findOpened(keys, identity.box, passphrase);
    if (opened === undefined || !equalBytes(opened.key, box.secrets.key ?? new Uint8Array())) continue;
    try {
      context.disk.unlink(layout.key);
      context.disk.syncDirectory(layout.box);
    } catch (thrown) {
      throw ioError(`Cannot remove ${layout.key}`, thrown, layout.key);
    }
    return row.name;
  }
  throw wrongPassphrase(passphrase, `the box at ${places.all.map(({ remote }) => remote.url).join(", ")}`);
}

/**
 * Brings the key back from a remote, where it is missing here. Asks for a passphrase then.
 * @param directory In the box. @param names Of remotes, of which the first that can be reached is asked; none: all there are.
 * @returns Whether it was missing.
 * @throws OuroError "wrong-key", "invalid" when the remote holds another box, and as `fetch`.
 */
export async function bringKey(directory: string, names: readonly string[], context: AppContext): Promise<boolean> {
  const { disk } = context;
  const layout = findBox(disk, directory);
  if (findStat(disk, layout.key) !== undefined) return false;
  const bytes = findSmallFile(disk, layout.identity, identityBytesMax);
  const identity = decodeIdentity(toText(bytes ?? new Uint8Array()), layout.identity);
  if (identity.suite === "plain") return false;
  const rows = chooseRemotes({ context, layout }, names);
  let key: Uint8Array | undefined;
  for (const [index, row] of rows.entries()) {
    try {
      key = await keyOn(row, identity.box, context);
      break;
    } catch (thrown) {
      const isAway = isKind(thrown, "offline") || isKind(thrown, "not-found");
      if (!isAway || index === rows.length - 1) throw thrown;
    }
  }
  if (key === undefined) return false;
  const random = (length: number): Uint8Array => context.random(length);
  writeSmallFile(disk, layout.key, utf8(`${toHex(key)}\n`), { permissions: 0o600, ifAbsent: true, random });
  return true;
}

async function keyOn(row: RemoteRow, wanted: Uint8Array, context: AppContext): Promise<Uint8Array> {
  await using remote = openBoxRemote({ context }, row, { create: false });
  const ask = (): Promise<string> => context.askPassphrase(`Passphrase or recovery key of ${row.name} (${row.url})`);
  const { box, key } = await unlockRemote(remote, ask, { signal: context.signal });
  if (key !== undefined && equalBytes(box, wanted)) return key;
  throw new OuroError("invalid", `Cannot take the key from ${row.url}: it holds another box`, { subject: row.url });
}
