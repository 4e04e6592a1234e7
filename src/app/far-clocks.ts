/**
 * Heads that are dated far ahead: by a machine whose clock is wrong, or by somebody who wants to win for ever. Every edit is dated after all
 * that its writer has seen, so taking one in puts the clock of whoever does ahead, and everybody's after that; at the end of its range
 * nothing more can be committed. So such a head is fetched and told of, and joined only when asked for (--accept-clock).
 *
 * What is in the own history already has been accepted, or was written here.
 */

import { toHex } from "../base/bytes.ts";
import { clockAt, clockMax, clockMs } from "../base/clock.ts";
import { isKind, OuroError } from "../base/errors.ts";
import { covers, fullVector, greatestClock, type NamedCommit, type VersionVector } from "../format/mod.ts";
import type { OpenBox } from "./open-box.ts";

/** Clocks of machines in daily use are not further apart. */
const aheadMsMax = 24 * 3600 * 1000;
/** The greatest time that a Date can have. */
const dateMsMax = 8_640_000_000_000_000;

/** The latest date of what is taken in unasked: a day after now or, once something dated ahead was accepted, after that. */
export function latestClock(box: OpenBox): bigint {
  const latestMs = clockMs(greatestClock(ownVector(box)));
  const clock = Math.max(box.context.clock.nowMs(), latestMs) + aheadMsMax;
  return clock > clockMs(clockMax) ? clockMax : clockAt(clock);
}

/** Of a head that is damaged, nothing: a fetch may bring it back. */
function ownVector(box: OpenBox): VersionVector {
  try {
    const own = box.headCommit();
    return own === undefined ? [] : fullVector(own);
  } catch (thrown) {
    if (!isKind(thrown, "not-found") && !isKind(thrown, "corrupt")) throw thrown;
    return [];
  }
}

/** Why a commit is not to be joined unasked; undefined when it is dated like any other. */
export function findFarAhead(box: OpenBox, commit: NamedCommit): OuroError | undefined {
  const known = ownVector(box);
  const latest = latestClock(box);
  const ahead = fullVector(commit).filter((event) => event.clock > latest && !covers(known, event));
  if (ahead.length === 0) return undefined;
  const ms = Math.max(...ahead.map(({ clock }) => clockMs(clock)));
  const id = toHex(commit.id).slice(0, 12);
  const when = new Date(Math.min(ms, dateMsMax))
    .toISOString()
    .replace(/^\+0*/, "")
    .replace(/\.\d+Z$/, "Z");
  return new OuroError("invalid", `Cannot join commit ${id}: it is dated ${when}, more than a day ahead`, {
    subject: toHex(commit.id),
    hint: `See that the clocks of both machines are right. What it has can be looked at with \`ourobox log ${id}\`; the option --accept-clock takes it in, and dates all later commits after it.`,
  });
}

/** Those that may be joined unasked. The user is warned of the others. */
export function nearCommits(box: OpenBox, commits: readonly NamedCommit[]): NamedCommit[] {
  return commits.filter((commit) => {
    const error = findFarAhead(box, commit);
    if (error !== undefined) box.context.warn(`${error.message}. ${error.hint}`);
    return error === undefined;
  });
}
