/**
 * What a command says beside its data, on stderr: notices, warnings, errors, and the progress line they must not run into.
 * With --json each is one object a line: {"notice": …}, {"warning": …}, {"error": {…}}.
 */

import { utf8 } from "../base/bytes.ts";
import type { Clock } from "../base/clock.ts";
import type { OuroError } from "../base/errors.ts";
import { plainStyle, type Style } from "./color.ts";
import type { JsonValue, Sink } from "./output.ts";
import { ProgressLine, type Totals } from "./progress.ts";
import { quoteText } from "./quote.ts";

export interface MessageOptions {
  readonly json?: boolean;
  /** No notices, no progress; warnings and errors stay. */
  readonly quiet?: boolean;
  readonly verbose?: boolean;
  readonly progress?: boolean;
  readonly style?: Style;
  /** Called before each line: data that was printed before it is to be seen before it. */
  readonly before?: () => void;
}

/** So many warnings are printed; the rest are counted. -v prints all. */
const warningsMax = 20;
/** So many are known again. */
const warnedMax = 10_000;

export class Messages {
  readonly #sink: Sink;
  readonly #options: MessageOptions;
  readonly #style: Style;
  readonly #progress: ProgressLine | undefined;
  #warnings = 0;
  readonly #warned = new Set<string>();

  constructor(sink: Sink, clock: Clock, options: MessageOptions = {}) {
    this.#sink = sink;
    this.#options = options;
    this.#style = options.style ?? plainStyle;
    const shown = options.progress === true && options.json !== true && options.quiet !== true;
    this.#progress = shown ? new ProgressLine(sink, clock) : undefined;
  }

  /** Where app functions report; does nothing when progress is off. */
  get progress(): {
    phase(name: string, totals?: Totals): void;
    add(files: number, bytes: number): void;
    done(): void;
  } {
    return this.#progress ?? silent;
  }

  /** Whether a part of the work could not be done. */
  get hasWarned(): boolean {
    return this.#warnings > 0;
  }

  notice(message: string): void {
    if (this.#options.quiet === true) return;
    this.#line({ notice: message }, quoteText(message));
  }

  /** Something went wrong for a part of the work, which goes on. What has been told is not told again: a command may look at a folder twice. */
  warn(message: string): void {
    if (this.#warned.has(message)) return;
    if (this.#warned.size < warnedMax) this.#warned.add(message);
    this.#warnings += 1;
    if (this.#warnings > warningsMax && this.#options.verbose !== true && this.#options.json !== true) return;
    this.#line({ warning: message }, `${this.#style.yellow("warning:")} ${quoteText(message)}`);
  }

  error(error: OuroError, status: number): void {
    const { kind, message, hint, subject } = error;
    this.#line(
      {
        error: {
          kind,
          message,
          ...(hint === undefined ? {} : { hint }),
          ...(subject === undefined ? {} : { subject }),
          status,
        },
      },
      `${this.#style.red("ourobox:")} ${quoteText(message)}${hint === undefined ? "" : `\n${hintText(error)}`}`,
    );
  }

  /** A mistake of ours: the stack is for -v, and always there with --json. */
  bug(thrown: unknown, status: number): void {
    const message = thrown instanceof Error ? `${thrown.name}: ${thrown.message}` : String(thrown);
    const stack = thrown instanceof Error ? thrown.stack : undefined;
    const text = [
      `${this.#style.red("ourobox:")} This is a bug in Ourobox, please report it: ${quoteText(message)}`,
      this.#options.verbose === true ? (stack ?? "") : "Run the command again with -v to see where it happened.",
    ];
    this.#line({ error: { kind: "bug", message, ...(stack === undefined ? {} : { stack }), status } }, text.join("\n"));
  }

  /** Takes the progress line away, and says how many warnings were left out. */
  end(): void {
    const left = this.#warnings - warningsMax;
    if (left > 0 && this.#options.verbose !== true && this.#options.json !== true) {
      this.#line({}, `${this.#style.yellow("warning:")} and ${left} more like these (all with -v)`);
    }
    this.#progress?.done();
  }

  #line(object: JsonValue, text: string): void {
    this.#progress?.clear();
    this.#options.before?.();
    this.#sink.write(utf8(this.#options.json === true ? `${JSON.stringify(object)}\n` : `${text}\n`));
  }
}

/** On one line, so that no name can forge another; but for usages, which hold no names. */
function hintText({ kind, hint = "" }: OuroError): string {
  const isUsage = kind === "usage" && hint.startsWith("Usage: ");
  return isUsage ? hint.split("\n").map(quoteText).join("\n") : quoteText(hint);
}

const silent = { phase() {}, add() {}, done() {} };
