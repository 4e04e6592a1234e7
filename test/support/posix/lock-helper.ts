/**
 * A second process for locks: it reads lines "CHDIR PATH", "OPEN PATH FLAGS", "LOCK FD TYPE START LENGTH", "GET FD TYPE START LENGTH", "FLOCK FD OPERATION", "CLOSE FD" and answers each
 * with a line of numbers: what the call returned, and of GET the type, start, length and pid.
 */
import { readSync, writeSync } from "node:fs";
import * as call from "./calls.ts";
import { flockStruct, getLock, readFlock, setLock } from "./locks.ts";

const line = Buffer.alloc(10_000);
for (;;) {
  const count = readSync(0, line);
  if (count === 0) break;
  const [word = "", ...rest] = line.toString("utf8", 0, count).trim().split(" ");
  const [a = 0, b = 0, c = 0, d = 0] = rest.map(Number);
  let answer: readonly number[] = [-22];
  if (word === "CHDIR") {
    process.chdir(rest.join(" "));
    answer = [0];
  }
  if (word === "OPEN") answer = [call.open(rest[0] ?? "", b, 0o644)];
  if (word === "LOCK") answer = [call.fcntl(a, setLock, flockStruct(b, c, d))];
  if (word === "GET") {
    const lock = flockStruct(b, c, d);
    const result = call.fcntl(a, getLock, lock);
    const { type, start, length, pid } = readFlock(lock);
    answer = [result, type, start, length, pid];
  }
  if (word === "FLOCK") answer = [call.flock(a, b)];
  if (word === "CLOSE") answer = [call.close(a)];
  writeSync(1, `${answer.join(" ")}\n`);
}
