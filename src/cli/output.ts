/**
 * Where output goes: text and bytes to a sink, gathered into writes of 64 KiB.
 *
 * A sink writes at once, so what is printed before a failure is there, in order. A reader that has gone away
 * ends the command by a BrokenPipe, which `main` turns into a quiet exit.
 */
import { asBuffer, concatBytes, utf8 } from "../base/bytes.ts";

const gatherBytes = 64 * 1024;

/** What takes bytes in the end: a descriptor, or a test's array. */
export interface Sink {
  /** @throws BrokenPipe */
  write(bytes: Uint8Array): void;
  readonly isTerminal: boolean;
  /** Width in characters. */
  readonly columns: number;
}

/** Whoever read our output has stopped. */
export class BrokenPipe extends Error {
  override readonly name = "BrokenPipe";
}

/** Data for stdout. */
export class Output {
  readonly #sink: Sink;
  #parts: Uint8Array[] = [];
  #held = 0;

  constructor(sink: Sink) {
    this.#sink = sink;
  }

  get isTerminal(): boolean {
    return this.#sink.isTerminal;
  }

  write(data: string | Uint8Array): void {
    const bytes = typeof data === "string" ? utf8(data) : data;
    // A large piece may be a view of memory that its owner uses again: nothing of it is kept.
    if (bytes.length >= gatherBytes) {
      this.flush();
      this.#sink.write(bytes);
      return;
    }
    this.#parts.push(typeof data === "string" ? bytes : Uint8Array.from(data));
    this.#held += bytes.length;
    if (this.#held >= gatherBytes) this.flush();
  }

  line(text: string): void {
    this.write(`${text}\n`);
  }

  /** One object a line, for --json. */
  json(object: JsonValue): void {
    this.write(`${JSON.stringify(object)}\n`);
  }

  flush(): void {
    if (this.#held === 0) return;
    const parts = this.#parts;
    this.#parts = [];
    this.#held = 0;
    this.#sink.write(asBuffer(concatBytes(parts)));
  }
}

/** What --json prints; undefined members are left out. */
export type JsonValue =
  | null
  | boolean
  | number
  | string
  | readonly JsonValue[]
  | { readonly [key: string]: JsonValue | undefined };
