/**
 * A remote as one box's: where its files are, and how each is read without trusting it. Every size and count has a limit, every
 * name is checked against the one form it may have, and what does not have it is passed over.
 * Layout: doc/format.md, section 9.
 */
import { equalBytes, fromHex, toHex, toText } from "../base/bytes.ts";
import { isKind, OuroError } from "../base/errors.ts";
import {
  type BoxIdentity,
  type BoxSecrets,
  decodeCondemned,
  decodeHead,
  decodeIdentity,
  decodeIndexFile,
  decodeSignedRetention,
  getHasher,
  type Hash,
  type Head,
  hashBytes,
  headLimits,
  type IndexFile,
  identityBytesMax,
  indexFileLimits,
  openBlob,
  retentionLimits,
  type SignedRetention,
  type Verify,
  type WriterId,
  writerHex,
} from "../format/mod.ts";
import type { BlobInfo, Remote, RemoteOptions } from "../remote/mod.ts";

/** More names than any remote of ours has; a listing that goes on is not believed. */
const namesMax = 1_000_000;
const condemnedBytesMax = 64 * 1024 * 1024;

/** More lists of keys than machines ever change them at once. */
export const keyListsMax = 64;

export const configName = "config";
export const packPrefix = "packs/";
export const indexPrefix = "index/";
export const headPrefix = "heads/";
export const keysPrefix = "keys/";
export const retentionPrefix = "retention/";
export const condemnedPrefix = "condemned/";
const writerPattern = /^(?!0{16})[0-9a-f]{16}$/;

export function packName(hash: Hash): string {
  return `${packPrefix}${toHex(hash)}`;
}

export function indexName(hash: Hash): string {
  return `${indexPrefix}${toHex(hash)}`;
}

/** Names of packs in hex, by the name of the list that has them. */
export type CondemnedLists = Map<string, readonly string[]>;

/** A list of condemned packs. */
export interface CondemnedList {
  readonly info: BlobInfo;
  /** In hex. */
  readonly packs: readonly string[];
}

/** A head that has been read and whose signature is right. */
export interface SignedHead {
  readonly head: Head;
  /** The blob as it is on the remote. */
  readonly raw: Uint8Array;
}

export class BoxOnRemote {
  readonly remote: Remote;
  readonly #secrets: BoxSecrets;
  readonly #verify: Verify;
  readonly #options: RemoteOptions;

  constructor(remote: Remote, secrets: BoxSecrets, verify: Verify, options: RemoteOptions = {}) {
    this.remote = remote;
    this.#secrets = secrets;
    this.#verify = verify;
    this.#options = options.signal === undefined ? {} : { signal: options.signal };
  }

  /**
   * Makes sure that the remote holds this box.
   * @throws OuroError "not-found" (no box), "invalid" (another box), "newer-format", "corrupt".
   */
  async checkIdentity(): Promise<BoxIdentity> {
    const identity = await findIdentity(this.remote, this.#options);
    if (identity === undefined) throw noBox(this.remote.url);
    requireSameBox(identity, this.#secrets, this.remote.url);
    return identity;
  }

  /** @throws OuroError "corrupt" also for a head of another writer or with a wrong signature; "not-found". */
  async readHead(writer: WriterId): Promise<SignedHead> {
    const name = `${headPrefix}${writerHex(writer)}`;
    const raw = await this.remote.get(name, { ...this.#options, bytesMax: headLimits.bytes });
    const what = `${name} of ${this.remote.url}`;
    const payload = openBlob(this.#secrets, "head", raw, what);
    const head = decodeHead(payload, this.#secrets.box, this.#verify, what);
    if (head.writer === writer) return { head, raw };
    throw new OuroError("corrupt", `Cannot read ${what}: it is the head of ${writerHex(head.writer)}`, {
      subject: what,
    });
  }

  /** @throws OuroError "corrupt" when its name is not its hash, or what it says is not right; "not-found". */
  async readIndexFile(hash: Hash): Promise<{ readonly index: IndexFile; readonly payload: Uint8Array }> {
    const payload = await this.#readNamed(indexName(hash), hash, "index", indexFileLimits.bytes);
    return { index: decodeIndexFile(payload, `${indexName(hash)} of ${this.remote.url}`), payload };
  }

  /** The names of all packs that a prune is going to delete or has deleted, in hex. @param known As `listCondemned`. */
  async readCondemned(known?: CondemnedLists): Promise<Set<string>> {
    return new Set((await this.listCondemned(known)).flatMap(({ packs }) => packs));
  }

  /**
   * The lists of condemned packs that there are.
   * @param known What lists said that were read before, by name in hex, so that none is read twice; kept up to date here.
   */
  async listCondemned(known: CondemnedLists = new Map()): Promise<CondemnedList[]> {
    const listed = await this.listHashes(condemnedPrefix);
    for (const hash of known.keys()) if (!listed.has(hash)) known.delete(hash);
    for (const hash of listed.keys()) {
      if (known.has(hash)) continue;
      const name = `${condemnedPrefix}${hash}`;
      try {
        const payload = await this.#readNamed(name, fromHex(hash, hashBytes), "condemned", condemnedBytesMax);
        known.set(hash, decodeCondemned(payload, `${name} of ${this.remote.url}`).map(toHex));
      } catch (thrown) {
        // It has been removed since the listing.
        if (isKind(thrown, "not-found")) continue;
        if (!isKind(thrown, "corrupt")) throw thrown;
        throw new OuroError("corrupt", thrown.message, {
          subject: name,
          hint: "It names packs that are about to be deleted. When no `ourobox gc --remote` is at work there, remove that file.",
          cause: thrown,
        });
      }
    }
    return [...listed.values()].flatMap((info) => {
      const packs = known.get(info.name.slice(condemnedPrefix.length));
      return packs === undefined ? [] : [{ info, packs }];
    });
  }

  /** What a writer keeps of history; undefined where it says nothing. @throws OuroError "corrupt". */
  async findRetention(writer: WriterId): Promise<SignedRetention | undefined> {
    const name = `${retentionPrefix}${writerHex(writer)}`;
    const what = `${name} of ${this.remote.url}`;
    let raw: Uint8Array;
    try {
      raw = await this.remote.get(name, { ...this.#options, bytesMax: retentionLimits.bytes });
    } catch (thrown) {
      if (isKind(thrown, "not-found")) return undefined;
      throw thrown;
    }
    const payload = openBlob(this.#secrets, "retention", raw, what);
    const retention = decodeSignedRetention(payload, this.#secrets.box, this.#verify, what);
    if (retention.writer === writer) return retention;
    throw new OuroError("corrupt", `Cannot read ${what}: it is that of ${writerHex(retention.writer)}`, {
      subject: what,
    });
  }

  /** Files that are named by a writer, by that writer in hex. */
  listRetentions(): Promise<Map<string, BlobInfo>> {
    return this.#list(retentionPrefix, writerPattern);
  }

  async #readNamed(name: string, hash: Hash, kind: "index" | "condemned", bytesMax: number): Promise<Uint8Array> {
    const bytes = await this.remote.get(name, { ...this.#options, bytesMax });
    const what = `${name} of ${this.remote.url}`;
    if (!equalBytes(getHasher(this.#secrets.hash).hash(bytes), hash)) {
      throw new OuroError("corrupt", `Cannot read ${what}: its bytes have another hash`, { subject: what });
    }
    return openBlob(this.#secrets, kind, bytes, what);
  }

  /** The files below a prefix that are named by a hash, by that hash in hex. */
  listHashes(prefix: string): Promise<Map<string, BlobInfo>> {
    return this.#list(prefix, /^[0-9a-f]{64}$/);
  }

  /** The heads' files, by writer in hex. */
  listHeads(): Promise<Map<string, BlobInfo>> {
    return this.#list(headPrefix, writerPattern);
  }

  /** @throws OuroError "too-large" for an endless listing. */
  async #list(prefix: string, pattern: RegExp): Promise<Map<string, BlobInfo>> {
    const found = new Map<string, BlobInfo>();
    let count = 0;
    for await (const info of this.remote.list(prefix, this.#options)) {
      count += 1;
      if (count > namesMax) {
        throw new OuroError("too-large", `Cannot list ${prefix} of ${this.remote.url}: it has over ${namesMax} names`);
      }
      const name = info.name.slice(prefix.length);
      if (info.name.startsWith(prefix) && pattern.test(name)) found.set(name, info);
    }
    return found;
  }
}

/**
 * The identity of the box that a remote holds; undefined when there is none. Where `config` is gone, as it may be when storage that replaces in two steps
 * was cut off between them, a list of keys says the same.
 * @throws OuroError "corrupt", "newer-format", "too-large", and as `Remote.get`.
 */
export async function findIdentity(remote: Remote, options: RemoteOptions = {}): Promise<BoxIdentity | undefined> {
  return (await findConfig(remote, options)) ?? (await findListedIdentity(remote, options));
}

/** As `config` says it. */
export async function findConfig(remote: Remote, options: RemoteOptions = {}): Promise<BoxIdentity | undefined> {
  return (await findKeyList(remote, configName, options))?.identity;
}

async function findListedIdentity(remote: Remote, options: RemoteOptions): Promise<BoxIdentity | undefined> {
  let count = 0;
  for await (const { name } of remote.list(keysPrefix, options)) {
    count += 1;
    if (count > keyListsMax) break;
    const found = isKeyListName(name) ? await findKeyList(remote, name, options) : undefined;
    if (found !== undefined) return found.identity;
  }
  return undefined;
}

export function isKeyListName(name: string): boolean {
  return name.startsWith(keysPrefix) && /^[0-9a-f]{32}$/.test(name.slice(keysPrefix.length));
}

/** What `config` or a list of keys says, and its text; undefined when it is gone. @throws OuroError "corrupt", "newer-format". */
export async function findKeyList(
  remote: Remote,
  name: string,
  options: RemoteOptions,
): Promise<{ readonly identity: BoxIdentity; readonly text: string } | undefined> {
  try {
    const text = toText(await remote.get(name, { ...options, bytesMax: identityBytesMax }));
    return { text, identity: decodeIdentity(text, `${name} of ${remote.url}`) };
  } catch (thrown) {
    if (isKind(thrown, "not-found")) return undefined;
    throw thrown;
  }
}

/** @throws OuroError "invalid" when the remote holds another box. */
export function requireSameBox(identity: BoxIdentity, secrets: BoxSecrets, url: string): void {
  if (equalBytes(identity.box, secrets.box)) {
    if (identity.suite === secrets.suite && identity.hash === secrets.hash) return;
    throw new OuroError("corrupt", `Cannot use ${url}: it says that the box is sealed or hashed in another way`, {
      subject: url,
    });
  }
  throw new OuroError(
    "invalid",
    `Cannot use ${url}: it holds box ${toHex(identity.box)} (this is ${toHex(secrets.box)})`,
    {
      subject: url,
      hint: "Use an empty folder for this box, or clone that one.",
    },
  );
}

export function noBox(url: string): OuroError {
  return new OuroError("not-found", `Cannot use ${url}: there is no box`, {
    subject: url,
    hint: "See that the URL is right and the disk is mounted. A push makes a new remote.",
  });
}
