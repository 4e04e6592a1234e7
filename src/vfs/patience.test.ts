import assert from "node:assert/strict";
import { test } from "node:test";
import { systemClock } from "../base/clock.ts";
import { OuroError } from "../base/errors.ts";
import { FilesystemFailure } from "./failure.ts";
import type { Caller, Filesystem, FilesystemSpace } from "./filesystem.ts";
import { MemoryFilesystem } from "./memory-filesystem.ts";
import { Patience } from "./patience.ts";

const offline = new OuroError("offline", "no remote answers");

/** A filesystem whose reads fail, as many times as is said. */
class Faulty extends MemoryFilesystem {
  failures = 0;
  reads = 0;
  failure: Error = new FilesystemFailure("EIO", "cannot read", offline);

  override read(): readonly Uint8Array[] {
    this.reads += 1;
    this.failures -= 1;
    if (this.failures >= 0) throw this.failure;
    return [Buffer.from("content")];
  }
}

interface Waiting {
  readonly faulty: Faulty;
  readonly filesystem: Filesystem;
  readonly patience: Patience;
  readonly log: string[];
  /** Passes as fast as it is asked for. */
  readonly clock: { nowMs: number };
}

function waiting(waitMs = Number.POSITIVE_INFINITY): Waiting {
  const [faulty, log, clock] = [new Faulty({ clock: systemClock }), [] as string[], { nowMs: 0 }];
  const nowMs = (): number => {
    clock.nowMs += 1000;
    return clock.nowMs;
  };
  const patience = new Patience({ waitMs, nowMs, log: (text) => log.push(text) });
  return { faulty, filesystem: patience.with(faulty), patience, log, clock };
}

function callerOf(signal: AbortSignal = new AbortController().signal): Caller {
  return { uid: 0, gid: 0, pid: 1, signal };
}

async function read(filesystem: Filesystem, caller: Caller = callerOf()): Promise<string> {
  return Buffer.concat(await filesystem.read(1, 0, 0, 100, caller)).toString();
}

test("patience: a call that lacks content is made again until it has it, and that is said once", async () => {
  const { faulty, filesystem, log } = waiting();
  faulty.failures = 2;
  assert.equal(await read(filesystem), "content");
  assert.equal(faulty.reads, 3);
  assert.deepEqual(log, ["Waiting for content: EIO: cannot read", "Content comes again: what has waited goes on"]);
});

test("patience: what fails for another reason fails at once, also after waiting", async () => {
  const { faulty, filesystem } = waiting();
  faulty.failures = 1;
  faulty.failure = new FilesystemFailure("EIO", "damaged", new OuroError("corrupt", "damaged"));
  await assert.rejects(read(filesystem), { code: "EIO" });
  assert.equal(faulty.reads, 1);
});

test("patience: it ends when its time is over, with the last failure", async () => {
  const { faulty, filesystem, log } = waiting(3000);
  faulty.failures = 1000;
  await assert.rejects(read(filesystem), faulty.failure);
  assert.equal(log.length, 2);
  assert.match(log[1] ?? "", /^No longer waiting: /);
});

test("patience: who gives up is interrupted, and others wait on", async () => {
  const { faulty, filesystem } = waiting();
  faulty.failures = 1000;
  const caller = new AbortController();
  const [given, other] = [read(filesystem, callerOf(caller.signal)), read(filesystem)];
  caller.abort();
  await assert.rejects(given, { code: "EINTR" });
  await assert.rejects(read(filesystem, callerOf(AbortSignal.abort())), { code: "EINTR" });
  faulty.failures = 0;
  assert.equal(await other, "content");
});

test("patience: its end is the end of all waiting", async () => {
  const { faulty, filesystem, patience } = waiting();
  faulty.failures = 1000;
  const all = Promise.allSettled([read(filesystem), read(filesystem)]);
  patience[Symbol.dispose]();
  for (const { status } of await all) assert.equal(status, "rejected");
});

test("patience: other calls are the filesystem's own", () => {
  const { filesystem } = waiting();
  assert.ok((filesystem.statfs() as FilesystemSpace).blockBytes > 0);
});
