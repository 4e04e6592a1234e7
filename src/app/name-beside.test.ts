import assert from "node:assert/strict";
import { test } from "node:test";
import { utf8 } from "../base/bytes.ts";
import { kinds } from "../format/mod.ts";
import { nameBeside } from "./name-beside.ts";

const timeMs = Date.UTC(2026, 10, 29, 10, 15);

function name(text: string, value: { author?: string; timeMs?: number }, taken: readonly string[] = []): string {
  const entry = { name: utf8(text), kind: text.endsWith("/") ? kinds.directory : kinds.file };
  return Buffer.from(nameBeside(entry, value, (free) => !taken.includes(Buffer.from(free).toString()))).toString();
}

test("a value beside another is called by who wrote it and when, before the ending", () => {
  assert.equal(name("report.odt", { author: "Ada", timeMs }), "report (Ada, 2026-11-29 10.15).odt");
  assert.equal(name("Makefile", { author: "Ada" }), "Makefile (Ada)");
  assert.equal(name(".profile", {}), ".profile (unknown)");
  assert.equal(name("a.b", { author: "x/y\n" }), "a (x_y_).b");
});

test("a name that is taken gets a number", () => {
  assert.equal(name("a.txt", { author: "Ada" }, ["a (Ada).txt", "a (Ada, 2).txt"]), "a (Ada, 3).txt");
});

test("no name is longer than 255 bytes or cut within a character", () => {
  for (const text of ["ü".repeat(127), `${"é".repeat(120)}.txt`, `a.${"é".repeat(120)}`]) {
    for (const author of ["Ada", "漢".repeat(80)]) {
      const found = name(text, { author, timeMs });
      assert(utf8(found).length <= 255, found);
      assert(!found.includes("\ufffd"), found);
    }
  }
});
