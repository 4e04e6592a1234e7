import assert from "node:assert/strict";
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { utf8 } from "../src/base/bytes.ts";
import { nodeDisk } from "../src/base/node-disk.ts";
import { Prng } from "../src/base/prng.ts";
import { Crash, type Fault, FaultyDisk } from "./support/faulty-disk.ts";
import { testSeeds } from "./support/seeds.ts";

class Place implements Disposable {
  readonly top: string = mkdtempSync(join(tmpdir(), "ourobox-faulty-"));
  readonly path: string = join(this.top, "disk");
  readonly graveyard: string = join(this.top, "graveyard");

  constructor() {
    mkdirSync(this.path);
    mkdirSync(this.graveyard);
  }

  disk(options: { readonly fault?: Fault; readonly keepsOrder?: boolean } = {}): FaultyDisk {
    return new FaultyDisk(nodeDisk, { graveyard: this.graveyard, ...options });
  }

  [Symbol.dispose](): void {
    rmSync(this.top, { recursive: true, force: true });
  }
}

/** Replaces a file as a careful program does, or leaves one step out. */
function replace(disk: FaultyDisk, path: string, text: string, leaveOut?: "file" | "directory"): void {
  const fd = disk.open(`${path}.tmp`, "create");
  try {
    disk.write(fd, utf8(text), 0);
    if (leaveOut !== "file") disk.syncFile(fd);
  } finally {
    disk.close(fd);
  }
  disk.rename(`${path}.tmp`, path);
  if (leaveOut !== "directory") disk.syncDirectory(join(path, ".."));
}

function outcomes(leaveOut?: "file" | "directory"): Set<string> {
  const seen = new Set<string>();
  for (let seed = 1; seed <= 60; seed += 1) {
    using place = new Place();
    const path = join(place.path, "file");
    const disk = place.disk();
    replace(disk, path, "old");
    replace(disk, path, "new", leaveOut);
    disk.losePower(new Prng(seed));
    seen.add(readFileSync(path, "utf8"));
  }
  return seen;
}

test("what was synced survives, and a careful replacement is whole", () => {
  assert.deepEqual(outcomes(), new Set(["new"]));
});

test("a rename that was not synced may be lost, and the old file is there", () => {
  assert.deepEqual(outcomes("directory"), new Set(["old", "new"]));
});

test("bytes that were not synced may be lost though their name is there", () => {
  assert.deepEqual(outcomes("file"), new Set(["new", "", "\0\0\0"]));
});

testSeeds("a power loss at any operation leaves the old or the new file of a careful replacement", 3, (prng) => {
  for (let at = 1; ; at += 1) {
    using place = new Place();
    const path = join(place.path, "file");
    const first = place.disk();
    replace(first, path, "old");
    const disk = place.disk({ fault: { at, kind: "crash" }, keepsOrder: prng.chance(0.5) });
    let hasEnded = true;
    try {
      replace(disk, path, "new");
    } catch (thrown) {
      assert(thrown instanceof Crash);
      hasEnded = false;
    }
    disk.losePower(prng);
    assert(["old", "new"].includes(readFileSync(path, "utf8")));
    if (hasEnded) return assert.equal(readFileSync(path, "utf8"), "new");
  }
});

test("directories and everything in them go with the change that made them", () => {
  for (let seed = 1; seed <= 30; seed += 1) {
    using place = new Place();
    const disk = place.disk();
    disk.makeDirectory(join(place.path, "d"));
    disk.makeDirectory(join(place.path, "d/e"));
    disk.close(disk.open(join(place.path, "d/e/f"), "create-new"));
    disk.rename(join(place.path, "d/e/f"), join(place.path, "g"));
    disk.losePower(new Prng(seed));
    const names = readdirSync(place.path);
    assert(["", "d", "d,g"].includes(names.join()), names.join());
  }
});

/** What may be there after a power loss, over many of them. */
function namesAfter(
  keepsOrder: boolean,
  work: (disk: FaultyDisk, path: (name: string) => string) => void,
): Set<string> {
  const seen = new Set<string>();
  for (let seed = 1; seed <= 300; seed += 1) {
    using place = new Place();
    const disk = place.disk({ keepsOrder });
    work(disk, (name) => join(place.path, name));
    disk.losePower(new Prng(seed));
    seen.add(readdirSync(place.path, { recursive: true }).sort().join());
  }
  return seen;
}

test("changes in one directory are lost from some moment on, or, without an order, each for itself", () => {
  const make = (disk: FaultyDisk, path: (name: string) => string): void => {
    for (const name of ["a", "b"]) disk.close(disk.open(path(name), "create-new"));
  };
  assert.deepEqual(namesAfter(true, make), new Set(["", "a", "a,b"]));
  assert.deepEqual(namesAfter(false, make), new Set(["", "a", "b", "a,b"]));
});

test("without an order, what a name rests on is there as long as it is, and what a sync made durable stays", () => {
  const work = (disk: FaultyDisk, path: (name: string) => string): void => {
    disk.makeDirectory(path("d"));
    disk.close(disk.open(path("d/a"), "create-new"));
    disk.close(disk.open(path("x"), "create-new"));
    disk.syncDirectory(path("d"));
    disk.rename(path("x"), path("y"));
    disk.link(path("d/a"), path("b"));
    disk.unlink(path("d/a"));
  };
  assert.deepEqual(
    namesAfter(false, work),
    new Set(["b,d", "b,d,d/a", "b,d,x", "b,d,y", "b,d,d/a,x", "b,d,d/a,y", "d,d/a", "d,d/a,x", "d,d/a,y"]),
  );
});

test("after a failure the disk goes on, after a crash it does not", () => {
  using place = new Place();
  const disk = place.disk({ fault: { at: 2, kind: "ENOSPC" } });
  const path = join(place.path, "file");
  const fd = disk.open(path, "create-new");
  assert.throws(() => disk.write(fd, utf8("0123456789"), 0), { code: "ENOSPC" });
  assert.equal(readFileSync(path, "utf8"), "01234");
  disk.write(fd, utf8("0123456789"), 0);
  disk.close(fd);
  const ended = place.disk({ fault: { at: 1, kind: "crash" } });
  assert.throws(() => ended.stat(path), Crash);
  assert.throws(() => ended.list(place.path), Crash);
});
