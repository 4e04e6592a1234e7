/**
 * Whether a push from a box that holds only a part of its content would leave a remote with commits whose content is nowhere on it: content that
 * others have written and that this box has never had.
 */
import { OuroError } from "../base/errors.ts";
import { fullVector, type VersionVector, type WriterId } from "../format/mod.ts";
import type { OpenBox } from "./open-box.ts";
import { findHeads } from "./recover-state.ts";
import { isUnreal } from "./unreal-setting.ts";

/**
 * What others have written must be there already: a head that was seen there has taken it in. What was written here is here, or was pushed.
 * @param remote By name.
 * @throws OuroError "not-found".
 */
export function requireContentThere(box: OpenBox, remote: string): void {
  if (!isUnreal(box)) return;
  const { state, commits } = box;
  const branches = [state.head(), ...state.branches()].filter((own) => own?.commit !== undefined);
  const own = new Set<WriterId>(branches.flatMap((each) => (each === undefined ? [] : [each.writer])));
  // What it has written under writer ids that it had before is here, too, as far as it had come.
  const there = new Map(
    findHeads(box.context, box.layout, box.secrets).map((head) => [head.writer, head.last?.clock ?? 0n]),
  );
  for (const { commit } of state.remoteHeads(remote)) {
    for (const { writer, clock } of fullVector(commits.read(commit)))
      if (clock > (there.get(writer) ?? 0n)) there.set(writer, clock);
  }
  const isThere = (vector: VersionVector): boolean =>
    vector.every(({ writer, clock }) => own.has(writer) || clock <= (there.get(writer) ?? 0n));
  for (const each of branches) {
    if (each?.commit === undefined || isThere(fullVector(commits.read(each.commit)))) continue;
    throw new OuroError(
      "not-found",
      `Cannot push to ${remote}: it lacks what others have written, whose content is not here`,
      {
        subject: remote,
        hint: `Run \`ourobox fetch ${remote}\`, if somebody else has pushed it there; or bring it there from a machine that has the content, or with \`ourobox remote copy\`.`,
      },
    );
  }
}
