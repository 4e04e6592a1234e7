import assert from "node:assert/strict";
import { test } from "node:test";
import { toText } from "../base/bytes.ts";
import { ProgressLine } from "./progress.ts";

function progressOn(isTerminal: boolean, columns = 200) {
  const clock = { now: 0, nowMs: () => clock.now };
  const written: string[] = [];
  const sink = { write: (bytes: Uint8Array) => void written.push(toText(bytes)), isTerminal, columns };
  return { clock, written, progress: new ProgressLine(sink, clock) };
}

test("on a terminal one line is drawn at most ten times a second, and taken away at the end", () => {
  const { clock, written, progress } = progressOn(true);
  progress.phase("Reading files", { files: 100, bytes: 4096 });
  progress.add(1, 1024);
  clock.now = 50;
  progress.add(1, 0);
  clock.now = 4000;
  progress.add(48, 1024);
  progress.done();
  assert.deepEqual(written, [
    "\r[#####...............]  25 % Reading files: 1 of 100 files, 1.00 KiB of 4.00 KiB\x1b[K",
    "\r[##########..........]  50 % Reading files: 50 of 100 files, 2.00 KiB of 4.00 KiB, 512 B/s, 4 s left\x1b[K",
    "\r\x1b[K",
  ]);
});

test("a line never wraps in a narrow terminal", () => {
  const { written, progress } = progressOn(true, 30);
  progress.phase("Reading files", { files: 100, bytes: 4096 });
  progress.add(1, 1024);
  assert.equal(written[0], "\rReading files: 1 of 100 files\x1b[K");
});

test("elsewhere a line comes after 5 s and then every 30 s, across phases", () => {
  const { clock, written, progress } = progressOn(false);
  progress.phase("Reading");
  for (; clock.now < 40_000; clock.now += 1000) progress.add(1, 0);
  progress.phase("Writing");
  for (; clock.now < 70_000; clock.now += 1000) progress.add(1, 0);
  progress.done();
  assert.deepEqual(written, ["Reading: 6 files\n", "Reading: 36 files\n", "Writing: 26 files\n"]);
});

test("work that is over within seconds says nothing when nobody watches", () => {
  const { clock, written, progress } = progressOn(false);
  progress.phase("Reading");
  for (; clock.now < 4000; clock.now += 1000) progress.add(1, 0);
  progress.done();
  assert.deepEqual(written, []);
});
