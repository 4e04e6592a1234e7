/** A checkout's worker thread: a shell around `writeGroup` with a store of its own. */
import { parentPort, workerData } from "node:worker_threads";
import { OuroError } from "../base/errors.ts";
import { decodeGroups, writeGroup } from "./checkout-file.ts";
import { type CheckoutReply, type CheckoutWorkerData, openReadingStore } from "./checkout-pool.ts";
import { posixWriter } from "./folder-writer.ts";

const { store: options, place } = workerData as CheckoutWorkerData;
const store = openReadingStore(options);
const writing = { ...place, writer: posixWriter };

parentPort?.on("message", (bytes: Uint8Array) => {
  let reply: CheckoutReply;
  try {
    reply = { results: decodeGroups(bytes).map((group) => writeGroup(writing, store, group)) };
  } catch (thrown) {
    if (!(thrown instanceof OuroError)) throw thrown;
    reply = { kind: thrown.kind, message: thrown.message, hint: thrown.hint };
  }
  parentPort?.postMessage(reply);
});
