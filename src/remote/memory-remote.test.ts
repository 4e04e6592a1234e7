import { nodeDisk } from "../base/node-disk.ts";
import { MemoryPlace, MemoryRemote } from "./memory-remote.ts";
import { testRemote } from "./remote.suite.ts";

testRemote("memory", () => {
  const place = new MemoryPlace();
  return { open: () => new MemoryRemote(nodeDisk, place), [Symbol.dispose]() {} };
});
