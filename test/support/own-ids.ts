/** That no node is twice in a tree. */
import assert from "node:assert/strict";
import type { Box } from "../../src/app/mod.ts";
import { dotKey } from "../../src/format/mod.ts";
import { directoryOf } from "../../src/history/mod.ts";

/** @throws AssertionError when an id is twice in what the box's head shows, within units or not. */
export function requireOwnIds(box: Box): void {
  const root = box.find(box.resolve("HEAD"), new Uint8Array());
  const ids = new Set<string>();
  const open = root === undefined ? [] : [root];
  for (let entry = open.pop(); entry !== undefined; entry = open.pop()) {
    const key = dotKey(entry.id);
    assert(!ids.has(key), `the node ${key} is twice in the tree`);
    ids.add(key);
    const directory = directoryOf(entry);
    if (directory !== undefined) open.push(...box.reader.entries(directory));
  }
}
