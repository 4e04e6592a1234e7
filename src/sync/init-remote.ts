/**
 * Making a remote, and opening the one that is there. `config` is never replaced by this: of any number of processes that begin at once
 * one writes it, and all go on with what it says. Packs may come before it, as making it takes long (a key is derived from a
 * passphrase); nothing else does. So packs alone are what is left of a first push that was cut off; or a folder for them that is empty, as
 * a power loss takes a pack whose name was not synced yet, and leaves the folder.
 */
import { equalBytes, utf8 } from "../base/bytes.ts";
import { isKind, OuroError } from "../base/errors.ts";
import { type BoxIdentity, type BoxSecrets, encodeIdentity } from "../format/mod.ts";
import type { Remote, RemoteOptions } from "../remote/mod.ts";
import { configName, findIdentity, noBox, packPrefix, requireSameBox } from "./box-on-remote.ts";

/** What is at the top of a remote. */
const packsLookedAt = 1000;
const layoutNames: ReadonlySet<string> = new Set([configName, "packs", "index", "heads", "condemned", "keys"]);

export interface InitResult {
  /** Whether this call made it. */
  readonly created: boolean;
  /** As it is on the remote. */
  readonly identity: BoxIdentity;
}

/** A remote that is this box's, or is about to be. */
export interface BegunRemote {
  /** Settles when it is. Packs may be put there before, and nothing else. */
  readonly made: Promise<InitResult>;
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
  const { made } = await beginRemote(remote, secrets, async () => ({ identity: makeIdentity() }), options);
  return await made;
}

/**
 * As `initRemote`, and is back as soon as it is known that the place is empty, or this box's.
 * @param makeIdentity Gives the identity as a promise in an object, which is waited for meanwhile.
 */
export async function beginRemote(
  remote: Remote,
  secrets: BoxSecrets,
  makeIdentity: () => Promise<{ readonly identity: Promise<BoxIdentity> }>,
  options: RemoteOptions = {},
): Promise<BegunRemote> {
  const found = await findIdentity(remote, options);
  if (found !== undefined) {
    requireSameBox(found, secrets, remote.url);
    return { made: Promise.resolve({ created: false, identity: found }) };
  }
  await requireEmpty(remote, options);
  const { identity } = await makeIdentity();
  const made = makeRemote(remote, secrets, identity, options);
  // Whoever waits for it is told; that nobody waits yet when it fails is no accident.
  made.catch(() => undefined);
  return { made };
}

async function makeRemote(
  remote: Remote,
  secrets: BoxSecrets,
  making: Promise<BoxIdentity>,
  options: RemoteOptions,
): Promise<InitResult> {
  const mine = await making;
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
  const packsName = packPrefix.slice(0, -1);
  if (name === undefined || (names.length === 1 && name === packsName && (await hasOnlyPacks(remote, options)))) return;
  const what = foreign === undefined ? `${name}, but no ${configName}` : JSON.stringify(name.slice(0, 80));
  throw new OuroError("not-empty", `Cannot make a remote of ${remote.url}: it holds ${what}`, {
    subject: remote.url,
    hint:
      foreign === undefined
        ? `Bring its ${configName} back from a copy, or use an empty folder.`
        : "Use an empty folder.",
  });
}

/** Whether what is there is what a first push has left that was cut off. */
async function hasOnlyPacks(remote: Remote, options: RemoteOptions): Promise<boolean> {
  let count = 0;
  for await (const { name } of remote.list(packPrefix, options)) {
    if (!/^[0-9a-f]{64}$/.test(name.slice(packPrefix.length))) return false;
    count += 1;
    if (count === packsLookedAt) break;
  }
  // A folder without blobs; anything else of that name is somebody's.
  return count > 0 || (await remote.stat(packPrefix.slice(0, -1), options)) === undefined;
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
