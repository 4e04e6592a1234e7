/**
 * Two heads of a very large tree that differ in so many files, in a box of their own, and their join: on trees alone, as content is
 * not asked for. The files' content is nowhere.
 */
import { mkdirSync } from "node:fs";
import { type AppContext, Box } from "../../src/app/mod.ts";
import { utf8 } from "../../src/base/bytes.ts";
import type { Disk } from "../../src/base/disk.ts";
import { nodeDisk } from "../../src/base/node-disk.ts";
import {
  type DirectoryValue,
  type Dot,
  defaultChunkSizes,
  type Entry,
  type EventName,
  type fullVector,
  type Hash,
  kinds,
  type NamedCommit,
  rootId,
} from "../../src/format/mod.ts";
import {
  DirectoryBuilder,
  editTree,
  joinCommits,
  makeEventCommit,
  putCommit,
  putRoot,
  type TreeEdit,
  TreeReader,
} from "../../src/history/mod.ts";
import type { MetaKind, MetaSink, MetaSource } from "../../src/store/mod.ts";
import { TestWorld } from "../../test/support/app-world.ts";

const filesPerFolder = 1000;
const sharedWriter = 1n;

export interface JoinCost {
  readonly wallMs: number;
  /** Of tree nodes and commits, as they are used. */
  readonly nodeBytes: number;
  /** From packs, as they lie there. */
  readonly packBytes: number;
}

/** A disk that counts what is read of packs. */
function countingDisk(count: (bytes: number) => void): Disk {
  return new Proxy(nodeDisk, {
    get(disk, key: keyof Disk) {
      if (key !== "read") return disk[key];
      return (...args: Parameters<Disk["read"]>) => {
        const length = disk.read(...args);
        count(length);
        return length;
      };
    },
  });
}

function contextOf(folder: string, disk: Disk): AppContext {
  return new TestWorld(folder).context({ disk });
}

/** Makes a box with a tree of so many files. */
export async function makeTree(folder: string, files: number): Promise<Hash> {
  mkdirSync(folder, { recursive: true });
  const options = { hash: "blake3", chunk: defaultChunkSizes, bare: true, plain: false } as const;
  await using box = await Box.init(folder, options, contextOf(folder, nodeDisk));
  const meta = box.store.openMetaWriter();
  const event = { clock: 1n, writer: sharedWriter };
  let counter = 0;
  const nextId = (): Dot => {
    counter += 1;
    return { ...event, counter };
  };
  const top = new DirectoryBuilder(meta);
  for (let folderAt = 0; folderAt * filesPerFolder < files; folderAt += 1) {
    const id = nextId();
    const builder = new DirectoryBuilder(meta);
    for (let at = 0; at < filesPerFolder; at += 1) builder.add(fileEntry(fileName(at), nextId()));
    top.add(entryOf(folderName(folderAt), id, { kind: kinds.directory, value: builder.finish() }));
  }
  const root = { ...entryOf("", rootId, { kind: kinds.directory, value: top.finish() }), name: new Uint8Array() };
  const tree = putRoot(meta, { ...root, metaDot: { ...event, counter: 0 }, mtimeDot: { ...event, counter: 0 } });
  putCommit(meta, commitOf(box, { tree, event, seen: [] }));
  meta.finish();
  box.store.endWriting();
  return tree;
}

/** Joins two heads that differ in so many files of the tree, half of them edited in each. */
export async function joinHeads(folder: string, tree: Hash, files: number, differing: number): Promise<JoinCost> {
  const heads = await makeHeads(folder, tree, files, differing);
  let packBytes = 0;
  const disk = countingDisk((bytes) => {
    packBytes += bytes;
  });
  await using box = await Box.open(folder, contextOf(folder, disk));
  const source = new CountingSource(box.store);
  const sink = box.store.openMetaWriter();
  const [one, two] = heads.map((id) => box.commits.read(id)) as [NamedCommit, NamedCommit];
  packBytes = 0;
  const startMs = performance.now();
  const joined = joinCommits([one, two], {
    ...joinOptions(box, source, sink),
    event: () => {
      throw new Error("There is something to mend in heads that differ in other files");
    },
  });
  const wallMs = performance.now() - startMs;
  if (joined.type !== "join") throw new Error(`The join is a "${joined.type}"`);
  sink.abort();
  box.store.endWriting();
  return { wallMs, nodeBytes: source.bytes, packBytes };
}

async function makeHeads(folder: string, tree: Hash, files: number, differing: number): Promise<Hash[]> {
  await using box = await Box.open(folder, contextOf(folder, nodeDisk));
  const meta = box.store.openMetaWriter();
  const step = Math.floor(files / differing);
  const ids = [0, 1].map((side) => {
    const event = { clock: 2n, writer: BigInt(2 + side) };
    const edits: TreeEdit[] = [];
    for (let at = side; at < differing; at += 2) {
      const file = at * step;
      const [inFolder, name] = [Math.floor(file / filesPerFolder), fileName(file % filesPerFolder)];
      // The counters of ids: every folder's is followed by those of its files.
      const counter = inFolder * (filesPerFolder + 1) + 2 + (file % filesPerFolder);
      const entry = fileEntry(name, { clock: 1n, writer: sharedWriter, counter });
      const dot = { ...event, counter: 0 };
      const [{ value }] = fileEntry(name, dot).data;
      const path = utf8(`${folderName(inFolder)}/${name}`);
      edits.push({ path, entry: { ...entry, mtimeDot: dot, data: [{ dot, value }] } });
    }
    const edited = editTree(new TreeReader(box.store), meta, tree, edits);
    const commit = commitOf(box, {
      tree: edited,
      event,
      seen: [{ writer: sharedWriter, clock: 1n, event: new Uint8Array(8) }],
    });
    putCommit(meta, commit);
    return commit.id;
  });
  meta.finish();
  box.store.endWriting();
  return ids;
}

function joinOptions(box: Box, source: MetaSource, sink: MetaSink): Omit<Parameters<typeof joinCommits>[1], "event"> {
  return {
    reader: new TreeReader(source),
    sink,
    hasher: box.store.hasher,
    box: box.identity.box,
    writer: 9n,
    makeEvent: () => {
      throw new Error("There is no event");
    },
  };
}

function commitOf(
  box: Box,
  draft: { readonly tree: Hash; readonly event: EventName; readonly seen: ReturnType<typeof fullVector> },
): ReturnType<typeof makeEventCommit> {
  const { tree, event, seen } = draft;
  return makeEventCommit(
    {
      box: box.identity.box,
      tree,
      parents: [],
      ...event,
      peer: box.peer().publicKey,
      timeMs: 0,
      flags: 0,
      author: "bench",
      message: "",
      seen,
    },
    { hasher: box.store.hasher, sign: (bytes) => box.peer().sign(bytes) },
  );
}

class CountingSource implements MetaSource {
  readonly #below: MetaSource;
  bytes = 0;

  constructor(below: MetaSource) {
    this.#below = below;
  }

  getMeta(hash: Hash, kind: MetaKind): Uint8Array {
    const bytes = this.#below.getMeta(hash, kind);
    this.bytes += bytes.length;
    return bytes;
  }
}

const folderName = (at: number): string => `folder-${String(at).padStart(5, "0")}`;
const fileName = (at: number): string => `file-${String(at).padStart(4, "0")}.txt`;

/** A file of one chunk, whose hash follows from the dot. */
function fileEntry(name: string, id: Dot): Entry {
  const hash = new Uint8Array(32);
  const view = new DataView(hash.buffer);
  view.setUint32(0, Math.imul(id.counter + 1, 0x9e3779b1));
  view.setUint32(4, Math.imul(id.counter + 7, 0x85ebca6b));
  view.setBigUint64(8, id.writer);
  const size = 4000;
  const content = { size, items: [{ form: "chunk", hash, length: size }] } as const;
  return entryOf(name, id, { kind: kinds.file, value: { kind: kinds.file, content } });
}

function entryOf(
  name: string,
  id: Dot,
  { kind, value }: { readonly kind: Entry["kind"]; readonly value: Entry["data"][0]["value"] | DirectoryValue },
): Entry {
  const meta = { mode: kind === kinds.directory ? 0o755 : 0o644, uid: 1000, gid: 1000, atomic: false };
  return {
    kind,
    name: utf8(name),
    id,
    placeDot: id,
    meta,
    metaDot: id,
    mtimeDot: id,
    mtimeNs: 1_700_000_000_000_000_000n,
    data: [{ dot: id, value }],
  };
}
