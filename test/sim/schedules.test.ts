import assert from "node:assert/strict";
import { test } from "node:test";
import { schedules } from "./schedules.ts";

for (const { rule, name, play, bend } of schedules) {
  test(`${rule}: ${name}`, () => play({}));
  test(`${rule} bent: it is not so that ${name}`, () => assert.throws(() => play(bend)));
}
