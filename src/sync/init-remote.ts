/**
 * Making a remote, and opening the one that is there. `config` is the first file of a remote and never replaced by this: of any
 * number of processes that begin at once one writes it, and all go on with what it says.
 */
import { equalBytes, utf8 } from "../base/bytes.ts";
import { isKind, OuroError } from "../base/errors.ts";
import { type BoxIdentity, type BoxSecrets, encodeIdentity, unwrapKey } from "../format/mod.ts";
import type { Remote, RemoteOptions } from "../remote/mod.ts";
import { configName, findIdentity, noBox, requireSameBox } from "./box-on-remote.ts";

/** What is at the top of a remote. */
const layoutNames: ReadonlySet<string> = new Set([configName, "packs", "index", "heads", "condemned"]);

export interface InitResult {
  /** Whether this call made it. */
  readonly created: boolean;
  /** As it is on the remote. */
  readonly identity: BoxIdentity;
}

/**
 * Makes an empty place this box's remote, or makes sure that it is one.
 * @param makeIdentity What to write, asked for only when there is nothing: with the wrapped key for a sealed box.
 * @throws OuroError "invalid" when it holds another box, "not-empty" when it holds other files, and as `Remote.put`.
 */
export async function initRemote(
  remote: Remote,
  secrets: BoxSecrets,
  makeIdentity: () => Promise<BoxIdentity>,
  options: RemoteOptions = {},
): Promise<InitResult> {
  const found = await findIdentity(remote, options);
  if (found !== undefined) {
    requireSameBox(found, secrets, remote.url);
    return { created: false, identity: found };
  }
  await requireEmpty(remote, options);
  const mine = await makeIdentity();
  const text = utf8(encodeIdentity(mine));
  const isFirst = await putFirst(remote, text, options);
  const identity = await findIdentity(remote, options);
  if (identity === undefined) throw noBox(remote.url);
  requireSameBox(identity, secrets, remote.url);
  return { created: isFirst && equalBytes(utf8(encodeIdentity(identity)), text), identity };
}

/** @returns Whether there was none, as far as the remote can tell. */
async function putFirst(remote: Remote, text: Uint8Array, options: RemoteOptions): Promise<boolean> {
  if (remote.conditions !== "none") {
    try {
      return (await remote.putIf(configName, text, { ifAbsent: true }, options)) !== undefined;
    } catch (thrown) {
      if (!isKind(thrown, "unsupported")) throw thrown;
    }
  }
  // Whoever writes last wins, and all read it again: equal but for the wrapped keys when they are of one box.
  await remote.put(configName, text, options);
  return true;
}

async function requireEmpty(remote: Remote, options: RemoteOptions): Promise<void> {
  const names = await remote.topNames(options);
  // Somebody has just made it.
  if (names.includes(configName)) return;
  const foreign = names.find((name) => !layoutNames.has(name));
  const name = foreign ?? names[0];
  if (name === undefined) return;
  const what = foreign === undefined ? `${name}, but no ${configName}` : JSON.stringify(name.slice(0, 80));
  throw new OuroError("not-empty", `Cannot make a remote of ${remote.url}: it holds ${what}`, {
    subject: remote.url,
    hint:
      foreign === undefined
        ? `Bring its ${configName} back from a copy, or use an empty folder.`
        : "Use an empty folder.",
  });
}

/**
 * What a clone needs first.
 * @throws OuroError "not-found" when there is no box, "corrupt", "newer-format".
 */
export async function readRemoteIdentity(remote: Remote, options: RemoteOptions = {}): Promise<BoxIdentity> {
  const identity = await findIdentity(remote, options);
  if (identity === undefined) throw noBox(remote.url);
  return identity;
}

/**
 * The secrets of the box that a remote holds.
 * @param askPassphrase Called once, and only for a sealed box.
 * @throws OuroError "wrong-key" when the passphrase opens none of its keys, "corrupt" when it has none.
 */
export async function unlockIdentity(identity: BoxIdentity, askPassphrase: () => Promise<string>): Promise<BoxSecrets> {
  const { box, hash, suite, keys = [] } = identity;
  if (suite === "plain") return { box, hash, suite };
  if (keys.length === 0) {
    throw new OuroError("corrupt", "Cannot open the box: the remote has no wrapped key of it", {
      hint: "Bring the remote's file `config` back from a copy.",
    });
  }
  return { box, hash, suite, key: await unwrapKey(keys, box, await askPassphrase()) };
}
