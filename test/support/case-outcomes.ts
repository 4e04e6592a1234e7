/** What a program that runs a suite of cases has printed: a line of JSON for each, with what was wrong. */
export interface CaseOutcomes {
  readonly count: number;
  /** "name: what was wrong". */
  readonly problems: readonly string[];
}

export function readOutcomes(out: string): CaseOutcomes {
  const outcomes = out
    .split("\n")
    .filter((line) => line.startsWith("{"))
    .map((line) => JSON.parse(line) as { readonly name: string; readonly problem?: string });
  const problems = outcomes.flatMap((each) => (each.problem === undefined ? [] : [`${each.name}: ${each.problem}`]));
  return { count: outcomes.length, problems };
}
