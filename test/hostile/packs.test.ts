/** Clones of remotes whose packs are made to do harm: their names are the hashes of their bytes, and what they say is not so. */
import assert from "node:assert/strict";
import { readFileSync, writeFileSync } from "node:fs";
import { test } from "node:test";
import { constants, zstdCompressSync } from "node:zlib";
import { Box } from "../../src/app/mod.ts";
import { ByteWriter, utf8 } from "../../src/base/bytes.ts";
import { getHasher, type Hash, type PackClass } from "../../src/format/mod.ts";
import { type FolderWriter, posixWriter as writer } from "../../src/workdir/mod.ts";
import { type HostileFrame, HostileRemote } from "../support/hostile-remote.ts";

const hash = (bytes: Uint8Array): Hash => getHasher("blake3").hash(bytes);
const megabyte = 1024 * 1024;

/** A remote with one file "f", whose content is in the pack that is given. */
function withContent(remote: HostileRemote, bytes: Uint8Array, write: () => void): void {
  const content = { size: bytes.length, items: [{ form: "chunk", hash: hash(bytes), length: bytes.length } as const] };
  const commit = remote.commit(remote.root([remote.content("f", content)]));
  remote.writePacks();
  write();
  remote.writeIndex();
  remote.writeHead(commit);
}

/** The most memory this process has had, in MiB. */
function peak(): number {
  return process.resourceUsage().maxRSS / 1024;
}

const text = utf8("the content that is wanted, and that is long enough to be compressed ".repeat(20));

const bombs: Readonly<Record<string, () => HostileFrame>> = {
  "inflates to more than it says": () => frame(zstdCompressSync(Buffer.alloc(64 * megabyte)), 4000),
  "inflates to a gigabyte and says sixteen megabytes": () =>
    frame(zstdCompressSync(Buffer.alloc(1024 * megabyte)), 16 * megabyte),
  "inflates to less than it says": () => frame(zstdCompressSync(Buffer.alloc(1000, "ab")), 16 * megabyte),
  "wants a window of 128 MiB": () => frame(windowed(27), 4000),
  "wants a window of 2 GiB": () => frame(windowed(31), 4000),
  "is two zstd frames": () => frame(Buffer.concat([zstdCompressSync(text), zstdCompressSync(text)]), 2 * text.length),
  "begins with a frame that is to be skipped": () =>
    frame(Buffer.concat([Buffer.from("502a4d1804000000ffffffff", "hex"), zstdCompressSync(text)]), text.length),
  "is no zstd": () => frame(Buffer.alloc(100, 7), 4000),
  "is cut off": () => frame(zstdCompressSync(text).subarray(0, -5), text.length),
  "is other bytes": () => ({ ...frame(zstdCompressSync(Buffer.alloc(text.length, "x")), text.length) }),
  "is other bytes, not compressed": () => ({ ...frame(Buffer.alloc(text.length, "x"), text.length), method: 0 }),
};

function frame(payload: Uint8Array, decoded: number): HostileFrame {
  return { method: 1, payload, decoded, objects: [{ hash: hash(text), length: decoded }] };
}

/** A zstd frame that announces a window of 2^log bytes: the header by hand, then what another frame holds. */
function windowed(log: number): Uint8Array {
  const inner = zstdCompressSync(text, { params: { [constants.ZSTD_c_contentSizeFlag]: 0 } });
  const single = inner[4] ?? 0;
  const size = (single & 0x20) !== 0 ? 0 : 1;
  const head = Buffer.from([0x28, 0xb5, 0x2f, 0xfd, single & ~0x20 & ~0xc0, (log - 10) << 3]);
  const contentSizeBytes = [(single & 0x20) !== 0 ? 1 : 0, 2, 4, 8][single >> 6] ?? 0;
  return Buffer.concat([head, inner.subarray(5 + size + contentSizeBytes)]);
}

for (const [what, make] of Object.entries(bombs)) {
  test(`a frame that ${what} is refused within bounds of memory`, async () => {
    using remote = new HostileRemote();
    const bomb = make();
    withContent(remote, text, () =>
      remote.pack("content", [{ ...bomb, objects: [{ hash: hash(text), length: bomb.decoded }] }]),
    );
    const before = peak();
    await remote.requireRefused(/decompress|does not shrink|not shrunk|what their names say|cannot be read/);
    assert(peak() - before < 150, `${peak() - before} MiB more`);
  });
}

/** The rows of a pack's directory, by hand. */
function rows(...parts: (number | Uint8Array)[]): Uint8Array {
  const writer = new ByteWriter();
  for (const part of parts) {
    if (typeof part === "number") writer.varint(part);
    else writer.bytes(part);
  }
  return writer.finish();
}

const object = hash(text);
const directories: Readonly<Record<string, Uint8Array>> = {
  "has no frames": rows(0),
  "has a million frames in three bytes": rows(2 ** 20),
  "has more frames than there can be": rows(2 ** 32),
  "has a frame of 2^53 bytes": rows(1, 2 ** 53 - 1, 0, 2 ** 53 - 1, 1, object, 2 ** 53 - 1),
  "has a frame that decodes to gigabytes": rows(1, text.length, 1, 2 ** 40, 1, object, 2 ** 40),
  "has sixty thousand objects in a few bytes": rows(1, text.length, 0, text.length, 65_536, object, text.length),
  "has an object that is longer than its frame": rows(1, text.length, 0, text.length, 1, object, text.length + 1),
  "has an object that is shorter than its frame": rows(1, text.length, 0, text.length, 1, object, 1),
  "has an empty object": rows(1, text.length, 0, text.length, 2, object, 0, object, text.length),
  "has an unknown method": rows(1, text.length, 9, text.length, 1, object, text.length),
  "goes on after its end": rows(1, text.length, 0, text.length, 1, object, text.length, 1, 2, 3),
  "has a longer form of a number": Uint8Array.from([0x81, 0x00]),
  "is empty": new Uint8Array(),
  "says that frames are longer than they are": rows(
    1,
    text.length + 10,
    0,
    text.length + 10,
    1,
    object,
    text.length + 10,
  ),
  "says that frames are shorter than they are": rows(1, 10, 0, 10, 1, object, 10),
};

for (const [what, directory] of Object.entries(directories)) {
  for (const packClass of ["content", "meta"] as PackClass[]) {
    test(`a ${packClass} pack whose directory ${what} is refused`, async () => {
      using remote = new HostileRemote();
      withContent(remote, text, () =>
        remote.pack(
          packClass,
          [{ method: 0, payload: text, decoded: text.length, objects: [{ hash: object, length: text.length }] }],
          { directory },
        ),
      );
      const before = peak();
      await remote.requireRefused(/Cannot (read|fetch|find)/);
      assert(peak() - before < 100, `${peak() - before} MiB more`);
    });
  }
}

test("a pack with bytes after its end, or of another size than its index file says, is refused", async () => {
  const whole: HostileFrame = {
    method: 0,
    payload: text,
    decoded: text.length,
    objects: [{ hash: object, length: text.length }],
  };
  for (const options of [{ after: utf8("more") }, { size: 1 }, { size: 2 ** 30 }, { after: new Uint8Array(64) }]) {
    using remote = new HostileRemote();
    withContent(remote, text, () => remote.pack("content", [whole], options));
    await remote.requireRefused(/trailer|size|bytes|does not end/);
  }
});

test("a pack of content that is listed as one of metadata, and the other way round, is refused", async () => {
  using remote = new HostileRemote();
  const whole: HostileFrame = {
    method: 0,
    payload: text,
    decoded: text.length,
    objects: [{ hash: object, length: text.length }],
  };
  withContent(remote, text, () => {
    remote.pack("content", [whole]);
    remote.packs.splice(
      0,
      2,
      ...remote.packs.map((pack) => ({
        ...pack,
        class: pack.class === "meta" ? ("content" as const) : ("meta" as const),
      })),
    );
  });
  await remote.requireRefused(/it is a (content|meta) pack/);
});

test("an object under another's name is not taken for it: neither read, nor counted as stored already", async () => {
  const mine = utf8("what I am going to write, and somebody knew it");
  using remote = new HostileRemote();
  const other = new Uint8Array(mine.length).fill(7);
  remote.pack("content", [
    { method: 0, payload: other, decoded: mine.length, objects: [{ hash: hash(mine), length: mine.length }] },
  ]);
  remote.publish(remote.root([remote.file("f", "fine")]));
  const { error, report } = await remote.clone();
  assert.equal(error, undefined);
  assert.equal(report?.partial, true);
  writeFileSync(remote.path("target/mine"), mine);
  await using box = await Box.open(remote.path("target"), remote.context());
  const { id } = await box.commit({ message: "mine", all: true });
  const entry = id === undefined ? undefined : box.find(id, utf8("mine"));
  assert(entry !== undefined);
  assert.deepEqual(Buffer.concat(await Array.fromAsync(box.readFile(entry))), Buffer.from(mine));
  assert.deepEqual(await Array.fromAsync(box.check({ readData: true })), []);
});

test("a commit with a wrong signature does not keep out the one that has the right one", async () => {
  using remote = new HostileRemote();
  const tree = remote.root([remote.file("f", "fine")]);
  // Whoever writes to a plain remote can make a pack that has a commit's bytes with another signature.
  const commit = remote.commit(tree, {}, () => new Uint8Array(64).fill(1));
  remote.writePacks();
  remote.writeIndex();
  remote.writeHead(commit);
  await remote.requireRefused(/signature|what their names say/);
  using good = new HostileRemote();
  const same = good.commit(good.root([good.file("f", "fine")]));
  assert.deepEqual(same, commit);
  good.writePacks();
  for (const { name } of good.packs) {
    const hex = Buffer.from(name).toString("hex");
    writeFileSync(remote.path(`remote/packs/${hex}`), readFileSync(good.path(`remote/packs/${hex}`)));
  }
  remote.writeIndex(good.packs);
  const { error, report } = await remote.clone();
  assert.equal(error, undefined);
  assert.deepEqual(Buffer.from(report?.head ?? []), Buffer.from(commit));
  assert.equal(readFileSync(remote.path("target/f"), "utf8"), "fine");
});

test("a file of list nodes that refer to each other's equals ends where its size says", async () => {
  using remote = new HostileRemote();
  const chunk = remote.chunk(new Uint8Array(4096).fill(1));
  // Level upon level of 1,024 references to one and the same node: 2^52 bytes and more of four kilobytes.
  const items = new ByteWriter().u8(1).u8(0).varint(1024);
  for (let index = 0; index < 1024; index += 1) items.varint(4096 * 2).bytes(chunk);
  let node = remote.meta("list", items.finish());
  let length = 4096 * 1024;
  let level = 0;
  while (length * 1024 < 2 ** 53) {
    level += 1;
    const writer = new ByteWriter().u8(1).u8(level).varint(1024);
    for (let index = 0; index < 1024; index += 1) writer.varint(length).bytes(node);
    node = remote.meta("list", writer.finish());
    length *= 1024;
  }
  remote.publish(remote.root([remote.content("f", { size: length, list: { level, hash: node } })]));
  const before = peak();
  const stopped = new AbortController();
  setTimeout(() => stopped.abort(), 3000).unref();
  const warnings: string[] = [];
  const { cloneBox } = await import("../../src/app/mod.ts");
  // It is a file like any other, and larger than any disk: it is for the disk to be full, or for a person to stop it.
  const context = remote.context(warnings, { signal: stopped.signal, folderWriter: fullWriter(16 * megabyte) });
  await assert.rejects(cloneBox(remote.path("remote"), remote.path("target"), { bare: false }, context), {
    name: "OuroError",
  });
  assert(peak() - before < 150, `${peak() - before} MiB more`);
});

/** A disk with so much room. */
function fullWriter(room: number): FolderWriter {
  let left = room;
  return {
    ...writer,
    write(fd, bytes, position) {
      left -= bytes.length;
      if (left < 0) throw Object.assign(new Error("ENOSPC: no space left"), { code: "ENOSPC" });
      writer.write(fd, bytes, position);
    },
  };
}
