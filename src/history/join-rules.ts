/**
 * The rules of the join that tests bend one by one, to see that it is noticed (doc/merge.md has what each is for).
 * The program uses `joinRules` as it is.
 */
import { limits } from "../format/mod.ts";

export interface JoinRules {
  /** R4: of comparable states the greater one is the result. */
  readonly takesGreater: boolean;
  /** R5: whether the other side has seen a node is asked of its birth alone. */
  readonly asksBirth: boolean;
  /** R5: all registers of a survivor are dated again. */
  readonly redatesAll: boolean;
  /** R6: a value is not dropped because another one equals it. */
  readonly keepsEqualValues: boolean;
  /** M2: a missing parent comes back. */
  readonly restoresParents: boolean;
  /** M4: what the other side has below a unit becomes a value of it. */
  readonly closesUnits: boolean;
  /** T3: what is new is taken unopened only when nothing below is known to the other side. */
  readonly asksBirthsBelow: boolean;
  /** T4: what was deleted is dropped unopened only when the other side has seen all below. */
  readonly asksDotsBelow: boolean;
  /** T5: what was changed is looked for in the other side's one-sided directories. */
  readonly looksUp: boolean;
  /** Most values of one register. */
  readonly valuesMax: number;
}

export const joinRules: JoinRules = {
  takesGreater: true,
  asksBirth: true,
  redatesAll: true,
  keepsEqualValues: true,
  restoresParents: true,
  closesUnits: true,
  asksBirthsBelow: true,
  asksDotsBelow: true,
  looksUp: true,
  valuesMax: limits.values,
};
