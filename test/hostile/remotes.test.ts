/** Clones and pulls from remotes whose config, heads, commits and index files are made to do harm. */
import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import {
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  symlinkSync,
  truncateSync,
  writeFileSync,
} from "node:fs";
import { test } from "node:test";
import { Box } from "../../src/app/mod.ts";
import { ByteWriter, toHex, utf8 } from "../../src/base/bytes.ts";
import { encodeSummed, type JsonObject } from "../../src/base/summed-json.ts";
import type { PackInfo } from "../../src/format/mod.ts";
import { SigningKey } from "../../src/peer/mod.ts";
import { type Cloned, HostileRemote } from "../support/hostile-remote.ts";

const hex = (text: string, bytes: number): string => Buffer.alloc(bytes, text).toString("hex");
const someKey: JsonObject = {
  id: hex("i", 8),
  kdf: "argon2id",
  memory: 64,
  passes: 1,
  lanes: 1,
  salt: hex("s", 16),
  nonce: hex("n", 12),
  wrapped: hex("w", 48),
};
const sealed: JsonObject = {
  format: 1,
  minReader: 1,
  box: hex("b", 16),
  hash: "blake3",
  suite: "aes-256-gcm",
  chunk: { min: 256, avg: 1024, max: 4096 },
  keys: [someKey],
};

const configs: Readonly<Record<string, string>> = {
  "is empty": "",
  "is no JSON": "{",
  "is a list": "[]",
  "is a number": "1",
  "is nested a hundred thousand times": "[".repeat(30_000) + "]".repeat(30_000),
  "is over 64 KiB": `${" ".repeat(70_000)}{}`,
  "has no sum": JSON.stringify(sealed),
  "wants a terabyte of memory": encodeSummed({ ...sealed, keys: [{ ...someKey, memory: 2 ** 30 }] }),
  "wants more memory than it may": encodeSummed({ ...sealed, keys: [{ ...someKey, memory: 2 ** 20 + 1 }] }),
  "wants a million passes": encodeSummed({ ...sealed, keys: [{ ...someKey, passes: 1_000_000 }] }),
  "wants no passes": encodeSummed({ ...sealed, keys: [{ ...someKey, passes: 0 }] }),
  "wants a thousand lanes": encodeSummed({ ...sealed, keys: [{ ...someKey, lanes: 1000 }] }),
  "wants less than no memory": encodeSummed({ ...sealed, keys: [{ ...someKey, memory: -8 }] }),
  "wants half a pass": encodeSummed({ ...sealed, keys: [{ ...someKey, passes: 1.5 }] }),
  "has another way to make a key": encodeSummed({ ...sealed, keys: [{ ...someKey, kdf: "md5" }] }),
  "has a thousand keys": encodeSummed({ ...sealed, keys: Array.from({ length: 150 }, () => someKey) }),
  "has no keys": encodeSummed({ ...sealed, keys: [] }),
  "has chunks of gigabytes": encodeSummed({
    ...sealed,
    suite: "plain",
    chunk: { min: 256, avg: 2 ** 30, max: 2 ** 31 },
  }),
  "has chunks of nothing": encodeSummed({ ...sealed, suite: "plain", chunk: { min: 0, avg: 0, max: 0 } }),
  "has an unknown hash": encodeSummed({ ...sealed, hash: "crc32" }),
  "has an unknown suite": encodeSummed({ ...sealed, suite: "rot13" }),
  "has a short box id": encodeSummed({ ...sealed, box: "00" }),
  "is of a newer format": encodeSummed({ ...sealed, format: 9, minReader: 9 }),
  "has __proto__": `{"__proto__": {"box": "${hex("b", 16)}"}, "sum": "0"}`,
};

for (const [what, text] of Object.entries(configs)) {
  test(`a config that ${what} is refused at once`, async () => {
    using remote = new HostileRemote();
    writeFileSync(remote.path("remote/config"), text);
    const started = process.hrtime.bigint();
    const { error } = await remote.clone();
    assert(error !== undefined);
    assert(
      ["corrupt", "newer-format", "too-large", "wrong-key", "invalid"].includes(error.kind),
      `${error.kind}: ${error.message}`,
    );
    assert(error.hint !== undefined, error.message);
    assert(process.hrtime.bigint() - started < 2_000_000_000n);
  });
}

test("files of a remote that are none are passed over or refused, and never waited for", async () => {
  for (const name of ["config", "heads", "packs", "index"]) {
    using remote = new HostileRemote();
    remote.publish(remote.root([remote.file("f", "fine")]));
    const path = remote.path(
      `remote/${name === "config" ? name : `${name}/${readdirSync(remote.path(`remote/${name}`))[0]}`}`,
    );
    rmSync(path);
    execFileSync("mkfifo", [path]);
    // Without its head it is a remote of which nothing is known yet.
    const isRefused = ({ error, report }: Cloned): boolean =>
      name === "heads" ? report?.head === undefined : error !== undefined;
    assert(isRefused(await remote.clone()), `${name} is a fifo`);
    rmSync(path);
    mkdirSync(path);
    assert(isRefused(await remote.clone("target-2")), `${name} is a folder`);
  }
});

test("a symlink in a remote does not bring a file of this machine into a box", async () => {
  using remote = new HostileRemote();
  remote.publish(remote.root([remote.file("f", "fine")]));
  const packs = readdirSync(remote.path("remote/packs"));
  for (const name of packs) {
    renameSync(remote.path(`remote/packs/${name}`), remote.path(`outside/${name}`));
    symlinkSync(remote.path(`outside/${name}`), remote.path(`remote/packs/${name}`));
  }
  assert((await remote.clone().catch(() => ({ error: true }))).error !== undefined);
  for (const name of packs) rmSync(remote.path(`outside/${name}`));
});

const others: Readonly<Record<string, (remote: HostileRemote, commit: Uint8Array) => void>> = {
  "is signed by another key": (remote, commit) => {
    remote.writeHead(commit);
    const path = remote.path(`remote/heads/${readdirSync(remote.path("remote/heads"))[0]}`);
    const bytes = readFileSync(path);
    bytes.set(new SigningKey(new Uint8Array(32).fill(9)).sign(utf8("something else")), bytes.length - 64);
    writeFileSync(path, bytes);
  },
  "names another writer than its file": (remote, commit) => {
    remote.writeHead(commit);
    const [name = ""] = readdirSync(remote.path("remote/heads"));
    renameSync(remote.path(`remote/heads/${name}`), remote.path("remote/heads/00000000000000ff"));
  },
  "names a commit that is not there": (remote) => remote.writeHead(new Uint8Array(32).fill(3)),
  "names a tree as its commit": (remote) => remote.writeHead(remote.root([])),
  "has a last event that is not its own": (remote, commit) =>
    remote.writeHead(commit, { last: { clock: 5n, id: new Uint8Array(32).fill(4) } }),
  "leaves out its last event": (remote, commit) => {
    remote.writeHead(commit);
    const path = `remote/heads/${readdirSync(remote.path("remote/heads"))[0]}`;
    rmSync(remote.path(path));
    // Written anew without it.
    remote.writeHeadOnly(commit);
  },
  "is over a megabyte": (remote, commit) => {
    remote.writeHead(commit);
    truncateSync(remote.path(`remote/heads/${readdirSync(remote.path("remote/heads"))[0]}`), 2 ** 30);
  },
  "is empty": (remote, commit) => {
    remote.writeHead(commit);
    truncateSync(remote.path(`remote/heads/${readdirSync(remote.path("remote/heads"))[0]}`), 0);
  },
};

for (const [what, write] of Object.entries(others)) {
  test(`a head that ${what} is kept out`, async () => {
    using remote = new HostileRemote();
    const commit = remote.commit(remote.root([remote.file("f", "fine")]));
    remote.writePacks();
    remote.writeIndex();
    write(remote, commit);
    await remote.requireRefused(/Cannot|head/);
  });
}

test("a commit with a forged signature, of another box, or with clocks that its vector does not cover is kept out", async () => {
  {
    using remote = new HostileRemote();
    const commit = remote.commit(remote.root([remote.file("f", "evil")]), {}, () => new Uint8Array(64));
    remote.writePacks();
    remote.writeIndex();
    remote.writeHead(commit);
    await remote.requireRefused(/signature|names say/);
  }
  {
    using remote = new HostileRemote();
    remote.publish(remote.root([remote.file("f", "evil")]), { box: utf8("another box 0123") });
    await remote.requireRefused(/another box|names say/);
  }
  {
    using remote = new HostileRemote();
    const file = remote.file("f", "evil");
    const id = { clock: 1n << 60n, writer: 99n, counter: 1 };
    const data: typeof file.data = [{ dot: id, value: file.data[0].value }];
    remote.publish(remote.root([{ ...file, id, placeDot: id, metaDot: id, mtimeDot: id, data }]));
    await remote.requireRefused(/does not cover/);
  }
  {
    using remote = new HostileRemote();
    remote.publish(remote.root([]), { parents: [new Uint8Array(32).fill(8)] });
    await remote.requireRefused(/Cannot find commit/);
  }
});

test("after a commit of the end of time a box can be read, and says why it takes no more commits", async () => {
  using remote = new HostileRemote();
  remote.publish(remote.root([remote.file("f", "fine")]));
  assert.equal((await remote.clone()).error, undefined);
  remote.atTheEndOfTime();
  remote.publish(remote.root([remote.file("f", "late")]));
  await using box = await Box.open(remote.path("target"), remote.context());
  assert.equal((await box.pull()).partial, true);
  assert.equal(readFileSync(remote.path("target/f"), "utf8"), "fine", "what is dated so far ahead is held back");
  await box.pull("origin", { force: false, acceptClock: true });
  assert.equal(readFileSync(remote.path("target/f"), "utf8"), "late");
  writeFileSync(remote.path("target/mine"), "mine");
  await assert.rejects(box.commit({ message: "mine", all: true }), { kind: "invalid", name: "OuroError" });
  assert.deepEqual(await Array.fromAsync(box.check({ readData: true })), []);
});

test("index files that promise what there is not are no more than warnings", async () => {
  using remote = new HostileRemote();
  remote.publish(remote.root([remote.file("f", "fine")]));
  const fake = (seed: number): PackInfo => {
    const name = Buffer.alloc(32, 0xee);
    name.writeUInt32BE(seed, 0);
    return { name, class: seed % 2 === 0 ? "content" : "meta", size: 2 ** 30, directorySize: 1000, objects: 1000 };
  };
  remote.writeIndex(Array.from({ length: 50 }, (_, seed) => fake(seed)));
  const { error, report, warnings } = await remote.clone();
  assert.equal(error, undefined);
  assert.equal(report?.partial, true);
  assert.equal(warnings.length, 50);
  assert.equal(readFileSync(remote.path("target/f"), "utf8"), "fine");
});

test("index files that list more packs than there can be are refused within bounds of memory", async () => {
  using remote = new HostileRemote();
  remote.publish(remote.root([remote.file("f", "fine")]));
  for (let file = 0; file < 3; file += 1) {
    const count = 400_000;
    const writer = new ByteWriter(count * 40).varint(count);
    const name = Buffer.alloc(32);
    for (let pack = 0; pack < count; pack += 1) {
      name.writeUInt32BE(pack, 0);
      name.writeUInt32BE(file, 4);
      writer.bytes(name).u8(1).varint(1000).varint(50).varint(1);
    }
    remote.writeBlob("index", writer.varint(0).finish());
  }
  const before = process.resourceUsage().maxRSS;
  const { error } = await remote.clone();
  assert.equal(error?.kind, "too-large");
  const grown = (process.resourceUsage().maxRSS - before) / 1024;
  assert(grown < 1000, `${grown} MiB more`);
});

test("an index file that is larger than one may be, or says more than it holds, is refused", async () => {
  for (const bytes of [
    new ByteWriter().varint(2 ** 20).finish(),
    new ByteWriter().varint(2 ** 53 - 1).finish(),
    new ByteWriter().varint(0).varint(0).u8(5).varint(0).finish(),
    new ByteWriter()
      .varint(1)
      .bytes(new Uint8Array(32))
      .u8(1)
      .varint(2 ** 53 - 1)
      .varint(1)
      .varint(1)
      .varint(0)
      .finish(),
    new Uint8Array(),
  ]) {
    using remote = new HostileRemote();
    const commit = remote.commit(remote.root([remote.file("f", "fine")]));
    remote.writePacks();
    remote.writeBlob("index", bytes);
    remote.writeHead(commit);
    await remote.requireRefused(/index\//);
  }
  using remote = new HostileRemote();
  remote.publish(remote.root([remote.file("f", "fine")]));
  const [name = ""] = readdirSync(remote.path("remote/index"));
  truncateSync(remote.path(`remote/index/${name}`), 2 ** 31);
  const before = process.resourceUsage().maxRSS;
  await remote.requireRefused(/too-large|at most|bytes/);
  assert((process.resourceUsage().maxRSS - before) / 1024 < 100);
});

test("index files that replace each other leave something, or are told", async () => {
  using remote = new HostileRemote();
  remote.publish(remote.root([remote.file("f", "fine")]));
  const [name = ""] = readdirSync(remote.path("remote/index"));
  // One that replaces the true one and lists nothing.
  remote.writeBlob("index", new ByteWriter().varint(0).varint(1).bytes(Buffer.from(name, "hex")).finish());
  const { error, report } = await remote.clone();
  if (error === undefined) assert.equal(readFileSync(remote.path("target/f"), "utf8"), "fine");
  assert(report?.partial !== true || error !== undefined);
});

test("names that could act on a terminal stand in no message as they are", async () => {
  using remote = new HostileRemote();
  const name = "\u001b]0;evil\u0007\u001b[2J";
  const missing = remote.content(name, {
    size: 5,
    items: [{ form: "chunk", hash: new Uint8Array(32).fill(5), length: 5 }],
  });
  remote.publish(remote.root([missing, remote.file("f", "fine")]));
  const { error, warnings } = await remote.clone();
  const all = [error?.message ?? "", error?.hint ?? "", ...warnings].join("\n");
  assert(!all.includes("\u001b"), JSON.stringify(all));
});

test("a hundred heads of made-up writers are all looked at, and cost no more than they are", async () => {
  using remote = new HostileRemote();
  const commit = remote.publish(remote.root([remote.file("f", "fine")]));
  const [name = ""] = readdirSync(remote.path("remote/heads"));
  const bytes = readFileSync(remote.path(`remote/heads/${name}`));
  for (let writer = 1; writer <= 100; writer += 1)
    writeFileSync(remote.path(`remote/heads/${writer.toString(16).padStart(16, "0")}`), bytes);
  const { error, report, warnings } = await remote.clone();
  assert.equal(error, undefined);
  assert.equal(toHex(report?.head ?? new Uint8Array()), toHex(commit));
  assert(warnings.length >= 100);
});
