/**
 * Golden bytes of trees and commits: what version 1 writes, and what every later version must go on reading.
 *
 * The values below are fixed, and so are the files in v1/. A released file is never changed: a new version of a format gets
 * files of its own beside it. `GOLDEN=write` writes files that are missing and no others.
 */
import assert from "node:assert/strict";
import { createPrivateKey, createPublicKey, sign, verify } from "node:crypto";
import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { test } from "node:test";
import { concatBytes, equalBytes, fromHex, toHex, utf8 } from "../../src/base/bytes.ts";
import {
  buildContent,
  type Commit,
  commitId,
  commitSignedBytes,
  decodeListNode,
  decodeRootNode,
  decodeStoredCommit,
  decodeTreeNode,
  decodeXattrs,
  type Dot,
  encodeCommit,
  encodeRootNode,
  encodeStoredCommit,
  encodeTreeNode,
  encodeXattrs,
  type Entry,
  type EntryKind,
  getHasher,
  type Hash,
  kinds,
  type Meta,
  rootId,
  summarizeEntries,
  type TreeNode,
  type Value,
} from "../../src/format/mod.ts";
import { DirectoryBuilder } from "../../src/history/mod.ts";
import { MemoryMeta } from "../support/memory-meta.ts";
import { plainFile } from "../support/random-trees.ts";

const [a, b] = [
  { clock: 0x0191_2345_6789_0000n, writer: 0x1111_2222_3333_4444n },
  { clock: 0x0191_2345_6789_0001n, writer: 0xfeed_face_cafe_f00dn },
];
const later = { clock: 0x0192_0000_0000_0007n, writer: a.writer };
const fill = (byte: number, length = 32): Uint8Array => new Uint8Array(length).fill(byte);
const dot = (event: { clock: bigint; writer: bigint }, counter: number): Dot => ({ ...event, counter });
const plainMeta: Meta = { mode: 0o644, uid: 1000, gid: 1000, atomic: false };

function entry(name: string | Uint8Array, id: Dot, value: Value, rest: Partial<Entry> = {}): Entry {
  const kind: EntryKind = value.kind;
  const dots = { id, placeDot: id, metaDot: id, mtimeDot: id };
  const mtimeNs = 1_762_000_000_123_456_789n;
  return { name: typeof name === "string" ? utf8(name) : name, kind, ...dots, meta: plainMeta, mtimeNs, data: [{ dot: id, value }], ...rest };
}

const chunk = (byte: number, length: number): { form: "chunk"; hash: Hash; length: number } => ({ form: "chunk", hash: fill(byte), length });
const acl = { name: utf8("system.posix_acl_access"), value: fromHex("0200000001000600ffffffff", 12) };
const edited = dot(later, 0);

/** Every kind of entry and every optional part of one. */
const entries: Entry[] = [
  entry(fromHex("01ff80fe", 4), dot(a, 1), { kind: kinds.file, content: { size: 0 } }),
  entry("block", dot(b, 2), { kind: kinds.block, major: 259, minor: 1_048_575 }),
  entry("character", dot(b, 3), { kind: kinds.character, major: 1, minor: 3 }, { meta: { ...plainMeta, mode: 0o666, uid: 0, gid: 4_294_967_294 } }),
  entry("conflict", dot(a, 4), { kind: kinds.file, content: { size: 0 } }, {
    data: [
      { dot: dot(later, 1), value: { kind: kinds.file, content: { size: 5, items: [chunk(1, 5)] } } },
      { dot: dot(b, 0), value: { kind: kinds.file, content: { size: 6, items: [chunk(2, 6)] } } },
    ],
  }),
  entry("directory", dot(a, 5), {
    kind: kinds.directory,
    top: fill(0xd1),
    summary: { names: 2, entries: 9, bytes: 123_456_789_012, flags: 0b01011, max: [later, b], minBirth: [a] },
  }, { metaDot: edited, meta: { ...plainMeta, mode: 0o2755 } }),
  entry("empty", dot(a, 6), { kind: kinds.directory, summary: { names: 0, entries: 0, bytes: 0, flags: 0, max: [], minBirth: [] } }, {
    meta: { ...plainMeta, mode: 0o755, atomic: true },
    data: [{ dot: edited, value: { kind: kinds.directory, summary: { names: 0, entries: 0, bytes: 0, flags: 0, max: [], minBirth: [] } } }],
  }),
  entry("fifo", dot(a, 7), { kind: kinds.fifo }, { mtimeNs: -1n }),
  entry("linked", dot(a, 8), { kind: kinds.file, content: { size: 70_000, items: [chunk(3, 65_536), { form: "hole", length: 4096 }, chunk(4, 368)] } }, {
    placeDot: edited,
    mtimeDot: edited,
    meta: { ...plainMeta, link: dot(a, 8), xattrs: { form: "inline", list: [acl, { name: utf8("user.a"), value: utf8("value") }] } },
    data: [{ dot: edited, value: { kind: kinds.file, content: { size: 70_000, items: [chunk(3, 65_536), { form: "hole", length: 4096 }, chunk(4, 368)] } } }],
  }),
  entry("long", dot(a, 9), { kind: kinds.file, content: { size: 2 ** 40, list: { level: 2, hash: fill(0x11) } } }, {
    meta: { ...plainMeta, xattrs: { form: "block", hash: fill(0x22), size: 4242 } },
  }),
  entry("socket", dot(a, 10), { kind: kinds.socket }),
  entry("symlink", dot(a, 4_294_967_295), { kind: kinds.symlink, target: utf8("../elsewhere/é") }),
];

const references = ["f", "n", "z"].map((name, index) => ({
  last: utf8(name),
  hash: fill(0x70 + index),
  summary: { ...summarizeEntries(entries.slice(index * 3, index * 3 + 3)) },
}));
const root = entry(new Uint8Array(), rootId, {
  kind: kinds.directory,
  top: fill(0x33),
  summary: summarizeEntries(entries),
}, { metaDot: dot(a, 1), mtimeDot: edited, meta: { ...plainMeta, mode: 0o755 } });

/** RFC 8032, test 1. */
const key = createPrivateKey({
  key: fromHex("302e020100300506032b6570042204209d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60", 48) as Buffer,
  format: "der",
  type: "pkcs8",
});
const peer = fromHex("d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a", 32);

const event: Commit = {
  type: "event",
  box: fill(0xb0, 16),
  tree: fill(0x44),
  vector: [{ ...b, event: fill(0xe1, 8) }],
  parents: [fill(0x55), fill(0x66)],
  ...later,
  previous: { clock: a.clock, id: fill(0x55) },
  peer,
  timeMs: 1_762_000_000_123,
  flags: 5,
  author: "Ada Lovelace",
  message: "Müsli & 7 more\n\nWhy not.",
};
const join: Commit = {
  type: "join",
  box: fill(0xb0, 16),
  tree: fill(0x44),
  vector: [{ ...later, event: fill(0xe2, 8) }, { ...b, event: fill(0xe1, 8) }],
  parents: [fill(0x55), fill(0x66)],
};

function golden(name: string, make: () => Uint8Array): Uint8Array {
  const path = `${import.meta.dirname}/v1/${name}.hex`;
  if (!existsSync(path) && process.env["GOLDEN"] === "write") {
    writeFileSync(path, `${toHex(make()).replaceAll(/.{1,128}/g, "$&\n")}`);
  }
  const text = readFileSync(path, "utf8").replaceAll("\n", "");
  return fromHex(text, text.length / 2);
}

function testGolden(name: string, make: () => Uint8Array, again: (bytes: Uint8Array) => Uint8Array): void {
  test(`golden v1 ${name}: written so, read and written again so`, () => {
    const bytes = golden(name, make);
    assert.equal(toHex(make()), toHex(bytes));
    assert.equal(toHex(again(bytes)), toHex(bytes));
  });
}

const nodeAgain = (bytes: Uint8Array): Uint8Array => encodeTreeNode(decodeTreeNode(bytes, "golden"));
const leaf: TreeNode = { level: 0, entries };
testGolden("tree-node-leaf", () => encodeTreeNode(leaf), nodeAgain);
testGolden("tree-node-inner", () => encodeTreeNode({ level: 1, references }), nodeAgain);
testGolden("tree-node-root", () => encodeRootNode(root), (bytes) => encodeRootNode(decodeRootNode(bytes, "golden")));

const manyXattrs = Array.from({ length: 65 }, (_, index) => ({ name: utf8(`user.${String(index).padStart(2, "0")}`), value: fill(index, index % 4) }));
testGolden("xattrs", () => encodeXattrs(manyXattrs), (bytes) => encodeXattrs(decodeXattrs(bytes, "golden")));

const commitAgain = (bytes: Uint8Array): Uint8Array => {
  const { commit, signature } = decodeStoredCommit(bytes, "golden");
  return encodeStoredCommit(encodeCommit(commit), signature);
};
const eventStored = (): Uint8Array => {
  const body = encodeCommit(event);
  return encodeStoredCommit(body, sign(null, commitSignedBytes(commitId(getHasher("blake3"), body)), key));
};
testGolden("commit-event", eventStored, commitAgain);
testGolden("commit-join", () => encodeCommit(join), commitAgain);

test("golden v1 commit-event: its signature is an ed25519 signature of its id", () => {
  const { body, signature } = decodeStoredCommit(golden("commit-event", eventStored), "golden");
  assert.ok(signature !== undefined);
  assert.ok(verify(null, commitSignedBytes(commitId(getHasher("blake3"), body)), createPublicKey(key), signature));
});

/** List nodes of a content of 300 fixed items: all nodes, the top first. */
function listNodes(): Uint8Array {
  const hasher = getHasher("sha256");
  const nodes: Uint8Array[] = [];
  const items = Array.from({ length: 300 }, (_, index) =>
    index % 7 === 6
      ? { form: "hole" as const, length: 4096 * (index + 1) }
      : { form: "chunk" as const, hash: hasher.hash(utf8(`chunk ${index}`)), length: 65_536 + index },
  );
  const content = buildContent(items, (bytes) => {
    nodes.unshift(bytes);
    return hasher.hash(bytes);
  });
  assert.ok(content.list !== undefined && equalBytes(content.list.hash, hasher.hash(nodes[0] ?? fill(0))));
  for (const node of nodes) decodeListNode(node, "golden");
  return concatBytes(nodes);
}
testGolden("list-nodes", listNodes, () => listNodes());

/** The top node of 5,000 fixed files: where names cut, and what summaries say. */
function directoryTop(): Uint8Array {
  const meta = new MemoryMeta();
  const builder = new DirectoryBuilder(meta);
  for (let index = 0; index < 5000; index += 1) builder.add(plainFile(utf8(`file-${String(index).padStart(4, "0")}`), dot(index % 2 === 0 ? a : b, index + 1), index));
  const { top } = builder.finish();
  assert.ok(top !== undefined);
  return meta.getMeta(top, "tree");
}
testGolden("directory-top", directoryTop, nodeAgain);
