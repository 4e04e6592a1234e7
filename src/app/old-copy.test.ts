/** A box that was restored from an older copy of itself, or used as two, on one machine and in one place. */
import assert from "node:assert/strict";
import { cpSync, existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, test } from "node:test";
import { TestWorld } from "../../test/support/app-world.ts";
import { Box, cloneBox } from "./mod.ts";
import { currentWriter } from "./own-writer.ts";

const world = new TestWorld(mkdtempSync(join(tmpdir(), "ouro-old-")));
after(() => rmSync(world.folder, { recursive: true }));

const request = { force: true, message: "" };
let count = 0;

interface Place {
  readonly path: (name: string) => string;
  /** Opens a folder's box, and closes it again. */
  readonly inBox: <T>(name: string, body: (box: Box) => Promise<T>) => Promise<T>;
}

/** A folder with two commits, of which the second is pushed; its `.ourobox` is kept as it was at the first. */
async function place(): Promise<Place> {
  count += 1;
  const path = (name: string): string => join(world.folder, `${count}-${name}`);
  const inBox: Place["inBox"] = async (name, body) => {
    await using box = await Box.open(path(name), world.context());
    return await body(box);
  };
  const made = await Box.init(path("a"), world.initOptions, world.context());
  await made[Symbol.asyncDispose]();
  writeFileSync(path("a/x"), "first\n");
  await inBox("a", (box) => box.addRemote("origin", path("remote")));
  await inBox("a", (box) => box.sync([], request));
  cpSync(path("a/.ourobox"), path("backup"), { recursive: true, preserveTimestamps: true });
  await cloneBox(path("remote"), path("b"), { bare: false }, world.context());
  return { path, inBox };
}

/** Puts the old `.ourobox` back, into the directory that is there: neither machine nor inode are others. */
function restoreOld({ path }: Pick<Place, "path">, copy = "backup"): void {
  for (const name of readdirSync(path("a/.ourobox"))) rmSync(path(`a/.ourobox/${name}`), { recursive: true });
  cpSync(path(copy), path("a/.ourobox"), { recursive: true, preserveTimestamps: true });
}

test("an old copy that syncs first goes on as a new writer, and nothing is lost", async () => {
  const where = await place();
  const { path, inBox } = where;
  writeFileSync(path("a/x"), "second\n");
  await inBox("a", (box) => box.sync([], request));
  restoreOld(where);
  writeFileSync(path("a/y"), "after the restore\n");
  const before = await inBox("a", async (box) => box.writer().writer);
  await inBox("a", (box) => box.sync([], request));
  assert.notEqual(await inBox("a", async (box) => box.writer().writer), before);
  await inBox("b", (box) => box.sync([], request));
  assert.equal(readFileSync(path("b/x"), "utf8"), "second\n");
  assert.equal(readFileSync(path("b/y"), "utf8"), "after the restore\n");
  assert.deepEqual(await inBox("b", async (box) => box.conflicts([]).length), 0);
});

for (const isLater of [true, false]) {
  test(`an old copy that commits before it syncs has forked: both histories are joined (${isLater ? "its" : "the other"} is the later)`, async () => {
    const where = await place();
    const { path, inBox } = where;
    const commitOld = async (): Promise<void> => {
      restoreOld(where);
      writeFileSync(path("a/x"), "of the old copy\n");
      writeFileSync(path("a/old"), "of the old copy\n");
      await inBox("a", (box) => box.commit({ message: "old copy", all: true }));
    };
    if (isLater) {
      writeFileSync(path("a/x"), "second\n");
      writeFileSync(path("a/second"), "second\n");
      await inBox("a", (box) => box.sync([], request));
      rmSync(path("a/second"));
      await commitOld();
    } else {
      // The copy that goes on elsewhere is pushed after the old one has committed.
      await commitOld();
      cpSync(path("a/.ourobox"), path("kept"), { recursive: true, preserveTimestamps: true });
      restoreOld(where);
      rmSync(path("a/old"));
      writeFileSync(path("a/x"), "second\n");
      writeFileSync(path("a/second"), "second\n");
      await inBox("a", (box) => box.sync([], request));
      restoreOld(where, "kept");
      rmSync(path("a/second"));
      writeFileSync(path("a/x"), "of the old copy\n");
      writeFileSync(path("a/old"), "of the old copy\n");
    }
    for (let round = 0; round < 3; round += 1) {
      const { failed } = await inBox("a", (box) => box.sync([], request));
      assert.deepEqual(failed, []);
      await inBox("b", (box) => box.sync([], request));
    }
    for (const name of ["a", "b"]) {
      assert.equal(readFileSync(path(`${name}/old`), "utf8"), "of the old copy\n", name);
      assert(existsSync(path(`${name}/second`)), name);
      const conflicts = await inBox(name, async (box) => box.conflicts([]));
      assert.deepEqual(
        conflicts.map((each) => [Buffer.from(each.path).toString(), each.values.length]),
        [["x", 2]],
      );
      assert.deepEqual(await inBox(name, (box) => Array.fromAsync(box.check({ readData: true }))), []);
    }
    assert.equal(readFileSync(path("a/x"), "utf8"), readFileSync(path("b/x"), "utf8"));
  });
}

test("a copy of a box that had written nothing yet never takes its original's events for its own", async () => {
  count += 1;
  const path = (name: string): string => join(world.folder, `${count}-${name}`);
  const inBox: Place["inBox"] = async (name, body) => {
    await using box = await Box.open(path(name), world.context());
    return await body(box);
  };
  await (await Box.init(path("a"), world.initOptions, world.context()))[Symbol.asyncDispose]();
  await inBox("a", (box) => box.addRemote("origin", path("remote")));
  await inBox("a", async (box) => box.writer());
  cpSync(path("a/.ourobox"), path("empty"), { recursive: true, preserveTimestamps: true });
  writeFileSync(path("a/f"), "of a\n");
  writeFileSync(path("a/g"), "of a\n");
  await inBox("a", (box) => box.commit({ message: "a", all: true }));
  await inBox("a", (box) => box.push());
  await cloneBox(path("remote"), path("b"), { bare: false }, world.context());
  const before = await inBox("a", async (box) => box.writer().writer);
  // Both make a file of one name: whoever takes both in has to mend.
  writeFileSync(path("a/same"), "of a\n");
  writeFileSync(path("b/same"), "of b\n");
  for (const name of ["a", "b"]) {
    await inBox(name, (box) => box.commit({ message: name, all: true }));
    await inBox(name, (box) => box.push());
  }
  for (const name of ["f", "g", "same"]) rmSync(path(`a/${name}`));
  restoreOld({ path }, "empty");
  await inBox("a", (box) => box.pull());
  assert.notEqual(await inBox("a", async (box) => box.writer().writer), before);
});

test("a head that another command moves meanwhile is not taken for that of an older copy", async () => {
  const { path, inBox } = await place();
  await inBox("a", async (box) => {
    const head = box.state.head();
    const writer = box.writer().writer;
    await inBox("a", async (other) => {
      writeFileSync(path("a/x"), "meanwhile\n");
      await other.commit({ message: "meanwhile", all: true });
    });
    assert.equal(currentWriter(box, head).writer, writer);
    assert.equal(box.writer().writer, writer);
  });
});
