import assert from "node:assert/strict";
import { test } from "node:test";
import { alignColumns, counted, formatDuration, formatJsonNs, formatMode, formatSize, parseSize } from "./format.ts";

test("sizes have three digits and a unit of 1,024", () => {
  const sizes = [0, 831, 999, 1000, 1024, 1536, 10_240, 102_400, 1024 ** 2 - 1, 1.3 * 1024 ** 3, 2 ** 53];
  const texts = [
    "0 B",
    "831 B",
    "999 B",
    "0.98 KiB",
    "1.00 KiB",
    "1.50 KiB",
    "10.0 KiB",
    "100 KiB",
    "1.00 MiB",
    "1.30 GiB",
    "8.00 PiB",
  ];
  assert.deepEqual(sizes.map(formatSize), texts);
});

test("sizes are read as people write them", () => {
  assert.deepEqual(["64K", "64 KiB", "1m", "4096", "2GB"].map(parseSize), [65536, 65536, 1048576, 4096, 2 ** 31]);
  assert.deepEqual(["", "K", "-1", "1.5M", "64Q"].map(parseSize), Array(5).fill(undefined));
});

test("modes look as in ls -l", () => {
  assert.equal(formatMode(1, 0o644), "-rw-r--r--");
  assert.equal(formatMode(2, 0o1777), "drwxrwxrwt");
  assert.equal(formatMode(1, 0o6750), "-rwsr-s---");
  assert.equal(formatMode(1, 0o6640), "-rwSr-S---");
  assert.equal(formatMode(3, 0o777), "lrwxrwxrwx");
});

test("times in --json keep every nanosecond, also before 1970 and outside of what dates hold", () => {
  assert.equal(formatJsonNs(1_793_527_205_123_456_789n), "2026-11-01T10:00:05.123456789Z");
  assert.equal(formatJsonNs(-1n), "1969-12-31T23:59:59.999999999Z");
  assert.equal(formatJsonNs(-(10n ** 21n)), "@-1000000000000.000000000");
});

test("counts and durations are words", () => {
  assert.equal(counted(1, "file"), "1 file");
  assert.equal(counted(78_613, "entry", "entries"), "78,613 entries");
  assert.deepEqual([0.4, 59, 200, 7500].map(formatDuration), ["0 s", "59 s", "3 min 20 s", "2 h 5 min"]);
});

test("columns are aligned, the last is left as it is", () => {
  assert.deepEqual(
    alignColumns(
      [
        ["a", "10", "x"],
        ["bbb", "9", "yy"],
      ],
      new Set([1]),
    ),
    ["a    10  x", "bbb   9  yy"],
  );
});
