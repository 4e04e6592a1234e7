/**
 * Edits of datasets: deterministic, and undone afterwards from the dataset itself, so that every tool sees the same bytes
 * before and after. Lines are edited as people do: a few replaced, put in or taken out, in some places of a file.
 */
import {
  chmodSync,
  closeSync,
  copyFileSync,
  existsSync,
  lstatSync,
  mkdirSync,
  openSync,
  readFileSync,
  readSync,
  renameSync,
  rmSync,
  utimesSync,
  writeFileSync,
  writeSync,
} from "node:fs";
import { dirname, join } from "node:path";
import { Prng } from "../../src/base/prng.ts";
import type { keyStream } from "./dataset.ts";
import { listFiles } from "./tree.ts";

const editedShareOfRelease = 0.15;
const removedShareOfRelease = 0.01;
const addedShareOfRelease = 0.015;
const renamedShareOfRelease = 0.003;
const releaseDate = new Date("2026-06-01T12:00:00Z");

/** Something done to a tree that can be undone with the help of the pristine dataset. */
export interface Edit {
  readonly about: string;
  /** Paths within the tree that were written, added or removed. */
  readonly paths: readonly string[];
  undo(): void;
}

/** Edits `share` of the files: of those 90 % have lines changed, 5 % go, and as many are added. */
export function editShare(tree: string, pristine: string, share: number, seed = 0xed17): Edit {
  const prng = new Prng(seed);
  const paths: string[] = [];
  for (const path of listFiles(pristine)) {
    if (!prng.chance(share)) continue;
    paths.push(path);
    const fate = prng.int(1, 100);
    if (fate <= 5) {
      rmSync(join(tree, path));
    } else if (fate <= 10) {
      const added = `${path}.added`;
      writeFileSync(join(tree, added), editLines(readFileSync(join(tree, path)), prng, 12));
      paths.push(added);
    } else {
      writeFileSync(join(tree, path), editLines(readFileSync(join(tree, path)), prng, prng.int(1, 4)));
    }
  }
  return { about: `${paths.length} files edited, added or removed`, paths, undo: () => undo(tree, pristine, paths) };
}

/** Writes `count` blocks of random bytes at block boundaries of a file, only where it holds data. */
export function editBlocks(
  file: string,
  pristine: string,
  count: number,
  blockBytes: number,
  random: ReturnType<typeof keyStream>,
): Edit {
  const prng = new Prng(0xb10c);
  const blocks = Math.floor(lstatSync(pristine).size / blockBytes);
  const offsets = new Set<number>();
  while (offsets.size < count) {
    const at = prng.int(0, blocks - 1) * blockBytes;
    if (readAt(pristine, at, blockBytes).some((byte) => byte !== 0)) offsets.add(at);
  }
  writeBlocks(
    file,
    [...offsets].map((at) => [at, random(blockBytes)]),
  );
  const undoBlocks = (): void =>
    writeBlocks(
      file,
      [...offsets].map((at) => [at, readAt(pristine, at, blockBytes)]),
    );
  return {
    about: `${count} blocks of ${blockBytes} bytes overwritten, where there was data`,
    paths: [file],
    undo: undoBlocks,
  };
}

/** Puts one byte into the middle of a file, by writing a new file and renaming it over the old. */
export function insertByte(tree: string, pristine: string, path: string): Edit {
  const old = readFileSync(join(pristine, path));
  const middle = old.length >>> 1;
  const temporary = join(tree, `${path}.new`);
  writeFileSync(temporary, Buffer.concat([old.subarray(0, middle), Buffer.from("!"), old.subarray(middle)]));
  renameSync(temporary, join(tree, path));
  return { about: "one byte inserted in the middle", paths: [path], undo: () => undo(tree, pristine, [path]) };
}

/** Makes the tree a later release of itself. */
export function makeRelease(tree: string, prng: Prng): void {
  for (const path of listFiles(tree)) {
    const full = join(tree, path);
    const bytes = readFileSync(full);
    if (prng.chance(removedShareOfRelease)) {
      rmSync(full);
      continue;
    }
    if (prng.chance(addedShareOfRelease)) {
      writeFileSync(`${full}.next`, editLines(bytes, prng, Math.max(5, Math.ceil(bytes.length / 500))));
      utimesSync(`${full}.next`, releaseDate, releaseDate);
    }
    if (prng.chance(editedShareOfRelease)) {
      writeFileSync(full, editLines(bytes, prng, Math.ceil(prng.int(1, 20) / 4 + bytes.length / 20_000)));
    }
    utimesSync(full, releaseDate, releaseDate);
    if (prng.chance(renamedShareOfRelease))
      renameSync(full, join(tree, dirname(path), `moved-${path.split("/").at(-1)}`));
  }
}

/** The bytes with lines replaced, inserted or removed in `places` places. New lines are made of the file's own words. */
function editLines(bytes: Buffer, prng: Prng, places: number): Buffer {
  const lines = bytes.toString("latin1").split("\n");
  const vocabulary = lines
    .slice(0, 200)
    .join(" ")
    .split(/\s+/)
    .filter((word) => word !== "");
  const words = vocabulary.length === 0 ? ["empty"] : vocabulary;
  for (let place = 0; place < places; place += 1) {
    const at = prng.int(0, Math.max(0, lines.length - 1));
    const removed = prng.int(0, 3);
    const added = Array.from({ length: prng.int(removed === 0 ? 1 : 0, 4) }, () => {
      return `\t${Array.from({ length: prng.int(2, 9) }, () => prng.pick(words)).join(" ")}`;
    });
    lines.splice(at, removed, ...added);
  }
  return Buffer.from(lines.join("\n"), "latin1");
}

function undo(tree: string, pristine: string, paths: readonly string[]): void {
  for (const path of paths) {
    const [from, to] = [join(pristine, path), join(tree, path)];
    rmSync(to, { force: true });
    if (!existsSync(from)) continue;
    mkdirSync(dirname(to), { recursive: true });
    copyFileSync(from, to);
    const { atime, mtime, mode } = lstatSync(from);
    chmodSync(to, mode & 0o7777);
    utimesSync(to, atime, mtime);
  }
}

function readAt(path: string, at: number, length: number): Uint8Array {
  const bytes = new Uint8Array(length);
  const file = openSync(path, "r");
  try {
    readSync(file, bytes, 0, length, at);
  } finally {
    closeSync(file);
  }
  return bytes;
}

function writeBlocks(path: string, blocks: readonly (readonly [number, Uint8Array])[]): void {
  const file = openSync(path, "r+");
  for (const [at, bytes] of blocks) writeSync(file, bytes, 0, bytes.length, at);
  closeSync(file);
}
