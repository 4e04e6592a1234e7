/**
 * The wrapped keys of a sealed box on a remote: those of `config`, and those of the key lists `keys/<random>`.
 *
 * What counts is the union of all keys there, but for those that a list says are removed; were none left then, as two machines have each
 * removed what the other kept, all count again. A change writes one list with everything that counts and is removed, under a name that was never used,
 * and then removes the lists it has read. So nothing is locked and no condition of puts is needed: the list that was written last is never removed, and
 * each has a key at least; of two changes at once neither is lost, and who comes later writes anew what holds a removed key; a change that is
 * cut off anywhere leaves the keys of before, or those of after. `config` is only ever replaced by itself without keys, by all in the same way,
 * once the keys are in a list; were it lost in that, the lists say what it said.
 * Format: doc/format.md, section 9. Reasons: doc/decisions/0011-keys.md.
 */
import { compareBytes, equalBytes, fromHex, toHex, utf8 } from "../base/bytes.ts";
import { isKind, OuroError } from "../base/errors.ts";
import {
  type BoxIdentity,
  type BoxSecrets,
  encodeIdentity,
  findOpened,
  removedKeysMax,
  type WrappedKey,
  wrapLimits,
  wrongPassphrase,
} from "../format/mod.ts";
import type { Remote, RemoteOptions } from "../remote/mod.ts";
import {
  configName,
  findConfig,
  findKeyList,
  isKeyListName,
  keyListsMax,
  keysPrefix,
  noBox,
  requireSameBox,
} from "./box-on-remote.ts";

/** How often changes of others, which came between, make a change begin again. */
const roundsMax = 10;
const listNameBytes = 16;
/** How often a list that was listed and is gone makes a reader list again. */
const listingsMax = 3;
/** Of one remote, when another is added: below the format's limit, so that several machines can go beyond it at once. */
export const remoteKeysMax = 32;

interface KeyList {
  /** As on the remote, with the prefix. */
  readonly name: string;
  readonly identity: BoxIdentity;
  /** As this program would write it. */
  readonly isOwnForm: boolean;
}

export interface RemoteKeys {
  /** Of the box, without keys. */
  readonly identity: BoxIdentity;
  /** Those that count, by id. */
  readonly keys: readonly WrappedKey[];
  /** No key that is removed still stands somewhere, as it does after a change that was cut off. */
  readonly isClean: boolean;
  /** What is wrong with lists that could not be read. They are left alone. */
  readonly damaged: readonly OuroError[];
}

interface Found extends RemoteKeys {
  readonly removed: readonly Uint8Array[];
  readonly lists: readonly KeyList[];
  /** What `config` has; undefined where it is gone. */
  readonly inConfig: readonly WrappedKey[] | undefined;
}

/** What is to be done to the keys of a remote. */
export interface KeyChange {
  readonly add?: readonly WrappedKey[];
  /** Ids. */
  readonly remove?: readonly Uint8Array[];
}

export interface ChangeOptions extends RemoteOptions {
  /** Unpredictable bytes. */
  random(length: number): Uint8Array;
}

/**
 * The keys that open a remote.
 * @throws OuroError "not-found" when there is no box, "corrupt", "newer-format", and as `Remote.get`.
 */
export async function readRemoteKeys(remote: Remote, options: RemoteOptions = {}): Promise<RemoteKeys> {
  const { identity, keys, isClean, damaged } = await readKeys(remote, options);
  return { identity, keys, isClean, damaged };
}

/**
 * Changes the keys of a remote.
 * @param choose Told of the keys that count, says what to do; called once. @returns The keys that count then.
 * @throws OuroError "invalid" (another box, or none would be left), "too-large" (too many), "stale" when others change them all the
 * time, or have removed the others meanwhile so that what was to be removed still counts; "newer-format"; and as `Remote.put`.
 */
export async function changeRemoteKeys(
  remote: Remote,
  secrets: BoxSecrets,
  choose: (keys: readonly WrappedKey[]) => Promise<KeyChange>,
  options: ChangeOptions,
): Promise<readonly WrappedKey[]> {
  const before = await tidyKeys(remote, {}, { ...options, secrets });
  const change = await choose(before);
  return checkDone(await tidyKeys(remote, change, { ...options, secrets }), change, remote.url);
}

/** Does the change, and then goes on until no removed key stands anywhere. @returns The keys that count. */
async function tidyKeys(
  remote: Remote,
  change: KeyChange,
  { secrets, ...options }: ChangeOptions & { readonly secrets: BoxSecrets },
): Promise<readonly WrappedKey[]> {
  for (let round = 1; round <= roundsMax; round += 1) {
    const found = await readKeys(remote, options);
    requireSameBox(found.identity, secrets, remote.url);
    // Others may have removed some since they were chosen from.
    if (round === 1) requireSome(found.keys, change, remote.url);
    if (!(await writeKeys(remote, found, round === 1 ? change : {}, options))) return found.keys;
  }
  throw new OuroError("stale", `Cannot change the keys of ${remote.url}: others change them all the time`, {
    subject: remote.url,
    hint: "Look at them with `ourobox key list`, and run the command again.",
  });
}

/**
 * The secrets of the box that a remote holds.
 * @param askPassphrase Called once, and only for a sealed box.
 * @throws OuroError "wrong-key" when the passphrase opens none of its keys, "corrupt" when it has none.
 */
export async function unlockRemote(
  remote: Remote,
  askPassphrase: () => Promise<string>,
  options: RemoteOptions = {},
): Promise<BoxSecrets> {
  const { identity, keys } = await readKeys(remote, options);
  const { box, hash, suite } = identity;
  if (suite === "plain") return { box, hash, suite };
  const passphrase = await askPassphrase();
  const opened = await findOpened(keys, box, passphrase);
  if (opened !== undefined) return { box, hash, suite, key: opened.key };
  // A listing and a change at once: the new list may have been missed, and the old one gone.
  const again = (await readKeys(remote, options)).keys.filter(({ id }) => !hasId(keys, id));
  const late = await findOpened(again, box, passphrase);
  if (late !== undefined) return { box, hash, suite, key: late.key };
  if (keys.length + again.length === 0) throw noKeys(remote.url);
  throw wrongPassphrase(passphrase, `the box at ${remote.url}`);
}

/** @returns Whether there was something to do: a change, or keys that are removed and still stand somewhere. */
async function writeKeys(remote: Remote, found: Found, change: KeyChange, options: ChangeOptions): Promise<boolean> {
  const { identity, lists, inConfig } = found;
  const { add = [], remove = [] } = change;
  const isChanged = add.length + remove.length > 0;
  if (!isChanged && found.isClean) return false;
  for (const list of lists) if (!list.isOwnForm) throw newerList(list, remote.url);
  const keys = [...found.keys.filter(({ id }) => !remove.some((each) => equalBytes(each, id))), ...add].sort(byId);
  if (keys.length > wrapLimits.keys) throw tooMany(remote.url, wrapLimits.keys);
  const removed = [...remove, ...found.removed].slice(0, removedKeysMax);
  const name = `${keysPrefix}${toHex(options.random(listNameBytes))}`;
  await remote.put(name, utf8(encodeIdentity({ ...identity, keys, removed })), options);
  const mustClean = inConfig === undefined || inConfig.some(({ id }) => !hasId(keys, id));
  if (mustClean) await remote.put(configName, utf8(encodeIdentity({ ...identity, keys: [] })), options);
  for (const list of lists) await remote.remove(list.name, options);
  return true;
}

async function readKeys(remote: Remote, options: RemoteOptions): Promise<Found> {
  for (let round = 1; ; round += 1) {
    const config = await findConfig(remote, options);
    const names = config?.suite === "plain" ? [] : await listNames(remote, options);
    const read = await Promise.all(names.map((name) => findList(remote, name, options)));
    // A list that is gone has been replaced by another since; a published listing stays as it is, though.
    if (read.includes(undefined) && round < listingsMax) continue;
    const damaged = read.filter((list) => list instanceof OuroError);
    const lists = read.flatMap((list) => (list === undefined || list instanceof OuroError ? [] : [list]));
    const first = config ?? lists[0]?.identity;
    if (first === undefined) throw noBox(remote.url);
    const { keys: inConfig, removed: _, ...identity } = first;
    const own = lists.filter((list) => equalBytes(list.identity.box, identity.box));
    const merged = merge(own, config);
    const stored = [config, ...own.map((list) => list.identity)];
    const isClean = stored.every((each) => each?.keys?.every(({ id }) => hasId(merged.keys, id)) ?? each !== undefined);
    return { identity, damaged, isClean, lists: own, inConfig: config && (inConfig ?? []), ...merged };
  }
}

/** What counts of it all. */
function merge(
  lists: readonly KeyList[],
  config: BoxIdentity | undefined,
): { readonly keys: readonly WrappedKey[]; readonly removed: readonly Uint8Array[] } {
  const byHex = new Map<string, WrappedKey>();
  for (const { keys = [] } of [...lists.map(({ identity }) => identity), ...(config === undefined ? [] : [config])])
    for (const key of keys) byHex.set(toHex(key.id), byHex.get(toHex(key.id)) ?? key);
  const removed = [...new Set(lists.flatMap(({ identity }) => (identity.removed ?? []).map(toHex)))];
  const all = [...byHex.values()].sort(byId);
  const left = all.filter(({ id }) => !removed.includes(toHex(id)));
  if (left.length > 0) return { keys: left, removed: removed.map(toId) };
  return { keys: all, removed: removed.filter((id) => !byHex.has(id)).map(toId) };
}

async function listNames(remote: Remote, options: RemoteOptions): Promise<string[]> {
  const names: string[] = [];
  for await (const { name } of remote.list(keysPrefix, options)) {
    if (!isKeyListName(name)) continue;
    names.push(name);
    if (names.length > keyListsMax)
      throw new OuroError(
        "too-large",
        `Cannot read the keys of ${remote.url}: it has over ${keyListsMax} lists of them`,
      );
  }
  return names.sort();
}

/** Undefined when it is gone, the error when it is damaged. @throws OuroError "newer-format". */
async function findList(
  remote: Remote,
  name: string,
  options: RemoteOptions,
): Promise<KeyList | OuroError | undefined> {
  try {
    const found = await findKeyList(remote, name, options);
    return found && { ...found, name, isOwnForm: encodeIdentity(found.identity) === found.text };
  } catch (thrown) {
    if (isKind(thrown, "corrupt")) return thrown;
    throw thrown;
  }
}

function requireSome(keys: readonly WrappedKey[], { add = [], remove = [] }: KeyChange, url: string): void {
  if (add.length > remove.length && keys.length + add.length > remoteKeysMax) throw tooMany(url, remoteKeysMax);
  if (remove.length + add.length === 0) return;
  if (add.length > 0 || keys.some(({ id }) => !remove.some((each) => equalBytes(each, id)))) return;
  throw new OuroError("invalid", `Cannot remove the last key of ${url}: nothing would open the box there`, {
    subject: url,
    hint: "Add another first: `ourobox key add`.",
  });
}

/** Others may have changed them, too. */
function checkDone(
  keys: readonly WrappedKey[],
  { add = [], remove = [] }: KeyChange,
  url: string,
): readonly WrappedKey[] {
  const isThere = remove.some((id) => hasId(keys, id));
  const isGone = add.some(({ id }) => !hasId(keys, id));
  if (!isThere && !isGone) return keys;
  const what = isThere
    ? "removed all others meanwhile, so that it still opens the box"
    : "removed the new one meanwhile";
  throw new OuroError("stale", `Cannot change the keys of ${url} so: somebody has ${what}`, {
    subject: url,
    hint: "Look at them with `ourobox key list`, and run the command again.",
  });
}

function hasId(keys: readonly WrappedKey[], id: Uint8Array): boolean {
  return keys.some((key) => equalBytes(key.id, id));
}

function byId(a: WrappedKey, b: WrappedKey): number {
  return compareBytes(a.id, b.id);
}

function toId(hex: string): Uint8Array {
  return fromHex(hex, hex.length / 2);
}

function newerList({ name }: KeyList, url: string): OuroError {
  return new OuroError("newer-format", `Cannot change the keys of ${url}: a newer version has written ${name}`, {
    subject: url,
    hint: "Install a newer version of ourobox, or change them where it is.",
  });
}

function tooMany(url: string, max: number): OuroError {
  return new OuroError("too-large", `Cannot add a key to ${url}: it has ${max} already`, {
    subject: url,
    hint: "Remove one that is not needed: `ourobox key list`, `ourobox key remove`.",
  });
}

function noKeys(url: string): OuroError {
  return new OuroError("corrupt", `Cannot open the box at ${url}: no wrapped key of it is there`, {
    subject: url,
    hint: "Run `ourobox key add` on a machine that has the box. If this is a web server, publish it anew: `ourobox remote publish`.",
  });
}
