/**
 * Looking whether a remote is whole: its heads and index files, whether every pack that they list is there in its full size, what each says is in
 * it, and that all that the heads need is in one of them. On request the bytes of packs are read, all of them or a part that is drawn by lot.
 * Nothing is changed there or here.
 *
 * What the heads need is told by this box's own metadata, as far as it has it: of a head whose commit is not here only its own file is looked at.
 */
import { equalBytes, fromHex, toHex } from "../base/bytes.ts";
import { isKind, OuroError } from "../base/errors.ts";
import { Turns } from "../base/turns.ts";
import {
  directoryHash,
  fullVector,
  getHasher,
  type Hash,
  type Head,
  hashBytes,
  type IndexFile,
  type MetaKind,
  type PackDirectory,
  type PackInfo,
} from "../format/mod.ts";
import { CommitReader, checkHistory, HashSet, type HistoryDamage } from "../history/mod.ts";
import type { BlobInfo } from "../remote/mod.ts";
import { BoxOnRemote, indexPrefix, packName, packPrefix } from "./box-on-remote.ts";
import { readDirectoryThere } from "./pack-directory.ts";
import { forEachParallel } from "./parallel.ts";
import { isDamage, replacedBy } from "./remote-index.ts";
import { isForgottenByAll, readRetentions } from "./retentions.ts";
import { type SyncOptions, transfersDefault } from "./sync-options.ts";

export interface CheckRemoteOptions extends SyncOptions {
  /** Which part of the bytes of packs is read: 0 to 1. */
  readonly share: number;
  /** The pack here in which an object is found that the remote lacks. */
  readonly findPack?: (object: HistoryDamage) => Hash | undefined;
}

/** What a check has found. Names are in hex. */
export interface RemoteFindings {
  /** Heads that can be read. */
  readonly heads: readonly Head[];
  /** Why others cannot, by writer. */
  readonly badHeads: ReadonlyMap<string, OuroError>;
  readonly indexFiles: ReadonlyMap<string, IndexFile>;
  readonly badIndexFiles: ReadonlyMap<string, OuroError>;
  /** What a prune is going to delete or has deleted: such a name is not given again. */
  readonly condemned: ReadonlySet<string>;
  /** Those that are listed and not condemned. */
  readonly packs: ReadonlyMap<string, PackInfo>;
  readonly badPacks: ReadonlyMap<string, OuroError>;
  /** What the files for packs say, with those that nothing lists: a push that was cut off leaves such, and they do no harm. */
  readonly present: ReadonlyMap<string, BlobInfo>;
  /** What heads need, and no pack there has that is whole; at most `lackingMax` of them, and how many there are. */
  readonly lacking: readonly HistoryDamage[];
  readonly lackingCount: number;
  /** The packs here that have it. */
  readonly holders: ReadonlySet<string>;
  /** Heads of which it cannot be told what they need, as their commits are not here. */
  readonly unknownHeads: number;
  readonly packsRead: number;
  readonly bytesRead: number;
}

const lackingMax = 1000;
const listingsMax = 4;
const pieceBytes = 8 * 1024 * 1024;

/**
 * @throws OuroError "not-found" (no box there), "invalid" (another box), "offline" and its like: then nothing is known. Damage is in the result.
 */
export async function checkRemote(options: CheckRemoteOptions): Promise<RemoteFindings> {
  const box = new BoxOnRemote(options.remote, options.secrets, options.verify, options);
  await box.checkIdentity();
  return await new RemoteCheck(box, options).run();
}

class RemoteCheck {
  readonly #box: BoxOnRemote;
  readonly #options: CheckRemoteOptions;
  readonly #badPacks = new Map<string, OuroError>();
  readonly #objects = { content: new HashSet(), meta: new HashSet() };
  #packsRead = 0;
  #bytesRead = 0;

  constructor(box: BoxOnRemote, options: CheckRemoteOptions) {
    this.#box = box;
    this.#options = options;
  }

  /** Heads are listed before index files, and these before packs: so all that a head needs is listed by then. */
  async run(): Promise<RemoteFindings> {
    this.#options.progress?.phase("Looking at heads and index files");
    const { heads, bad: badHeads } = await this.#readHeads();
    const { files, bad: badIndexFiles } = await this.#readIndexFiles();
    const condemned = await this.#box.readCondemned();
    const present = await this.#box.listHashes(packPrefix);
    const packs = new Map<string, PackInfo>();
    for (const { packs: listed } of files.values()) {
      for (const pack of listed) if (!condemned.has(toHex(pack.name))) packs.set(toHex(pack.name), pack);
    }
    this.#checkSizes(packs, present);
    await this.#readData(this.#draw(packs));
    await this.#readDirectories(packs);
    const needs = await this.#checkHeads(heads);
    return {
      heads,
      badHeads,
      indexFiles: files,
      badIndexFiles,
      condemned,
      packs,
      badPacks: this.#badPacks,
      present,
      ...needs,
      packsRead: this.#packsRead,
      bytesRead: this.#bytesRead,
    };
  }

  async #readHeads(): Promise<{ heads: Head[]; bad: Map<string, OuroError> }> {
    const heads: Head[] = [];
    const bad = new Map<string, OuroError>();
    const listed = await this.#box.listHeads();
    await this.#each(listed.keys(), async (writer) => {
      try {
        heads.push((await this.#box.readHead(BigInt(`0x${writer}`))).head);
      } catch (thrown) {
        // One that is gone was removed since the listing, as its branch was.
        if (isDamage(thrown)) bad.set(writer, thrown);
        else if (!isKind(thrown, "not-found")) throw thrown;
      }
    });
    return { heads: heads.sort((a, b) => (a.writer < b.writer ? -1 : 1)), bad };
  }

  /** All files there are; one that has gone since the listing was merged into another, so that it is listed again. */
  async #readIndexFiles(): Promise<{ files: Map<string, IndexFile>; bad: Map<string, OuroError> }> {
    const files = new Map<string, IndexFile>();
    const bad = new Map<string, OuroError>();
    for (let listing = 1; ; listing += 1) {
      let gone: { readonly name: string; readonly error: OuroError } | undefined;
      const listed = await this.#box.listHashes(indexPrefix);
      const unread = [...listed.keys()].filter((name) => !files.has(name) && !bad.has(name));
      await this.#each(unread, async (name) => {
        try {
          files.set(name, (await this.#box.readIndexFile(fromHex(name, hashBytes))).index);
        } catch (thrown) {
          if (isDamage(thrown)) bad.set(name, thrown);
          else if (isKind(thrown, "not-found")) gone = { name, error: thrown };
          else throw thrown;
        }
      });
      if (gone !== undefined && listing < listingsMax) continue;
      if (gone !== undefined) bad.set(gone.name, gone.error);
      for (const name of replacedBy(files.values())) bad.delete(name);
      return { files, bad };
    }
  }

  #checkSizes(packs: ReadonlyMap<string, PackInfo>, present: ReadonlyMap<string, BlobInfo>): void {
    for (const [name, { name: hash, size }] of packs) {
      const there = present.get(name)?.size;
      if (there === size) continue;
      const what = there === undefined ? "it is not there" : `it has ${there} bytes (must be ${size})`;
      this.#badPacks.set(name, badPack(hash, what));
    }
  }

  /** The packs whose bytes are read: by lot, until they are the share that is wanted. */
  #draw(packs: ReadonlyMap<string, PackInfo>): PackInfo[] {
    const { share, random } = this.#options;
    const whole = [...packs].filter(([name]) => !this.#badPacks.has(name)).map(([, pack]) => pack);
    let left = share <= 0 ? 0 : Math.ceil(share * whole.reduce((sum, { size }) => sum + size, 0));
    const lots = whole.map((pack) => ({ pack, lot: toHex(random(8)) })).sort((a, b) => (a.lot < b.lot ? -1 : 1));
    const drawn: PackInfo[] = [];
    for (const { pack } of lots) {
      if (left <= 0) break;
      left -= pack.size;
      drawn.push(pack);
    }
    return drawn;
  }

  async #readData(packs: readonly PackInfo[]): Promise<void> {
    if (packs.length === 0) return;
    const { progress } = this.#options;
    progress?.phase("Reading packs", { files: packs.length, bytes: packs.reduce((sum, { size }) => sum + size, 0) });
    await this.#each(packs, async (pack) => {
      await this.#orBad(pack, async () => {
        if (!equalBytes(await this.#hashOf(pack), pack.name)) throw badPack(pack.name, "its bytes have another hash");
      });
      this.#packsRead += 1;
      progress?.add(1, 0);
    });
  }

  async #hashOf({ name, size }: PackInfo): Promise<Hash> {
    const { remote, secrets, signal, progress } = this.#options;
    const stream = getHasher(secrets.hash).stream();
    for (let start = 0; start < size; start += pieceBytes) {
      const range = { start, end: Math.min(size, start + pieceBytes) };
      const bytes = await remote.get(packName(name), { range, ...(signal === undefined ? {} : { signal }) });
      stream.update(bytes);
      this.#bytesRead += bytes.length;
      progress?.add(0, bytes.length);
    }
    return stream.digest();
  }

  async #readDirectories(packs: ReadonlyMap<string, PackInfo>): Promise<void> {
    const { remote, secrets, progress } = this.#options;
    progress?.phase("Looking into packs", { files: packs.size });
    const turns = new Turns(this.#options.signal);
    await this.#each(packs.values(), async (pack) => {
      progress?.add(1, 0);
      if (this.#badPacks.has(toHex(pack.name))) return;
      await this.#orBad(pack, async () => {
        const directory = await readDirectoryThere(remote, pack, secrets, this.#options);
        if (directory.objects !== pack.objects)
          throw badPack(pack.name, `it has ${directory.objects} objects (the index file says ${pack.objects})`);
        this.#note(directory);
      });
      await turns.end();
    });
  }

  #note(directory: PackDirectory): void {
    const objects = this.#objects[directory.class];
    for (let object = 0; object < directory.objects; object += 1) objects.add(directoryHash(directory, object));
  }

  /** What is wrong with a pack is noted of it. @throws What is wrong with the way to it. */
  async #orBad({ name }: PackInfo, body: () => Promise<void>): Promise<void> {
    try {
      await body();
    } catch (thrown) {
      if (!isDamage(thrown) && !isKind(thrown, "not-found") && !isKind(thrown, "invalid")) throw thrown;
      this.#badPacks.set(toHex(name), thrown);
    }
  }

  /** Whether all is there that the heads need. */
  async #checkHeads(
    heads: readonly Head[],
  ): Promise<Pick<RemoteFindings, "lacking" | "lackingCount" | "holders" | "unknownHeads">> {
    const { store, secrets, verify, signal, progress, findPack } = this.#options;
    const keys = { hasher: store.hasher, box: secrets.box, verify };
    const here = new CommitReader(store, keys);
    const known = heads.filter(({ commit }) => store.hasMeta(commit));
    const vectors = known.map((head) => ({ head, vector: fullVector(here.read(head.commit)) }));
    // Trees that all have forgotten may be gone.
    const isForgotten = isForgottenByAll(await readRetentions(this.#box, vectors));
    if (known.length > 0) progress?.phase("Checking what heads need");
    // This box's own metadata, where the remote has it.
    const source = {
      getMeta: (hash: Hash, kind: MetaKind): Uint8Array => {
        const bytes = store.getMeta(hash, kind);
        if (this.#objects.meta.has(hash)) return bytes;
        throw new OuroError("corrupt", "it is in no pack there that is whole");
      },
    };
    const commits = new CommitReader(source, keys);
    const roots = known.map(({ commit }) => commit);
    const hasChunk = (hash: Hash): boolean => this.#objects.content.has(hash);
    const lacking: HistoryDamage[] = [];
    const holders = new Set<string>();
    let lackingCount = 0;
    const turns = new Turns(signal);
    for (const damage of checkHistory(commits, roots, { isTrimmed: true, isForgotten, hasChunk })) {
      await turns.step();
      if (damage === undefined) await turns.end();
      else {
        lackingCount += 1;
        const holder = findPack?.(damage);
        if (holder !== undefined) holders.add(toHex(holder));
        if (lacking.length < lackingMax) lacking.push(damage);
      }
    }
    return { lacking, lackingCount, holders, unknownHeads: heads.length - known.length };
  }

  #each<T>(items: Iterable<T>, body: (item: T) => Promise<void>): Promise<void> {
    return forEachParallel(items, this.#options.transfers ?? transfersDefault, body);
  }
}

function badPack(name: Hash, what: string): OuroError {
  return new OuroError("corrupt", `Cannot use ${packName(name)}: ${what}`, { subject: packName(name) });
}
