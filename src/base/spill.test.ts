import assert from "node:assert/strict";
import { mkdtempSync, readdirSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { testSeeds } from "../../test/support/seeds.ts";
import type { Disk } from "./disk.ts";
import { nodeDisk } from "./node-disk.ts";
import { Spill } from "./spill.ts";

/** A folder in which all temporary files have one name. */
class Place implements Disposable {
  readonly folder: string = mkdtempSync(join(tmpdir(), "ourobox-spill-"));
  /** How many were made. */
  files = 0;

  open(disk: Partial<Disk> = {}): Spill {
    const path = (): string => {
      this.files += 1;
      return join(this.folder, "aside");
    };
    return new Spill({ disk: { ...nodeDisk, ...disk }, path, blockBytes: 100 });
  }

  [Symbol.dispose](): void {
    rmSync(this.folder, { recursive: true });
  }
}

testSeeds("what was put aside comes back, in any order and while more is put", 20, (prng) => {
  using place = new Place();
  using spill = place.open();
  const kept: { readonly bytes: Uint8Array; readonly where: ReturnType<Spill["put"]> }[] = [];
  for (let round = 0; round < 60; round += 1) {
    const bytes = prng.bytes(prng.chance(0.1) ? prng.int(90, 300) : prng.int(0, 40));
    kept.push({ bytes, where: spill.put(bytes) });
    const { bytes: expected, where } = prng.pick(kept);
    assert.deepEqual(spill.get(where), new Uint8Array(expected));
  }
  for (const { bytes, where } of kept) assert.deepEqual(spill.get(where), new Uint8Array(bytes));
});

test("a block's worth never comes to the disk; more is in a file without a name", () => {
  using place = new Place();
  using spill = place.open();
  for (let count = 0; count < 10; count += 1) spill.put(new Uint8Array(10));
  assert.equal(place.files, 0);
  spill.put(new Uint8Array(1));
  spill.put(new Uint8Array(1000));
  assert.equal(place.files, 1);
  assert.deepEqual(readdirSync(place.folder), []);
});

test("a file that another process has tidied away is as good as one that we have", () => {
  using place = new Place();
  const unlink = (path: Parameters<Disk["unlink"]>[0]): void => {
    nodeDisk.unlink(path);
    nodeDisk.unlink(path);
  };
  using spill = place.open({ unlink });
  const where = spill.put(new Uint8Array(200).fill(7));
  assert.deepEqual(spill.get(where), new Uint8Array(200).fill(7));
});

test("a disk that is full, that fails or that gives back less is told", () => {
  const failing = (code: string) => (): never => {
    throw Object.assign(new Error(`${code}: made up`), { code });
  };
  using place = new Place();
  const bytes = new Uint8Array(200);
  assert.throws(() => place.open({ write: failing("ENOSPC") }).put(bytes), { kind: "no-space" });
  for (const read of [failing("EIO"), () => 199]) {
    using spill = place.open({ read });
    const where = spill.put(bytes);
    assert.throws(() => spill.get(where), { kind: "io" });
  }
  assert.throws(() => place.open({ unlink: failing("EIO") }).put(bytes), { kind: "io" });
});
