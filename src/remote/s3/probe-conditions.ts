/**
 * What a server's conditional puts are worth, found out by a small race: engines answer with success to conditions that they
 * do not look at, and some keep them for one client at a time only.
 *
 * Seen: Ceph 16 and 20 keep them (16 wants tags without quotes), Swift 2.30 says 501, Swift 2.38 lets several of many that create at
 * once win, s3rver ignores the condition.
 */
import { toHex, toText, utf8 } from "../../base/bytes.ts";
import { isKind } from "../../base/errors.ts";
import type { RemoteOptions } from "../remote.ts";
import { retrying } from "../retry.ts";
import type { S3Remote, S3Verdict } from "./s3-remote.ts";

export interface ProbeOptions extends RemoteOptions {
  readonly random: (length: number) => Uint8Array;
  /** Opens the place with a verdict to be tried; the caller's to dispose, and so are all that it gives. */
  readonly open: (verdict: S3Verdict) => S3Remote;
}

const rounds = 4;
const racers = 8;
const increments = 4;

/**
 * Takes about 100 small requests, and leaves nothing behind.
 * @throws OuroError as `Remote.put`: the place cannot be reached, or not be written to.
 */
export async function probeConditions(options: ProbeOptions): Promise<S3Verdict> {
  const { random, signal } = options;
  const folder = `probe-${toHex(random(8))}`;
  const remote = options.open("cas");
  const names: string[] = [];
  const newName = (): string => {
    const name = `${folder}/${names.length}`;
    names.push(name);
    return name;
  };
  const given = signal === undefined ? {} : { signal };
  try {
    const creating = await probeCreating(remote, newName, options);
    if (creating !== "create-only") return creating;
    for (const verdict of ["cas", "cas-bare"] as const)
      if (await replacesTruly(options.open(verdict), newName(), options)) return verdict;
    return "create-only";
  } finally {
    for (const name of names) await remote.remove(name, given).catch(() => {});
  }
}

async function probeCreating(
  remote: S3Remote,
  newName: () => string,
  options: ProbeOptions,
): Promise<"create-only" | "none" | "lying"> {
  const create = async (name: string, text: string): Promise<boolean> =>
    (await settled(options, () => remote.putIf(name, utf8(text), { ifAbsent: true }, signalOf(options)))) !== undefined;
  try {
    const first = newName();
    if (!(await create(first, "a"))) return "lying";
    if (await create(first, "b")) return "lying";
    for (let round = 0; round < rounds; round += 1) {
      const name = newName();
      const won = await Promise.all(Array.from({ length: racers }, (_, index) => create(name, `${index}`)));
      if (won.filter(Boolean).length !== 1) return "lying";
      if (toText(await remote.get(name, signalOf(options))) !== `${won.indexOf(true)}`) return "lying";
    }
    return "create-only";
  } catch (thrown) {
    if (isKind(thrown, "unsupported") || isKind(thrown, "invalid")) return "none";
    throw thrown;
  }
}

/** Several count together in one blob; every success must be in the sum. */
async function replacesTruly(remote: S3Remote, name: string, options: ProbeOptions): Promise<boolean> {
  try {
    await remote.put(name, utf8("0"), signalOf(options));
    const before = (await remote.stat(name, signalOf(options)))?.tag;
    if (before === undefined) return false;
    const replace = (text: string, tag: string): Promise<string | undefined> =>
      settled(options, () => remote.putIf(name, utf8(text), { ifMatch: tag }, signalOf(options)));
    if ((await replace("0 ", before)) === undefined) return false;
    if ((await replace("1", before)) !== undefined) return false;
    const successes = await Promise.all(
      Array.from({ length: racers }, async (_, racer) => {
        let count = 0;
        for (let left = increments; left > 0; left -= 1) {
          const tag = (await remote.stat(name, signalOf(options)))?.tag ?? "";
          const text = toText(await remote.get(name, signalOf(options)));
          // Each writer's text is its own, so that equal sums are not equal blobs.
          const next = `${Number.parseInt(text, 10) + 1} ${racer} ${left}`;
          if ((await replace(next, tag)) !== undefined) count += 1;
        }
        return count;
      }),
    );
    const sum = successes.reduce((total, count) => total + count, 0);
    return Number.parseInt(toText(await remote.get(name, signalOf(options))), 10) === sum;
  } catch (thrown) {
    if (isKind(thrown, "unsupported") || isKind(thrown, "invalid")) return false;
    throw thrown;
  }
}

/** A server may say that it could not decide (409): then it has not done it. */
async function settled<T>({ random, signal }: ProbeOptions, action: () => Promise<T>): Promise<T> {
  return await retrying({ random, signal, policy: { triesMax: 5, firstWaitMs: 50, waitMsMax: 500 } }, action);
}

function signalOf({ signal }: ProbeOptions): RemoteOptions {
  return signal === undefined ? {} : { signal };
}
