/** A live filesystem on an unreal box with large files, and a plain folder with the same. Chunks are small, so that little is large. */
import assert from "node:assert/strict";
import { mkdirSync, mkdtempSync, readdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { Box } from "../../src/app/box.ts";
import type { CommitReport } from "../../src/app/box-commit.ts";
import { openLiveFilesystem } from "../../src/app/live-filesystem.ts";
import { lockLive } from "../../src/app/live-lock.ts";
import { Prng } from "../../src/base/prng.ts";
import { contentItems, type Entry, kinds } from "../../src/format/mod.ts";
import { equalContents } from "../../src/history/mod.ts";
import { TestWorld } from "./app-world.ts";
import type { FsClient, OpenHow } from "./fs-client.ts";
import { DirectClient } from "./fs-client-direct.ts";
import { KernelClient } from "./fs-client-kernel.ts";
import { UnrealPair } from "./unreal-pair.ts";

export class SmallChunks extends TestWorld {
  override readonly initOptions = {
    hash: "blake3" as const,
    chunk: { min: 1024, avg: 4096, max: 16_384 },
    bare: false,
    plain: false,
  };
}

const stagedMin = 20_000;

/** An unreal box in a mount, and a plain folder with the same files. */
export class StagedPair implements AsyncDisposable {
  readonly pair: UnrealPair;
  readonly plain: FsClient;
  /** As another process would have it. */
  readonly committer: Box;
  client!: FsClient;
  readonly #world: TestWorld;
  #box!: Box;
  #live!: ReturnType<typeof openLiveFilesystem>;
  #lock!: Disposable;

  private constructor(world: TestWorld, pair: UnrealPair, committer: Box, plain: string) {
    this.#world = world;
    this.pair = pair;
    this.committer = committer;
    this.plain = new KernelClient(plain, 0);
  }

  static async make(world: TestWorld, files: Readonly<Record<string, Buffer>>): Promise<StagedPair> {
    const pair = await UnrealPair.make(world, {});
    const plain = mkdtempSync(join(world.folder, "plain-"));
    for (const folder of [plain, pair.pathA])
      for (const [path, bytes] of Object.entries(files)) {
        mkdirSync(join(folder, path, ".."), { recursive: true });
        writeFileSync(join(folder, path), bytes);
      }
    await pair.pushA();
    await pair.b.pull();
    const made = new StagedPair(world, pair, await Box.open(pair.pathB, world.context()), plain);
    await made.mount();
    return made;
  }

  async mount(): Promise<void> {
    this.#box = await Box.open(this.pair.pathB, this.#world.context());
    this.#lock = await lockLive(this.#box, "/mnt");
    const settle = async (): Promise<void> => void (await this.commit());
    const options = { settle, onChange: () => {}, directory: "/mnt", stagedMin };
    this.#live = openLiveFilesystem(this.#box, options);
    this.client = new DirectClient(this.#live.filesystem);
  }

  /** All is synced; then the process ends, and nothing is done at its end. */
  async kill(): Promise<void> {
    await this.#live.filesystem.syncfs();
    this.#lock[Symbol.dispose]();
    await this.mount();
  }

  async unmount(): Promise<void> {
    await this.#live[Symbol.asyncDispose]();
    this.#lock[Symbol.dispose]();
    await this.#box[Symbol.asyncDispose]();
  }

  async commit(): Promise<CommitReport> {
    this.#live.flush();
    return await this.committer.commit({ message: "on the way", all: true });
  }

  get stagedCount(): number {
    try {
      return readdirSync(join(this.pair.pathB, ".ourobox/staged")).length;
    } catch {
      return 0;
    }
  }

  entry(path: string): Entry {
    const { b } = this.pair;
    return b.find(b.head()?.commit as Uint8Array, Buffer.from(path)) as Entry;
  }

  /** Whether two files are committed with one content. */
  isShared(path: string, other: string): boolean {
    const [a, b] = [path, other].map((each) => this.entry(each).data[0].value);
    return a?.kind === kinds.file && b?.kind === kinds.file && equalContents(a.content, b.content);
  }

  /** Chunks of a committed file, and how many are not here. */
  chunks(path: string): { readonly all: Set<string>; readonly missing: number } {
    const { b } = this.pair;
    const { value } = this.entry(path).data[0];
    assert.equal(value.kind, kinds.file);
    const all = new Set<string>();
    let missing = 0;
    for (const item of contentItems(value.content, (hash) => b.store.getMeta(hash, "list"))) {
      if (item.form === "hole") continue;
      all.add(Buffer.from(item.hash).toString("hex"));
      if (!b.store.hasChunk(item.hash)) missing += 1;
    }
    return { all, missing };
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.unmount();
    await this.committer[Symbol.asyncDispose]();
    await this.pair[Symbol.asyncDispose]();
  }
}

export function someBytes(seed: number, length: number): Buffer {
  return Buffer.from(new Prng(seed).bytes(length));
}

export async function writeTo(client: FsClient, path: string, offset: number, bytes: Buffer): Promise<void> {
  const fd = await client.open(path, { write: true });
  await client.write(fd, offset, bytes);
  await client.fsync(fd);
  await client.close(fd);
}

export const newFile: OpenHow = { write: true, create: true, exclusive: true };

/** As `cp` does. @returns How many bytes could be copied at once, and the new file. */
export async function copyFile(
  client: FsClient,
  from: string,
  to: string,
  how: OpenHow = newFile,
): Promise<{ readonly count: number; readonly fd: number }> {
  const source = await client.open(from, { read: true });
  const fd = await client.open(to, how);
  const count = await client.copy(source, 0, fd, 0, 2 ** 31);
  await client.close(source);
  return { count, fd };
}
