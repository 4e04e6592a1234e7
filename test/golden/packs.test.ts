/**
 * Golden bytes of packs: content and metadata, sealed and plain, BLAKE3 and SHA-256. Version 1 writes them so, and every
 * later version must go on reading them.
 *
 * What is in them is below, and the files are in v1/. A released file is never changed: a new version of the format gets files
 * of its own beside it. `GOLDEN=write` writes files that are missing and no others. Packs with compressed frames are only
 * read: another version of zstd may compress otherwise.
 */
import assert from "node:assert/strict";
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { fromHex, toHex, utf8 } from "../../src/base/bytes.ts";
import { nodeDisk } from "../../src/base/node-disk.ts";
import { Prng } from "../../src/base/prng.ts";
import { type BoxSecrets, defaultChunkSizes, getHasher, type PackClass } from "../../src/format/mod.ts";
import { Store } from "../../src/store/mod.ts";

const fill = (byte: number, length = 32): Uint8Array => new Uint8Array(length).fill(byte);
const box = fill(0xb0, 16);
const sealed: BoxSecrets = { box, suite: "aes-256-gcm", hash: "blake3", key: fill(0x5e) };
const plain: BoxSecrets = { box, suite: "plain", hash: "sha256" };

/** Two small files that share a raw frame, and one that does not shrink and is a frame of its own. */
const incompressible = [new Prng(1).bytes(300), new Prng(2).bytes(500), new Prng(3).bytes(40_000)];
const compressible = [utf8("Ourobox ".repeat(500)), utf8("a line\n".repeat(700)), utf8("line of a longer file\n".repeat(2000))];
const eventBody = Buffer.concat([Buffer.from([1, 1]), utf8("the body of an event commit, for its name alone")]);

interface Golden {
  readonly file: string;
  readonly class: PackClass;
  readonly secrets: BoxSecrets;
  readonly contents: readonly Uint8Array[];
  /** Every version writes exactly these bytes. */
  readonly isFixed: boolean;
}

const goldens: readonly Golden[] = [
  { file: "pack-content-plain-raw", class: "content", secrets: plain, contents: incompressible, isFixed: true },
  { file: "pack-content-sealed-raw", class: "content", secrets: sealed, contents: incompressible, isFixed: true },
  { file: "pack-content-plain-zstd", class: "content", secrets: plain, contents: compressible, isFixed: false },
  { file: "pack-content-sealed-zstd", class: "content", secrets: sealed, contents: compressible, isFixed: false },
  { file: "pack-meta-plain", class: "meta", secrets: plain, contents: compressible, isFixed: false },
  { file: "pack-meta-sealed", class: "meta", secrets: sealed, contents: compressible, isFixed: false },
];

interface Place {
  readonly top: string;
  readonly store: Store;
  [Symbol.dispose](): void;
}

function openPlace(secrets: BoxSecrets): Place {
  const top = mkdtempSync(join(tmpdir(), "ourobox-golden-"));
  const directory = join(top, ".ourobox");
  mkdirSync(directory);
  const random = (count: number): Uint8Array => fill(0x77, count);
  const store = Store.open({ directory, secrets, chunk: defaultChunkSizes, disk: nodeDisk, random });
  return {
    top,
    store,
    [Symbol.dispose]() {
      store[Symbol.dispose]();
      rmSync(top, { recursive: true, force: true });
    },
  };
}

/** The pack that this version writes. */
async function writePack({ secrets, contents, class: packClass }: Golden): Promise<Uint8Array> {
  using place = openPlace(secrets);
  const { store, top } = place;
  if (packClass === "content") {
    await using ingest = store.openIngest({ workers: 0 });
    const files = contents.map((bytes, index) => {
      const path = join(top, `file-${index}`);
      writeFileSync(path, bytes);
      return { path: Buffer.from(path), size: bytes.length, blocks: 128 };
    });
    await ingest.ingest(files);
    await ingest.finish();
  } else {
    using writer = store.openMetaWriter();
    for (const bytes of contents) for (const kind of ["tree", "list", "xattrs"] as const) writer.put(kind, bytes);
    writer.put("commit", Buffer.concat([eventBody, fill(0x99, 64)]), store.hasher.hash(eventBody));
    writer.finish();
  }
  const [pack] = store.packs();
  assert(pack !== undefined && store.packs().length === 1);
  return readFileSync(store.packPath(pack.name));
}

async function readPack({ secrets, contents, class: packClass }: Golden, bytes: Uint8Array): Promise<void> {
  using place = openPlace(secrets);
  const { store, top } = place;
  const path = join(top, "arriving");
  writeFileSync(path, bytes);
  await using adoption = store.openAdoption({ workers: 0, contentBytes: 0 });
  await adoption.adopt({ path, name: getHasher(secrets.hash).hash(bytes), class: packClass });
  assert.deepEqual(await Array.fromAsync(store.check({ readData: true })), []);
  for (const content of contents) {
    const hash = store.hasher.hash(content);
    if (packClass === "content") {
      assert.deepEqual(Buffer.from(store.getChunk(hash, content.length)), Buffer.from(content));
    } else {
      for (const kind of ["tree", "list", "xattrs"] as const) {
        assert.deepEqual(Buffer.from(store.getMeta(hash, kind)), Buffer.from(content));
      }
    }
  }
  if (packClass === "meta") assert.equal(store.getMeta(store.hasher.hash(eventBody), "commit").length, eventBody.length + 64);
}

for (const golden of goldens) {
  test(`a pack of version 1 is read: ${golden.file}`, async () => {
    const path = `${import.meta.dirname}/v1/${golden.file}.hex`;
    const written = await writePack(golden);
    if (!existsSync(path) && process.env["GOLDEN"] === "write") {
      const lines = toHex(written).match(/.{1,128}/g) ?? [];
      writeFileSync(path, `${lines.join("\n")}\n`);
    }
    const text = readFileSync(path, "utf8").replaceAll("\n", "");
    const bytes = fromHex(text, text.length / 2);
    await readPack(golden, bytes);
    await readPack(golden, written);
    if (golden.isFixed) assert.equal(toHex(written), text);
  });
}
