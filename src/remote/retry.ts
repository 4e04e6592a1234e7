/**
 * Trying again what a network or a busy server made fail: later and later, by chance within bounds so that many clients do not come
 * back together, and never sooner than the server asks. Only "offline" is tried again: everything else is an answer.
 *
 * Source: Brooker, Exponential Backoff And Jitter (AWS Architecture Blog, 2015), "equal jitter".
 */
import { setTimeout } from "node:timers/promises";
import { isKind, OuroError, type OuroErrorOptions } from "../base/errors.ts";
import { checkSignal } from "./checks.ts";

export interface RetryPolicy {
  /** How often it is tried altogether. */
  readonly triesMax: number;
  /** The first wait, about; each is twice the one before. */
  readonly firstWaitMs: number;
  readonly waitMsMax: number;
}

/** About half a minute in all. */
export const retryPolicyDefault: RetryPolicy = { triesMax: 6, firstWaitMs: 500, waitMsMax: 15_000 };

/** The longest that a server can make us wait. */
const askedWaitMsMax = 60_000;

/** A place that has answered, and asked to be left alone for now. */
export class BusyError extends OuroError {
  /** How long it wants to be left alone, when it says so. */
  readonly waitMs: number | undefined;

  constructor(message: string, options: OuroErrorOptions & { readonly waitMs?: number }) {
    super("offline", message, options);
    this.waitMs = options.waitMs;
  }
}

/** Failures that were tried again often enough: whoever tries again around that one does not. */
const triedEnough = new WeakSet<OuroError>();

export interface RetryOptions {
  readonly random: (length: number) => Uint8Array;
  readonly signal?: AbortSignal | undefined;
  readonly policy?: RetryPolicy | undefined;
  /** Whether the try that has just failed got anywhere: then the others are counted anew. */
  readonly hasProgressed?: () => boolean;
  /** Told before each wait. */
  readonly onRetry?: ((failure: OuroError, waitMs: number) => void) | undefined;
}

/** Marks a failure that no further try would change, though it is one of the way there. @returns It. */
export function forGood(failure: OuroError): OuroError {
  triedEnough.add(failure);
  return failure;
}

/**
 * Does it until it succeeds, fails for good, or has been tried often enough.
 * @param action Gets the number of tries before it.
 * @throws The last failure; "aborted" while waiting.
 */
export async function retrying<T>(options: RetryOptions, action: (attempt: number) => Promise<T>): Promise<T> {
  const { policy = retryPolicyDefault, signal, random } = options;
  let vain = 0;
  for (let attempt = 0; ; attempt += 1) {
    try {
      return await action(attempt);
    } catch (thrown) {
      if (!isKind(thrown, "offline") || triedEnough.has(thrown)) throw thrown;
      vain = options.hasProgressed?.() === true ? 0 : vain + 1;
      if (vain >= policy.triesMax) {
        triedEnough.add(thrown);
        throw thrown;
      }
      checkSignal(signal);
      const waitMs = waitFor(vain, thrown, policy, random);
      options.onRetry?.(thrown, waitMs);
      await pause(waitMs, signal);
    }
  }
}

function waitFor(vain: number, failure: OuroError, policy: RetryPolicy, random: RetryOptions["random"]): number {
  const whole = Math.min(policy.waitMsMax, policy.firstWaitMs * 2 ** Math.max(0, vain - 1));
  const waitMs = whole * (0.5 + (random(1)[0] as number) / 512);
  const asked = failure instanceof BusyError ? (failure.waitMs ?? 0) : 0;
  return Math.max(waitMs, Math.min(asked, askedWaitMsMax));
}

/** @throws OuroError "aborted". */
async function pause(waitMs: number, signal: AbortSignal | undefined): Promise<void> {
  try {
    await setTimeout(waitMs, undefined, signal === undefined ? {} : { signal });
  } catch {
    checkSignal(signal);
  }
}
