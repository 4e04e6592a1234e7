/**
 * A thread that takes in files: the shell around IngestCore. It has its own connection to the index and its own packs; what
 * it gets are paths, what it gives back are hashes.
 */
import { randomBytes } from "node:crypto";
import { parentPort, workerData } from "node:worker_threads";
import { isKind, type OuroError } from "../base/errors.ts";
import { nodeDisk } from "../base/node-disk.ts";
import { startWriteBack } from "../base/posix-space.ts";
import { getHasher } from "../format/mod.ts";
import { BackgroundPublisher } from "./background-publisher.ts";
import { ClaimTable } from "./claim-table.ts";
import { ContentWriter } from "./content-writer.ts";
import { IndexDatabase } from "./index-database.ts";
import { batchMemory, type FileBatch } from "./ingest-batch.ts";
import { IngestCore } from "./ingest-core.ts";
import { checkControl, type FromWorker, type IngestSetup, type ToWorker, takeApart } from "./ingest-messages.ts";
import { StorePaths } from "./store-paths.ts";

const progressBytes = 4 * 1024 * 1024;
const setup = workerData as IngestSetup;
const port = parentPort;
if (port === null) throw new Error("Cannot take in files: this is the main thread");

const control = new Int32Array(setup.control);
const paths = new StorePaths(setup);
const index = setup.hashOnly ? undefined : IndexDatabase.open(paths.index);
const publisher = index === undefined ? undefined : new BackgroundPublisher(paths, index);
const writer =
  index === undefined || publisher === undefined
    ? undefined
    : new ContentWriter({
        disk: nodeDisk,
        secrets: setup.secrets,
        paths,
        random: randomBytes,
        index,
        claims: new ClaimTable(setup.claims),
        publish: (pack) => publisher.publish(pack),
        // A disk that begins early has little left to do when the pack is synced.
        onBlock: startWriteBack,
      });

let unreportedBytes = 0;
const core = new IngestCore({
  hasher: getHasher(setup.secrets.hash),
  chunk: setup.chunk,
  ...(writer === undefined ? {} : { writer }),
  checkAborted: () => checkControl(control),
  onBytes(count) {
    unreportedBytes += count;
    if (unreportedBytes >= progressBytes) reportBytes();
  },
});

function send(message: FromWorker, memory: ArrayBuffer[] = []): void {
  port?.postMessage(message, memory);
}

function reportBytes(): void {
  if (unreportedBytes > 0) send({ type: "bytes", count: unreportedBytes });
  unreportedBytes = 0;
}

async function runBatch(id: number, batch: FileBatch): Promise<void> {
  const work = core.process(batch);
  for (;;) {
    const step = work.next();
    if (step.done === true) {
      reportBytes();
      send({ type: "result", id, result: step.value }, batchMemory(step.value));
      return;
    }
    const room = publisher?.room();
    if (room !== undefined) await room;
  }
}

async function end(aborted: boolean): Promise<void> {
  try {
    if (aborted) writer?.abort();
    else writer?.finish();
    await publisher?.done();
  } finally {
    index?.[Symbol.dispose]();
  }
}

async function handle(message: ToWorker): Promise<void> {
  if (message.type === "batch") return await runBatch(message.id, message.batch);
  await end(message.type === "abort");
  send({ type: "ended" });
  port?.close();
}

/** After a failure nothing more is done but cleaning up. */
async function fail(error: OuroError): Promise<void> {
  await end(true).catch(() => undefined);
  send({ type: "failed", failure: takeApart(error) });
  port?.close();
}

let turn = Promise.resolve();
let failed = false;
port.on("message", (message: ToWorker) => {
  turn = turn.then(async () => {
    if (failed) return;
    try {
      await handle(message);
    } catch (error) {
      failed = true;
      if (!isKind(error)) throw error;
      await fail(error);
    }
  });
});
