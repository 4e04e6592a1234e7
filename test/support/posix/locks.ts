/** struct flock of fcntl(2), and a second process that locks when it is told to. */
import { spawn } from "node:child_process";
import { closeSync, readSync, writeSync } from "node:fs";
import { join } from "node:path";
import * as call from "./calls.ts";
import * as the from "./case.ts";

/** Types. */
export const readLock = 0;
export const writeLock = 1;
export const unlock = 2;
/** Commands. */
export const getLock = 5;
export const setLock = 6;
/** Of open file descriptions. */
export const ofdGetLock = 36;
export const ofdSetLock = 37;

export function flockStruct(type: number, start: number, length: number, whence = 0): Buffer {
  const bytes = Buffer.alloc(32);
  bytes.writeInt16LE(type, 0);
  bytes.writeInt16LE(whence, 2);
  bytes.writeBigInt64LE(BigInt(start), 8);
  bytes.writeBigInt64LE(BigInt(length), 16);
  return bytes;
}

export interface Lock {
  readonly type: number;
  readonly start: number;
  readonly length: number;
  readonly pid: number;
}

export function readFlock(bytes: Buffer): Lock {
  const [start, length] = [Number(bytes.readBigInt64LE(8)), Number(bytes.readBigInt64LE(16))];
  return { type: bytes.readInt16LE(0), start, length, pid: bytes.readInt32LE(24) };
}

const pipe = call.bind("int pipe2(void *fds, int flags)");
const closeOnExec = 0o2000000;

function makePipe(): readonly [number, number] {
  const fds = Buffer.alloc(8);
  the.must(pipe(fds, closeOnExec));
  return [fds.readInt32LE(0), fds.readInt32LE(4)];
}

/** Works while this thread waits: there are pipes between, and no events. */
export class OtherProcess {
  readonly pid: number;
  readonly #to: number;
  readonly #from: number;

  constructor() {
    const [theirs, to] = makePipe();
    const [from, back] = makePipe();
    const child = spawn(process.execPath, [join(import.meta.dirname, "lock-helper.ts")], {
      stdio: [theirs, back, "inherit"],
    });
    child.unref();
    closeSync(theirs);
    closeSync(back);
    [this.pid, this.#to, this.#from] = [child.pid ?? 0, to, from];
  }

  /** @returns What its call returned: a negative errno is a failure. */
  ask(...words: readonly (string | number)[]): readonly number[] {
    writeSync(this.#to, `${words.join(" ")}\n`);
    const answer = Buffer.alloc(1000);
    const count = readSync(this.#from, answer);
    if (count === 0) throw new the.Mismatch("the other process has ended");
    return answer.toString("utf8", 0, count).trim().split(" ").map(Number);
  }

  open(path: string, flags: number): number {
    this.ask("CHDIR", process.cwd());
    return the.must(this.ask("OPEN", path, flags)[0] ?? -1);
  }
}

let other: OtherProcess | undefined;

/** One for all cases; it ends when this process does. */
export function otherProcess(): OtherProcess {
  other ??= new OtherProcess();
  return other;
}
