import assert from "node:assert/strict";
import { writeSync } from "node:fs";
import { connect, createServer } from "node:net";
import { test } from "node:test";
import { close } from "./posix.ts";
import { findEventLoopFd, Poller, readNow, setNonBlocking, writeLater, writeNow } from "./posix-device.ts";
import { addressOf } from "./posix-library.ts";
import { receiveDescriptor, socketPair, unmount } from "./posix-mount.ts";

const eagain = 11;

test("posix device: reads and writes say how many, or the errno", () => {
  const [a, b] = socketPair();
  setNonBlocking(a);
  const bytes = Buffer.alloc(16);
  assert.equal(readNow(a, addressOf(bytes), 16), -eagain);
  writeSync(b, "hello");
  assert.equal(readNow(a, addressOf(bytes), 16), 5);
  assert.equal(bytes.toString("latin1", 0, 5), "hello");
  assert.equal(writeNow(a, addressOf(bytes), 5), 5);
  close(b);
  close(a);
  assert.equal(readNow(a, addressOf(bytes), 16), -9);
});

test("posix device: a write of another thread's is told when it is done", async () => {
  const [a, b] = socketPair();
  assert.equal(await writeLater(b, Buffer.from("later")), 5);
  const bytes = Buffer.alloc(16);
  assert.equal(readNow(a, addressOf(bytes), 16), 5);
  close(a);
  close(b);
  assert.equal(await writeLater(b, Buffer.from("later")), -9);
});

test("posix device: a poll tells whether the first descriptor is ready, and ends for the others", () => {
  const [[a, b], [c, d]] = [socketPair(), socketPair()];
  const poller = new Poller([a, c]);
  assert.equal(poller.isFirstReady(0), false);
  writeSync(d, "x");
  // It would take an hour if the second did not count.
  assert.equal(poller.isFirstReady(3_600_000), false);
  writeSync(b, "x");
  assert.equal(poller.isFirstReady(3_600_000), true);
  for (const fd of [a, b, c, d]) close(fd);
});

test("posix device: a poll on the event loop's descriptor ends when a socket has something", async () => {
  const fd = await findEventLoopFd();
  assert.ok(fd !== undefined);
  const [never, other] = socketPair();
  const poller = new Poller([never, fd]);
  const server = createServer((socket) => socket.end("x"));
  await new Promise<void>((resolve) => server.listen(0, resolve));
  const address = server.address();
  assert.ok(address !== null && typeof address === "object");
  let isDone = false;
  const client = connect(address.port).on("close", () => {
    isDone = true;
  });
  client.resume();
  // Without the descriptor, the first of these would take an hour.
  while (!isDone) {
    await new Promise<void>((resolve) => setImmediate(resolve));
    await new Promise<void>((resolve) => setImmediate(resolve));
    if (!isDone) poller.isFirstReady(3_600_000);
  }
  server.close();
  close(never);
  close(other);
});

test("posix mount: there is no descriptor where none was sent, and no mount where none is", async () => {
  const [a, b] = socketPair();
  assert.equal(receiveDescriptor(a), undefined);
  writeSync(b, "x");
  assert.equal(receiveDescriptor(a), undefined);
  close(a);
  close(b);
  await assert.rejects(unmount(import.meta.dirname), (thrown: NodeJS.ErrnoException) =>
    ["EINVAL", "EPERM"].includes(thrown.code ?? ""),
  );
});
