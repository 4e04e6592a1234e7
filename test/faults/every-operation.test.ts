import assert from "node:assert/strict";
import { test } from "node:test";
import { failEvery, faultKinds } from "../support/faulty-run.ts";
import { scenarios } from "../support/faulty-scenarios.ts";

/** The slow tests take every operation. */
const step = 1;

for (const scenario of scenarios) {
  for (const kind of faultKinds) {
    test(`${scenario.name}: ${kind} at any operation loses nothing, and the next run ends it`, async (t) => {
      const counts = await failEvery(scenario, kind, { first: 1, step });
      assert(counts.runs > 3);
      t.diagnostic(JSON.stringify(counts));
    });
  }
}
