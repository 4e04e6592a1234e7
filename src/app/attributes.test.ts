import assert from "node:assert/strict";
import { test } from "node:test";
import { parseAttributes } from "./attributes.ts";

test("lines are patterns and attributes; comments, negations and what is not known count for nothing", () => {
  const text = [
    "# comment",
    "*.md merge=text",
    '"two words.txt" diff merge=keep-both later=5',
    "!not merge=text",
    "*.c diff",
    "  /docs/**/*.txt\tmerge=my-tool  ",
    '"unfinished merge=text',
    "x merge=",
    "",
  ].join("\n");
  const rules = parseAttributes(text);
  assert.deepEqual(
    rules.map(({ attributes }) => attributes.merge),
    ["text", "keep-both", "my-tool"],
  );
  const [md, words, docs] = rules;
  assert(md?.pattern.ignores("a/b.md") && !md.pattern.ignores("a/b.MD"));
  assert(words?.pattern.ignores("d/two words.txt"));
  assert(docs?.pattern.ignores("docs/a/b.txt") && !docs.pattern.ignores("other/docs/a/b.txt"));
});

test("atomic is set and taken back, and is no other word", () => {
  const rules = parseAttributes("*.app atomic\n/a.app -atomic merge=text\n*.x atomically\n");
  assert.deepEqual(
    rules.map(({ attributes }) => attributes),
    [{ atomic: true }, { atomic: false, merge: "text" }],
  );
});

test("a very long file counts as far as its limit", () => {
  assert.equal(parseAttributes("a merge=text\n".repeat(20_000)).length, 10_000);
});
