/**
 * Talking to a device with nothing of Node's between: reads and writes that answer "not now" instead of throwing, poll(2), ioctl(2). 0.2-0.4 us a
 * call above the kernel's own time. Memory is given by address (`addressOf`): the caller keeps it alive for as long as the call lasts.
 */
import { constants, readdirSync, readFileSync, readlinkSync } from "node:fs";
import { Socket } from "node:net";
import { addressOf, check, library } from "./posix-library.ts";
import { socketPair } from "./posix-mount.ts";

const pollInput = 1;
const pollFdBytes = 8;
const eventLoopTriesMax = 8;
/** F_GETFL, F_SETFL. */
const [getFlags, setFlags] = [3, 4];

/** @returns How many bytes, 0 at the end; or the errno, negative. */
export function readNow(fd: number, address: number, bytes: number): number {
  const lib = library();
  const count = lib.call.read(fd, address, bytes);
  return count < 0 ? -lib.errno() : count;
}

/** As `readNow`. */
export function writeNow(fd: number, address: number, bytes: number): number {
  const lib = library();
  const count = lib.call.write(fd, address, bytes);
  return count < 0 ? -lib.errno() : count;
}

/** As `writeNow` on another thread, for writes that may wait for what this thread does. The bytes are borrowed until it is done. */
export function writeLater(fd: number, bytes: Uint8Array): Promise<number> {
  const lib = library();
  const write = lib.call.write as unknown as AsyncCall;
  return new Promise((resolve) => {
    write.async(fd, addressOf(bytes), bytes.length, (_, count) => {
      resolve(count < 0 ? -lib.errno() : Math.min(count, bytes.length));
    });
  });
}

/** Every function of koffi's can be called so. */
interface AsyncCall {
  async(fd: number, address: number, bytes: number, done: (error: unknown, result: number) => void): void;
}

/** An ioctl that takes a struct. @returns What it returns. @throws Error with `code`. */
export function ioctl(fd: number, request: number, struct: Uint8Array): number {
  return check(library().call.ioctl(fd, request, addressOf(struct)), "ioctl");
}

/** From now on nothing waits in a read or write of this open file, whoever else has it. */
export function setNonBlocking(fd: number): void {
  const { fcntl } = library().call;
  const flags = check(fcntl(fd, getFlags, 0), "fcntl");
  check(fcntl(fd, setFlags, flags | constants.O_NONBLOCK), "fcntl");
}

/** Waiting until one of some descriptors can be read, or has failed. */
export class Poller {
  readonly #fds: Buffer;
  readonly #address: number;
  readonly #count: number;

  /** @param fds Stay the caller's. */
  constructor(fds: readonly number[]) {
    this.#fds = Buffer.alloc(fds.length * pollFdBytes);
    fds.forEach((fd, index) => {
      this.#fds.writeInt32LE(fd, index * pollFdBytes);
      this.#fds.writeInt16LE(pollInput, index * pollFdBytes + 4);
    });
    this.#address = addressOf(this.#fds);
    this.#count = fds.length;
  }

  /** Blocks this thread. @returns Whether the first descriptor is ready; false also when interrupted or too late. */
  isFirstReady(timeoutMs: number): boolean {
    const ready = library().call.poll(this.#address, this.#count, timeoutMs);
    return ready > 0 && this.#fds.readInt16LE(6) !== 0;
  }
}

/**
 * The descriptor (epoll's) that is readable when this thread's event loop has something to do other than timers: whoever blocks the thread in a
 * poll puts it in, and starves nobody. Node does not tell which it is; so a socket is given to the event loop, and looked for in /proc.
 * @returns Undefined where it cannot be found. It is Node's: not to be closed.
 */
export async function findEventLoopFd(): Promise<number | undefined> {
  const [watched, other] = socketPair();
  const sockets = [new Socket({ fd: watched }), new Socket({ fd: other })];
  for (const socket of sockets) socket.on("error", () => {}).resume();
  try {
    for (let tries = 0; tries < eventLoopTriesMax; tries += 1) {
      await new Promise<void>((resolve) => setImmediate(resolve));
      const found = findWatcher(watched);
      if (found !== undefined) return found;
    }
    return undefined;
  } finally {
    for (const socket of sockets) socket.destroy();
  }
}

/** The epoll descriptor of this process that watches another one. */
function findWatcher(watched: number): number | undefined {
  const line = new RegExp(`^tfd: +${watched} `, "m");
  for (const fd of readdirSync("/proc/self/fd")) {
    try {
      if (!readlinkSync(`/proc/self/fd/${fd}`).includes("[eventpoll]")) continue;
      if (line.test(readFileSync(`/proc/self/fdinfo/${fd}`, "latin1"))) return Number(fd);
    } catch {
      // It was closed meanwhile: the descriptor of the listing itself is in the list.
    }
  }
  return undefined;
}
