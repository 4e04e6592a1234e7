import assert from "node:assert/strict";
import { test } from "node:test";
import { toText, utf8 } from "../base/bytes.ts";
import { isKind } from "../base/errors.ts";
import type { Operand } from "./command.ts";
import { pathOf, revisionPath } from "./paths.ts";
import type { Path } from "./quote.ts";

const base = { root: "/home/me/box", cwd: "/home/me/box/sub" };
const operand = (text: string, afterDashes = false): Operand => ({ text, bytes: utf8(text), afterDashes });
const texts = (path: Path): string[] => (path.length === 0 ? [] : toText(path).split("/"));

test("a path begins at the current folder, and may be absolute", () => {
  assert.deepEqual(texts(pathOf(utf8("a//b/."), base)), ["sub", "a", "b"]);
  assert.deepEqual(texts(pathOf(utf8("../x"), base)), ["x"]);
  assert.deepEqual(texts(pathOf(utf8(".."), base)), []);
  assert.deepEqual(texts(pathOf(utf8("/home/me/box/y"), base)), ["y"]);
});

test("where the box is mounted live, absolute paths there are those of the box", () => {
  const mounted = { ...base, mount: "/mnt/box" };
  assert.deepEqual(texts(pathOf(utf8("/mnt/box/a/../y"), mounted)), ["y"]);
  assert.deepEqual(texts(pathOf(utf8("/mnt/box"), mounted)), []);
  assert.deepEqual(texts(pathOf(utf8("/home/me/box/y"), mounted)), ["y"]);
  for (const text of ["/mnt", "/mnt/boxer/y", "/mnt/box/../y"])
    assert.throws(
      () => pathOf(utf8(text), mounted),
      (thrown) => isKind(thrown, "usage"),
    );
});

test("a path outside of the box is a usage error", () => {
  for (const text of ["../..", "/etc", "/home/me/boxer", "/../../.."]) {
    assert.throws(
      () => pathOf(utf8(text), base),
      (thrown) => isKind(thrown, "usage"),
    );
  }
});

test("in a bare box paths begin at its root", () => {
  assert.deepEqual(texts(pathOf(utf8("a/b"), { root: undefined, cwd: "/elsewhere" })), ["a", "b"]);
});

test("COMMIT:PATH begins at the box's root, COMMIT:./PATH at the current folder", () => {
  const parse = (text: string, afterDashes = false): [string, string[]] => {
    const { revision, path } = revisionPath(operand(text, afterDashes), base);
    return [revision, texts(path)];
  };
  assert.deepEqual(parse("v1:a/b"), ["v1", ["a", "b"]]);
  assert.deepEqual(parse("v1:"), ["v1", []]);
  assert.deepEqual(parse("v1:./a"), ["v1", ["sub", "a"]]);
  assert.deepEqual(parse(":a"), ["HEAD", ["a"]]);
  assert.deepEqual(parse("a"), ["HEAD", ["sub", "a"]]);
  assert.deepEqual(parse("@{2026-11-01 10:00}:a"), ["@{2026-11-01 10:00}", ["a"]]);
  assert.deepEqual(parse("./a:b"), ["HEAD", ["sub", "a:b"]]);
  assert.deepEqual(parse("a:b", true), ["HEAD", ["sub", "a:b"]]);
});
