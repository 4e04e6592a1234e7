/** What a mount has to say, kept for who looks: the last lines, each with its time. The same text again is counted, not repeated. */
import type { Clock } from "../base/clock.ts";

const linesMax = 1000;
const textMax = 1000;

interface Line {
  readonly timeMs: number;
  readonly text: string;
  count: number;
}

export class MountLog {
  readonly #clock: Clock;
  readonly #also: (text: string) => void;
  #lines: Line[] = [];

  /** @param also Told every new text, too. */
  constructor(clock: Clock, also: (text: string) => void = () => {}) {
    this.#clock = clock;
    this.#also = also;
  }

  /** How many lines there are. */
  get size(): number {
    return this.#lines.length;
  }

  add(text: string): void {
    const cut = text.slice(0, textMax);
    const last = this.#lines.at(-1);
    if (last?.text === cut) {
      last.count += 1;
      return;
    }
    this.#lines.push({ timeMs: this.#clock.nowMs(), text: cut, count: 1 });
    if (this.#lines.length > linesMax) this.#lines = this.#lines.slice(-linesMax / 2);
    this.#also(cut);
  }

  /** A line for each, the oldest first. */
  toString(): string {
    return this.#lines
      .map(({ timeMs, text, count }) => {
        const times = count === 1 ? "" : ` (${count} times)`;
        return `${new Date(timeMs).toISOString()} ${text.replaceAll("\n", " ")}${times}\n`;
      })
      .join("");
  }
}
