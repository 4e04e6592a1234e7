/** Compares two folders entry by entry: kinds, modes, times, targets and every byte. `.ourobox` at the top is left out. */
import { closeSync, lstatSync, openSync, readdirSync, readlinkSync, readSync } from "node:fs";

const pieceBytes = 1024 * 1024;

export interface Comparison {
  readonly files: number;
  readonly bytes: number;
  /** What differs, at most 20 lines. */
  readonly differences: readonly string[];
}

export function compareTrees(a: string, b: string): Comparison {
  const seen = { files: 0, bytes: 0, differences: [] as string[] };
  const say = (path: string, what: string): void => {
    if (seen.differences.length < 20) seen.differences.push(`${path || "."}: ${what}`);
  };
  const buffers: [Buffer, Buffer] = [Buffer.alloc(pieceBytes), Buffer.alloc(pieceBytes)];
  const folders = [""];
  for (let folder = folders.pop(); folder !== undefined; folder = folders.pop()) {
    const names = (top: string): string[] =>
      readdirSync(`${top}/${folder}`, "latin1")
        .filter((name) => folder !== "" || name !== ".ourobox")
        .sort();
    const [namesA, namesB] = [names(a), names(b)];
    const inB = new Set(namesB);
    for (const name of namesB) if (!namesA.includes(name)) say(`${folder}${name}`, `is only in ${b}`);
    for (const name of namesA) {
      const path = `${folder}${name}`;
      if (!inB.has(name)) say(path, `is only in ${a}`);
      else if (compareEntry(a, b, { path, say, seen, buffers })) folders.push(`${path}/`);
    }
  }
  return seen;
}

interface Comparing {
  readonly path: string;
  readonly say: (path: string, what: string) => void;
  readonly seen: { files: number; bytes: number };
  readonly buffers: readonly [Buffer, Buffer];
}

/** @returns Whether both are folders, to be compared in turn. */
function compareEntry(a: string, b: string, { path, say, seen, buffers }: Comparing): boolean {
  const [pathA, pathB] = [Buffer.from(`${a}/${path}`, "latin1"), Buffer.from(`${b}/${path}`, "latin1")];
  const [one, two] = [lstatSync(pathA, { bigint: true }), lstatSync(pathB, { bigint: true })];
  if (one.mode !== two.mode) say(path, `mode ${one.mode.toString(8)} and ${two.mode.toString(8)}`);
  if (one.mtimeNs !== two.mtimeNs) say(path, `mtime ${one.mtimeNs} and ${two.mtimeNs}`);
  if ((one.mode & 0o170000n) !== (two.mode & 0o170000n)) return false;
  if (one.isSymbolicLink() && !readlinkSync(pathA, "buffer").equals(readlinkSync(pathB, "buffer"))) say(path, "target");
  if (!one.isFile()) return one.isDirectory();
  seen.files += 1;
  seen.bytes += Number(one.size);
  if (one.size !== two.size) say(path, `size ${one.size} and ${two.size}`);
  else if (!equalFiles(pathA, pathB, buffers)) say(path, "content");
  return false;
}

function equalFiles(a: Buffer, b: Buffer, [bufferA, bufferB]: readonly [Buffer, Buffer]): boolean {
  const [fdA, fdB] = [openSync(a, "r"), openSync(b, "r")];
  try {
    for (;;) {
      const [countA, countB] = [readSync(fdA, bufferA), readSync(fdB, bufferB)];
      if (countA !== countB || bufferA.compare(bufferB, 0, countB, 0, countA) !== 0) return false;
      if (countA === 0) return true;
    }
  } finally {
    closeSync(fdA);
    closeSync(fdB);
  }
}
