/** Packing anew: objects that are wanted in packs of other names, here and for other places. */
import { toHex } from "../base/bytes.ts";
import { ioError, isKind } from "../base/errors.ts";
import { Turns } from "../base/turns.ts";
import { type Hash, hashKey, type PackClass } from "../format/mod.ts";
import { copyLive, type GcContext, type GcOptions, RewriteOutput } from "./gc.ts";
import { PackRebuilder, readObjects } from "./pack-rebuilder.ts";

/** What is needed. Metadata of all kinds is asked for by its hash alone. */
export interface IsLive {
  readonly isLiveMeta: (hash: Hash) => boolean;
  readonly isLiveChunk: GcOptions["isLiveChunk"];
  readonly signal?: AbortSignal;
}

export interface NeededPacks {
  /** In hex. */
  readonly names: ReadonlySet<string>;
  /** What is needed of them. */
  readonly live: IsLive;
}

type ObjectSets = Readonly<Record<PackClass, Set<string>>>;

/** The store that this is a part of. */
interface Owner {
  readonly begin: () => void;
  readonly ended: () => void;
}

export class Repacking {
  readonly #context: GcContext;
  readonly #owner: Owner;

  constructor(context: GcContext, owner: Owner) {
    this.#context = context;
    this.#owner = owner;
  }

  /**
   * What of some packs is needed from them, as the index finds it nowhere else.
   * @param elsewhere Whether a pack is where these are not: what such a pack has, too, is not needed from these. It is read and verified for that.
   */
  findNeeded(names: readonly Hash[], live: IsLive, elsewhere: (name: Hash) => boolean): NeededPacks {
    const byId = this.#idsOf(names);
    const wanted = { content: new Set<string>(), meta: new Set<string>() };
    for (const { hash, kind } of this.#liveIn(byId, live)) wanted[classOf(kind)].add(hashKey(hash));
    const found = this.#findRepeats(wanted, elsewhere);
    const left: IsLive = {
      ...live,
      isLiveMeta: (hash) => live.isLiveMeta(hash) && !found.meta.has(hashKey(hash)),
      isLiveChunk: (hash) => live.isLiveChunk(hash) && !found.content.has(hashKey(hash)),
    };
    const needed = new Set<string>();
    for (const { pack } of this.#liveIn(byId, left)) needed.add(byId.get(pack) as string);
    return { names: needed, live: left };
  }

  #idsOf(names: readonly Hash[]): Map<number, string> {
    const byId = new Map<number, string>();
    for (const name of names) {
      const pack = this.#context.index.findPackNamed(name);
      if (pack !== undefined) byId.set(pack.id, toHex(name));
    }
    return byId;
  }

  *#liveIn(byId: ReadonlyMap<number, string>, live: IsLive): Generator<{ hash: Hash; pack: number; kind: number }> {
    for (const object of this.#context.index.objectsOf([...byId.keys()])) {
      if (object.kind === 0 ? live.isLiveChunk(object.hash) : live.isLiveMeta(object.hash)) yield object;
    }
  }

  /** Which of these objects are in other packs, too, and are right there. */
  #findRepeats(wanted: ObjectSets, elsewhere: (name: Hash) => boolean): ObjectSets {
    const { index, disk, secrets, paths } = this.#context;
    const found = { content: new Set<string>(), meta: new Set<string>() };
    for (const { name, objects, indexed, complete } of index.packs()) {
      if (!complete || indexed === objects || !elsewhere(name)) continue;
      try {
        readObjects(
          { disk, secrets, path: paths.pack(name), name },
          {
            isWanted: (hash, packClass) => wanted[packClass].has(hashKey(hash)) && !found[packClass].has(hashKey(hash)),
            onObject: (hash, _bytes, kind) => found[kind === undefined ? "content" : "meta"].add(hashKey(hash)),
          },
        );
      } catch (error) {
        // Then it does not count, from there on.
        if (!isKind(error, "corrupt") && !isKind(error, "not-found")) throw error;
      }
    }
    return found;
  }

  /**
   * Packs anew what is needed of these packs, which stay where they are: a next collection of garbage removes them.
   * @throws OuroError "no-space" and its like.
   */
  async renew(names: readonly Hash[], live: IsLive): Promise<void> {
    const { lock } = this.#context;
    const wasHeld = lock.isHeld;
    lock.share();
    try {
      for (const packClass of ["content", "meta"] satisfies PackClass[]) await this.#renewClass(packClass, names, live);
    } catch (error) {
      throw ioError("Cannot pack anew", error, this.#context.paths.packs);
    } finally {
      if (!wasHeld) lock.release();
      this.#owner.ended();
    }
  }

  async #renewClass(packClass: PackClass, names: readonly Hash[], live: IsLive): Promise<void> {
    const turns = new Turns(live.signal);
    const output = new RewriteOutput(this.#context, packClass, [], { hasFiller: true });
    try {
      for (const name of names) {
        const pack = this.#context.index.findPackNamed(name);
        if (pack?.class !== packClass) continue;
        copyLive(this.#context, live, pack, output);
        await turns.end();
      }
      output.finish();
    } catch (error) {
      output.abort();
      throw error;
    }
  }

  /** What makes packs for another place out of parts of others. The store counts as writing from now on. */
  openRebuilder(): PackRebuilder {
    this.#owner.begin();
    return new PackRebuilder(this.#context);
  }
}

function classOf(kind: number): PackClass {
  return kind === 0 ? "content" : "meta";
}
