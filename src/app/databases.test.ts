import assert from "node:assert/strict";
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, test } from "node:test";
import { TestWorld } from "../../test/support/app-world.ts";
import { isKind } from "../base/errors.ts";
import { type AppContext, Box } from "./mod.ts";

const world = new TestWorld(mkdtempSync(join(tmpdir(), "ouro-databases-")));
after(() => rmSync(world.folder, { recursive: true }));

/** As on a machine whose home is this. */
function contextOf(home: string, more: Record<string, string> = {}): AppContext {
  const context = world.context();
  return { ...context, env: { ...context.env, XDG_DATA_HOME: join(world.folder, home), ...more } };
}

test("a box whose databases are apart has none in its folder, and finds them again", async () => {
  const path = join(world.folder, "apart");
  const context = contextOf("one", { OUROBOX_BOX_DATABASES: "data" });
  {
    await using box = await Box.init(path, world.initOptions, context);
    writeFileSync(join(path, "file"), "first\n");
    await box.commit({ message: "first", all: true });
  }
  const inBox = readdirSync(join(path, ".ourobox"));
  assert.deepEqual(
    inBox.filter((name) => name.includes("sqlite")),
    [],
  );
  const id = readFileSync(join(path, ".ourobox/databases"), "utf8").trim();
  const there = readdirSync(join(world.folder, "one/ourobox/boxes", id));
  assert(there.includes("state.sqlite") && there.includes("index.sqlite"), there.join());

  // The setting is about new boxes only.
  await using again = await Box.open(path, contextOf("one"));
  assert.equal([...again.log({ paths: [], withChanges: false })].length, 1);
  assert.deepEqual((await again.status()).changes, []);
  assert.deepEqual(await Array.fromAsync(again.check({ readData: true })), []);
});

test("on another machine the databases are made anew from heads and packs", async () => {
  const path = join(world.folder, "shared");
  {
    const context = contextOf("here", { OUROBOX_BOX_DATABASES: "data" });
    await using box = await Box.init(path, world.initOptions, context);
    writeFileSync(join(path, "file"), "first\n");
    await box.commit({ message: "first", all: true });
  }
  await using box = await Box.open(path, contextOf("there"));
  const [first] = [...box.log({ paths: [], withChanges: false })];
  assert(first !== undefined);
  const entry = box.find(first.id, Buffer.from("file"));
  assert(entry !== undefined);
  assert.equal(Buffer.concat(await Array.fromAsync(box.readFile(entry))).toString(), "first\n");
});

test("a box with databases in its folder stays as it is, and a damaged note is told", async () => {
  const path = join(world.folder, "inside");
  await (await Box.init(path, world.initOptions, contextOf("one")))[Symbol.asyncDispose]();
  await (await Box.open(path, contextOf("one", { OUROBOX_BOX_DATABASES: "data" })))[Symbol.asyncDispose]();
  assert(!existsSync(join(path, ".ourobox/databases")));
  writeFileSync(join(path, ".ourobox/databases"), "../../etc\n");
  await assert.rejects(
    Box.open(path, contextOf("one")),
    (error) => isKind(error, "corrupt") && error.hint !== undefined,
  );
});
