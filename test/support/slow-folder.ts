/** A small but real folder for the slow tests, and a day's work on it: many small files, some large ones, of all kinds. */
import {
  appendFileSync,
  chmodSync,
  closeSync,
  existsSync,
  mkdirSync,
  openSync,
  symlinkSync,
  utimesSync,
  writeFileSync,
  writeSync,
} from "node:fs";
import { join } from "node:path";
import type { Prng } from "../../src/base/prng.ts";
import { changeFolder } from "./random-folder.ts";

export interface FolderSize {
  readonly files: number;
  readonly largeFiles: number;
  readonly largeBytes: number;
}

/** Fills `root`, which is made; a part of the large files does not compress. */
export function fillFolder(prng: Prng, root: string, { files, largeFiles, largeBytes }: FolderSize): void {
  for (let at = 0; at < files; at += 1) {
    const folder = join(root, "work", `d${at % 13}`, `e${at % 7}`);
    mkdirSync(folder, { recursive: true });
    const path = join(folder, `f${at}`);
    writeFileSync(path, sentences(prng, prng.int(0, 6000)));
    if (at % 11 === 0) chmodSync(path, 0o755);
    if (at % 17 === 0) utimesSync(path, prng.int(1, 2_000_000_000), prng.int(1, 2_000_000_000) / 7);
    if (at % 29 === 0) symlinkSync(`../f${at}`, join(folder, `link${at}`));
  }
  mkdirSync(join(root, "work/empty"), { recursive: true, mode: 0o700 });
  mkdirSync(join(root, "large"), { recursive: true });
  for (let at = 0; at < largeFiles; at += 1) {
    const path = join(root, "large", `l${at}`);
    if (at % 2 === 0) writeFileSync(path, prng.bytes(largeBytes));
    else writeFileSync(path, sentences(prng, largeBytes));
  }
}

/** Changes some of it. */
export function workOn(prng: Prng, root: string, changes: number): void {
  mkdirSync(join(root, "work"), { recursive: true });
  for (let at = 0; at < changes; at += 1) changeFolder(prng, join(root, "work"));
  const added = join(root, "work", `new${prng.u32()}`);
  mkdirSync(added);
  for (let at = 0; at < changes; at += 1) writeFileSync(join(added, `f${at}`), sentences(prng, prng.int(0, 4000)));
  const large = join(root, "large", `l${prng.int(0, 3)}`);
  if (!existsSync(large)) return;
  appendFileSync(large, prng.bytes(prng.int(1, 100_000)));
  const fd = openSync(large, "r+");
  try {
    writeSync(fd, prng.bytes(64), 0, 64, prng.int(0, 500_000));
  } finally {
    closeSync(fd);
  }
}

const words = "a box holds what it was given and gives it back as it was in every byte and at any time".split(" ");

/** Text of so many bytes that compresses as text does. */
function sentences(prng: Prng, bytes: number): Buffer {
  const parts: string[] = [];
  for (let length = 0; length < bytes; ) {
    const part = prng.chance(0.1) ? `${prng.u32()}\n` : `${prng.pick(words)} `;
    parts.push(part);
    length += part.length;
  }
  return Buffer.from(parts.join("")).subarray(0, bytes);
}
