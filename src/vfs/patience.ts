/**
 * Waiting for content that cannot be had now, for who would rather wait than get an EIO: a call that fails for want of content is made again, after longer and
 * longer pauses, until it does not; until its caller gives up (EINTR), the time is over or all waiting ends (its EIO then). Each call waits by itself and holds
 * nothing meanwhile, so all others go on.
 */
import { isKind } from "../base/errors.ts";
import { FilesystemFailure } from "./failure.ts";
import type { Answer, Caller, Filesystem } from "./filesystem.ts";

const pauseMsMin = 250;
const pauseMsMax = 5000;

/** What may need content; the last argument of each is its caller. What fails there has changed nothing that may not be done twice. */
const calls: ReadonlySet<string | symbol> = new Set<keyof Filesystem>([
  "read",
  "open",
  "write",
  "setattr",
  "fallocate",
  "copyFileRange",
  "setxattr",
  "removexattr",
  "mknod",
  "mkdir",
  "symlink",
  "link",
  "create",
  "createTemporary",
  "unlink",
  "rmdir",
  "rename",
]);

export interface PatienceOptions {
  /** How long a call waits. Infinity: for ever. */
  readonly waitMs: number;
  /** Of a clock that does not go back. */
  readonly nowMs: () => number;
  /** Told when waiting begins, and why; and when it goes on. */
  readonly log: (text: string) => void;
}

export class Patience implements Disposable {
  readonly #options: PatienceOptions;
  readonly #end = new AbortController();
  #waiting = 0;
  /** It was said that something waits. */
  #isTold = false;

  constructor(options: PatienceOptions) {
    this.#options = options;
  }

  /** Ends all waiting. */
  [Symbol.dispose](): void {
    this.#end.abort();
  }

  /** The same filesystem, but that its calls wait. */
  with(filesystem: Filesystem): Filesystem {
    return new Proxy(filesystem, {
      get: (target, name) => {
        const method: unknown = Reflect.get(target, name);
        if (typeof method !== "function") return method;
        if (!calls.has(name)) return method.bind(target);
        return (...all: unknown[]) =>
          this.#answer(() => method.apply(target, all) as Answer<unknown>, all.at(-1) as Caller);
      },
    });
  }

  #answer<T>(act: () => Answer<T>, caller: Caller): Answer<T> {
    try {
      const answer = act();
      return answer instanceof Promise ? answer.catch((thrown: unknown) => this.#again(act, thrown, caller)) : answer;
    } catch (thrown) {
      if (isLack(thrown)) return this.#again(act, thrown, caller);
      throw thrown;
    }
  }

  async #again<T>(act: () => Answer<T>, first: unknown, { signal }: Caller): Promise<T> {
    const { waitMs, nowMs, log } = this.#options;
    const endMs = nowMs() + waitMs;
    this.#waiting += 1;
    try {
      let failure = first;
      for (let pauseMs = pauseMsMin; isLack(failure); pauseMs = Math.min(pauseMs * 2, pauseMsMax)) {
        const leftMs = endMs - nowMs();
        if (leftMs <= 0) {
          log(`No longer waiting: ${failure.message}`);
          break;
        }
        this.#tell(failure);
        if (!(await this.#pause(Math.min(pauseMs, leftMs), signal))) break;
        try {
          const answer = await act();
          this.#goesOn();
          return answer;
        } catch (thrown) {
          failure = thrown;
        }
      }
      throw failure;
    } finally {
      this.#waiting -= 1;
      if (this.#waiting === 0) this.#isTold = false;
    }
  }

  #tell({ message }: Error): void {
    if (!this.#isTold) this.#options.log(`Waiting for content: ${message}`);
    this.#isTold = true;
  }

  #goesOn(): void {
    if (this.#isTold) this.#options.log("Content comes again: what has waited goes on");
    this.#isTold = false;
  }

  /** @returns False when all waiting ends. @throws FilesystemFailure EINTR. */
  #pause(ms: number, signal: AbortSignal): Promise<boolean> {
    const end = this.#end.signal;
    return new Promise((resolve, reject) => {
      const stop = (): void => {
        clearTimeout(timer);
        signal.removeEventListener("abort", onAbort);
        end.removeEventListener("abort", onEnd);
      };
      const onAbort = (): void => {
        stop();
        reject(new FilesystemFailure("EINTR", "cannot wait: whoever asked has given up"));
      };
      const onEnd = (): void => {
        stop();
        resolve(false);
      };
      const timer = setTimeout(() => {
        stop();
        resolve(true);
      }, ms);
      signal.addEventListener("abort", onAbort);
      end.addEventListener("abort", onEnd);
      if (signal.aborted) onAbort();
      if (end.aborted) onEnd();
    });
  }
}

/** Whether something failed for want of content that may be had later. */
export function isLack(thrown: unknown): thrown is FilesystemFailure {
  if (!(thrown instanceof FilesystemFailure)) return false;
  return isKind(thrown.cause, "offline") || isKind(thrown.cause, "not-found");
}
