/** A box's folder with a store, for tests: in a temporary folder, removed at the end of the block (`using`). */
import { randomBytes } from "node:crypto";
import { mkdirSync, mkdtempSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Disk } from "../../src/base/disk.ts";
import { nodeDisk } from "../../src/base/node-disk.ts";
import type { BoxSecrets, ChunkSizes, HashName, SuiteName } from "../../src/format/mod.ts";
import { type IngestFile, type IngestResult, Store } from "../../src/store/mod.ts";

export interface TestBoxOptions {
  readonly suite?: SuiteName;
  readonly hash?: HashName;
  readonly disk?: Disk;
  readonly chunk?: ChunkSizes;
}

/** Small, so that small files have several chunks. */
export const testChunkSizes: ChunkSizes = { min: 256, avg: 1024, max: 4096 };

export class TestBox implements Disposable {
  /** Holds everything. */
  readonly top: string = mkdtempSync(join(tmpdir(), "ourobox-test-"));
  /** The `.ourobox` folder. */
  readonly directory: string = join(this.top, ".ourobox");
  readonly secrets: BoxSecrets;
  readonly chunk: ChunkSizes;
  readonly notices: string[] = [];
  readonly #disk: Disk;
  readonly #stores: Store[] = [];

  constructor(options: TestBoxOptions = {}) {
    const suite = options.suite ?? "aes-256-gcm";
    this.secrets = {
      box: Buffer.from("0123456789abcdef"),
      suite,
      hash: options.hash ?? "blake3",
      ...(suite === "plain" ? {} : { key: Buffer.alloc(32, 7) }),
    };
    this.chunk = options.chunk ?? testChunkSizes;
    this.#disk = options.disk ?? nodeDisk;
    mkdirSync(this.directory);
  }

  /** Opens a store of this box; closed with the box at the latest. */
  open(options: { readonly readOnly?: boolean; readonly disk?: Disk } = {}): Store {
    const { directory, secrets, chunk } = this;
    const disk = options.disk ?? this.#disk;
    const onNotice = (text: string): void => {
      this.notices.push(text);
    };
    const store = Store.open({
      directory,
      secrets,
      chunk,
      disk,
      random: randomBytes,
      onNotice,
      ...(options.readOnly === true ? { readOnly: true } : {}),
    });
    this.#stores.push(store);
    return store;
  }

  /** Writes a file outside of `.ourobox`, as ingest wants to have it. */
  file(name: string, bytes: Uint8Array | string): IngestFile {
    const path = join(this.top, name);
    writeFileSync(path, bytes);
    const { size, blocks } = statSync(path);
    return { path: Buffer.from(path), size, blocks };
  }

  [Symbol.dispose](): void {
    for (const store of this.#stores) store[Symbol.dispose]();
    rmSync(this.top, { recursive: true, force: true });
  }
}

/** Takes in files in this thread and publishes them. */
export async function ingestAll(store: Store, files: readonly IngestFile[], workers = 0): Promise<IngestResult[]> {
  await using ingest = store.openIngest({ workers });
  const results = await ingest.ingest(files);
  await ingest.finish();
  return results;
}

/** The bytes that a result stands for, read back from the store. */
export function readBack(store: Store, result: IngestResult | undefined): Uint8Array {
  if (result === undefined) throw new Error("there is no result");
  if ("error" in result) throw result.error;
  const parts = Array.from(result.items, (item) =>
    item.form === "hole" ? Buffer.alloc(item.length) : store.getChunk(item.hash, item.length),
  );
  return Buffer.concat(parts);
}
