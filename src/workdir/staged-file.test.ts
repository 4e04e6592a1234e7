/** Logs of changed files: what a crash leaves of one is a beginning of what was done. */
import assert from "node:assert/strict";
import { copyFileSync, mkdtempSync, readFileSync, rmSync, statSync, truncateSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, test } from "node:test";
import { testSeeds } from "../../test/support/seeds.ts";
import { nodeDisk } from "../base/node-disk.ts";
import type { Prng } from "../base/prng.ts";
import { type StagedBase, StagedFile } from "./staged-file.ts";

const place = mkdtempSync(join(tmpdir(), "ouro-staged-"));
after(() => rmSync(place, { recursive: true }));

const base: StagedBase = {
  id: { clock: 7n, writer: 8n, counter: 9 },
  path: new Uint8Array(Buffer.from("d/big")),
  mtimeNs: -5n,
  content: { size: 1000, items: [{ form: "hole", length: 1000 }] },
};
let made = 0;

function newPath(): string {
  made += 1;
  return join(place, `log ${made}`);
}

/** What there is to see of one: its bytes, those of the base being "b". */
function seen(file: StagedFile): string {
  const parts = [...file.edits.pieces(0, file.size)].map((piece) => {
    const length = piece.end - piece.start;
    if (piece.from === "log") return Buffer.from(file.read(piece.at, length)).toString("latin1");
    return (piece.from === "base" ? "b" : "0").repeat(length);
  });
  return `${parts.join("")} ${file.mtimeNs} ${file.isDropped}`;
}

function change(prng: Prng, file: StagedFile, time: bigint): void {
  const offset = prng.int(0, 1500);
  const what = prng.int(0, 5);
  if (what === 0) file.resize(offset, time);
  else if (what === 1) file.free(offset, prng.int(1, 300), time);
  else if (what === 2) file.setTime(time);
  else if (what === 3) file.restore(offset % 500, prng.int(1, 300), time);
  else file.write(offset, prng.bytes(prng.int(1, 300)), time);
}

testSeeds("a staged file: a log that ends early, or is damaged, is a beginning of what was done", 20, (prng) => {
  const path = newPath();
  const states: { readonly end: number; readonly seen: string }[] = [];
  {
    using file = StagedFile.make(nodeDisk, path, base);
    for (let step = 0n; step < 12n; step += 1n) {
      states.push({ end: file.end, seen: seen(file) });
      change(prng, file, step);
    }
    states.push({ end: file.end, seen: seen(file) });
    assert.equal(statSync(path).size, file.end);
  }
  const whole = statSync(path).size;
  for (let tries = 0; tries < 30; tries += 1) {
    const copy = newPath();
    copyFileSync(path, copy);
    const at = prng.int(0, whole - 1);
    if (prng.chance(0.5)) truncateSync(copy, at);
    else {
      const bytes = readFileSync(copy);
      bytes[at] = (bytes[at] as number) ^ 0x40;
      writeFileSync(copy, bytes);
    }
    using found = StagedFile.open(nodeDisk, copy, { isWriter: true });
    const expected = states.findLast(({ end }) => end <= at);
    assert.equal(found === undefined ? undefined : seen(found), expected?.seen);
    if (found === undefined) continue;
    assert.deepEqual(found.base, base);
    found.write(3, Buffer.from("goes on"), 99n);
    using again = StagedFile.open(nodeDisk, copy);
    assert.equal(again === undefined ? undefined : seen(again), seen(found));
  }
});

test("a staged file: what a commit has taken is left out, the rest stands on what was made of it", () => {
  const path = newPath();
  using file = StagedFile.make(nodeDisk, path, base);
  file.write(0, Buffer.from("one"), 1n);
  const taken = { from: file.end, base: { ...base, content: { size: 20 }, mtimeNs: 1n } };
  {
    using now = StagedFile.open(nodeDisk, path, { start: taken });
    assert.equal(now?.isChanged, false);
  }
  file.write(4, Buffer.from("two"), 2n);
  file.drop();
  using now = StagedFile.open(nodeDisk, path, { start: taken });
  assert(now?.isChanged);
  assert.equal(seen(now), `bbbbtwo${"b".repeat(13)} 2 true`);
});

test("a staged file: where there is no room nothing is changed", () => {
  let room = true;
  const disk = {
    ...nodeDisk,
    write: (fd: number, bytes: Uint8Array, at: number): void => {
      nodeDisk.write(fd, room ? bytes : bytes.subarray(0, bytes.length / 2), at);
      if (!room) throw Object.assign(new Error("full"), { code: "ENOSPC" });
    },
  };
  const path = newPath();
  using file = StagedFile.make(disk, path, base);
  file.write(0, Buffer.from("one"), 1n);
  const before = seen(file);
  room = false;
  assert.throws(() => file.write(1, Buffer.alloc(500, "x"), 2n), { code: "ENOSPC" });
  assert.equal(seen(file), before);
  using again = StagedFile.open(nodeDisk, path);
  assert.equal(again === undefined ? undefined : seen(again), before);
});
