/**
 * Prune: gives back the space on a remote that nothing there needs, while others go on writing, without locks (fossil collection). What is not needed is
 * *condemned* first: named in a list, after which pushes count on it no more. It is deleted by a later prune, when every writer that may have counted on it
 * has written its head since, or has been silent for so long that it is not waited for.
 *
 * The order is the safety: packs that replace others, then the index file that lists them, then the list of the condemned; then an index file without those to be
 * deleted, then the deletions. Cut off anywhere, what is left is whole, and the next prune goes on. Names that were condemned are not given again, and their lists
 * outlive them, so that a deletion may be as late as it likes. The rules and why: doc/decisions/0013-retention.md.
 *
 * Reads heads, index files and the directories of packs; metadata and packs that are to be packed anew only where they are not here.
 */
import { fromHex, toHex } from "../base/bytes.ts";
import { isKind, OuroError } from "../base/errors.ts";
import {
  encodeCondemned,
  fullVector,
  getHasher,
  type Head,
  hashBytes,
  type PackInfo,
  sealBlob,
  type VersionVector,
  writerHex,
} from "../format/mod.ts";
import { CommitReader } from "../history/mod.ts";
import type { BlobInfo } from "../remote/mod.ts";
import type { BuiltPack, PackRebuilder } from "../store/mod.ts";
import {
  BoxOnRemote,
  type CondemnedList,
  condemnedPrefix,
  indexPrefix,
  packName,
  packPrefix,
} from "./box-on-remote.ts";
import { findNeedless, type HeadThere, isUnchanged, markNeeded, readHeads, removeHead } from "./prune-heads.ts";
import { type PruneRules, pruneRules } from "./prune-rules.ts";
import { orGone, type ScannedPacks, scanPacks } from "./prune-scan.ts";
import { putIndexFile, type RemoteIndex, readRemoteIndex, removeReplaced } from "./remote-index.ts";
import { RemoteMemory } from "./remote-memory.ts";
import type { SyncOptions } from "./sync-options.ts";

export interface PruneOptions extends SyncOptions {
  /** Says what it would do, and changes nothing. */
  readonly dryRun?: boolean;
  /** Heads that have not been written for so long, in milliseconds by the remote's clock, are not waited for. */
  readonly silentMs: number;
  /** How long packs are condemned at least before they are deleted. */
  readonly condemnedMs: number;
  /** For tests. */
  readonly rules?: Partial<PruneRules>;
}

export interface PruneReport {
  /** Packs that nothing needs or that were packed anew, now condemned, and their bytes. */
  readonly condemned: number;
  readonly condemnedBytes: number;
  /** Packs that were condemned before and are gone now. */
  readonly deleted: number;
  readonly deletedBytes: number;
  /** Packs written for what was needed of others; in a dry run their bytes are about those of what is in them. */
  readonly written: number;
  readonly writtenBytes: number;
  /** Packs that were condemned before and are not to be deleted yet. */
  readonly waiting: number;
  readonly waitingBytes: number;
  /** Writers that are waited for: they have not written since the packs were condemned that wait. In hex. */
  readonly waitsFor: readonly string[];
  /** Writers whose heads have been silent, and are not waited for. */
  readonly silent: readonly string[];
  /** Of these the heads that said nothing that others do not say, and were removed. */
  readonly retired: readonly string[];
}

/** How often a prune begins again because another has deleted what it was about to read. */
const roundsMax = 5;
/** Times of two files may be so coarse. */
const clockStepMs = 2000;

/**
 * @throws OuroError "not-found" (no box there, or something that is needed is nowhere), "corrupt" (it cannot be told what is needed), "read-only", "permission",
 * "stale" (others prune all the time), "offline", "no-space", ….
 */
export async function prune(options: PruneOptions): Promise<PruneReport> {
  const box = new BoxOnRemote(options.remote, options.secrets, options.verify, options);
  await box.checkIdentity();
  const memory = RemoteMemory.load(options.state, options.remote.url);
  try {
    for (let round = 1; ; round += 1) {
      try {
        return await new Pruning(box, memory, options).run();
      } catch (thrown) {
        // Others have pushed and pruned meanwhile: it looks again.
        if (!isKind(thrown, "stale") || round === roundsMax) throw thrown;
      }
    }
  } finally {
    memory.save(options.state, options.remote.url);
  }
}

/** What is on the remote, read in the order that makes it safe: what is condemned, then heads, then index files, then packs. */
interface Place {
  readonly lists: readonly CondemnedList[];
  /** Names in hex of all packs that are in them. */
  readonly condemned: ReadonlySet<string>;
  readonly heads: readonly HeadThere[];
  readonly index: RemoteIndex;
  readonly present: ReadonlyMap<string, BlobInfo>;
  /** By the remote's clock; undefined where it tells no times. */
  readonly nowMs: number | undefined;
}

class Pruning {
  readonly #box: BoxOnRemote;
  readonly #memory: RemoteMemory;
  readonly #options: PruneOptions;
  readonly #rules: PruneRules;
  readonly #commits: CommitReader;

  constructor(box: BoxOnRemote, memory: RemoteMemory, options: PruneOptions) {
    this.#box = box;
    this.#memory = memory;
    this.#options = options;
    this.#rules = { ...pruneRules, ...options.rules };
    const { store, secrets, verify } = options;
    this.#commits = new CommitReader(store, { hasher: store.hasher, box: secrets.box, verify });
  }

  /** @throws OuroError "stale" when what it had looked at was replaced, and what that needs is gone. */
  async run(): Promise<PruneReport> {
    const place = await this.#look();
    try {
      return await this.#prune(place);
    } catch (thrown) {
      if (!isKind(thrown, "not-found") && !isKind(thrown, "corrupt")) throw thrown;
      if (!(await this.#hasMoved(place))) throw thrown;
      const { url } = this.#options.remote;
      throw new OuroError("stale", `Cannot prune ${url}: others have pushed or pruned meanwhile`, {
        hint: "Run it again.",
        cause: thrown,
      });
    }
  }

  async #prune(place: Place): Promise<PruneReport> {
    const { progress, dryRun } = this.#options;
    const { condemned, heads, index, present } = place;
    progress?.phase("Looking for what is needed");
    const live = await markNeeded(this.#box, heads, index, this.#options, this.#rules.asksAllHeads);
    const there = [...index.packs.values()].filter((pack) => present.get(toHex(pack.name))?.size === pack.size);
    const isCondemned = ({ name }: PackInfo): boolean => condemned.has(toHex(name));
    const scanned = await scanPacks(this.#options, {
      live,
      counted: there.filter((pack) => !isCondemned(pack)),
      condemned: there.filter(isCondemned),
      rescues: this.#rules.rescues,
    });
    const deletable = this.#findDeletable(place);
    const doomed = [...scanned.dead, ...scanned.wasteful];
    const orphans = this.#findOrphans(place);
    const built = dryRun === true ? [] : await this.#packAnew(scanned);
    if (dryRun !== true) {
      await this.#condemn([...doomed.map(({ name }) => toHex(name)), ...orphans]);
      await this.#delete(place, deletable, built);
      await this.#dropLists(place);
    }
    const retired = dryRun === true ? [] : await this.#retire(place);
    if (dryRun !== true) await removeReplaced(this.#options, index);
    const waiting = [...condemned].filter((name) => present.has(name) && !deletable.includes(name));
    const sizeOf = (names: readonly string[]): number =>
      names.reduce((sum, name) => sum + (present.get(name)?.size ?? 0), 0);
    return {
      condemned: doomed.length + orphans.length,
      condemnedBytes: sizeOf([...doomed.map(({ name }) => toHex(name)), ...orphans]),
      deleted: deletable.length,
      deletedBytes: sizeOf(deletable),
      written: built.length,
      writtenBytes: dryRun === true ? scanned.copiedBytes : built.reduce((sum, { size }) => sum + size, 0),
      waiting: waiting.length,
      waitingBytes: sizeOf(waiting),
      waitsFor: waiting.length === 0 ? [] : this.#waitsFor(place),
      silent: heads.filter((each) => this.#isSilent(each, place.nowMs)).map(({ head }) => writerHex(head.writer)),
      retired,
    };
  }

  async #look(): Promise<Place> {
    const lists = await this.#box.listCondemned(this.#memory.condemned);
    const heads = await readHeads(this.#box);
    const index = await readRemoteIndex(this.#box, this.#memory);
    const [damaged] = index.damaged;
    if (damaged !== undefined)
      throw new OuroError("corrupt", `Cannot tell what is there: ${damaged.message}`, {
        hint: "Push from the machines that write there: what they have is listed again. Then remove that file.",
        cause: damaged,
      });
    const present = await this.#box.listHashes(packPrefix);
    const condemned = new Set(lists.flatMap(({ packs }) => packs));
    const nowMs = await this.#readClock([...lists, ...heads].map(({ info }) => info));
    return { lists, condemned, heads, index, present, nowMs };
  }

  /** Whether heads or index files have come or gone since. */
  async #hasMoved({ heads, index }: Place): Promise<boolean> {
    const [headsNow, filesNow] = [await this.#box.listHeads(), await this.#box.listHashes(indexPrefix)];
    return (
      headsNow.size !== heads.length ||
      heads.some(({ head, info }) => !isUnchanged(info, headsNow.get(writerHex(head.writer)))) ||
      filesNow.size !== index.files.size ||
      [...filesNow.keys()].some((name) => !index.files.has(name))
    );
  }

  /** The remote's own time: that of a file that is written now. Where nothing may be written, the latest of those there are. */
  async #readClock(infos: readonly BlobInfo[]): Promise<number | undefined> {
    const times = infos.flatMap(({ modifiedMs }) => (modifiedMs === undefined ? [] : [modifiedMs]));
    const latest = times.length === 0 ? undefined : Math.max(...times);
    if (this.#options.dryRun === true || latest === undefined) return latest;
    const { remote, signal } = this.#options;
    const options = signal === undefined ? {} : { signal };
    const name = await this.#putCondemned([]);
    const info = await remote.stat(name, options);
    await remote.remove(name, options);
    return info?.modifiedMs ?? latest;
  }

  async #putCondemned(names: readonly string[]): Promise<string> {
    const { remote, secrets, random, signal } = this.#options;
    const payload = encodeCondemned(names.map((name) => fromHex(name, hashBytes)));
    const blob = sealBlob(secrets, "condemned", payload, random);
    const name = `${condemnedPrefix}${toHex(getHasher(secrets.hash).hash(blob))}`;
    await remote.put(name, blob, signal === undefined ? {} : { signal });
    return name;
  }

  #isSilent({ info }: HeadThere, nowMs: number | undefined): boolean {
    return nowMs !== undefined && info.modifiedMs !== undefined && nowMs - info.modifiedMs >= this.#options.silentMs;
  }

  /** When each pack was condemned: where several lists name it, by the first. */
  #condemnedSince({ lists }: Place): Map<string, number> {
    const since = new Map<string, number>();
    for (const { info, packs } of lists) {
      for (const name of packs) {
        const before = since.get(name) ?? Number.POSITIVE_INFINITY;
        since.set(name, Math.min(before, info.modifiedMs ?? Number.POSITIVE_INFINITY));
      }
    }
    return since;
  }

  /** Packs that are there, and that nobody can count on any more who is not silent. */
  #findDeletable(place: Place): string[] {
    const { heads, present, nowMs } = place;
    if (nowMs === undefined) return [];
    const live = heads.filter((each) => !this.#isSilent(each, nowMs));
    const isAfter = (sinceMs: number): boolean =>
      !this.#rules.waitsForHeads || live.every(({ info }) => (info.modifiedMs ?? 0) > sinceMs + clockStepMs);
    const waitMs = this.#rules.waitsAWhile ? this.#options.condemnedMs : 0;
    return [...this.#condemnedSince(place)]
      .filter(([name, sinceMs]) => present.has(name) && nowMs - sinceMs >= waitMs && isAfter(sinceMs))
      .map(([name]) => name);
  }

  #waitsFor(place: Place): string[] {
    const { heads, present, nowMs } = place;
    const sinces = [...this.#condemnedSince(place)].filter(([name]) => present.has(name)).map(([, since]) => since);
    const oldestMs = sinces.reduce((least, since) => Math.min(least, since), Number.POSITIVE_INFINITY);
    return heads
      .filter((each) => !this.#isSilent(each, nowMs) && (each.info.modifiedMs ?? 0) <= oldestMs + clockStepMs)
      .map(({ head }) => writerHex(head.writer));
  }

  /** Packs that no index file lists, and that have been there for so long that no push can still be at work on them. */
  #findOrphans({ index, present, condemned, nowMs }: Place): string[] {
    if (nowMs === undefined) return [];
    return [...present]
      .filter(([name]) => !index.packs.has(name) && !condemned.has(name))
      .filter(([, { modifiedMs }]) => modifiedMs !== undefined && nowMs - modifiedMs >= this.#options.silentMs)
      .map(([name]) => name);
  }

  /** Writes new packs for what is needed of the wasteful and of condemned ones, and lists them. */
  async #packAnew({ wasteful, rescued, takeOnce, copiedBytes }: ScannedPacks): Promise<readonly PackInfo[]> {
    const sources = [...wasteful, ...rescued];
    if (sources.length === 0) return [];
    const { store, progress } = this.#options;
    progress?.phase("Packing anew", { files: sources.length, bytes: copiedBytes });
    const sent: PackInfo[] = [];
    using rebuilder = store.repacking.openRebuilder();
    for (const pack of sources) {
      await this.#copy(pack, rebuilder, takeOnce);
      await this.#send(rebuilder.take({ isLast: false }), sent);
      progress?.add(1, 0);
    }
    await this.#send(rebuilder.take({ isLast: true }), sent);
    if (sent.length > 0) await putIndexFile(this.#options, this.#memory, { packs: sent, replaces: [] });
    return sent;
  }

  async #copy(pack: PackInfo, rebuilder: PackRebuilder, takeOnce: ScannedPacks["takeOnce"]): Promise<void> {
    const { store, disk, remote, random, signal } = this.#options;
    const isHere = store.packs().some(({ name, complete }) => complete && toHex(name) === toHex(pack.name));
    if (isHere) {
      rebuilder.copy(store.packPath(pack.name), pack.name, takeOnce);
      return;
    }
    const path = `${store.temporaryFolder}/pack-${toHex(random(8))}`;
    try {
      const options = { bytesMax: pack.size, ...(signal === undefined ? {} : { signal }) };
      await orGone(pack, () => remote.download(packName(pack.name), path, options));
      rebuilder.copy(path, pack.name, takeOnce);
    } finally {
      if (disk.stat(path) !== undefined) disk.unlink(path);
    }
  }

  async #send(built: readonly BuiltPack[], sent: PackInfo[]): Promise<void> {
    const { disk, remote, signal, progress } = this.#options;
    try {
      for (const { path, ...pack } of built) {
        const onBytes = (count: number): void => progress?.add(0, count);
        const options = { onBytes, ...(signal === undefined ? {} : { signal }) };
        await remote.put(packName(pack.name), { path, size: pack.size }, options);
        // What is in it came from here or is not wanted here: the next fetch need not bring it.
        this.#memory.noteShared({ name: pack.name, proven: true });
        sent.push(pack);
      }
    } finally {
      for (const { path } of built) disk.unlink(path);
    }
  }

  async #condemn(names: readonly string[]): Promise<void> {
    if (names.length > 0) await this.#putCondemned(names);
  }

  /** First nothing lists them, then they go. */
  async #delete(
    { index, present, condemned }: Place,
    names: readonly string[],
    built: readonly PackInfo[],
  ): Promise<void> {
    const { remote, signal, progress } = this.#options;
    // A merge of index files that went on meanwhile may list packs again that are gone.
    const gone = new Set([...names, ...[...condemned].filter((name) => !present.has(name))]);
    if ([...gone].some((name) => index.packs.has(name))) {
      const left = [...index.packs.values(), ...built].filter(({ name }) => !gone.has(toHex(name)));
      // The one that lists what was packed anew stays: this one says all that the older ones do.
      const replaces = [...index.files.keys()].map((name) => fromHex(name, hashBytes));
      await putIndexFile(this.#options, this.#memory, { packs: left, replaces });
    }
    if (names.length > 0) progress?.phase("Deleting packs", { files: names.length });
    for (const name of names) {
      await remote.remove(`${packPrefix}${name}`, signal === undefined ? {} : { signal });
      this.#memory.covered.delete(name);
      progress?.add(1, 0);
    }
  }

  /** Lists of packs that are gone: they stay until nobody who is not silent can still be about to delete one of them. */
  async #dropLists({ lists, index, present, nowMs }: Place): Promise<void> {
    const { remote, signal, silentMs } = this.#options;
    for (const { info, packs } of lists) {
      const ageMs = nowMs === undefined || info.modifiedMs === undefined ? 0 : nowMs - info.modifiedMs;
      if (packs.some((name) => present.has(name) || index.packs.has(name))) continue;
      if (this.#rules.keepsLists && ageMs < silentMs) continue;
      await remote.remove(info.name, signal === undefined ? {} : { signal });
    }
  }

  async #retire({ heads, nowMs }: Place): Promise<string[]> {
    const retired: string[] = [];
    const vectorOf = (head: Head): VersionVector => fullVector(this.#commits.read(head.commit));
    for (const each of findNeedless(heads, (head) => this.#isSilent(head, nowMs), vectorOf)) {
      if (await removeHead(each, this.#options)) retired.push(writerHex(each.head.writer));
    }
    return retired;
  }
}
