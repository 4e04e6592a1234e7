import assert from "node:assert/strict";
import { test } from "node:test";
import { MemoryMeta } from "../../test/support/memory-meta.ts";
import { plainDirectory, plainFile } from "../../test/support/random-trees.ts";
import { utf8 } from "../base/bytes.ts";
import { type Dot, type Hash, kinds, rootId } from "../format/mod.ts";
import type { MetaSink } from "../store/mod.ts";
import { DirectoryBuilder, putRoot } from "./directory-builder.ts";
import { OverlayMeta } from "./overlay-meta.ts";
import { TreeReader } from "./tree-reader.ts";

const dot = (counter: number): Dot => ({ clock: 1n, writer: 1n, counter });

/** A tree with a directory "d" of so many files, in several nodes where they are many. */
function putTree(sink: MetaSink, files: number): Hash {
  const below = new DirectoryBuilder(sink);
  for (let at = 0; at < files; at += 1) below.add(plainFile(utf8(`file-${String(at).padStart(6, "0")}`), dot(at + 2)));
  const above = new DirectoryBuilder(sink);
  above.add(plainDirectory(utf8("d"), dot(1), below.finish()));
  return putRoot(sink, plainDirectory(new Uint8Array(), rootId, above.finish()));
}

test("of an overlay what a tree needs is kept, and nothing that only others need", () => {
  const below = new MemoryMeta();
  const overlay = new OverlayMeta(below, below.hasher);
  const between = putTree(overlay, 700);
  const wanted = putTree(overlay, 3000);
  const alone = new MemoryMeta();
  assert.deepEqual(putTree(alone, 3000), wanted);
  assert(alone.objects.size > 5);
  overlay.copyTree(wanted, below);
  assert.equal(below.objects.size, alone.objects.size);
  const reader = new TreeReader(below);
  assert.equal(reader.findPath(reader.root(wanted), [utf8("d"), utf8("file-002999")])?.kind, kinds.file);
  assert.throws(() => reader.root(between), { kind: "not-found" });
  assert.equal(new TreeReader(overlay).root(between).kind, kinds.directory);
});
