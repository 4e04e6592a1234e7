/**
 * Whether a push here was cut off between writing its head and seeing that no pack it counts on had been condemned meanwhile. Then the next push looks at
 * everything again, though the head says what it should.
 */
import { equalBytes } from "../base/bytes.ts";
import type { State } from "../history/mod.ts";

const tokenBytes = 8;

export class Unsettled {
  readonly #state: Pick<State, "value" | "setValue">;
  readonly #key: string;
  #token: Uint8Array | undefined;

  constructor(state: Pick<State, "value" | "setValue">, url: string) {
    this.#state = state;
    this.#key = `unsettled ${url}`;
    this.#token = state.value(this.#key);
  }

  /** Whether there is something to look at again. */
  get isSet(): boolean {
    return this.#token !== undefined;
  }

  /** Before a head is written. */
  set(random: (length: number) => Uint8Array): void {
    this.#token = random(tokenBytes);
    this.#state.setValue(this.#key, this.#token);
  }

  /** When all is well. What another process has noted since stays. */
  clear(): void {
    const now = this.#state.value(this.#key);
    if (now !== undefined && this.#token !== undefined && equalBytes(now, this.#token))
      this.#state.setValue(this.#key, undefined);
    this.#token = undefined;
  }
}

/** Forgets it, with the remote. */
export function forgetUnsettled(state: Pick<State, "setValue">, url: string): void {
  state.setValue(`unsettled ${url}`, undefined);
}
