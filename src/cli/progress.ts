/**
 * How far long work is: one updating line on a terminal, with a bar where there is room, elsewhere a line after 5 s and then every 30 s.
 *
 * Written where work is reported, so there is no timer: what reports nothing for a while shows nothing new.
 * Rate and time left are of the phase as a whole; the time left appears when totals are known.
 */

import { utf8 } from "../base/bytes.ts";
import type { Clock } from "../base/clock.ts";
import { formatCount, formatDuration, formatSize } from "./format.ts";
import type { Sink } from "./output.ts";

const drawMs = 100;
const firstLineMs = 5_000;
const nextLineMs = 30_000;
const etaAfterMs = 2_000;
const barColumnsMin = 4;
const barColumnsMax = 20;

export interface Totals {
  readonly files?: number;
  readonly bytes?: number;
}

export class ProgressLine {
  readonly #sink: Sink;
  readonly #clock: Clock;
  #name = "";
  #totals: Totals = {};
  #files = 0;
  #bytes = 0;
  #startMs = 0;
  #nextMs = 0;
  #shown = false;

  constructor(sink: Sink, clock: Clock) {
    this.#sink = sink;
    this.#clock = clock;
  }

  phase(name: string, totals: Totals = {}): void {
    this.#name = name;
    this.#totals = totals;
    this.#files = 0;
    this.#bytes = 0;
    this.#startMs = this.#clock.nowMs();
    // On a terminal the line of the last phase stays until there is something to say of this one.
    if (!this.#sink.isTerminal) this.#nextMs = Math.max(this.#nextMs, this.#startMs + firstLineMs);
  }

  add(files: number, bytes: number): void {
    this.#files += files;
    this.#bytes += bytes;
    const nowMs = this.#clock.nowMs();
    if (nowMs < this.#nextMs) return;
    this.#nextMs = nowMs + (this.#sink.isTerminal ? drawMs : nextLineMs);
    if (this.#sink.isTerminal) this.#draw(nowMs);
    else this.#sink.write(utf8(`${this.text(nowMs)}\n`));
  }

  done(): void {
    this.clear();
    this.#nextMs = 0;
  }

  /** Takes the line off the terminal, for something else to be printed; the next `add` draws it again. */
  clear(): void {
    if (!this.#shown) return;
    this.#shown = false;
    this.#nextMs = 0;
    this.#sink.write(utf8("\r\x1b[K"));
  }

  #draw(nowMs: number): void {
    const text = this.text(nowMs);
    const room = Math.max(20, this.#sink.columns - 1);
    const hasTotals = (this.#totals.files ?? 0) > 0 || (this.#totals.bytes ?? 0) > 0;
    // A terminal of 80 columns has room for a bar beside all the rest when the rest is written closely.
    const close = hasTotals ? text.replaceAll(/(?<=\d|B) of (?=\d)/g, "/") : text;
    const line = hasTotals ? this.#bar(room - close.length) + close : close;
    this.#sink.write(utf8(`\r${line.slice(0, room)}\x1b[K`));
    this.#shown = true;
  }

  /** Of the bytes, or of the files where bytes are not known; 0 when neither is. */
  #share(): number {
    const { files = 0, bytes = 0 } = this.#totals;
    return bytes > 0 ? this.#bytes / bytes : files > 0 ? this.#files / files : 0;
  }

  /** "[#####...............] ", as long as there is room; nothing where there is too little. */
  #bar(room: number): string {
    const columns = Math.min(barColumnsMax, room - 3);
    if (columns < barColumnsMin) return "";
    const full = "#".repeat(Math.floor(Math.min(1, this.#share()) * columns));
    return `[${full.padEnd(columns, ".")}] `;
  }

  /** "Reading files: 12,345 of 78,613 files, 231 MiB of 1.21 GiB, 310 MiB/s, 4 s left" */
  text(nowMs: number): string {
    const { files: filesTotal = 0, bytes: bytesTotal = 0 } = this.#totals;
    const parts: string[] = [];
    if (this.#files > 0 || filesTotal > 0) {
      parts.push(`${formatCount(this.#files)}${filesTotal > 0 ? ` of ${formatCount(filesTotal)}` : ""} files`);
    }
    const seconds = (nowMs - this.#startMs) / 1000;
    if (this.#bytes > 0 || bytesTotal > 0) {
      parts.push(`${formatSize(this.#bytes)}${bytesTotal > 0 ? ` of ${formatSize(bytesTotal)}` : ""}`);
      if (seconds > 0) parts.push(`${formatSize(this.#bytes / seconds)}/s`);
    }
    const share = this.#share();
    if (share > 0 && share < 1 && seconds * 1000 >= etaAfterMs) {
      parts.push(`${formatDuration((seconds * (1 - share)) / share)} left`);
    }
    return `${this.#name}: ${parts.join(", ")}`;
  }
}
