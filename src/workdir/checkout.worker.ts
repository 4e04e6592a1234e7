/** A checkout's worker thread: a shell around `writeGroup` with a store of its own. */
import { parentPort, workerData } from "node:worker_threads";
import { OuroError } from "../base/errors.ts";
import { nodeDisk } from "../base/node-disk.ts";
import { Store } from "../store/mod.ts";
import { decodeGroups, encodeResults, writeGroup } from "./checkout-file.ts";
import type { CheckoutReply, CheckoutWorkerData } from "./checkout-pool.ts";
import { posixWriter } from "./folder-writer.ts";

const { store: options, place } = workerData as CheckoutWorkerData;
const store = Store.open({
  ...options,
  disk: nodeDisk,
  random: () => new Uint8Array(),
  readOnly: true,
  usesChunksAtOnce: true,
});

parentPort?.on("message", (bytes: Uint8Array) => {
  let reply: CheckoutReply;
  try {
    const results = decodeGroups(bytes).flatMap((group) => writeGroup({ ...place, writer: posixWriter }, store, group));
    reply = { results: encodeResults(results) };
  } catch (thrown) {
    if (!(thrown instanceof OuroError)) throw thrown;
    reply = { kind: thrown.kind, message: thrown.message, hint: thrown.hint };
  }
  parentPort?.postMessage(reply);
});
