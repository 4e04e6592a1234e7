/**
 * The loop that takes requests from /dev/fuse. A wake-up of another thread costs 50 us, so requests are read and answered on this one; but
 * this thread also has timers, signals and sockets to serve, so it never just blocks in a read.
 *
 * While there are requests, they are read and answered one after the other, with a turn of the event loop every `burstMax`. When there are none for 90 us, the
 * thread sleeps in a poll on the device and on the event loop's own descriptor, so that either wakes it at once; timers wait 20 ms at most, or 200 when
 * nobody has asked for anything in a second.
 * A request that waits for something keeps nobody waiting.
 */
import { constants } from "node:os";
import { Poller, readNow } from "../../base/posix-device.ts";
import { addressOf } from "../../base/posix-library.ts";
import { type Dispatcher, keepsBytes } from "./dispatch.ts";
import { dataBytesMax } from "./init.ts";
import { pageBytes } from "./kernel.ts";

const burstMax = 32;
/** Reads in vain after a request, 0.9 us each, before the thread sleeps: waking it from a core that idles costs 50 us and more. */
const spinsMax = 96;
/** Promises that settle without the event loop do within so many rounds of microtasks; one more is waited for like any other. */
const microtaskRounds = 8;
/** Buffers of writes that had to wait, kept for the next. */
const spareMax = 4;
const timersMs = 20;
/** When nobody has asked for anything in so many polls (a second): a process that idles should use nothing. */
const idleMs = 200;
const idlePolls = 50;
/** When requests wait, or the event loop's descriptor is not known. */
const shortMs = 1;
/** What was begun in a turn of the event loop is watched from the next one on. */
const turnsBeforeSleep = 2;
const requestBytesMax = dataBytesMax + pageBytes;
const { EAGAIN, EINTR, ENOENT, ENODEV, ECONNABORTED } = constants.errno;

interface RequestBuffer {
  readonly bytes: Buffer;
  readonly address: number;
}

export interface LoopOptions {
  /** Of /dev/fuse, non-blocking; stays the caller's. */
  readonly fd: number;
  /** Of `findEventLoopFd`. */
  readonly eventLoopFd: number | undefined;
  readonly dispatcher: Dispatcher;
  /** Asked at every turn: true ends the serving. */
  readonly isStopped: () => boolean;
}

/** Serves until the mount has ended, or it is stopped. @throws Error with `code` when the device fails in another way. */
export async function serveRequests({ fd, eventLoopFd, dispatcher, isStopped }: LoopOptions): Promise<void> {
  const poller = new Poller(eventLoopFd === undefined ? [fd] : [fd, eventLoopFd]);
  const spare: RequestBuffer[] = [];
  let buffer = newBuffer();
  let turnsLeft = turnsBeforeSleep;
  let quietPolls = 0;
  let spinsLeft = 0;
  for (let burst = 0; ; ) {
    const count = readNow(fd, buffer.address, requestBytesMax);
    if (count > 0) {
      const used = buffer;
      const pending = dispatcher.dispatch(used.bytes, count);
      if (pending !== undefined) {
        if (keepsBytes(used.bytes)) {
          buffer = spare.pop() ?? newBuffer();
          void pending.then(() => spare.length < spareMax && spare.push(used));
        }
        turnsLeft = turnsBeforeSleep;
        const waiting = dispatcher.waitingCount;
        for (let round = 0; round < microtaskRounds && dispatcher.waitingCount === waiting; round += 1) await undefined;
      }
      quietPolls = 0;
      spinsLeft = spinsMax;
      burst += 1;
      if (burst < burstMax) continue;
    } else if (count === -ENODEV || count === -ECONNABORTED || count === 0) {
      return;
    } else if (count === -EINTR || count === -ENOENT) {
      // Whoever asked had given up before we came.
      continue;
    } else if (count !== -EAGAIN) {
      throw Object.assign(new Error("Cannot read from /dev/fuse"), { errno: count, code: "EIO" });
    } else if (spinsLeft > 0) {
      spinsLeft -= 1;
      continue;
    } else if (turnsLeft <= 0) {
      const isQuiet = dispatcher.waitingCount === 0 && eventLoopFd !== undefined;
      quietPolls += 1;
      const quietMs = quietPolls > idlePolls ? idleMs : timersMs;
      if (poller.isFirstReady(isQuiet ? quietMs : shortMs)) continue;
      turnsLeft = turnsBeforeSleep;
    }
    await nextTurn();
    if (isStopped()) return;
    turnsLeft -= 1;
    burst = 0;
  }
}

function newBuffer(): RequestBuffer {
  const bytes = Buffer.alloc(requestBytesMax);
  return { bytes, address: addressOf(bytes) };
}

function nextTurn(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}
