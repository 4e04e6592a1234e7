import assert from "node:assert/strict";
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, test } from "node:test";
import { TestWorld } from "../../test/support/app-world.ts";
import { Box, cloneBox } from "./mod.ts";

const world = new TestWorld(mkdtempSync(join(tmpdir(), "ouro-sync-")));
after(() => rmSync(world.folder, { recursive: true }));

const request = { force: false, message: "", holdsBack: true };

test("what the guard would stop is held back, and what others did is joined", async () => {
  const path = (name: string): string => join(world.folder, name);
  mkdirSync(path("a/many"), { recursive: true });
  for (let index = 0; index < 150; index += 1) writeFileSync(path(`a/many/${index}`), `${index}\n`);
  await using a = await Box.init(path("a"), world.initOptions, world.context());
  await a.addRemote("origin", path("remote"));
  await a.sync([], request);
  const others: Box[] = [];
  for (const name of ["b", "c"]) {
    await cloneBox(path("remote"), path(name), { bare: false }, world.context());
    others.push(await Box.open(path(name), world.context()));
  }
  const [b, c] = others as [Box, Box];
  writeFileSync(path("b/new"), "new\n");
  await b.commit({ message: "new", all: true });
  rmSync(path("c/many"), { recursive: true });
  await c.commit({ message: "emptied", all: true });
  await b.push();
  await c.push();

  const { held, moved, partial } = await a.sync([], request);
  assert(held !== undefined && moved !== undefined && partial);
  assert.equal(readFileSync(path("a/new"), "utf8"), "new\n");
  assert(existsSync(path("a/many/7")));
  const again = await a.sync([], request);
  assert(again.held !== undefined && again.moved === undefined);
  await a.sync([], { ...request, force: true });
  assert(!existsSync(path("a/many")));
  for (const box of others) await box[Symbol.asyncDispose]();
});
