/** One request of the kernel's: its header, the structs behind it, and on whose behalf it is made. */
import type { Caller } from "../../vfs/mod.ts";
import { structBytes } from "./kernel.ts";
import { StructReader } from "./struct-reader.ts";

const high = 2 ** 32;

export class Request implements Caller {
  readonly opcode: number;
  /** Answers carry it. A counter, so it stays far below 2^53. */
  readonly unique: number;
  readonly inode: number;
  readonly uid: number;
  readonly gid: number;
  readonly pid: number;
  readonly reader: StructReader;
  #abort: AbortController | undefined;
  #isInterrupted = false;

  /**
   * @param bytes Borrowed until the request is answered.
   * @param count How many the kernel gave; at least a header, and as many as the header says.
   */
  constructor(bytes: Buffer, count: number) {
    this.opcode = bytes.readUInt32LE(4);
    this.unique = bytes.readUInt32LE(8) + bytes.readUInt32LE(12) * high;
    this.inode = bytes.readUInt32LE(16) + bytes.readUInt32LE(20) * high;
    this.uid = bytes.readUInt32LE(24);
    this.gid = bytes.readUInt32LE(28);
    this.pid = bytes.readUInt32LE(32);
    const extensionBytes = bytes.readUInt16LE(36) * 8;
    this.reader = new StructReader(bytes, structBytes.inHeader, Math.max(structBytes.inHeader, count - extensionBytes));
  }

  get signal(): AbortSignal {
    this.#abort ??= new AbortController();
    if (this.#isInterrupted) this.#abort.abort();
    return this.#abort.signal;
  }

  /** Whoever asked got a signal: what waits should end. */
  interrupt(): void {
    this.#isInterrupted = true;
    this.#abort?.abort();
  }
}

/** Whether these bytes can be a request at all. */
export function isRequest(bytes: Buffer, count: number): boolean {
  return count >= structBytes.inHeader && bytes.readUInt32LE(0) === count;
}
