/**
 * Where content is known to be: on this machine, and on each remote. A remote has what is in the packs that it lists, as was last seen. Of packs
 * that are here the index here knows what is in them; the directories of others are read from the remote, if anything is not found without.
 * Bytes are those of chunks, each counted once.
 */
import { toHex } from "../base/bytes.ts";
import { isKind, OuroError } from "../base/errors.ts";
import { quotePath } from "../base/quote.ts";
import { Turns } from "../base/turns.ts";
import {
  contentItems,
  directoryHash,
  type Entry,
  type Hash,
  hashKey,
  kinds,
  type PackDirectory,
  type PackInfo,
} from "../format/mod.ts";
import { directoryOf, HashSet, walkEntries } from "../history/mod.ts";
import { forEachParallel, type KnownPacks, knownPacks, readDirectoryThere } from "../sync/mod.ts";
import { findEntry } from "./box-history.ts";
import { openBoxRemote } from "./box-remotes.ts";
import type { Path } from "./changes.ts";
import { CommitPlaces } from "./commit-places.ts";
import type { OpenBox } from "./open-box.ts";
import { type RemoteRow, remotesOf } from "./remote-list.ts";
import { findSeen } from "./remote-seen.ts";

export interface RemotePlace {
  readonly remote: string;
  /** Of the content, as far as is known. */
  readonly bytes: number;
  /** When it was last read what this remote lists; absent where it never was. */
  readonly asOfMs?: number;
  /** Whether a head there has taken in the commit. */
  readonly hasCommit: boolean;
  /** It could not be asked what is in packs that are only there: it may have more. */
  readonly isLeast: boolean;
}

export interface WhereReport {
  readonly bytes: number;
  /** How much of it can be read on this machine. */
  readonly here: number;
  readonly remotes: readonly RemotePlace[];
}

const directoriesAtOnce = 4;

/** What is at a path of a commit, and all below it. @throws OuroError "not-found". What goes wrong with a remote is warned of. */
export async function whereIs(box: OpenBox, id: Hash, path: Path): Promise<WhereReport> {
  const entry = findEntry(box, id, path);
  if (entry === undefined)
    throw new OuroError("not-found", `Cannot find ${quotePath(path)} in that commit`, { subject: quotePath(path) });
  const commit = box.commits.read(id);
  const search = new Search(box);
  await search.addAll(entry);
  await search.settle();
  const places = new CommitPlaces(box);
  return {
    bytes: search.bytes,
    here: search.here,
    remotes: search.remotes.map(({ row, bytes, isLeast }) => {
      const asOfMs = findSeen(box, row.url)?.listedMs;
      const known = { remote: row.name, bytes, isLeast, hasCommit: places.has(row.name, commit) };
      return asOfMs === undefined ? known : { ...known, asOfMs };
    }),
  };
}

interface Searched {
  readonly row: RemoteRow;
  readonly known: KnownPacks;
  /** Chunks that were not found there yet, with their lengths. */
  readonly remaining: Map<string, number>;
  bytes: number;
  isLeast: boolean;
}

class Search {
  bytes = 0;
  here = 0;
  readonly remotes: readonly Searched[];
  readonly #box: OpenBox;
  readonly #seen = new HashSet();
  readonly #turns: Turns;

  constructor(box: OpenBox) {
    this.#box = box;
    this.#turns = new Turns(box.context.signal);
    this.remotes = remotesOf(box).map((row) => ({
      row,
      known: knownPacks(box.state, row.url),
      remaining: new Map(),
      bytes: 0,
      isLeast: false,
    }));
  }

  async addAll(entry: Entry): Promise<void> {
    const directory = directoryOf(entry);
    if (directory === undefined) await this.#addEntry(entry);
    else
      for (const below of walkEntries(this.#box.reader, directory, new Uint8Array())) await this.#addEntry(below.entry);
  }

  async #addEntry(entry: Entry): Promise<void> {
    await this.#turns.step();
    for (const { value } of entry.data) {
      if (value.kind !== kinds.file) continue;
      for (const item of contentItems(value.content, (hash) => this.#box.store.getMeta(hash, "list"))) {
        if (item.form === "hole" || !this.#seen.add(item.hash)) continue;
        await this.#turns.step();
        this.#addChunk(item.hash, item.length);
      }
    }
  }

  #addChunk(hash: Hash, length: number): void {
    const place = this.#box.store.findChunk(hash);
    const pack = place === undefined ? undefined : toHex(place.pack);
    this.bytes += length;
    if (place?.isHere === true) this.here += length;
    for (const remote of this.remotes) {
      const { packs, covered } = remote.known;
      if (pack !== undefined && (packs.has(pack) || covered.has(pack))) remote.bytes += length;
      else if (packs.size > 0) remote.remaining.set(hashKey(hash), length);
    }
  }

  /** Looks for what was not found in the packs that the index here names. */
  async settle(): Promise<void> {
    const repeating = new Set(this.#box.store.packsWithRepeats().map(toHex));
    const here = new Set(this.#box.store.packs().map(({ name }) => toHex(name)));
    for (const remote of this.remotes) {
      const content = [...remote.known.packs].filter(([, pack]) => pack.class === "content");
      const isHere = ([name]: readonly [string, PackInfo]): boolean => here.has(name);
      for (const [, pack] of content.filter((each) => isHere(each) && repeating.has(each[0]))) {
        if (remote.remaining.size === 0) break;
        await this.#turns.end();
        await lookInto(remote, this.#readHere(pack));
      }
      const foreign = content.filter((each) => !isHere(each)).map(([, pack]) => pack);
      if (remote.remaining.size > 0 && foreign.length > 0) await this.#ask(remote, foreign);
    }
  }

  async #readHere({ name }: PackInfo): Promise<PackDirectory> {
    return this.#box.store.sparse.directory(name);
  }

  async #ask(remote: Searched, packs: readonly PackInfo[]): Promise<void> {
    const { context, secrets } = this.#box;
    const { signal } = context;
    try {
      await using opened = openBoxRemote(this.#box, remote.row, { create: false });
      await forEachParallel(packs, directoriesAtOnce, async (pack) => {
        if (remote.remaining.size > 0) await lookInto(remote, readDirectoryThere(opened, pack, secrets, { signal }));
      });
    } catch (thrown) {
      if (!isKind(thrown) || thrown.kind === "aborted") throw thrown;
      remote.isLeast = true;
      context.warn(`${remote.row.name}: ${thrown.message}. It may have more than is known here.`);
    }
  }
}

/** What a pack that is gone or damaged holds is not there. */
async function lookInto(remote: Searched, reading: Promise<PackDirectory>): Promise<void> {
  let directory: PackDirectory;
  try {
    directory = await reading;
  } catch (thrown) {
    if (isKind(thrown) && ["not-found", "corrupt", "invalid", "wrong-key"].includes(thrown.kind)) return;
    throw thrown;
  }
  for (let object = 0; object < directory.objects; object += 1) {
    const key = hashKey(directoryHash(directory, object));
    const length = remote.remaining.get(key);
    if (length === undefined) continue;
    remote.bytes += length;
    remote.remaining.delete(key);
  }
}
