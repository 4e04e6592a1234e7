/** The tests that fail the operations of every command: each of them, or every so manieth. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { type FaultKind, failEvery, faultKinds } from "./faulty-run.ts";
import { scenarios } from "./faulty-scenarios.ts";

/** What is known not to hold yet, and why. These tests run, and do not fail the whole. */
const known: Readonly<Record<string, string>> = {
  "clone EIO":
    "a file whose content could not be read is left out with a warning, and neither status nor restore sees that it is not there",
  "pull EIO": "a file that could not be replaced keeps its old content, and counts as changed here",
};

/** @param step 1: every operation. */
export function testEveryOperation({ step }: { readonly step: number }): void {
  for (const scenario of scenarios) {
    for (const kind of faultKinds) {
      const todo = known[`${scenario.name} ${kind}`];
      const name = `${scenario.name}: ${kind} at any operation loses nothing, and the next run ends it`;
      test(name, todo === undefined ? {} : { todo }, async (t) => {
        const counts = await failEvery(scenario, kind, { first: firstOf(kind, step), step });
        assert(counts.runs > 3);
        t.diagnostic(JSON.stringify(counts));
      });
    }
  }
}

/** Another place to begin for each kind of fault, so that together they meet more operations. */
function firstOf(kind: FaultKind, step: number): number {
  return 1 + (faultKinds.indexOf(kind) % step);
}
