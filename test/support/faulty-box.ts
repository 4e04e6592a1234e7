/**
 * A small place with boxes, folders and a remote in it, on which commands of the app layer are run with a disk that fails. A place is made
 * once and copied for every fault; what it must still hold afterwards is told by `promise` and looked at by `verify`.
 */
import assert from "node:assert/strict";
import { hash } from "node:crypto";
import {
  accessSync,
  chmodSync,
  constants,
  copyFileSync,
  existsSync,
  globSync,
  linkSync,
  lstatSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { type AppContext, Box, silentProgress } from "../../src/app/mod.ts";
import { fromHex, toText } from "../../src/base/bytes.ts";
import { isKind } from "../../src/base/errors.ts";
import { nodeDisk } from "../../src/base/node-disk.ts";
import { cwdFd, lstat, setTimeAt } from "../../src/base/posix.ts";
import { Prng } from "../../src/base/prng.ts";
import { decodeSummed, encodeSummed } from "../../src/base/summed-json.ts";
import { decodeHead, type Entry, kinds, openBlob, writerHex } from "../../src/format/mod.ts";
import { verifySignature } from "../../src/peer/mod.ts";

export const faultyPassphrase = "correct horse";
export const smallChunks = { min: 256, avg: 1024, max: 4096 };

/** A path with what stands there, in one line: kind, mode, time and bytes. */
export type Listing = ReadonlyMap<string, string>;

interface Promised {
  readonly box: string;
  /** In hex. */
  readonly commit: string;
  readonly files: Listing;
  /** The bytes of its files, by path. */
  readonly contents: ReadonlyMap<string, Uint8Array>;
}

/** In memory where there is a file system in memory: nothing here is about the speed of a disk. */
function placeForFiles(): string {
  try {
    accessSync("/dev/shm", constants.W_OK);
    return "/dev/shm";
  } catch {
    return tmpdir();
  }
}

export class FaultyPlace implements Disposable {
  readonly top: string;
  readonly promised: Promised[] = [];
  readonly notices: string[] = [];
  readonly warnings: string[] = [];
  #seed = 0;

  constructor() {
    this.top = mkdtempSync(join(placeForFiles(), "ourobox-faults-"));
    mkdirSync(join(this.top, "files"));
  }

  /** Keeps what is there now, for `reset`. */
  save(): void {
    copyFolder(join(this.top, "files"), join(this.top, "saved"));
  }

  /** All is as it was when it was saved, at the same place. @param seed Of what the context gives as chance. */
  reset(seed: number): void {
    for (const name of ["files", "graves", "folder-graves"])
      rmSync(join(this.top, name), { recursive: true, force: true });
    for (const name of ["graves", "folder-graves"]) mkdirSync(join(this.top, name));
    copyFolder(join(this.top, "saved"), join(this.top, "files"));
    for (const box of globSync(`${this.top}/files/*/.ourobox`)) adoptCopy(box);
    this.#seed = seed * 1000;
    this.notices.length = 0;
    this.warnings.length = 0;
  }

  [Symbol.dispose](): void {
    rmSync(this.top, { recursive: true, force: true });
  }

  /** Of a box, a remote, or anything else. */
  path(name: string): string {
    return join(this.top, "files", name);
  }

  get graveyards(): { readonly graveyard: string; readonly folderGraveyard: string } {
    return { graveyard: join(this.top, "graves"), folderGraveyard: join(this.top, "folder-graves") };
  }

  context(options: Partial<AppContext> = {}): AppContext {
    this.#seed += 1;
    const prng = new Prng(this.#seed);
    return {
      cwd: this.path("."),
      env: { XDG_CONFIG_HOME: this.path("config") },
      clock: { nowMs: () => Date.now() + 10_000 },
      random: (length) => Uint8Array.from(prng.bytes(length)),
      disk: nodeDisk,
      workers: 0,
      signal: new AbortController().signal,
      progress: silentProgress,
      warn: (message) => void this.warnings.push(message),
      notice: (message) => void this.notices.push(message),
      askPassphrase: async () => faultyPassphrase,
      ...options,
    };
  }

  write(name: string, files: Readonly<Record<string, string | Uint8Array>>): void {
    for (const [path, content] of Object.entries(files)) {
      mkdirSync(dirname(this.path(join(name, path))), { recursive: true });
      writeFileSync(this.path(join(name, path)), content);
    }
  }

  /** From now on, whatever happens, the box's head at this moment is there with all its files. */
  async promise(name: string): Promise<void> {
    await using box = await Box.open(this.path(name), this.context());
    const commit = Buffer.from(box.head()?.commit ?? assert.fail(`${name} has no head`)).toString("hex");
    const files = await listCommit(box, commit);
    const contents = new Map<string, Uint8Array>();
    for (const [path, what] of files) {
      const entry = box.find(fromHex(commit, 32), Buffer.from(path));
      if (entry !== undefined && what.startsWith("file")) contents.set(path, await readAll(box, entry));
    }
    this.promised.push({ box: name, commit, files, contents });
  }

  /** Opens every box with a good disk, checks every byte, and looks for what was promised. */
  async verify(): Promise<void> {
    for (const path of globSync(`${this.path(".")}/*/.ourobox/box`)) {
      const name = path.slice(this.path(".").length + 1, -"/.ourobox/box".length);
      await using box = await Box.open(this.path(name), this.context());
      assert.deepEqual(await Array.fromAsync(box.check({ readData: true })), [], `damage in ${name}`);
      for (const { commit, files } of this.promised.filter((each) => each.box === name)) {
        assert.deepEqual(await listCommit(box, commit), files, `commit ${commit.slice(0, 8)} of ${name}`);
      }
    }
  }

  /** The head of a box, in hex; undefined when there is no box or no commit. */
  async head(name: string): Promise<string | undefined> {
    try {
      await using box = await Box.open(this.path(name), this.context());
      const head = box.head();
      return head === undefined ? undefined : Buffer.from(head.commit).toString("hex");
    } catch (thrown) {
      if (isKind(thrown, "no-box")) return undefined;
      throw thrown;
    }
  }

  /** The head's file says what the head is. */
  #requireSaved(box: Box, commit: string): void {
    const { layout, secrets } = box;
    const path = join(layout.heads, writerHex(box.writer().writer));
    const head = decodeHead(openBlob(secrets, "head", readFileSync(path), path), secrets.box, verifySignature, path);
    assert.equal(Buffer.from(head.commit).toString("hex"), commit);
  }

  /** The folder of a box is what its head says, and `status` and the head's file say so. */
  async requireClean(name: string): Promise<void> {
    await using box = await Box.open(this.path(name), this.context());
    const { changes } = await box.status();
    assert.deepEqual(
      changes.map(({ type, path }) => `${type} ${toText(path)}`),
      [],
      `${name} is as committed`,
    );
    const commit = Buffer.from(box.head()?.commit ?? assert.fail(`${name} has no head`)).toString("hex");
    this.#requireSaved(box, commit);
    assert.deepEqual(listFolder(this.path(name)), await listCommit(box, commit));
  }
}

/** With all hard links, times and modes. */
function copyFolder(from: string, to: string, seen: Map<bigint, string> = new Map()): void {
  mkdirSync(to);
  for (const name of readdirSync(from)) {
    const [old, path] = [join(from, name), join(to, name)];
    const stat = lstat(old);
    if (stat.kind === "directory") copyFolder(old, path, seen);
    else {
      const linked = seen.get(stat.inode);
      if (linked !== undefined) linkSync(linked, path);
      else if (stat.kind === "symlink") symlinkSync(readlinkSync(old), path);
      else copyFileSync(old, path);
      seen.set(stat.inode, path);
      setTimeAt(cwdFd, path, stat.mtimeNs);
    }
  }
  const { mode, mtimeNs } = lstat(from);
  chmodSync(to, mode);
  setTimeAt(cwdFd, to, mtimeNs);
}

/** A copied box takes a new writer id: tells it that it is where it always was. */
function adoptCopy(box: string): void {
  const path = join(box, "writer");
  if (!existsSync(path)) return;
  const { ino, dev } = lstatSync(box, { bigint: true });
  const fields = decodeSummed(readFileSync(path, "utf8"), path, { hint: "" });
  writeFileSync(path, encodeSummed({ ...fields, inode: ino.toString(), device: dev.toString() }));
}

function line(kind: string, { mode, mtimeNs }: { mode: number; mtimeNs: bigint }, content?: Uint8Array): string {
  // A symlink's mode means nothing.
  const text = content === undefined ? "" : digest(content);
  return `${kind} ${kind === "symlink" ? "" : mode.toString(8)} ${mtimeNs} ${text}`;
}

/** Short bytes as they are, long ones as their hash. */
function digest(bytes: Uint8Array): string {
  const text = Buffer.from(bytes).toString("latin1");
  return text.length <= 40 ? text : `${text.length} bytes ${hash("sha256", bytes, "hex").slice(0, 16)}`;
}

/** What is in a folder, but for `.ourobox` and what a killed command has left beside it. */
export function listFolder(top: string): Listing {
  const found = new Map<string, string>();
  const walk = (prefix: string): void => {
    for (const name of readdirSync(join(top, prefix)).sort()) {
      if (prefix === "" && /^\.ourobox($|\.[0-9a-f]{16}\.tmp$)/.test(name)) continue;
      const path = prefix === "" ? name : `${prefix}/${name}`;
      const full = join(top, path);
      const { mode, mtimeNs } = lstatSync(full, { bigint: true });
      const stat = { mode: Number(mode & 0o7777n), mtimeNs };
      const type = lstatSync(full);
      if (type.isSymbolicLink()) found.set(path, line("symlink", stat, readlinkSync(full, "buffer")));
      else if (type.isDirectory()) {
        found.set(path, line("directory", stat));
        walk(path);
      } else found.set(path, line("file", stat, readFileSync(full)));
    }
  };
  walk("");
  return new Map([...found].sort(([a], [b]) => (a < b ? -1 : 1)));
}

async function readAll(box: Box, entry: Entry): Promise<Uint8Array> {
  return Buffer.concat((await Array.fromAsync(box.readFile(entry))).map((each) => Buffer.from(each)));
}

/** What a commit says of a folder. */
export async function listCommit(box: Box, commit: string): Promise<Listing> {
  const found = new Map<string, string>();
  for (const { path, entry } of box.list(fromHex(commit, 32), new Uint8Array(), { recursive: true })) {
    const kind = Object.entries(kinds).find(([, code]) => code === entry.kind)?.[0] ?? "";
    const stat = { mode: entry.meta.mode, mtimeNs: entry.mtimeNs };
    found.set(toText(path), line(kind, stat, entry.kind === kinds.directory ? undefined : await readAll(box, entry)));
  }
  return new Map([...found].sort(([a], [b]) => (a < b ? -1 : 1)));
}
