import assert from "node:assert/strict";
import { closeSync, mkdtempSync, openSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { testSeeds } from "../../../test/support/seeds.ts";
import { withMethods } from "../../../test/support/with-methods.ts";
import { systemClock } from "../../base/clock.ts";
import { type Filesystem, MemoryFilesystem } from "../../vfs/mod.ts";
import { Connection } from "./connection.ts";
import { Dispatcher } from "./dispatch.ts";
import { opcodes } from "./kernel.ts";
import { defaultBehaviour, type FuseBehaviour } from "./options.ts";

const { forget, batchForget, interrupt, notifyReply } = opcodes;
const unanswered: readonly number[] = [forget, batchForget, interrupt, notifyReply];
const [enoent, eio, eintr, einval, enosys, eexist, enodata, eopnotsupp] = [2, 5, 4, 22, 38, 17, 61, 95];

interface Reply {
  readonly unique: number;
  readonly error: number;
  readonly body: Buffer;
}

/** A dispatcher that answers into a file in place of the device. */
class Bench {
  readonly failures: unknown[] = [];
  readonly dispatcher: Dispatcher;
  readonly #directory = mkdtempSync(join(tmpdir(), "ourobox-fuse-"));
  readonly #fd = openSync(join(this.#directory, "replies"), "a");
  #unique = 2;

  constructor(filesystem: Filesystem, behaviour: FuseBehaviour = defaultBehaviour) {
    const connection = new Connection(filesystem, behaviour, this.#fd);
    const onFailure = (thrown: unknown): number => this.failures.push(thrown);
    this.dispatcher = new Dispatcher(connection, { onReady: () => {}, onFailure });
  }

  ask(opcode: number, inode: number, body: Uint8Array = Buffer.alloc(0), uid = 0): Promise<void> | undefined {
    const bytes = Buffer.alloc(40 + body.length);
    bytes.writeUInt32LE(bytes.length, 0);
    bytes.writeUInt32LE(opcode, 4);
    bytes.writeBigUInt64LE(BigInt(this.#unique), 8);
    bytes.writeBigUInt64LE(BigInt(inode), 16);
    bytes.writeUInt32LE(uid, 24);
    bytes.set(body, 40);
    this.#unique += 2;
    return this.dispatcher.dispatch(bytes, bytes.length);
  }

  get lastUnique(): number {
    return this.#unique - 2;
  }

  replies(): Reply[] {
    const bytes = readFileSync(join(this.#directory, "replies"));
    const replies: Reply[] = [];
    for (let at = 0; at < bytes.length; ) {
      const length = bytes.readUInt32LE(at);
      const unique = Number(bytes.readBigUInt64LE(at + 8));
      replies.push({ unique, error: Math.abs(bytes.readInt32LE(at + 4)), body: bytes.subarray(at + 16, at + length) });
      at += length;
    }
    return replies;
  }

  [Symbol.dispose](): void {
    closeSync(this.#fd);
    rmSync(this.#directory, { recursive: true });
  }
}

const memory = (): MemoryFilesystem => new MemoryFilesystem({ clock: systemClock });

test("fuse dispatch: a request is answered under its own number", () => {
  using bench = new Bench(memory());
  bench.ask(opcodes.mkdir, 1, Buffer.from("ed01000012000000d\0", "latin1"));
  bench.ask(opcodes.lookup, 1, Buffer.from("no\0"));
  bench.ask(opcodes.getattr, 1, Buffer.alloc(16));
  const replies = bench.replies();
  assert.deepEqual(
    replies.map(({ unique, error, body }) => [unique, error, body.length]),
    [
      [2, 0, 128],
      [4, enoent, 0],
      [6, 0, 104],
    ],
  );
});

test("fuse dispatch: unknown opcodes are an ENOSYS", () => {
  using bench = new Bench(memory());
  for (const opcode of [0, 7, 19, 37, 39, 52, 54, 4096, 0xffff_ffff]) bench.ask(opcode, 1, Buffer.alloc(64));
  assert.ok(bench.replies().every(({ error }) => error === enosys));
  assert.equal(bench.replies().length, 9);
});

test("fuse dispatch: a request cut short anywhere is an EINVAL, and nothing is done", () => {
  for (const opcode of Object.values(opcodes)) {
    if (unanswered.includes(opcode) || opcode === opcodes.init) continue;
    const filesystem = memory();
    using bench = new Bench(filesystem);
    bench.ask(opcode, 1, Buffer.alloc(0));
    const [reply] = bench.replies();
    const bodyless: readonly number[] = [
      opcodes.getattr,
      opcodes.readlink,
      opcodes.opendir,
      opcodes.statfs,
      opcodes.destroy,
      opcodes.syncfs,
    ];
    assert.equal(bench.replies().length, 1);
    if (!bodyless.includes(opcode)) assert.equal(reply?.error, einval, `opcode ${opcode}`);
    assert.equal(filesystem.statfs().freeFiles, memory().statfs().freeFiles);
  }
});

testSeeds("fuse dispatch: any bytes are answered once, and break nothing", 30, async (prng) => {
  const filesystem = memory();
  using bench = new Bench(filesystem);
  const known = Object.values(opcodes);
  const waiting: Promise<void>[] = [];
  let answered = 0;
  for (let step = 0; step < 300; step += 1) {
    const opcode = prng.int(0, 9) === 0 ? prng.int(0, 70) : (known[prng.int(0, known.length - 1)] as number);
    if (opcode === opcodes.init) continue;
    const body = Buffer.from(
      Array.from({ length: prng.int(0, 160) }, () => (prng.int(0, 3) > 0 ? 0 : prng.int(0, 255))),
    );
    if (prng.int(0, 1) === 0) body.fill("name\0other\0", prng.int(0, 48));
    const pending = bench.ask(opcode, prng.int(0, 5), body);
    if (pending === undefined) answered += unanswered.includes(opcode) ? 0 : 1;
    else waiting.push(pending);
  }
  assert.equal(bench.replies().length, answered);
  assert.deepEqual(bench.failures, []);
  assert.ok(bench.replies().every(({ error }) => error >= 0 && error < 512));
  assert.equal(filesystem.getattr(1).kind, "directory");
});

test("fuse dispatch: lengths that lie are no request", () => {
  using bench = new Bench(memory());
  const bytes = Buffer.alloc(64);
  bytes.writeUInt32LE(1000, 0);
  bytes.writeUInt32LE(opcodes.getattr, 4);
  assert.equal(bench.dispatcher.dispatch(bytes, 64), undefined);
  bench.dispatcher.dispatch(bytes, 10);
  assert.deepEqual(bench.replies(), []);
});

/** Its lookups wait for a gate, or until they are interrupted. */
function slowFilesystem(gate: Promise<void>): Filesystem {
  const filesystem = memory();
  return withMethods<Filesystem>(filesystem, {
    lookup: async (parent, name, caller) => {
      const interrupted = Promise.withResolvers<void>();
      caller.signal.addEventListener("abort", () => interrupted.reject(Object.assign(new Error(), { code: "EINTR" })));
      await Promise.race([gate, interrupted.promise]);
      return filesystem.lookup(parent, name);
    },
  });
}

test("fuse dispatch: a request that waits keeps nobody waiting, and is answered when it can be", async () => {
  const gate = Promise.withResolvers<void>();
  using bench = new Bench(slowFilesystem(gate.promise));
  const pending = bench.ask(opcodes.lookup, 1, Buffer.from(".\0"));
  bench.ask(opcodes.getattr, 1, Buffer.alloc(16));
  assert.deepEqual(
    bench.replies().map(({ unique }) => unique),
    [4],
  );
  assert.equal(bench.dispatcher.waitingCount, 1);
  gate.resolve();
  await pending;
  assert.deepEqual(
    bench.replies().map(({ unique, error }) => [unique, error]),
    [
      [4, 0],
      [2, 0],
    ],
  );
  assert.equal(bench.dispatcher.waitingCount, 0);
});

test("fuse dispatch: a request that waits ends when whoever asked is interrupted", async () => {
  using bench = new Bench(slowFilesystem(new Promise<void>(() => {})));
  const pending = bench.ask(opcodes.lookup, 1, Buffer.from(".\0"));
  const number = Buffer.alloc(8);
  number.writeBigUInt64LE(BigInt(bench.lastUnique));
  bench.ask(opcodes.interrupt, 0, number);
  await pending;
  assert.deepEqual(
    bench.replies().map(({ unique, error }) => [unique, error]),
    [[2, eintr]],
  );
});

test("fuse dispatch: a bug of the filesystem's is an EIO for who asked, and is told", () => {
  const filesystem = memory();
  filesystem.getattr = () => {
    throw new TypeError("undefined is not a function");
  };
  using bench = new Bench(filesystem);
  bench.ask(opcodes.getattr, 1, Buffer.alloc(16));
  assert.equal(bench.replies()[0]?.error, eio);
  assert.match(String(bench.failures[0]), /undefined is not a function/);
});

test("fuse dispatch: a create of what has come meanwhile opens it, unless it had to be the first", async () => {
  const filesystem = memory();
  const caller = { uid: 0, gid: 0, pid: 1, signal: new AbortController().signal };
  const node = { kind: "file", mode: 0o600, umask: 0, rdevMajor: 0, rdevMinor: 0 } as const;
  const { inode } = filesystem.mknod(1, Buffer.from("f"), node, caller).attributes;
  using bench = new Bench(filesystem);
  const create = (flags: number): Promise<void> | undefined => {
    const head = Buffer.alloc(16);
    head.writeUInt32LE(flags, 0);
    head.writeUInt32LE(0o100644, 4);
    return bench.ask(opcodes.create, 1, Buffer.concat([head, Buffer.from("f\0")]));
  };
  create(0o301);
  await create(0o101);
  const [exclusive, shared] = bench.replies();
  assert.equal(exclusive?.error, 17);
  assert.deepEqual([shared?.error, shared?.body.readUInt32LE(0), shared?.body.length], [0, inode, 144]);
});

/** A filesystem whose root has attributes. */
function withAttributes(...names: readonly string[]): MemoryFilesystem {
  const filesystem = memory();
  const options = { mode: "any", clearSetGid: false } as const;
  for (const name of names) filesystem.setxattr(1, Buffer.from(name), Buffer.from("old"), options);
  return filesystem;
}

test("fuse dispatch: that there are trusted attributes is for root to see", () => {
  using bench = new Bench(withAttributes("trusted.a", "user.b"));
  const sized = (bytes: number): Buffer => Buffer.from(Uint32Array.of(bytes, 0).buffer);
  for (const uid of [0, 1000]) for (const bytes of [100, 0]) bench.ask(opcodes.listxattr, 1, sized(bytes), uid);
  const [roots, rootsLength, others, othersLength] = bench.replies().map(({ body }) => body);
  assert.deepEqual([roots?.toString(), others?.toString()], ["trusted.a\0user.b\0", "user.b\0"]);
  assert.deepEqual([rootsLength?.readUInt32LE(), othersLength?.readUInt32LE()], [17, 7]);
});

test("fuse dispatch: an attribute cannot be made and replaced", () => {
  const filesystem = withAttributes("user.a");
  using bench = new Bench(filesystem);
  for (const name of ["user.a", "user.b"])
    bench.ask(opcodes.setxattr, 1, Buffer.concat([Uint32Array.of(3, 3), Buffer.from(`${name}\0new`)].map(bytesOf)));
  assert.deepEqual(
    bench.replies().map(({ error }) => error),
    [eexist, enodata],
  );
  assert.equal(Buffer.from(filesystem.getxattr(1, Buffer.from("user.a")) ?? []).toString(), "old");
});

test("fuse dispatch: without SELinux who asks for a label that is not there is told that there are none, unless the root has one", () => {
  const label = "security.selinux";
  for (const withoutLabels of [true, false]) {
    const filesystem = withAttributes("user.a");
    const node = { kind: "file", mode: 0o644, umask: 0, rdevMajor: 0, rdevMinor: 0 } as const;
    const caller = { uid: 0, gid: 0, pid: 1, signal: new AbortController().signal };
    const made = filesystem.mknod(1, Buffer.from("f"), node, caller);
    using bench = new Bench(filesystem, { ...defaultBehaviour, withoutLabels });
    const ask = (inode: number, name: string): unknown => bench.ask(opcodes.getxattr, inode, attributeRequest(name));
    const setLabel = (inode: number, value: string): void =>
      filesystem.setxattr(inode, Buffer.from(label), Buffer.from(value), { mode: "any", clearSetGid: false });
    const file = made.attributes.inode;
    for (const name of [label, "security.selinux.x", "user.b"]) ask(file, name);
    setLabel(1, "of the root");
    ask(file, label);
    setLabel(file, "its own");
    ask(file, label);
    const replies = bench.replies();
    assert.deepEqual(
      replies.map(({ error }) => error),
      [withoutLabels ? eopnotsupp : enodata, enodata, enodata, enodata, 0],
    );
    assert.equal(replies.at(-1)?.body.toString(), "its own");
  }
});

/** fuse_getxattr_in with the name. */
function attributeRequest(name: string): Uint8Array {
  return Buffer.concat([Uint32Array.of(100, 0), Buffer.from(`${name}\0`)].map(bytesOf));
}

function bytesOf(words: Uint8Array | Uint32Array): Uint8Array {
  return new Uint8Array(words.buffer, words.byteOffset, words.byteLength);
}
