/** Run as a program: changes a file in some places, each in another way, and syncs it; what was done is done to a copy in memory, and they are compared. `change-large.ts FILE`. */
import assert from "node:assert/strict";
import { closeSync, fsyncSync, ftruncateSync, openSync, readFileSync, writeFileSync, writeSync } from "node:fs";
import * as call from "./posix/calls.ts";

const [path = ""] = process.argv.slice(2);
const page = 4096;
/** As in Linux's headers. */
const [readWrite, shared, syncNow] = [1 | 2, 1, 4];

let bytes = readFileSync(path);
const fd = openSync(path, "r+");
const block = Buffer.alloc(page, "block");
writeSync(fd, block, 0, page, 500 * page);
block.copy(bytes, 500 * page);

const address = call.mmap(0, 2 * page, readWrite, shared, fd, 1000 * page);
assert(address > 0);
const text = Buffer.from("through memory");
call.putMemory(address + page - 3, text);
assert.equal(call.msync(address, 2 * page, syncNow), 0);
assert.equal(call.munmap(address, 2 * page), 0);
text.copy(bytes, 1001 * page - 3);

ftruncateSync(fd, bytes.length - 12_345);
bytes = bytes.subarray(0, -12_345);
fsyncSync(fd);
closeSync(fd);
writeFileSync(path, "one more line\n", { flag: "a" });
bytes = Buffer.concat([bytes, Buffer.from("one more line\n")]);
const found = readFileSync(path);
assert.equal(found.length, bytes.length);
const differs = found.findIndex((byte, at) => byte !== bytes[at]);
assert.equal(differs, -1, `the file is not what was written at byte ${differs}`);
