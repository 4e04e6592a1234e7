/**
 * Work on a folder in numbered steps, each of which can be done again, so that what is there after any of them is known: for tests that kill a mount in the middle.
 * As a program, `live-work.ts FOLDER FIRST`, it does one step after the other, each durable before its number is printed, until something fails.
 */
import { closeSync, fsyncSync, openSync, renameSync, rmSync, writeSync } from "node:fs";
import { join } from "node:path";

/** What a folder of steps holds: names and contents. */
export type Contents = ReadonlyMap<string, Buffer>;

const first = (step: number): Buffer => Buffer.alloc(1 + ((step * 7919) % 200_000), `${step} `);
const more = (step: number): Buffer => Buffer.alloc(1 + ((step * 104_729) % 50_000), `more ${step} `);

/** After all steps up to this one. Files are made, written further, renamed and removed, in turn. */
export function contentsAfter(last: number): Contents {
  const contents = new Map<string, Buffer>();
  for (let step = 1; step <= last; step += 1) {
    const at = step - (step % 4);
    if (step % 4 === 0) contents.set(`made ${at}`, first(at));
    else if (step % 4 === 1 && at > 0) contents.set(`made ${at}`, Buffer.concat([first(at), more(at)]));
    else if (step % 4 === 2 && at > 0) {
      contents.delete(`made ${at}`);
      contents.set(`kept ${at}`, Buffer.concat([first(at), more(at)]));
    } else if (step % 4 === 3) contents.delete(`kept ${at - 40}`);
  }
  return contents;
}

/** The name that a step is about, of which something may be there when it was interrupted. */
export function nameOf(step: number): string {
  return `made ${step - (step % 4)}`;
}

function doStep(folder: string, step: number): void {
  const at = step - (step % 4);
  const [made, kept] = [join(folder, `made ${at}`), join(folder, `kept ${at}`)];
  if (step % 4 === 0) write(made, "w", first(at), 0);
  else if (step % 4 === 1 && at > 0) write(made, "r+", more(at), first(at).length);
  else if (step % 4 === 2 && at > 0) rename(made, kept);
  else if (step % 4 === 3) rmSync(join(folder, `kept ${at - 40}`), { force: true });
  const directory = openSync(folder, "r");
  fsyncSync(directory);
  closeSync(directory);
}

function write(path: string, how: "w" | "r+", bytes: Buffer, position: number): void {
  const fd = openSync(path, how);
  for (let done = 0; done < bytes.length; )
    done += writeSync(fd, bytes, done, Math.min(30_000, bytes.length - done), position + done);
  fsyncSync(fd);
  closeSync(fd);
}

/** It may have been done already. */
function rename(from: string, to: string): void {
  try {
    renameSync(from, to);
  } catch (thrown) {
    if ((thrown as NodeJS.ErrnoException).code !== "ENOENT") throw thrown;
  }
}

if (import.meta.main) {
  const [folder = "", begin = "1"] = process.argv.slice(2);
  for (let step = Number(begin); ; step += 1) {
    try {
      doStep(folder, step);
    } catch (thrown) {
      writeSync(1, `${(thrown as Error).message}\n`);
      break;
    }
    writeSync(1, `${step}\n`);
  }
}
