/**
 * Mending a remote from what is here: packs that are damaged or missing there, and those that hold what its heads need, are sent again; packs
 * that a damaged index file listed are listed by another, and that file is removed. The order is that of a push: packs, then the index file, and only then
 * anything is removed. What is not here stays as it is. The heads of this box are for the push that follows.
 */
import { equalBytes, fromHex, toHex } from "../base/bytes.ts";
import { isKind } from "../base/errors.ts";
import { getHasher, hashBytes, headName, type PackInfo, type WriterId, writerHex } from "../format/mod.ts";
import type { StoredPack } from "../store/mod.ts";
import { indexName, packName } from "./box-on-remote.ts";
import type { RemoteFindings } from "./check-remote.ts";
import { fileReader } from "./pack-directory.ts";
import { forEachParallel } from "./parallel.ts";
import { putIndexFile } from "./remote-index.ts";
import { RemoteMemory } from "./remote-memory.ts";
import { type SyncOptions, transfersDefault } from "./sync-options.ts";

export interface MendOptions extends SyncOptions {
  /** Whose damaged heads may be removed, as a push writes them anew. */
  readonly own: readonly WriterId[];
}

export interface MendResult {
  /** Packs that were sent, and their bytes. */
  readonly packs: number;
  readonly bytes: number;
  /** Their names, in hex. */
  readonly sent: readonly string[];
  /** Index files and heads that were removed, having been replaced or being about to be. */
  readonly removed: number;
  /** Packs here that should have been sent, and are themselves not what their names say; in hex. */
  readonly damagedHere: readonly string[];
}

const pieceBytes = 4 * 1024 * 1024;

/** @throws OuroError as `Remote.put` and `Remote.remove`; what was done stays, and may be done again. */
export async function mendRemote(found: RemoteFindings, options: MendOptions): Promise<MendResult> {
  return await new Mending(found, options).run();
}

class Mending {
  readonly #found: RemoteFindings;
  readonly #options: MendOptions;
  readonly #here: ReadonlyMap<string, StoredPack>;
  readonly #sent = new Map<string, PackInfo>();
  readonly #damagedHere: string[] = [];
  #removed = 0;

  constructor(found: RemoteFindings, options: MendOptions) {
    this.#found = found;
    this.#options = options;
    this.#here = new Map(options.store.packs().map((pack) => [toHex(pack.name), pack]));
  }

  async run(): Promise<MendResult> {
    await this.#sendPacks();
    await this.#listAnew();
    await this.#removeHeads();
    const bytes = [...this.#sent.values()].reduce((sum, { size }) => sum + size, 0);
    return {
      packs: this.#sent.size,
      bytes,
      sent: [...this.#sent.keys()],
      removed: this.#removed,
      damagedHere: this.#damagedHere,
    };
  }

  /** What is bad there, and what holds an object that is lacking there; where it is whole here. */
  #wanted(): StoredPack[] {
    const { badPacks, holders, condemned } = this.#found;
    const names = new Set([...badPacks.keys(), ...holders]);
    // A name that was condemned is not given again: its deletion may be late.
    return [...names]
      .filter((name) => !condemned.has(name))
      .flatMap((name) => this.#here.get(name) ?? [])
      .filter(({ complete }) => complete);
  }

  async #sendPacks(): Promise<void> {
    const { remote, store, signal, progress, transfers = transfersDefault } = this.#options;
    const wanted = this.#wanted();
    if (wanted.length === 0) return;
    const bytes = wanted.reduce((sum, { size }) => sum + size, 0);
    progress?.phase("Sending packs again", { files: wanted.length, bytes });
    await forEachParallel(wanted, transfers, async (pack) => {
      const { name, size } = pack;
      // Another process must not give up a part of it meanwhile.
      using held = store.sparse.hold(name);
      if (held === undefined) return;
      if (!this.#isRightHere(pack)) {
        this.#damagedHere.push(toHex(name));
        return;
      }
      await remote.put(
        packName(name),
        { path: store.packPath(name), size },
        { onBytes: (count) => progress?.add(0, count), ...(signal === undefined ? {} : { signal }) },
      );
      progress?.add(1, 0);
      this.#sent.set(toHex(name), pack);
    });
  }

  /** What is sent to mend must itself be right. */
  #isRightHere({ name, size }: StoredPack): boolean {
    const { disk, store, secrets } = this.#options;
    const read = fileReader(disk, store.packPath(name));
    const stream = getHasher(secrets.hash).stream();
    try {
      for (let start = 0; start < size; start += pieceBytes)
        stream.update(read({ start, end: Math.min(size, start + pieceBytes) }));
    } catch (thrown) {
      if (isKind(thrown, "corrupt") || isKind(thrown, "not-found")) return false;
      throw thrown;
    }
    return equalBytes(stream.digest(), name);
  }

  /** Lists what is there and no index file lists that can be read: what was sent, what a damaged file is remembered to have listed, what is here. */
  async #listAnew(): Promise<void> {
    const { remote, state, signal } = this.#options;
    const { packs: listed, present, badIndexFiles, indexFiles } = this.#found;
    const memory = RemoteMemory.load(state, remote.url);
    const remembered = [...badIndexFiles.keys()].flatMap((name) => memory.indexFiles.get(name)?.packs ?? []);
    const candidates = badIndexFiles.size === 0 ? [] : [...remembered, ...this.#here.values()];
    const isThere = ({ name, size }: PackInfo): boolean => present.get(toHex(name))?.size === size;
    const unlisted = new Map(this.#sent);
    for (const pack of candidates) if (isThere(pack)) unlisted.set(toHex(pack.name), pack);
    for (const name of listed.keys()) unlisted.delete(name);
    const options = signal === undefined ? {} : { signal };
    if (unlisted.size > 0) await putIndexFile(this.#options, memory, { packs: [...unlisted.values()], replaces: [] });
    // A damaged file goes when it is known what it listed, or when nothing is there that is not listed now.
    const isAllListed = [...present.keys()].every((name) => listed.has(name) || unlisted.has(name));
    for (const name of badIndexFiles.keys()) {
      if (indexFiles.has(name) || (!memory.indexFiles.has(name) && !isAllListed)) continue;
      await remote.remove(indexName(fromHex(name, hashBytes)), options);
      this.#removed += 1;
    }
  }

  async #removeHeads(): Promise<void> {
    const { remote, own, signal } = this.#options;
    for (const writer of own) {
      if (!this.#found.badHeads.has(writerHex(writer))) continue;
      await remote.remove(headName(writer), signal === undefined ? {} : { signal });
      this.#removed += 1;
    }
  }
}
