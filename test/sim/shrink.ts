/** Making a failing run small: steps are left out, as many at once as can be, as long as it goes on failing. */
import { makePlan, type Plan, Run, type RunResult, type SimOptions } from "./run.ts";

export interface Failure {
  readonly error: Error;
  readonly plan: Plan;
}

/** Plays a plan. @returns What went wrong, if anything. */
export function findFailure(plan: Plan, options: Partial<SimOptions>): Failure | undefined {
  try {
    new Run(plan, options).play();
    return undefined;
  } catch (error) {
    if (!(error instanceof Error)) throw error;
    return { error, plan };
  }
}

/** The smallest failing plan found; every single step of it is needed. */
export function shrink(failure: Failure, options: Partial<SimOptions>): Failure {
  let smallest = failure;
  for (let size = Math.ceil(failure.plan.steps.length / 2); size >= 1; ) {
    const { plan } = smallest;
    let found: Failure | undefined;
    for (let at = 0; at < plan.steps.length && found === undefined; at += size)
      found = findFailure({ ...plan, steps: plan.steps.toSpliced(at, size) }, options);
    for (let at = 0; at < plan.steps.length && size === 1 && found === undefined; at += 1) {
      const step = plan.steps[at];
      if (step === undefined || step.changes < 2) continue;
      found = findFailure({ ...plan, steps: plan.steps.with(at, { ...step, changes: step.changes - 1 }) }, options);
    }
    if (found !== undefined) smallest = found;
    else if (size === 1) break;
    else size = Math.ceil(size / 2);
  }
  return smallest;
}

/**
 * Plays the run of a seed.
 * @throws Error with the seed and the few steps that are enough, where a law is broken.
 */
export function playSeed(options: SimOptions): RunResult {
  const plan = makePlan(options);
  try {
    return new Run(plan, options).play();
  } catch (error) {
    if (!(error instanceof Error)) throw error;
    throw new Error(describeFailure(options, shrink({ error, plan }, options)), { cause: error });
  }
}

export function describeFailure({ seed, peers, changes }: SimOptions, { error, plan }: Failure): string {
  const flags = [peers === undefined ? "" : ` --peers ${peers}`, changes === undefined ? "" : ` --ops ${changes}`].join(
    "",
  );
  const steps = plan.steps.map(
    (step) => `  ${step.kind} of peer ${step.peer}, seed ${step.seed}, ${step.changes} changes`,
  );
  return [
    `seed ${seed}: ${error.message}`,
    `Again: npm run sim -- --runs 1 --seed ${seed}${flags}. ${steps.length} steps of ${plan.peers} peers are enough:`,
    ...steps,
  ].join("\n");
}
