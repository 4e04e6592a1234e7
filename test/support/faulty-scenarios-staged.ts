/** A commit of what was changed in a mount and is in no folder, for tests that fail each operation: the change is in a log or in the head, and never in both. */
import assert from "node:assert/strict";
import { readdirSync } from "node:fs";
import { join } from "node:path";
import { type Box, cloneBox } from "../../src/app/mod.ts";
import { utf8 } from "../../src/base/bytes.ts";
import { type Entry, kinds } from "../../src/format/mod.ts";
import { StagedFile } from "../../src/workdir/mod.ts";
import type { FaultyPlace } from "./faulty-box.ts";
import { inBox, makeRemote, type Scenario } from "./faulty-scenarios.ts";
import { changesIn, contentOf, namesIn } from "./unreal-pair.ts";

const path = "big.bin";
const text = "written in a mount";
const offset = 9000;

function entryOf(box: Box): Entry {
  return box.find(box.resolve("HEAD"), utf8(path)) as Entry;
}

/** As a live mount does. */
async function stage(place: FaultyPlace): Promise<void> {
  await inBox(place, "b", place.context(), async (box) => {
    const { disk } = box.context;
    const { staged } = box.layout;
    const { id, mtimeNs, data } = entryOf(box);
    const { value } = data[0];
    assert.equal(value.kind, kinds.file);
    disk.makeDirectory(staged);
    disk.syncDirectory(box.layout.box);
    const base = { id, path: utf8(path), mtimeNs, content: value.content };
    using file = StagedFile.make(disk, join(staged, "0123456789abcdef"), base);
    file.write(offset, utf8(text), mtimeNs + 5n);
    disk.syncFile(file.fd);
    disk.syncDirectory(staged);
  });
}

async function isCommitted(box: Box): Promise<boolean> {
  return (await contentOf(box, path)).includes(text);
}

/** There is one file of that name, and either it or the log has what was written. */
async function requireKept(place: FaultyPlace): Promise<void> {
  await inBox(place, "b", place.context(), async (box) => {
    assert.deepEqual(
      namesIn(box).filter((name) => name.startsWith("big")),
      [path],
    );
    assert.deepEqual(await changesIn(box), (await isCommitted(box)) ? [] : [`change ${path}`]);
    assert.deepEqual(box.conflicts([]), []);
  });
}

export const stagedScenarios: readonly Scenario[] = [
  {
    name: "commit of what is staged",
    async prepare(place) {
      await makeRemote(place);
      await cloneBox(place.path("remote"), place.path("b"), { bare: false, unreal: true }, place.context());
      await stage(place);
    },
    run: (place, context) =>
      inBox(place, "b", context, async (box) => !(await box.commit({ message: "staged", all: true })).partial),
    always: requireKept,
    async finished(place) {
      await requireKept(place);
      await inBox(place, "b", place.context(), async (box) => {
        assert(await isCommitted(box));
        assert.deepEqual(await Array.fromAsync(box.check({ readData: true })), []);
      });
      assert.deepEqual(readdirSync(place.path("b/.ourobox/staged")), []);
    },
  },
];
