/**
 * Work on one large file in numbered steps, so that what it holds after any of them is known: for tests that kill a mount in the middle. As a program,
 * `large-work.ts FILE FIRST`, it does one step after the other, each durable before its number is printed, until something fails.
 */
import { fstatSync, fsyncSync, ftruncateSync, openSync, writeSync } from "node:fs";
import { setTimeout as delay } from "node:timers/promises";

const pauseMs = 2;
/** Steps write within so many bytes; the file is larger at any time. */
const writtenBytes = 9_000_000;
const pageBytes = 4096;
const [cutEvery, cutBytes, appendEvery] = [40, 5000, 7];

interface Write {
  readonly bytes: Buffer;
  readonly at: number;
}

/** Undefined of a step that cuts the file. Within one page: what is more a kernel may write in two steps of its own. */
function writeOf(step: number, size: number): Write | undefined {
  if (step % cutEvery === 0) return undefined;
  const at = step % appendEvery === 0 ? size : (step * 1_299_709) % writtenBytes;
  const length = Math.min(1 + ((step * 7919) % pageBytes), pageBytes - (at % pageBytes));
  return { bytes: Buffer.alloc(length, `${step} `), at };
}

/** What is made of a file by all steps up to this one. */
export function bytesAfter(base: Buffer, last: number): Buffer {
  const bytes = Buffer.alloc(base.length + last * pageBytes);
  base.copy(bytes);
  let size = base.length;
  for (let step = 1; step <= last; step += 1) {
    const write = writeOf(step, size);
    if (write === undefined) size -= cutBytes;
    else {
      write.bytes.copy(bytes, write.at);
      size = Math.max(size, write.at + write.bytes.length);
    }
  }
  return bytes.subarray(0, size);
}

function doStep(fd: number, step: number): void {
  const { size } = fstatSync(fd);
  const write = writeOf(step, size);
  if (write === undefined) ftruncateSync(fd, size - cutBytes);
  else writeSync(fd, write.bytes, 0, write.bytes.length, write.at);
  fsyncSync(fd);
}

if (import.meta.main) {
  const [path = "", first = "1"] = process.argv.slice(2);
  const fd = openSync(path, "r+");
  for (let step = Number(first); ; step += 1) {
    doStep(fd, step);
    process.stdout.write(`${step}\n`);
    await delay(pauseMs);
  }
}
