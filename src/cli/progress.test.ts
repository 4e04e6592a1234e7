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
    "\r[#####...............] Reading files: 1/100 files, 1.00 KiB/4.00 KiB\x1b[K",
    "\r[##########..........] Reading files: 50/100 files, 2.00 KiB/4.00 KiB, 512 B/s, 4 s left\x1b[K",
    "\r\x1b[K",
  ]);
});

test("a line never wraps in a narrow terminal", () => {
  const { written, progress } = progressOn(true, 30);
  progress.phase("Reading files", { files: 100, bytes: 4096 });
  progress.add(1, 1024);
  assert.equal(written[0], "\rReading files: 1/100 files, 1\x1b[K");
});

test("the bar takes what room there is in 80 columns", () => {
  const { clock, written, progress } = progressOn(true, 80);
  progress.phase("Writing files", { files: 5031, bytes: 600 * 1024 ** 2 });
  clock.now = 3000;
  progress.add(1566, 300 * 1024 ** 2);
  assert.equal(written[0], "\r[###...] Writing files: 1,566/5,031 files, 300 MiB/600 MiB, 100 MiB/s, 3 s left\x1b[K");
  assert.equal((written[0]?.length ?? 0) <= 80 + 3, true);
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
