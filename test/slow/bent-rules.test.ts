/** The simulation bites: with any one rule bent, in the program or in the reference, some run or schedule breaks a law. */
import assert from "node:assert/strict";
import { test } from "node:test";
import type { JoinRules } from "../../src/history/mod.ts";
import { makePlan, type SimOptions } from "../sim/run.ts";
import { findFailure } from "../sim/shrink.ts";
import type { BentRule } from "../support/flat-join.ts";

/** More than enough: the rarest of those below shows itself in one run of 1,500. */
const runsMax = 20_000;

function requireCaught(options: Partial<SimOptions>): void {
  for (let seed = 1; seed <= runsMax; seed += 1) {
    if (findFailure(makePlan({ ...options, seed }), options) !== undefined) return;
  }
  assert.fail(`${runsMax} runs do not notice it`);
}

const programRules: Readonly<Record<string, keyof JoinRules>> = {
  "R5, the birth": "asksBirth",
  "R5, all registers": "redatesAll",
  R6: "keepsEqualValues",
  M2: "restoresParents",
  M4: "closesUnits",
  T3: "asksBirthsBelow",
  T4: "asksDotsBelow",
  T5: "looksUp",
};

for (const [name, rule] of Object.entries(programRules)) {
  test(`${name} bent in the program: a join differs from the reference`, () =>
    requireCaught({ rules: { [rule]: false } }));
}

const lawRules: readonly BentRule[] = ["R5 all registers", "R6", "M2", "M4"];

for (const bent of lawRules) {
  test(`${bent} bent in the reference: a law is broken`, () => requireCaught({ bent }));
}

test("R2 bent, a pick that is not dated again: a value is lost", () => requireCaught({ keepsPickedDot: true }));

test("M7 bent, a join without a mend that is dated: there is no rest", () => requireCaught({ datesEveryJoin: true }));

test("F2 bent, a greater clock that is believed: a value is lost", () => requireCaught({ ignoresForks: true }));
