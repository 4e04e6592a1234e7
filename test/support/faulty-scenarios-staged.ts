/**
 * What a live mount does with large unreal files, for tests that fail each operation. A commit of what was changed and is in no folder: the change is in a log or in the head, and never in both.
 * A copy: it is an empty file, in the folder or not, or has the content.
 */
import assert from "node:assert/strict";
import { existsSync, readdirSync, statSync } from "node:fs";
import { join } from "node:path";
import { changeUnreal } from "../../src/app/change-unreal.ts";
import { type Box, cloneBox } from "../../src/app/mod.ts";
import { resumeMove } from "../../src/app/move-folder.ts";
import { takeOutEmpty } from "../../src/app/take-out-empty.ts";
import { utf8 } from "../../src/base/bytes.ts";
import { lstat } from "../../src/base/posix.ts";
import { type Content, type Entry, kinds } from "../../src/format/mod.ts";
import { equalContents } from "../../src/history/mod.ts";
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

const copyPath = "new/copy.bin";

function copyOf(box: Box): Entry | undefined {
  return box.find(box.resolve("HEAD"), utf8(copyPath));
}

function contentIn(entry: Entry): Content {
  const { value } = entry.data[0];
  assert.equal(value.kind, kinds.file);
  return value.content;
}

async function copyInMount(box: Box, inFolder: string): Promise<boolean> {
  await resumeMove(box);
  const path = utf8(copyPath);
  const content = contentIn(entryOf(box));
  const made = copyOf(box);
  if (made !== undefined && !existsSync(inFolder) && equalContents(contentIn(made), content)) return true;
  const file = existsSync(inFolder) ? lstat(inFolder) : undefined;
  const id = file === undefined ? made?.id : await takeOutEmpty(box, { path, file, mayLeave: () => true });
  if (id === undefined) return false;
  await changeUnreal(box, { id, path, content });
  return true;
}

/** It is somewhere, and no other file is. */
async function requireCopy(place: FaultyPlace): Promise<void> {
  const inFolder = place.path(`b/${copyPath}`);
  await inBox(place, "b", place.context(), async (box) => {
    const made = copyOf(box);
    if (existsSync(inFolder)) assert.equal(statSync(inFolder).size, 0);
    else assert([0, contentIn(entryOf(box)).size].includes(contentIn(made as Entry).size));
    assert.deepEqual(await changesIn(box), made === undefined ? ["add new"] : []);
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
  {
    name: "copy of what is unreal",
    isSlow: true,
    async prepare(place) {
      await makeRemote(place);
      await cloneBox(place.path("remote"), place.path("b"), { bare: false, unreal: true }, place.context());
      place.write("b", { [copyPath]: "" });
    },
    run: (place, context) => inBox(place, "b", context, (box) => copyInMount(box, place.path(`b/${copyPath}`))),
    always: requireCopy,
    async finished(place) {
      await requireCopy(place);
      await inBox(place, "b", place.context(), async (box) => {
        assert(equalContents(contentIn(copyOf(box) as Entry), contentIn(entryOf(box))));
        assert.deepEqual(await Array.fromAsync(box.check({ readData: true })), []);
      });
      assert(!existsSync(place.path(`b/${copyPath}`)));
    },
  },
];
