/** The tests that fail the operations of every command: each of them, or every so manieth. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { type FaultKind, failEvery, faultKinds } from "./faulty-run.ts";
import { scenarios } from "./faulty-scenarios.ts";
import { branchScenarios } from "./faulty-scenarios-branch.ts";
import { stagedScenarios } from "./faulty-scenarios-staged.ts";
import { unrealScenarios } from "./faulty-scenarios-unreal.ts";

/** @param step 1: every operation. */
export function testEveryOperation({ step }: { readonly step: number }): void {
  const all = [...scenarios, ...unrealScenarios, ...branchScenarios, ...stagedScenarios];
  for (const scenario of all.filter(({ isSlow = false }) => step === 1 || !isSlow)) {
    for (const kind of faultKinds) {
      const name = `${scenario.name}: ${kind} at any operation loses nothing, and the next run ends it`;
      test(name, async (t) => {
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
