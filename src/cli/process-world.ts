/**
 * The World made of this process: its descriptors, environment, clock and signals. With main.ts's last lines the only user of `process`.
 *
 * The first SIGINT, SIGTERM or SIGHUP asks the command to stop, and it ends by itself; a second one ends it at once. So does the end of
 * an old Node.js that bin/ourobox.mjs was given to: it cannot become this process, and may be killed.
 */
import { randomFillSync } from "node:crypto";
import { writeSync } from "node:fs";
import { availableParallelism } from "node:os";
import { isatty } from "node:tty";
import { systemClock } from "../base/clock.ts";
import { errnoOf, ioError, OuroError } from "../base/errors.ts";
import { nodeDisk } from "../base/node-disk.ts";
import type { World } from "./command.ts";
import { BrokenPipe, type Sink } from "./output.ts";

const retryMs = 5;
/** Of a terminal that has no width, or says that it is 0, as those of `script` and of some CI do. */
const columnsDefault = 80;

/** Set by bin/ourobox.mjs when it had to start this process beside its own. */
const launcherVariable = "OUROBOX_LAUNCHER";

export async function processWorld(): Promise<World> {
  const aborter = new AbortController();
  if (process.env[launcherVariable] !== undefined) {
    delete process.env[launcherVariable];
    await watchLauncher(() => aborter.abort(new OuroError("aborted", "Interrupted", { subject: "SIGTERM" })));
  }
  for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"] as const) {
    process.once(signal, () => aborter.abort(new OuroError("aborted", "Interrupted", { subject: signal })));
  }
  return {
    stdout: descriptorSink(1),
    stderr: descriptorSink(2),
    cwd: process.cwd(),
    env: process.env,
    clock: systemClock,
    disk: nodeDisk,
    random: (length) => randomFillSync(new Uint8Array(length)),
    workers: availableParallelism(),
    signal: aborter.signal,
    program: [process.execPath, ...process.execArgv, ...process.argv.slice(1, 2)],
    argumentBytes: async () => (await import("../base/posix.ts")).processArguments(process.argv.length - 2),
    ask: async (prompt, options) =>
      (await import("./ask.ts")).askTerminal(prompt, { ...options, signal: aborter.signal }),
  };
}

/** Calls back when the other end of descriptor 3 is closed, which its holder's end does, however it comes. */
async function watchLauncher(onEnd: () => void): Promise<void> {
  const { Socket } = await import("node:net");
  const pipe = new Socket({ fd: 3, readable: true, writable: false });
  pipe.on("error", onEnd).on("close", onEnd).resume().unref();
}

/** A sink that writes to a descriptor, also to a non-blocking one. What it is connected to is looked at only when somebody asks. */
function descriptorSink(fd: 1 | 2): Sink {
  return {
    write: (bytes) => writeFully(fd, bytes),
    get isTerminal() {
      return isatty(fd);
    },
    get columns() {
      return (fd === 1 ? process.stdout : process.stderr).columns || columnsDefault;
    },
  };
}

function writeFully(fd: number, bytes: Uint8Array): void {
  for (let at = 0; at < bytes.length; ) {
    try {
      at += writeSync(fd, bytes, at);
    } catch (thrown) {
      const errno = errnoOf(thrown);
      if (errno === "EPIPE") throw new BrokenPipe("nobody reads this", { cause: thrown });
      if (errno !== "EAGAIN") throw ioError("Cannot write output", thrown);
      Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, retryMs);
    }
  }
}
