/**
 * Copying what one remote has to another, without a box here: packs file by file, then an index file that lists them, then the heads, each durable
 * before the next, as by a push. What is there already is not copied again, so a copy that was cut off goes on, and one that is repeated brings what is new.
 *
 * A head there is replaced only by one that has taken in all that it has. Where both have gone on, it stays, and is told.
 *
 * A sealed box can be copied as a plain one, for publishing: packs are opened and written anew without a seal, and so have other names. Commits,
 * trees and chunks keep theirs, as these are hashes of what is inside; and the box keeps its id, which commits and heads are signed with.
 */
import { equalBytes, fromHex, toHex } from "../base/bytes.ts";
import type { Disk } from "../base/disk.ts";
import { ioError, isKind, OuroError } from "../base/errors.ts";
import {
  type BoxIdentity,
  type BoxSecrets,
  compareVectors,
  directoryHash,
  fullVector,
  getHasher,
  hashBytes,
  headName,
  openBlob,
  type PackInfo,
  sealBlob,
  type Verify,
  writerHex,
} from "../format/mod.ts";
import { HashSet } from "../history/mod.ts";
import type { BlobInfo, Remote } from "../remote/mod.ts";
import { BoxOnRemote, packName, packPrefix, type SignedHead } from "./box-on-remote.ts";
import { copyRetentions } from "./copy-retentions.ts";
import { beginRemote } from "./init-remote.ts";
import { hasTags } from "./own-head.ts";
import { fileReader, readDirectoryThere } from "./pack-directory.ts";
import { forEachParallel } from "./parallel.ts";
import { writePlainPack } from "./plain-pack.ts";
import { RemoteCommits } from "./remote-commits.ts";
import {
  isDamage,
  isToBeMerged,
  putIndexFile,
  type RemoteIndex,
  readRemoteIndex,
  removeReplaced,
} from "./remote-index.ts";
import { RemoteMemory } from "./remote-memory.ts";
import { type SyncProgress, transfersDefault } from "./sync-options.ts";

export interface CopyRemoteOptions {
  readonly from: Remote;
  readonly to: Remote;
  /** What `from` says of the box, with the keys that open it. */
  readonly identity: BoxIdentity;
  readonly secrets: BoxSecrets;
  /** Writes a sealed box as a plain one. */
  readonly plain: boolean;
  readonly disk: Disk;
  /** For packs on their way; the caller's, who removes it. */
  readonly temporaryFolder: string;
  readonly random: (length: number) => Uint8Array;
  readonly verify: Verify;
  readonly signal?: AbortSignal;
  readonly progress?: SyncProgress;
  readonly transfers?: number;
}

export interface CopyRemoteResult {
  /** Packs that were copied, and their bytes. */
  readonly packs: number;
  readonly bytes: number;
  /** Heads that were written. */
  readonly heads: number;
  /** Heads that were left as they are, by writer in hex, and why. */
  readonly left: ReadonlyMap<string, string>;
}

const roundsMax = 5;

/**
 * @throws OuroError "corrupt" when something that `from` lists is damaged or missing: what is whole is copied then, and no head is written;
 * "invalid" or "not-empty" (`to` holds something else), "stale", and as `Remote.get` and `Remote.put`.
 */
export async function copyRemote(options: CopyRemoteOptions): Promise<CopyRemoteResult> {
  const copying = new Copying(options);
  for (let round = 1; ; round += 1) {
    const result = await copying.round();
    if (result !== undefined) return result;
    if (round === roundsMax)
      throw new OuroError("stale", `Cannot copy to ${options.to.url}: packs there are condemned all the time`, {
        hint: "Run the command again.",
      });
  }
}

interface Place {
  readonly box: BoxOnRemote;
  /** What its index files say. */
  readonly memory: RemoteMemory;
  readonly index: RemoteIndex;
  readonly present: ReadonlyMap<string, BlobInfo>;
  /** Those that are listed, there in full, and not condemned. */
  readonly packs: ReadonlyMap<string, PackInfo>;
  readonly condemned: ReadonlySet<string>;
}

class Copying {
  readonly #options: CopyRemoteOptions;
  readonly #target: BoxSecrets;
  #packs = 0;
  #bytes = 0;

  constructor(options: CopyRemoteOptions) {
    this.#options = options;
    const { box, hash } = options.secrets;
    this.#target = options.plain ? { box, hash, suite: "plain" } : options.secrets;
  }

  /** @returns Undefined when packs there that were counted on are condemned by now: then it is to be done again. */
  async round(): Promise<CopyRemoteResult | undefined> {
    const { from, to, secrets, verify } = this.#options;
    const source = new BoxOnRemote(from, secrets, verify, this.#options);
    // Heads first: all that they need is listed then.
    const heads = await this.#readHeads(source);
    const there = await this.#look(source);
    await this.#make();
    const target = await this.#look(new BoxOnRemote(to, this.#target, verify, this.#options));
    const failed = await this.#copyPacks(there, target);
    const bad = [...there.index.damaged, ...failed];
    if (bad[0] !== undefined) throw incomplete(from.url, bad.length, bad[0]);
    if (await this.#hasCondemned(target)) return undefined;
    const result = await this.#copyHeads(heads, there, target);
    if (await this.#hasCondemned(target)) return undefined;
    await removeReplaced({ ...this.#options, remote: to }, target.index);
    return { packs: this.#packs, bytes: this.#bytes, ...result };
  }

  async #readHeads(source: BoxOnRemote): Promise<SignedHead[]> {
    const heads: SignedHead[] = [];
    await this.#each((await source.listHeads()).keys(), async (writer) => {
      try {
        heads.push(await source.readHead(BigInt(`0x${writer}`)));
      } catch (thrown) {
        if (isDamage(thrown)) throw incomplete(this.#options.from.url, 1, thrown);
        if (!isKind(thrown, "not-found")) throw thrown;
      }
    });
    return heads;
  }

  async #look(box: BoxOnRemote): Promise<Place> {
    const condemned = await box.readCondemned();
    const memory = new RemoteMemory();
    const index = await readRemoteIndex(box, memory);
    const present = await box.listHashes(packPrefix);
    const listed = [...index.packs].filter(([name]) => !condemned.has(name));
    // What the source lists and has not is to be found out when it is copied.
    const packs = box.remote === this.#options.from ? listed : listed.filter(([, pack]) => isPresent(pack, present));
    return { box, memory, index, present, condemned, packs: new Map(packs) };
  }

  async #make(): Promise<void> {
    const { to, identity } = this.#options;
    const { keys: _, ...rest } = identity;
    const made = this.#options.plain ? { ...rest, suite: "plain" as const } : identity;
    const begun = await beginRemote(
      to,
      this.#target,
      async () => ({ identity: Promise.resolve(made) }),
      this.#signal(),
    );
    await begun.made;
  }

  #signal(): { readonly signal?: AbortSignal } {
    const { signal } = this.#options;
    return signal === undefined ? {} : { signal };
  }

  /** @returns What is wrong with those that could not be copied. */
  async #copyPacks(source: Place, target: Place): Promise<OuroError[]> {
    const missing = await this.#missing(source, target);
    const condemned = missing.filter(({ name }) => target.condemned.has(toHex(name)));
    if (condemned.length > 0) throw pruned(this.#options, condemned.length);
    const failed: OuroError[] = [];
    const added: PackInfo[] = [];
    const { progress } = this.#options;
    if (missing.length > 0)
      progress?.phase("Copying packs", {
        files: missing.length,
        bytes: missing.reduce((sum, { size }) => sum + size, 0),
      });
    await this.#each(missing, async (pack) => {
      const isThere = !this.#options.plain && isPresent(pack, target.present);
      const copied = isThere ? pack : await this.#copyPack(pack);
      if (copied instanceof OuroError) failed.push(copied);
      else added.push(copied);
      progress?.add(1, isThere ? pack.size : 0);
    });
    await this.#sendIndex(added, target);
    return failed;
  }

  /** The packs that the target lacks; in a plain copy, which has others, those that hold what it lacks. */
  async #missing(source: Place, target: Place): Promise<PackInfo[]> {
    const lacking = [...source.packs].filter(([name]) => !target.packs.has(name)).map(([, pack]) => pack);
    if (!this.#options.plain || target.packs.size === 0 || lacking.length === 0) return lacking;
    const { from, to, secrets } = this.#options;
    const held = { content: new HashSet(), meta: new HashSet() };
    await this.#each(target.packs.values(), async (pack) => {
      const directory = await readDirectoryThere(to, pack, this.#target, this.#options);
      for (let object = 0; object < directory.objects; object += 1)
        held[pack.class].add(directoryHash(directory, object));
    });
    const missing: PackInfo[] = [];
    await this.#each(lacking, async (pack) => {
      try {
        const directory = await readDirectoryThere(from, pack, secrets, this.#options);
        for (let object = 0; object < directory.objects; object += 1)
          if (!held[pack.class].has(directoryHash(directory, object))) return void missing.push(pack);
      } catch (thrown) {
        if (!isDamage(thrown) && !isKind(thrown, "not-found") && !isKind(thrown, "invalid")) throw thrown;
        missing.push(pack);
      }
    });
    return missing;
  }

  /** @returns What it is there, or what is wrong with it in the source. */
  async #copyPack(pack: PackInfo): Promise<PackInfo | OuroError> {
    const { from, to, disk, temporaryFolder, progress, random } = this.#options;
    const path = `${temporaryFolder}/${toHex(random(8))}`;
    try {
      try {
        await from.download(packName(pack.name), path, { bytesMax: pack.size, ...this.#signal() });
        this.#verify(pack, path);
      } catch (thrown) {
        if (isDamage(thrown) || isKind(thrown, "not-found") || isKind(thrown, "invalid")) return thrown;
        throw thrown;
      }
      const sent = this.#options.plain ? await this.#openPack(pack, path) : { info: pack, path };
      if (sent instanceof OuroError) return sent;
      const { info } = sent;
      const onBytes = (count: number): void => progress?.add(0, count);
      await to.put(packName(info.name), { path: sent.path, size: info.size }, { onBytes, ...this.#signal() });
      this.#packs += 1;
      this.#bytes += info.size;
      return info;
    } finally {
      for (const each of [path, plainPath(path)]) if (disk.stat(each) !== undefined) disk.unlink(each);
    }
  }

  /** @throws OuroError "corrupt". */
  #verify({ name, size }: PackInfo, path: string): void {
    const { disk, secrets } = this.#options;
    const read = fileReader(disk, path);
    const stream = getHasher(secrets.hash).stream();
    const piece = 4 * 1024 * 1024;
    for (let start = 0; start < size; start += piece)
      stream.update(read({ start, end: Math.min(size, start + piece) }));
    if (equalBytes(stream.digest(), name)) return;
    throw new OuroError("corrupt", `Cannot copy ${packName(name)}: its bytes have another hash`, {
      subject: packName(name),
    });
  }

  async #openPack(pack: PackInfo, path: string): Promise<{ info: PackInfo; path: string } | OuroError> {
    const { disk, secrets } = this.#options;
    try {
      const plain = plainPath(path);
      const info = await writePlainPack({ disk, secrets, pack, path, target: plain, ...this.#signal() });
      return { info, path: plain };
    } catch (thrown) {
      if (isDamage(thrown)) return thrown;
      throw ioError(`Cannot write a pack in ${this.#options.temporaryFolder}`, thrown, path);
    }
  }

  async #sendIndex(added: readonly PackInfo[], { index, memory }: Place): Promise<void> {
    if (added.length === 0) return;
    const isMerged = isToBeMerged(index);
    const packs = new Map(isMerged ? index.packs : []);
    for (const pack of added) packs.set(toHex(pack.name), pack);
    const replaces = isMerged ? [...index.files.keys()].map((name) => fromHex(name, hashBytes)) : [];
    const options = { ...this.#options, remote: this.#options.to, secrets: this.#target };
    await putIndexFile(options, memory, { packs: [...packs.values()], replaces });
  }

  async #hasCondemned({ box, condemned }: Place): Promise<boolean> {
    return [...(await box.readCondemned())].some((name) => !condemned.has(name));
  }

  async #copyHeads(
    heads: readonly SignedHead[],
    source: Place,
    target: Place,
  ): Promise<Pick<CopyRemoteResult, "heads" | "left">> {
    const { to, from, secrets, verify, random } = this.#options;
    const left = new Map<string, string>();
    const commits = new RemoteCommits(verify, [
      { remote: from, secrets, packs: source.packs },
      { remote: to, secrets: this.#target, packs: target.packs },
    ]);
    await copyRetentions({ ...this.#options, target: this.#target, source: source.box, there: target.box });
    let written = 0;
    for (const { head, raw } of heads) {
      const blob = this.#options.plain
        ? sealBlob(this.#target, "head", openBlob(secrets, "head", raw, headName(head.writer)), random)
        : raw;
      const before = await findHead(target.box, head.writer);
      if (before !== undefined && equalBytes(before.raw, blob)) continue;
      const why = before === undefined ? undefined : await reasonToKeep(before, { head, raw }, commits);
      if (why === undefined) {
        await to.put(headName(head.writer), blob, this.#signal());
        written += 1;
      } else if (why !== "newer") left.set(writerHex(head.writer), why);
    }
    return { heads: written, left };
  }

  #each<T>(items: Iterable<T>, body: (item: T) => Promise<void>): Promise<void> {
    return forEachParallel(items, this.#options.transfers ?? transfersDefault, body);
  }
}

/** Why a head that is there stays: "newer" where it has all that the other has; undefined when it is to be replaced. */
async function reasonToKeep(before: SignedHead, mine: SignedHead, commits: RemoteCommits): Promise<string | undefined> {
  const [there, here] = [await commits.find(before.head.commit), await commits.find(mine.head.commit)];
  if (here === undefined) return "its commit is not in the remote that it comes from";
  if (there === undefined) return "what is there has a commit that neither remote has";
  const order = compareVectors(fullVector(here), fullVector(there));
  if (order === "after" || (order === "equal" && hasTags(mine.head, before.head.tags))) return undefined;
  return order === "before" || order === "equal" ? "newer" : "both have gone on: fetch from both, and push";
}

async function findHead(box: BoxOnRemote, writer: bigint): Promise<SignedHead | undefined> {
  try {
    return await box.readHead(writer);
  } catch (thrown) {
    // A damaged one says nothing that could be lost.
    if (isKind(thrown, "not-found") || isKind(thrown, "corrupt")) return undefined;
    throw thrown;
  }
}

function isPresent({ name, size }: PackInfo, present: ReadonlyMap<string, BlobInfo>): boolean {
  return present.get(toHex(name))?.size === size;
}

function plainPath(path: string): string {
  return `${path}.plain`;
}

function pruned({ from, to }: CopyRemoteOptions, count: number): OuroError {
  return new OuroError(
    "invalid",
    `Cannot copy to ${to.url}: ${count} of the packs of ${from.url} were deleted there by a prune`,
    {
      subject: to.url,
      hint: "Prune the one that is copied from, too (`ourobox gc --remote`), or push from a box that has both.",
    },
  );
}

function incomplete(url: string, count: number, first: OuroError): OuroError {
  return new OuroError(
    "corrupt",
    `Cannot copy the heads of ${url}: ${count} of its files are damaged or missing: ${first.message}`,
    {
      subject: url,
      cause: first,
      hint: "What is whole was copied. See `ourobox remote check` for the others, and run the same command again.",
    },
  );
}
