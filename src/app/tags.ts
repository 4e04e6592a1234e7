/** Tags: names of commits. Each is a register dated by (clock, writer), so that those of several machines join. */
import { nextClock } from "../base/clock.ts";
import { OuroError } from "../base/errors.ts";
import type { Hash } from "../format/mod.ts";
import type { OpenBox } from "./open-box.ts";
import { saveOwnHead } from "./own-head.ts";
import { refNameProblem } from "./ref-names.ts";

export interface TagRow {
  readonly name: string;
  readonly commit: Hash;
}

export function tagsOf({ state }: OpenBox): TagRow[] {
  return state.tags().flatMap(({ name, commit }) => (commit === undefined ? [] : [{ name, commit }]));
}

/** @throws OuroError "invalid" (the name), "exists" without `force`. */
export function setTag(box: OpenBox, name: string, commit: Hash, { force }: { readonly force: boolean }): void {
  const isBranch = name === box.branch || box.state.branches().some(({ branch }) => branch === name);
  const problem = isBranch ? "that is a branch" : refNameProblem(name);
  if (problem !== undefined)
    throw new OuroError("invalid", `Cannot name a commit ${JSON.stringify(name)}: ${problem}`, { subject: name });
  if (!force && box.state.findTag(name) !== undefined) {
    throw new OuroError("exists", `Cannot make the tag ${name}: there is one`, {
      subject: name,
      hint: "Move it with --force.",
    });
  }
  writeTag(box, name, commit);
}

/** @throws OuroError "not-found". */
export function untag(box: OpenBox, name: string): void {
  if (box.state.findTag(name) === undefined) {
    throw new OuroError("not-found", `Cannot remove the tag ${name}: there is none`, {
      subject: name,
      hint: "Run `ourobox tag` for the list.",
    });
  }
  writeTag(box, name, undefined);
}

function writeTag(box: OpenBox, name: string, commit: Hash | undefined): void {
  const { writer } = box.writer();
  box.state.transaction(() => {
    // Only the values of one name are compared: a forged date of another is no matter here.
    const before = box.state.tags().find((tag) => tag.name === name)?.clock ?? 0n;
    const clock = nextClock(box.context.clock.nowMs(), before);
    box.state.setTag({ name, clock, writer, ...(commit === undefined ? {} : { commit }) });
  });
  saveOwnHead(box);
}
