/**
 * `forget`: which commits are kept from now on. On each branch of this copy's own the rules are asked for themselves, and a commit stays that any branch
 * keeps. Nothing is freed by that: `gc` frees it here, `gc --remote` on a remote.
 */
import { toHex } from "../base/bytes.ts";
import { OuroError } from "../base/errors.ts";
import { Turns } from "../base/turns.ts";
import type { Hash, NamedCommit } from "../format/mod.ts";
import { chooseKept, forgetAlso, loadRetention, type RetentionPolicy, saveRetention, walkLog } from "../history/mod.ts";
import { forgottenIn } from "./forgotten.ts";
import type { OpenBox } from "./open-box.ts";

export interface ForgetRequest {
  readonly policy: RetentionPolicy;
  /** Of tags those whose commits are kept, too. */
  readonly tags: "all" | readonly string[];
  readonly dryRun: boolean;
}

export interface ForgetReport {
  /** Commits that are still kept, newest first of each branch, and those that are not any more. */
  readonly kept: readonly NamedCommit[];
  readonly forgotten: readonly NamedCommit[];
}

/** @throws OuroError "usage" (nothing would be kept, or a duration that is none), "not-found" (no such tag, or no commit yet). */
export async function forgetCommits(box: OpenBox, { policy, tags, dryRun }: ForgetRequest): Promise<ForgetReport> {
  if (!dryRun) box.requireWritable();
  requireRules(policy);
  const { state, commits, context } = box;
  const tips = [state.head(), ...state.branches()].flatMap((each) => (each?.commit === undefined ? [] : [each.commit]));
  if (tips.length === 0) throw new OuroError("not-found", "Cannot forget anything: there is no commit yet");
  const isForgotten = forgottenIn(box);
  const nowMs = context.clock.nowMs();
  const tagged = taggedCommits(box, tags);
  const keep = new Set([...tips, ...tagged, ...state.remoteHeads().map(({ commit }) => commit)].map(toHex));
  const lines: NamedCommit[][] = [];
  const turns = new Turns(context.signal);
  for (const tip of tips) {
    const line: NamedCommit[] = [];
    for (const named of walkLog(commits, [tip], { isForgotten, onMissing: () => undefined })) {
      line.push(named);
      await turns.step();
    }
    for (const { id } of chooseKept(line, policy, nowMs)) keep.add(toHex(id));
    lines.push(line);
  }
  const all = [...new Map(lines.flat().map((named) => [toHex(named.id), named])).values()];
  const isKept = ({ id }: NamedCommit): boolean => keep.has(toHex(id));
  const forgotten = all.filter((named) => !isKept(named));
  if (!dryRun && forgotten.length > 0) {
    const dropped = new Set(forgotten.map(({ id }) => toHex(id)));
    const roots = [...tips, ...tagged, ...state.remoteHeads().map(({ commit }) => commit)];
    state.transaction(() => {
      const before = loadRetention(state);
      saveRetention(
        state,
        forgetAlso(commits, roots, before, ({ id }) => dropped.has(toHex(id))),
      );
    });
  }
  return { kept: all.filter(isKept), forgotten };
}

/** Without a rule nothing would be left but the heads: that is said, or a slip. @throws OuroError "usage". */
function requireRules(policy: RetentionPolicy): void {
  const { within, thinsAutomatic, ...counts } = policy;
  if (within !== undefined || thinsAutomatic === true || Object.values(counts).some((count) => count > 0)) return;
  throw new OuroError("usage", "Cannot forget: nothing is said of what to keep", {
    hint: "Say for example --keep-last 10, --keep-daily 7 --keep-monthly 12, or --policy auto.",
  });
}

/** @throws OuroError "not-found" for a tag that there is not. */
function taggedCommits({ state }: OpenBox, wanted: ForgetRequest["tags"]): Hash[] {
  const tags = state.tags().flatMap(({ name, commit }) => (commit === undefined ? [] : [{ name, commit }]));
  if (wanted === "all") return tags.map(({ commit }) => commit);
  return wanted.map((name) => {
    const tag = tags.find((each) => each.name === name);
    if (tag !== undefined) return tag.commit;
    throw new OuroError("not-found", `Cannot keep what is tagged ${name}: there is no such tag`, { subject: name });
  });
}
