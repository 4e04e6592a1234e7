/**
 * Datasets, made deterministically and kept in the benchmarks' directory: made once, read only from then on.
 *
 * A dataset is complete when its `.json` lies beside it; a half-made one is made again. Random bytes are an AES-CTR key stream (fast,
 * the same everywhere); choices come from the seeded Prng.
 */
import { createCipheriv, createHash } from "node:crypto";
import {
  closeSync,
  existsSync,
  mkdirSync,
  openSync,
  readFileSync,
  rmSync,
  truncateSync,
  writeFileSync,
  writeSync,
} from "node:fs";
import { join } from "node:path";
import { Prng } from "../../src/base/prng.ts";
import { makeRelease } from "./edit.ts";
import { run, shell } from "./measure.ts";
import { listFiles } from "./tree.ts";

const mebibyte = 2 ** 20;
export const blockBytes = 4096;

export interface Dataset {
  readonly path: string;
  /** What it is, in words, for the results. */
  readonly about: string;
  readonly files: number;
  readonly bytes: number;
}

const sourceTarball = process.env["OUROBOX_BENCH_SOURCE"] ?? "/usr/src/linux-source-6.1.tar.xz";

/** The Linux source tree; with `scale` under 1 that share of its folders. */
export async function sourceTree(directory: string, scale: number): Promise<Dataset> {
  const whole = await make(directory, "linux-v1", async (path) => {
    if (!existsSync(sourceTarball)) {
      throw new Error(`Cannot make the source tree: there is no ${sourceTarball} (apt-get install linux-source-6.1)`);
    }
    await run({ argv: ["tar", "-xf", sourceTarball, "--strip-components=1", "-C", path] });
    return `Linux source tree of ${sourceTarball}`;
  });
  return scale >= 1 ? whole : await makeShare(directory, whole, scale);
}

/**
 * A second release of the tree: a real one if OUROBOX_BENCH_SOURCE_2 or `linux-source-2.tar.xz` in the benchmarks' directory names one
 * (doc/benchmarks.md says how to get it), else one made by editing 15 % of the files.
 */
export async function secondRelease(directory: string, scale: number): Promise<Dataset> {
  const tarball = process.env["OUROBOX_BENCH_SOURCE_2"] ?? join(directory, "linux-source-2.tar.xz");
  if (existsSync(tarball)) {
    const whole = await make(directory, "linux-v2-real", async (path) => {
      await run({ argv: ["tar", "-xf", tarball, "--strip-components=1", "-C", path] });
      const version = /^SUBLEVEL = (\d+)/m.exec(readFileSync(join(path, "Makefile"), "utf8"))?.[1] ?? "?";
      return `real second release: Linux 6.1.${version} of ${tarball}`;
    });
    return scale >= 1 ? whole : await makeShare(directory, whole, scale);
  }
  const first = await sourceTree(directory, scale);
  return await make(directory, `linux-v2-made${suffix(scale)}`, async (path) => {
    await run({ argv: ["cp", "-a", `${first.path}/.`, path] });
    makeRelease(path, new Prng(0x5eed_0002));
    return "second release made from the first: 15 % of the files edited, 1 % removed, 1.5 % added, 0.3 % renamed";
  });
}

/** Incompressible files: `count` of `fileBytes` each. */
export async function randomFiles(directory: string, count: number, fileBytes: number): Promise<Dataset> {
  return await make(directory, `random-${count}x${fileBytes}`, async (path) => {
    for (let index = 0; index < count; index += 1) {
      const stream = keyStream(`random file ${index}`);
      const file = openSync(join(path, `file-${String(index).padStart(3, "0")}.bin`), "wx");
      for (let at = 0; at < fileBytes; at += mebibyte) writeSync(file, stream(Math.min(mebibyte, fileBytes - at)));
      closeSync(file);
    }
    return `${count} incompressible files of ${fileBytes / mebibyte} MiB`;
  });
}

/**
 * One disk image, `disk.img`: runs of 1-16 MiB that are holes (half of it), text-like and compressible (a fifth), or random.
 */
export async function diskImage(directory: string, imageBytes: number): Promise<Dataset> {
  return await make(directory, `image-${imageBytes}`, async (path) => {
    const prng = new Prng(0x1333_7001);
    const name = join(path, "disk.img");
    const file = openSync(name, "wx");
    const stream = keyStream("disk image");
    const words = Array.from({ length: 3000 }, () => makeWord(prng));
    let at = 0;
    while (at < imageBytes) {
      const runBytes = Math.min(prng.int(1, 16) * mebibyte, imageBytes - at);
      const kind = prng.pick(["hole", "hole", "hole", "hole", "hole", "text", "text", "random", "random", "random"]);
      for (let done = 0; done < runBytes && kind !== "hole"; done += mebibyte) {
        const bytes = kind === "text" ? makeText(prng, words, mebibyte) : stream(mebibyte);
        writeSync(file, bytes, 0, mebibyte, at + done);
      }
      at += runBytes;
    }
    closeSync(file);
    truncateSync(name, imageBytes);
    return `a disk image of ${imageBytes / mebibyte} MiB: about half holes, a fifth text, the rest random`;
  });
}

/** `count` files of 20 to 400 bytes of text, `perFolder` in each folder. */
export async function tinyFiles(directory: string, count: number, perFolder: number): Promise<Dataset> {
  return await make(directory, `tiny-${count}-${perFolder}`, async (path) => {
    const prng = new Prng(0x7117_0001);
    const words = Array.from({ length: 500 }, () => makeWord(prng));
    for (let index = 0; index < count; index += 1) {
      const folder = join(path, `d${String(Math.floor(index / perFolder)).padStart(4, "0")}`);
      if (index % perFolder === 0) mkdirSync(folder);
      const text = Buffer.concat([Buffer.from(`${index}\n`), makeText(prng, words, prng.int(20, 400))]);
      writeFileSync(join(folder, `f${String(index).padStart(7, "0")}.txt`), text);
    }
    return `${count} files of 20 to 400 bytes, ${perFolder} in a folder`;
  });
}

/** Deterministic random bytes, the next `length` at each call. */
export function keyStream(seed: string): (length: number) => Buffer {
  const key = createHash("sha256").update(seed).digest();
  const cipher = createCipheriv("aes-128-ctr", key.subarray(0, 16), Buffer.alloc(16));
  const zeros = Buffer.alloc(mebibyte);
  return (length) => cipher.update(length <= mebibyte ? zeros.subarray(0, length) : Buffer.alloc(length));
}

async function makeShare(directory: string, whole: Dataset, scale: number): Promise<Dataset> {
  const name = `${whole.path.slice(whole.path.lastIndexOf("/") + 1)}${suffix(scale)}`;
  return await make(directory, name, async (path) => {
    const wanted = listFiles(whole.path).filter((file) => isInShare(file.slice(0, file.lastIndexOf("/") + 1), scale));
    const list = `${path}.list`;
    writeFileSync(list, wanted.map((file) => `${file}\0`).join(""));
    await run(shell('tar -C "$1" -cf - --null -T "$2" | tar -C "$3" -xpf -', [whole.path, list, path]));
    rmSync(list);
    return `${scale} of the folders of the ${whole.about}`;
  });
}

function isInShare(folder: string, scale: number): boolean {
  return createHash("sha256").update(folder).digest().readUInt32BE(0) / 2 ** 32 < scale;
}

const suffix = (scale: number): string => (scale >= 1 ? "" : `-x${scale}`);

async function make(directory: string, name: string, fill: (path: string) => Promise<string>): Promise<Dataset> {
  const path = join(directory, "data", name);
  const label = `${path}.json`;
  if (!existsSync(label)) {
    process.stderr.write(`  making dataset ${name}…\n`);
    rmSync(path, { recursive: true, force: true });
    mkdirSync(path, { recursive: true });
    const about = await fill(path);
    const count = await run(
      shell('find "$1" -type f -printf "%s\\n" | awk \'{n++; b+=$1} END {printf "%d %.0f", n, b}\'', [path]),
    );
    const [files, bytes] = count.split(" ").map(Number);
    await run({ argv: ["sync", "-f", path] });
    writeFileSync(label, JSON.stringify({ about, files, bytes }));
  }
  return { path, ...(JSON.parse(readFileSync(label, "utf8")) as Omit<Dataset, "path">) };
}

function makeWord(prng: Prng): string {
  return Array.from({ length: prng.int(2, 10) }, () => String.fromCharCode(prng.int(97, 122))).join("");
}

function makeText(prng: Prng, words: readonly string[], length: number): Buffer {
  const text = Buffer.alloc(length, " ");
  let at = 0;
  while (at < length) at += text.write(`${prng.pick(words)}${prng.chance(0.1) ? "\n" : " "}`, at, "latin1") || length;
  return text;
}
