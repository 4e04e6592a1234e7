import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { testSeeds } from "../../test/support/seeds.ts";
import { utf8 } from "../base/bytes.ts";
import type { Prng } from "../base/prng.ts";
import { diffText, hunkHeader, textBytesMax } from "./text-diff.ts";

test("bytes with a NUL, or not UTF-8, are not text", () => {
  assert.deepEqual(diffText(Uint8Array.of(0x61, 0), utf8("a")), { form: "binary" });
  assert.deepEqual(diffText(utf8("a"), Uint8Array.of(0xff)), { form: "binary" });
});

test("what is too large or too different is not compared", () => {
  assert.deepEqual(diffText(new Uint8Array(textBytesMax + 1).fill(0x61), utf8("a")), { form: "too-large" });
  const lines = (word: string): Uint8Array =>
    utf8(Array.from({ length: 8000 }, (_, index) => `${word} ${index}`).join("\n"));
  assert.deepEqual(diffText(lines("a"), lines("b")), { form: "too-large" });
});

test("equal texts have no hunks", () => {
  assert.deepEqual(diffText(utf8("a\n"), utf8("a\n")), { form: "hunks", hunks: [], added: 0, removed: 0 });
});

function randomText(prng: Prng, lines: number): string {
  const text = Array.from({ length: prng.int(0, lines) }, () => prng.pick(["a", "b", "c", ""])).join("\n");
  return prng.chance(0.7) && text !== "" ? `${text}\n` : text;
}

testSeeds("git apply makes the new text of the old one with our hunks", 25, (prng) => {
  const folder = mkdtempSync(join(tmpdir(), "ourobox-diff-"));
  try {
    const before = randomText(prng, 30);
    const after = prng.chance(0.8)
      ? before.replaceAll(/b/g, () => prng.pick(["b", "b", "x\ny", ""]))
      : randomText(prng, 10);
    const diff = diffText(utf8(before), utf8(after));
    assert(diff.form === "hunks");
    if (before === after) return;
    const lines = diff.hunks.flatMap((hunk) => [hunkHeader(hunk), ...hunk.lines]);
    writeFileSync(join(folder, "patch"), `--- a/file\n+++ b/file\n${lines.join("\n")}\n`);
    writeFileSync(join(folder, "file"), before);
    execFileSync("git", ["apply", "--unsafe-paths", "--unidiff-zero", "--whitespace=nowarn", "patch"], {
      cwd: folder,
      env: { PATH: process.env["PATH"] ?? "", GIT_CEILING_DIRECTORIES: tmpdir() },
    });
    assert.equal(readFileSync(join(folder, "file"), "utf8"), after);
  } finally {
    rmSync(folder, { recursive: true });
  }
});
