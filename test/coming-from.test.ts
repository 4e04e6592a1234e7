/** doc/coming-from.md names only commands and flags that there are. */
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import { globalOptions } from "../src/cli/globals.ts";
import { commands } from "../src/cli/registry.ts";

test("whoever comes from elsewhere is told of commands and flags that exist", async () => {
  const text = readFileSync(new URL("../doc/coming-from.md", import.meta.url), "utf8");
  const spans = [...text.matchAll(/`([^`\n]+)`|^(\S*ourobox .*)$/gm)].map(([, span, line]) => span ?? line ?? "");
  const uses = spans.flatMap((span) => span.split(/&&|;/)).filter((use) => /^\s*ourobox /.test(use));
  assert(uses.length > 50, `${uses.length}`);
  for (const use of uses) {
    const [name = "", ...words] = use
      .trim()
      .replace(/^ourobox (-C \S+ )?/, "")
      .split(/\s+/);
    if (name === "COMMAND") continue;
    const load = commands.get(name);
    assert(load !== undefined, use);
    const { command } = await load();
    const end = words.indexOf("--");
    const flags = (end === -1 ? words : words.slice(0, end)).filter((each) => each.startsWith("--"));
    for (const word of flags) {
      const flag = word.slice(2).replace(/[=,;].*/, "");
      assert(Object.hasOwn({ ...command.options, ...globalOptions }, flag), `${use}: ${flag}`);
    }
  }
});
