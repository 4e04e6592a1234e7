/** The settings there are: what each does, what it may be, and what it is when nobody says. */

import { mustBeCacheSize, mustBeShare, parseCacheSize, parseShare } from "./cache-values.ts";
import { mustBeCommitAfter, parseCommitAfter } from "./mount-times.ts";
import { mustBeAtOnce, mustBeRate, parseAtOnce, parseRate } from "./transfer-values.ts";

export interface Setting {
  /** One sentence without a full stop, for `ourobox config list` and the docs. */
  readonly help: string;
  /** As it would be written. */
  readonly default?: string;
  /** The variable, where it is not `OUROBOX_<KEY>`. */
  readonly env?: string;
  /** Why a value does not fit: "it is one of …". */
  readonly check?: (value: string) => string | undefined;
  /** It starts a program: a box, which may come from elsewhere with its config, does not say it. */
  readonly isUserOnly?: true;
}

const oneOf =
  (...choices: readonly string[]) =>
  (value: string): string | undefined =>
    choices.includes(value) ? undefined : `it is one of ${choices.join(", ")}`;
const trueOrFalse = (value: string): string | undefined =>
  /^(1|true|yes|on|0|false|no|off)$/i.test(value) ? undefined : "it is true or false";
const cost = (value: string): string | undefined =>
  /^\d{1,9}$/.test(value) ? undefined : "it is a whole number: a folder costs 10 and a network 100, unless it is set";
const days = (value: string): string | undefined =>
  /^[1-9]\d{0,3}$/.test(value) ? undefined : "it is a number of days";
const notEmpty = (value: string): string | undefined => (value.trim() === "" ? "it is empty" : undefined);

/** 1K to 4M, as `--chunk-size` takes it. */
function chunkSize(value: string): string | undefined {
  const [, digits = "", unit = ""] = /^(\d{1,7})\s*([km]?)(?:i?b)?$/i.exec(value) ?? [];
  const power = Math.log2(Number(digits)) + ({ k: 10, m: 20 }[unit.toLowerCase()] ?? 0);
  return Number.isInteger(power) && power >= 10 && power <= 22 ? undefined : "it is a power of two from 1K to 4M";
}

export const settingTable: Readonly<Record<string, Setting>> = {
  "box.bare": {
    help: "The box has no folder of its own (written by init --bare)",
    default: "false",
    check: trueOrFalse,
  },
  "box.databases": {
    help: "Where a new box has its databases: auto (in the box, or in your data folder if it is on a network file system), box, data",
    default: "auto",
    check: oneOf("auto", "box", "data"),
  },
  "box.content": {
    help: "Where the content of what others write is: real (brought here) or unreal (elsewhere, until it is read)",
    default: "real",
    check: oneOf("real", "unreal"),
  },
  "cache.free": {
    help: "The share of the disk that the cache leaves free, as 5%",
    default: "5%",
    check: (value) => (parseShare(value) === undefined ? mustBeShare : undefined),
  },
  "cache.size": {
    help: "How much the cache may take: bytes, as 500M or 20G, or a share of the disk, as 10%",
    default: "10%",
    check: (value) => (parseCacheSize(value) === undefined ? mustBeCacheSize : undefined),
  },
  copies: {
    help: "In how many remotes everything is to be: status says what is not, wait waits for it",
    default: "1",
    check: (value) => (/^[1-9]\d{0,2}$/.test(value) ? undefined : "it is a number from 1 to 999"),
  },
  "files.ownership": {
    help: "Whether files come back with their owner: auto (when run by root), keep (always try), skip (never)",
    default: "auto",
    check: oneOf("auto", "keep", "skip"),
  },
  "history.automatic": {
    help: "What live mounts and sync commit by themselves: thin (all for an hour, one an hour for a day, then one a day) or keep",
    default: "thin",
    check: oneOf("thin", "keep"),
  },
  "init.chunk-size": {
    help: "Average size of a chunk in new boxes, a power of two from 1K to 4M",
    default: "64K",
    check: chunkSize,
  },
  "init.hash": {
    help: "What names content in new boxes: blake3 (faster) or sha256",
    default: "blake3",
    check: oneOf("blake3", "sha256"),
  },
  "mount.commit-after": {
    help: "How long nothing must have changed in a live mount before it commits by itself: 5s, 2m, off",
    default: "5s",
    check: (value) => (parseCommitAfter(value) === undefined ? mustBeCommitAfter : undefined),
  },
  "prune.condemned-days": {
    help: "How many days packs on a remote are condemned at least before gc --remote deletes them",
    default: "1",
    check: days,
  },
  "prune.silent-days": {
    help: "After how many days without a push gc --remote does not wait for a machine any more",
    default: "14",
    check: days,
  },
  "sync.guard-files": {
    help: "Pull and sync take in whatever removes or overwrites no more files than this",
    default: "100",
    check: (value) => (/^\d{1,9}$/.test(value) ? undefined : "it is a number of files"),
  },
  "sync.guard-share": {
    help: "Beyond that they stop at what removes or overwrites more than this share of the files, in percent",
    default: "50",
    check: (value) => (/^(100|[1-9]?\d)$/.test(value) ? undefined : "it is a number from 0 to 100"),
  },
  "sync.interval": {
    help: "How often sync --watch looks at remotes, and at the folder for what it was not told of, in seconds",
    default: "60",
    check: (value) => (/^[1-9]\d{0,5}$/.test(value) ? undefined : "it is a number of seconds"),
  },
  "transfers.at-once": {
    help: "How many packs are on their way to or from a remote at once (default: 4)",
    check: (value) => (parseAtOnce(value) === undefined ? mustBeAtOnce : undefined),
  },
  "transfers.download": {
    help: "The most to receive from a remote over a network, in bytes a second: 500K, 2M",
    check: (value) => (parseRate(value) === undefined ? mustBeRate : undefined),
  },
  "transfers.upload": {
    help: "The most to send to a remote over a network, in bytes a second: 500K, 2M",
    check: (value) => (parseRate(value) === undefined ? mustBeRate : undefined),
  },
  "ui.color": {
    help: "Colour: auto (on a terminal), always, never",
    default: "auto",
    env: "OUROBOX_COLOR",
    check: oneOf("auto", "always", "never"),
  },
  "ui.progress": {
    help: "Whether long work shows how far it is",
    default: "true",
    env: "OUROBOX_PROGRESS",
    check: trueOrFalse,
  },
  "user.name": {
    help: "Who commits are by (default: the login name and the machine's)",
    check: notEmpty,
  },
};

/** Settings of each remote: `remote.<name>.<field>`. */
const remoteSetting = /^remote\.[A-Za-z0-9_-]+\.(url|conditions|cost)$/;

/** The programs that merge files, by the names that `.ouroboxattributes` give them: `merge.<name>.command`. */
const driverSetting = /^merge\.[\w-]{1,64}\.command$/;

/** The setting of a key, also of keys with a remote's or a merge driver's name in them. */
export function findSetting(key: string): Setting | undefined {
  if (Object.hasOwn(settingTable, key)) return settingTable[key];
  if (driverSetting.test(key))
    return {
      help: "What merges files that .ouroboxattributes give to this driver (%O %A %B %P); in the user's config only",
      check: notEmpty,
      isUserOnly: true,
    };
  const field = remoteSetting.exec(key)?.[1];
  if (field === "url") return { help: "Where the remote is", check: notEmpty };
  if (field === "cost") return { help: "What reading from it costs: the least is read first", check: cost };
  return field === "conditions" ? { help: "What its conditional puts were found to be", check: notEmpty } : undefined;
}
