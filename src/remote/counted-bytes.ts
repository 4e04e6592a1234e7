/** Progress of a transfer that may have to begin again: bytes that were told of once are not told of twice. */
export class CountedBytes {
  readonly #onBytes: ((count: number) => void) | undefined;
  #told = 0;
  #sent = 0;

  constructor(onBytes: ((count: number) => void) | undefined) {
    this.#onBytes = onBytes;
  }

  /** The next bytes are those from `position` on, again. */
  restart(position = 0): void {
    this.#sent = position;
  }

  add(count: number): void {
    this.#sent += count;
    const fresh = this.#sent - this.#told;
    if (fresh <= 0) return;
    this.#told = this.#sent;
    this.#onBytes?.(fresh);
  }
}
