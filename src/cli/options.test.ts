import assert from "node:assert/strict";
import { test } from "node:test";
import { flagText } from "./help.ts";
import { type OptionSpecs, parseArguments } from "./options.ts";

const specs: OptionSpecs = {
  wait: { kind: "text", value: "TIME", bare: "forever", default: "off", help: "Wait" },
};

test("a flag that says something without a value takes one joined to it only", () => {
  const parsed = (...args: string[]): unknown[] => {
    const { given, operands } = parseArguments(args, specs, "mount");
    return [given.get("wait"), ...operands.map(({ text }) => text)];
  };
  assert.deepEqual(parsed("--wait", "10s"), ["forever", "10s"]);
  assert.deepEqual(parsed("--wait=10s", "DIR"), ["10s", "DIR"]);
  assert.deepEqual(parsed("--no-wait", "DIR"), ["off", "DIR"]);
  assert.deepEqual(parsed("DIR"), [undefined, "DIR"]);
  assert.equal(flagText("wait", specs["wait"] ?? assert.fail()).trim(), "--wait[=TIME]");
});
