import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { test } from "node:test";

test("what HTTP needs is loaded only for remotes that are reached by it", () => {
  const module = new URL("../mod.ts", import.meta.url).href;
  const script = `
    const { openRemote } = await import(${JSON.stringify(module)});
    console.log(typeof openRemote, ...process.moduleLoadList.filter((name) => /undici|tls|http/.test(name)));`;
  const output = execFileSync(process.execPath, ["--input-type=module", "--eval", script], { encoding: "utf8" });
  assert.equal(output.trim(), "function");
});
