/**
 * Pushes and prunes on one remote in memory, in one process: a clock that stands still until it is moved, boxes that write, forget and push, and remotes on
 * which something else happens between two operations, or which die there. What is on the remote is checked from its blobs alone.
 */
import assert from "node:assert/strict";
import { existsSync, mkdtempSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fromHex, toHex } from "../../src/base/bytes.ts";
import { OuroError } from "../../src/base/errors.ts";
import { nodeDisk } from "../../src/base/node-disk.ts";
import { Prng } from "../../src/base/prng.ts";
import { type BoxSecrets, decodeSignedRetention, type Hash, openBlob } from "../../src/format/mod.ts";
import {
  checkHistory,
  forgetAlso,
  loadRetention,
  markLive,
  RetentionView,
  saveRetention,
} from "../../src/history/mod.ts";
import { verifySignature } from "../../src/peer/mod.ts";
import { MemoryPlace, MemoryRemote, type Remote } from "../../src/remote/mod.ts";
import { BoxOnRemote } from "../../src/sync/box-on-remote.ts";
import { type PruneReport, type PruneRules, prune } from "../../src/sync/mod.ts";
import { readRemoteIndex } from "../../src/sync/remote-index.ts";
import { RemoteMemory } from "../../src/sync/remote-memory.ts";
import { type Random, someSecrets, TestBox } from "../support/sync-box.ts";
import { withMethods } from "../support/with-methods.ts";

export const hourMs: number = 3_600_000;
export const dayMs: number = 24 * hourMs;
/** As long as packs are condemned at least, and as heads may be silent, in these tests. */
export const times: { readonly condemnedMs: number; readonly silentMs: number } = {
  condemnedMs: 6 * hourMs,
  silentMs: 5 * dayMs,
};

/** What happens on the way: told of each operation before it is done, and after. */
export interface Hooks {
  readonly before?: (operation: string) => Promise<void> | void;
  readonly after?: (operation: string) => Promise<void> | void;
}

export class PruneWorld implements Disposable {
  nowMs = 1_800_000_000_000;
  readonly place: MemoryPlace = new MemoryPlace(() => this.nowMs);
  readonly secrets: BoxSecrets;
  readonly #random: Random;
  readonly #boxes: TestBox[] = [];

  /** Keys, names of packs and all else that is random come from `prng`: a run is the same each time. */
  constructor(suite: BoxSecrets["suite"] = "aes-256-gcm", prng: Prng = new Prng(1)) {
    this.#random = (length) => prng.bytes(length);
    this.secrets = someSecrets(suite, this.#random);
  }

  [Symbol.dispose](): void {
    for (const box of this.#boxes) box[Symbol.dispose]();
  }

  wait(ms: number): void {
    this.nowMs += ms;
  }

  box(writer?: bigint): TestBox {
    // Nothing here is about a disk: where there is memory, every sync is for nothing.
    const folder = mkdtempSync(join(existsSync("/dev/shm") ? "/dev/shm" : tmpdir(), "ouro-prune-"));
    const box = new TestBox(this.secrets, {
      folder,
      random: this.#random,
      ...(writer === undefined ? {} : { writer }),
    });
    this.#boxes.push(box);
    return box;
  }

  remote(hooks: Hooks = {}): Remote {
    const inner = new MemoryRemote(nodeDisk, this.place);
    const around = async <T>(operation: string, body: () => Promise<T>): Promise<T> => {
      this.nowMs += 1;
      await hooks.before?.(operation);
      const result = await body();
      await hooks.after?.(operation);
      return result;
    };
    return withMethods(inner, {
      put: (name, ...rest) => around(`put ${name}`, () => inner.put(name, ...rest)),
      get: (name, ...rest) => around(`get ${name}`, () => inner.get(name, ...rest)),
      download: (name, ...rest) => around(`download ${name}`, () => inner.download(name, ...rest)),
      stat: (name, ...rest) => around(`stat ${name}`, () => inner.stat(name, ...rest)),
      remove: (name, ...rest) => around(`remove ${name}`, () => inner.remove(name, ...rest)),
      async *list(prefix, ...rest) {
        yield* await around(`list ${prefix}`, () => Array.fromAsync(inner.list(prefix, ...rest)));
      },
    });
  }

  prune(
    box: TestBox,
    options: { readonly hooks?: Hooks; readonly rules?: Partial<PruneRules>; readonly dryRun?: boolean } = {},
  ): Promise<PruneReport> {
    const { hooks, ...rest } = options;
    return prune({ ...box.pushOptions(this.remote(hooks)), ...times, ...rest }).finally(() => box.store.endWriting());
  }

  /** Names of the packs that are there. */
  packs(): string[] {
    return [...this.place.blobs.keys()].filter((name) => name.startsWith("packs/"));
  }

  packBytes(): number {
    return this.packs().reduce((sum, name) => sum + (this.place.blobs.get(name)?.bytes.length ?? 0), 0);
  }

  /** What is missing or damaged of all that the heads there keep, by what the index files list and is there. */
  async damage(): Promise<string[]> {
    const reader = this.box();
    const remote = this.remote();
    const box = new BoxOnRemote(remote, this.secrets, verifySignature);
    const { packs, damaged } = await readRemoteIndex(box, new RemoteMemory());
    assert.deepEqual(damaged, []);
    {
      await using adoption = reader.store.openAdoption({ workers: 0, contentBytes: 0 });
      for (const [name, pack] of packs) {
        const blob = this.place.blobs.get(`packs/${name}`);
        if (blob === undefined) continue;
        const path = join(reader.store.temporaryFolder, name);
        writeFileSync(path, blob.bytes);
        await adoption.adopt({ path, name: fromHex(name, 32), class: pack.class });
      }
    }
    const found: string[] = [];
    for (const writer of (await box.listHeads()).keys()) {
      const { head } = await box.readHead(BigInt(`0x${writer}`));
      const raw = this.place.blobs.get(`retention/${writer}`);
      const what = `retention of ${writer}`;
      const view = new RetentionView(
        raw === undefined
          ? { seen: [], kept: [] }
          : decodeSignedRetention(
              openBlob(this.secrets, "retention", raw.bytes, what),
              this.secrets.box,
              verifySignature,
              what,
            ),
      );
      const tip = toHex(head.commit);
      for (const damage of checkHistory(reader.commits, [head.commit], {
        hasChunk: (hash) => reader.store.hasChunk(hash),
        isForgotten: (named) => toHex(named.id) !== tip && view.isForgotten(named),
      }))
        if (damage !== undefined) found.push(`head ${writer}: ${damage.kind}: ${damage.error.message}`);
    }
    return found;
  }
}

/** Forgets all commits of a box but the newest ones. */
export function forgetOlder(box: TestBox, keep = 1): void {
  const head = box.state.head();
  if (head === undefined) return;
  let left = keep;
  const kept = new Set<string>();
  for (let at: Hash | undefined = head.commit; at !== undefined && left > 0; left -= 1) {
    kept.add(toHex(at));
    [at] = box.commits.read(at).commit.parents;
  }
  const roots = [head.commit, ...box.state.remoteHeads().map(({ commit }) => commit)];
  const own = markLive(box.commits, [head.commit], { isTrimmed: true, isForgotten: () => true }).meta;
  const isDropped = ({ id }: { readonly id: Hash }): boolean => own.has(id) && !kept.has(toHex(id));
  saveRetention(box.state, forgetAlso(box.commits, roots, loadRetention(box.state), isDropped));
}

/** Collects garbage by what the box keeps. */
export async function collect(box: TestBox): Promise<void> {
  const roots = [
    ...(box.state.head() === undefined ? [] : [box.state.head()?.commit as Hash]),
    ...box.state.remoteHeads().map(({ commit }) => commit),
  ];
  const tips = new Set(roots.map(toHex));
  const view = new RetentionView(loadRetention(box.state));
  const mark = () =>
    markLive(box.commits, roots, {
      isTrimmed: true,
      isForgotten: (named) => !tips.has(toHex(named.id)) && view.isForgotten(named),
    });
  let live = mark();
  await box.store.gc({
    isLiveMeta: (hash) => live.meta.has(hash),
    isLiveChunk: (hash) => live.chunks.has(hash),
    remark: () => {
      live = mark();
    },
  });
}

export function died(): OuroError {
  return new OuroError("offline", "Cannot go on: the process has died");
}
