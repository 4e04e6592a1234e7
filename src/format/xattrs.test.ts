import assert from "node:assert/strict";
import { test } from "node:test";
import { mutate, randomXattrs } from "../../test/support/random-trees.ts";
import { testSeeds } from "../../test/support/seeds.ts";
import { equalBytes, toHex, utf8 } from "../base/bytes.ts";
import { isKind } from "../base/errors.ts";
import type { Hash, Xattr } from "./entry.ts";
import { getHasher } from "./hash.ts";
import { buildXattrs, decodeXattrs, encodeXattrs, listXattrs } from "./xattrs.ts";

const show = (list: readonly Xattr[]): string[] => list.map(({ name, value }) => `${toHex(name)}=${toHex(value)}`);

testSeeds("attributes are listed as they were given, sorted, whether in the entry or in a block", 30, (prng) => {
  const blocks = new Map<string, Uint8Array>();
  const put = (bytes: Uint8Array): Hash => {
    const hash = getHasher("blake3").hash(bytes);
    blocks.set(toHex(hash), bytes);
    return hash;
  };
  const list = randomXattrs(prng, prng.pick([1, 3, 20, 64, 65, 200]), prng.pick([0, 4, 300]));
  const xattrs = buildXattrs(list.toReversed(), put);
  const size = encodeXattrs(list).length;
  assert.equal(xattrs?.form, list.length <= 64 && size <= 512 ? "inline" : "block");
  assert.deepEqual(show(listXattrs(xattrs, (hash) => blocks.get(toHex(hash)) ?? new Uint8Array())), show(list));
});

testSeeds("a damaged block is refused, or is another's only encoding", 10, (prng) => {
  const bytes = encodeXattrs(randomXattrs(prng, 30, 100));
  for (let round = 0; round < 200; round += 1) {
    const damaged = mutate(prng, bytes);
    try {
      assert.ok(equalBytes(encodeXattrs(decodeXattrs(damaged, "attributes")), damaged));
    } catch (error) {
      assert.ok(isKind(error, "corrupt"), String(error));
    }
  }
});

test("no attributes are none; a name twice, too long or too large is refused", () => {
  const value = new Uint8Array();
  const never = (): Hash => assert.fail("no block is needed");
  assert.equal(buildXattrs([], never), undefined);
  assert.deepEqual(listXattrs(undefined, never), []);
  const name = utf8("user.a");
  const bad: Xattr[][] = [
    [
      { name, value },
      { name, value },
    ],
    [{ name: utf8(""), value }],
    [{ name: utf8("a\0b"), value }],
    [{ name: new Uint8Array(256).fill(97), value }],
    [{ name, value: new Uint8Array(65_537) }],
  ];
  for (const list of bad)
    assert.throws(
      () => buildXattrs(list, never),
      (error) => isKind(error, "invalid"),
    );
  const large = Array.from({ length: 17 }, (_, index) => ({ name: utf8(`n${index}`), value: new Uint8Array(65_536) }));
  assert.throws(
    () => encodeXattrs(large),
    (error) => isKind(error, "too-large"),
  );
  assert.throws(() => decodeXattrs(encodeXattrs([{ name, value }]), "attributes"), /few enough for the entry/);
});
