/** Directories marked atomic by `.ouroboxattributes`, from the folder to the join and back. */
import assert from "node:assert/strict";
import { chmodSync, mkdirSync, mkdtempSync, readFileSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, test } from "node:test";
import { TestWorld } from "../../test/support/app-world.ts";
import { requireOwnIds } from "../../test/support/own-ids.ts";
import { utf8 } from "../base/bytes.ts";
import { dotKey, type Entry, writerHex } from "../format/mod.ts";
import { Box, cloneBox } from "./mod.ts";

const world = new TestWorld(mkdtempSync(join(tmpdir(), "ouro-units-")));
after(() => rmSync(world.folder, { recursive: true }));

const syncRequest = { force: true, message: "" };
let count = 0;

class Place {
  readonly #top: string;

  constructor() {
    count += 1;
    this.#top = join(world.folder, String(count));
    mkdirSync(this.#top);
  }

  path(name: string): string {
    return join(this.#top, name);
  }

  write(name: string, text: string): void {
    writeFileSync(this.path(name), text);
  }

  read(name: string): string {
    return readFileSync(this.path(name), "utf8");
  }

  async in<T>(name: string, body: (box: Box) => T | Promise<T>): Promise<T> {
    await using box = await Box.open(this.path(name), world.context());
    return await body(box);
  }

  /** Makes the box `a`, with a unit of two files and what is said of it. */
  async begin(attributes = "*.app atomic\n"): Promise<void> {
    await (await Box.init(this.path("a"), world.initOptions, world.context()))[Symbol.asyncDispose]();
    mkdirSync(this.path("a/x.app/inner"), { recursive: true });
    this.write("a/x.app/m", "m\n");
    this.write("a/x.app/inner/o", "o\n");
    this.write("a/out", "out\n");
    if (attributes !== "") this.write("a/.ouroboxattributes", attributes);
    await this.commit("a");
  }

  async commit(name: string): Promise<void> {
    await this.in(name, async (box) => {
      await box.commit({ message: "", all: true });
      assert.deepEqual([...(await box.status()).changes], [], "a commit leaves nothing to commit");
      const again = await box.commit({ message: "", all: true });
      assert.equal(again.id, undefined);
      requireOwnIds(box);
    });
  }

  async entry(name: string, path: string): Promise<Entry | undefined> {
    return await this.in(name, (box) => box.find(box.resolve("HEAD"), utf8(path)));
  }

  /** Two boxes that have the same. */
  async share(): Promise<void> {
    await this.in("a", (box) => box.addRemote("origin", this.path("remote")));
    await this.sync("a");
    await cloneBox(this.path("remote"), this.path("b"), { bare: false }, world.context());
  }

  async sync(name: string): Promise<void> {
    await this.in(name, async (box) => {
      await box.sync([], syncRequest);
      assert.deepEqual([...(await box.status()).changes], []);
      requireOwnIds(box);
    });
  }
}

const idOf = (entry: Entry | undefined): string => (entry === undefined ? "none" : dotKey(entry.id));

test("a directory that the attributes call atomic is marked by the commit, with a value of its own", async () => {
  const place = new Place();
  await place.begin();
  const unit = await place.entry("a", "x.app");
  assert.equal(unit?.meta.atomic, true);
  assert.equal((await place.entry("a", "x.app/inner"))?.meta.atomic, false, "what is in it is not marked too");
  assert.equal((await place.entry("a", ""))?.meta.atomic, false);
});

test("an edit deep in a unit dates it; a chmod of it alone does not", async () => {
  const place = new Place();
  await place.begin();
  const before = await place.entry("a", "x.app");
  place.write("a/x.app/inner/o", "edited\n");
  await place.commit("a");
  const edited = await place.entry("a", "x.app");
  assert(edited !== undefined && before !== undefined);
  assert.notEqual(dotKey(edited.data[0].dot), dotKey(before.data[0].dot));
  assert.equal(idOf(edited), idOf(before));
  chmodSync(place.path("a/x.app"), 0o700);
  await place.commit("a");
  const changed = await place.entry("a", "x.app");
  assert(changed !== undefined);
  assert.equal(changed.meta.mode, 0o700);
  assert.equal(dotKey(changed.data[0].dot), dotKey(edited.data[0].dot));
});

test("two edits in one unit are one conflict of the whole, and resolving it brings one whole", async () => {
  const place = new Place();
  await place.begin();
  await place.share();
  place.write("a/x.app/m", "of a\n");
  place.write("b/x.app/inner/o", "of b\n");
  await place.sync("a");
  await place.sync("b");
  await place.sync("a");
  const conflicts = await place.in("a", (box) => box.conflicts([]).map(({ path }) => Buffer.from(path).toString()));
  assert.deepEqual(conflicts, ["x.app"]);
  assert.equal(place.read("a/x.app/m"), place.read("b/x.app/m"));
  // What is not shown: its nodes are born anew.
  await place.in("a", async (box) => {
    const other = box.conflicts([])[0]?.values[1];
    assert(other !== undefined);
    await box.resolveConflicts([], { keep: "pick", peer: writerHex(other.dot.writer) });
  });
  await place.sync("a");
  await place.sync("b");
  for (const name of ["a", "b"]) {
    assert.equal(place.read(`${name}/x.app/m`), "of a\n");
    assert.equal(place.read(`${name}/x.app/inner/o`), "o\n");
    assert.deepEqual(await place.in(name, (box) => box.conflicts([])), []);
  }
});

test("attributes that come later mark what is there, and what is taken back unmarks it", async () => {
  const place = new Place();
  await place.begin("");
  const before = await place.entry("a", "x.app/inner");
  place.write("a/.ouroboxattributes", "*.app atomic\n");
  await place.commit("a");
  assert.equal((await place.entry("a", "x.app"))?.meta.atomic, true);
  const inUnit = await place.entry("a", "x.app/inner");
  assert.notEqual(idOf(inUnit), idOf(before));
  place.write("a/.ouroboxattributes", "*.app -atomic\n");
  await place.commit("a");
  assert.equal((await place.entry("a", "x.app"))?.meta.atomic, false);
  assert.notEqual(idOf(await place.entry("a", "x.app/inner")), idOf(inUnit));
});

test("what comes into a unit or leaves it is another node", async () => {
  const place = new Place();
  await place.begin();
  mkdirSync(place.path("a/d/e"), { recursive: true });
  place.write("a/d/e/f", "f\n");
  await place.commit("a");
  const [out, m, inner, d] = await Promise.all(
    ["out", "x.app/m", "x.app/inner", "d"].map((path) => place.entry("a", path)),
  );
  renameSync(place.path("a/out"), place.path("a/x.app/out"));
  renameSync(place.path("a/x.app/m"), place.path("a/m"));
  renameSync(place.path("a/x.app/inner"), place.path("a/inner"));
  renameSync(place.path("a/d"), place.path("a/x.app/d"));
  await place.commit("a");
  assert.notEqual(idOf(await place.entry("a", "x.app/out")), idOf(out));
  assert.notEqual(idOf(await place.entry("a", "m")), idOf(m));
  assert.notEqual(idOf(await place.entry("a", "inner")), idOf(inner));
  assert.notEqual(idOf(await place.entry("a", "x.app/d")), idOf(d));
  const within = await place.entry("a", "x.app/out");
  renameSync(place.path("a/x.app/out"), place.path("a/x.app/renamed"));
  renameSync(place.path("a/x.app"), place.path("a/y.app"));
  await place.commit("a");
  assert.equal(idOf(await place.entry("a", "y.app/renamed")), idOf(within), "a rename within a unit is one");
});

test("an undo of an edit in a unit counts as an edit of it everywhere", async () => {
  const place = new Place();
  await place.begin();
  await place.share();
  place.write("a/x.app/m", "wrong\n");
  await place.sync("a");
  await place.sync("b");
  await place.in("a", async (box) => {
    const edit = box.operations().find(({ command }) => command === "commit");
    assert(edit !== undefined);
    await box.undo(edit);
  });
  await place.sync("a");
  await place.sync("b");
  assert.equal(place.read("b/x.app/m"), "m\n");
  assert.deepEqual(await place.in("b", (box) => box.conflicts([])), []);
});
