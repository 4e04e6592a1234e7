/**
 * Changes of keys on a remote in a folder, with a disk that fails, stops, or loses what was not synced, at some of their
 * operations: the remote opens by a key of before or of after, and the next run ends it. Whether a wrapped key opens is not tried each time, as it costs
 * a tenth of a second; which there are is. All operations of the changes themselves are cut off in src/sync/remote-keys.test.ts.
 */
import assert from "node:assert/strict";
import { globSync, readFileSync } from "node:fs";
import { test } from "node:test";
import { type AppContext, Box } from "../../src/app/mod.ts";
import { isKind } from "../../src/base/errors.ts";
import { type FaultyPlace, smallChunks } from "../support/faulty-box.ts";
import { type FaultKind, failEvery } from "../support/faulty-run.ts";
import type { Scenario } from "../support/faulty-scenarios.ts";

const step = 9;
const kinds: readonly FaultKind[] = ["full", "crash", "reordered"];

async function inBox<T>(place: FaultyPlace, context: AppContext, body: (box: Box) => Promise<T>): Promise<T> {
  await using box = await Box.open(place.path("a"), context);
  return await body(box);
}

/** A box with a remote that opens by the passphrases "first" and "second", labelled so. */
async function prepare(place: FaultyPlace): Promise<void> {
  place.write("a", { file: "one" });
  const options = { hash: "blake3", chunk: smallChunks, bare: false, plain: false } as const;
  await using box = await Box.init(place.path("a"), options, place.context({ askPassphrase: async () => "first" }));
  await box.commit({ message: "first", all: true });
  await box.addRemote("origin", place.path("remote"));
  await box.push();
  await using again = await Box.open(place.path("a"), place.context({ askPassphrase: async () => "second" }));
  await again.addKey([], { label: "second" });
  await place.promise("a");
}

async function labels(place: FaultyPlace): Promise<string[]> {
  const { rows } = await inBox(place, place.context(), (box) => box.keys([]));
  return rows.map(({ note, id }) => note?.label ?? id).sort();
}

/** Removed keys are nowhere on the remote. */
async function requireGone(place: FaultyPlace): Promise<void> {
  const { rows } = await inBox(place, place.context(), (box) => box.keys([]));
  for (const name of [...globSync("keys/*", { cwd: place.path("remote") }), "config"]) {
    const { keys } = JSON.parse(readFileSync(place.path(`remote/${name}`), "utf8")) as { keys: { id: string }[] };
    for (const { id } of keys) assert(rows.some((row) => row.id === id));
  }
}

const scenarios: readonly Scenario[] = [
  {
    name: "key add",
    prepare,
    async run(place, context) {
      if ((await labels(place)).includes("third")) return true;
      const asking = { ...context, askPassphrase: async () => "third" };
      return await inBox(place, asking, async (box) => !(await box.addKey([], { label: "third" })).partial);
    },
    async always(place) {
      const found = (await labels(place)).filter((label) => label !== "third");
      assert.deepEqual(found, ["passphrase", "second"]);
    },
    finished: async (place) => assert.deepEqual(await labels(place), ["passphrase", "second", "third"]),
  },
  {
    name: "key passwd",
    prepare,
    async run(place, context) {
      const asking = {
        ...context,
        askPassphrase: async (_: string, purpose?: string) => (purpose === "new" ? "other" : "first"),
      };
      try {
        return await inBox(place, asking, async (box) => !(await box.changePassphrase(["origin"])).partial);
      } catch (thrown) {
        // The last run has done it, and nobody heard.
        if (isKind(thrown, "wrong-key") && /not one of its own/.test(thrown.message)) return true;
        throw thrown;
      }
    },
    always: async (place) => assert.deepEqual(await labels(place), ["passphrase", "second"]),
    async finished(place) {
      assert.deepEqual(await labels(place), ["passphrase", "second"]);
    },
  },
  {
    name: "key remove",
    prepare,
    async run(place, context) {
      try {
        return await inBox(place, context, async (box) => !(await box.removeKey([], "second")).partial);
      } catch (thrown) {
        if (isKind(thrown, "not-found") && /Cannot find a key/.test(thrown.message)) return true;
        throw thrown;
      }
    },
    async always(place) {
      const found = (await labels(place)).filter((label) => label !== "second");
      assert.deepEqual(found, ["passphrase"]);
    },
    finished: async (place) => assert.deepEqual(await labels(place), ["passphrase"]),
  },
];

for (const [index, scenario] of scenarios.entries()) {
  for (const [kindIndex, kind] of kinds.entries()) {
    test(`${scenario.name}: ${kind} leaves a remote that opens, and the next run ends it`, async (t) => {
      const first = 1 + ((index * 2 + kindIndex) % step);
      const counts = await failEvery(
        {
          ...scenario,
          async finished(place) {
            await scenario.finished(place);
            await requireGone(place);
          },
        },
        kind,
        { first, step },
      );
      assert(counts.runs > 2);
      t.diagnostic(JSON.stringify(counts));
    });
  }
}
