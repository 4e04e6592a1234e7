import assert from "node:assert/strict";
import { test } from "node:test";
import type { TreeNode } from "../format/mod.ts";
import { NodeCache } from "./node-cache.ts";

const nodeOf = (level: number): TreeNode => ({ level, references: [] });

test("node cache: it holds as many bytes as it may, and what was used stays longer", () => {
  const cache = new NodeCache(100);
  for (const key of ["a", "b", "c", "d"]) cache.set(key, nodeOf(1), 25);
  assert.ok(cache.get("a"));
  cache.set("e", nodeOf(2), 25);
  assert.deepEqual(
    ["a", "b", "c", "d", "e"].filter((key) => cache.get(key) !== undefined),
    ["a", "c", "d", "e"],
  );
});

test("node cache: where all were used one goes all the same; one larger than everything is not kept", () => {
  const cache = new NodeCache(100);
  cache.set("huge", nodeOf(1), 101);
  assert.equal(cache.get("huge"), undefined);
  for (const key of ["a", "b"]) cache.set(key, nodeOf(1), 50);
  for (const key of ["a", "b"]) assert.ok(cache.get(key));
  cache.set("c", nodeOf(3), 100);
  assert.deepEqual(cache.get("c"), nodeOf(3));
  assert.equal(cache.get("a") ?? cache.get("b"), undefined);
});

test("node cache: what it holds stays within its bytes, whatever is asked for", () => {
  const cache = new NodeCache(1000);
  const sizes = new Map<string, number>();
  for (let round = 0; round < 5000; round += 1) {
    const key = `${(round * 7919) % 97}`;
    if (cache.get(key) !== undefined) continue;
    const size = 1 + ((round * 31) % 200);
    sizes.set(key, size);
    cache.set(key, nodeOf(round), size);
    const held = [...sizes]
      .filter(([each]) => cache.get(each) !== undefined)
      .reduce((sum, [, bytes]) => sum + bytes, 0);
    assert.ok(held <= 1000, `${held} bytes`);
  }
});
