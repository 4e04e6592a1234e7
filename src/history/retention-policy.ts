/**
 * Which commits of a line of history a policy keeps. As in other backup programs: of every hour, day, week, … in which there are commits, the last one, for
 * so many of those; a commit is kept if any of the rules keeps it. Times are those of the commits, in the time zone of the machine.
 */
import { OuroError } from "../base/errors.ts";
import { commitFlags, greatestClock, type NamedCommit } from "../format/mod.ts";

/** How many of each are kept; infinite for all. */
export interface RetentionCounts {
  readonly last?: number;
  readonly hourly?: number;
  readonly daily?: number;
  readonly weekly?: number;
  readonly monthly?: number;
  readonly yearly?: number;
}

export interface RetentionPolicy extends RetentionCounts {
  /** All that are no older than this, counted back from the newest: "1y6m14d12h", of these what is wanted. */
  readonly within?: string;
  /** Commits that a program made by itself: all for an hour, one of an hour for a day, one of a day then. The others are all kept. */
  readonly thinsAutomatic?: boolean;
}

const hourMs = 3_600_000;
const dayMs = 24 * hourMs;

type Unit = Exclude<keyof RetentionCounts, "last">;

/** What two commits have in common that are of one hour, one day, …. */
const unitKeys: Readonly<Record<Unit, (date: Date) => string>> = {
  hourly: (date) => `${dayKey(date)} ${date.getHours()} ${date.getTimezoneOffset()}`,
  daily: dayKey,
  weekly: (date) => dayKey(new Date(date.getFullYear(), date.getMonth(), date.getDate() - ((date.getDay() + 6) % 7))),
  monthly: (date) => `${date.getFullYear()}-${date.getMonth()}`,
  yearly: (date) => `${date.getFullYear()}`,
};

function dayKey(date: Date): string {
  return `${date.getFullYear()}-${date.getMonth()}-${date.getDate()}`;
}

/** When a commit was made, in milliseconds since 1970; a join, which has no time, when the last was that it joined. */
export function timeOf({ commit }: NamedCommit): number {
  return commit.type === "event" ? commit.timeMs : Number(greatestClock(commit.vector) >> 16n);
}

/**
 * The commits that a policy keeps of a line of history.
 * @param line Newest first, all that are kept so far.
 * @param nowMs For the thinning of automatic commits.
 * @throws OuroError "usage" for a duration that is none.
 */
export function chooseKept(line: readonly NamedCommit[], policy: RetentionPolicy, nowMs: number): NamedCommit[] {
  const [newest] = line;
  const sinceMs =
    policy.within === undefined || newest === undefined ? undefined : goBack(timeOf(newest), policy.within);
  const units = (Object.keys(unitKeys) as Unit[]).map((unit) => ({
    keyOf: unitKeys[unit],
    left: policy[unit] ?? 0,
    last: "",
  }));
  const thinner = policy.thinsAutomatic === true ? new Thinner(nowMs) : undefined;
  return line.filter((named, at) => {
    const timeMs = timeOf(named);
    const date = new Date(timeMs);
    let isKept = at < (policy.last ?? 0) || (sinceMs !== undefined && timeMs >= sinceMs);
    for (const unit of units) {
      const key = unit.keyOf(date);
      if (unit.left <= 0 || key === unit.last) continue;
      unit.last = key;
      unit.left -= 1;
      isKept = true;
    }
    return thinner?.keeps(named) === true || isKept;
  });
}

/** All automatic commits for an hour, then one of an hour, after a day one of a day. */
class Thinner {
  readonly #nowMs: number;
  #last = "";

  constructor(nowMs: number) {
    this.#nowMs = nowMs;
  }

  keeps(named: NamedCommit): boolean {
    const { commit } = named;
    const isAutomatic = commit.type === "join" || (commit.flags & commitFlags.automatic) !== 0;
    if (!isAutomatic) return true;
    const timeMs = timeOf(named);
    const ageMs = this.#nowMs - timeMs;
    if (ageMs < hourMs) return true;
    const key = (ageMs < dayMs ? unitKeys.hourly : unitKeys.daily)(new Date(timeMs));
    if (key === this.#last) return false;
    this.#last = key;
    return true;
  }
}

/** Whether a text is a duration: "1y6m14d12h". */
export function isDuration(text: string): boolean {
  return /^(?=\d)(\d{1,5}y)?(\d{1,5}m)?(\d{1,5}w)?(\d{1,5}d)?(\d{1,6}h)?$/.test(text);
}

function goBack(timeMs: number, duration: string): number {
  if (!isDuration(duration))
    throw new OuroError("usage", `Cannot keep what is within "${duration}": that is no duration`, {
      hint: "Write for example 2y, 6m, 3w, 14d, 36h, or several of them: 1y6m.",
    });
  const count = (unit: string): number => Number(new RegExp(`(\\d+)${unit}`).exec(duration)?.[1] ?? 0);
  const date = new Date(timeMs);
  date.setFullYear(date.getFullYear() - count("y"), date.getMonth() - count("m"));
  date.setDate(date.getDate() - count("d") - 7 * count("w"));
  return date.getTime() - count("h") * hourMs;
}
