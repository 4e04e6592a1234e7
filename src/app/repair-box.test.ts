/** Damaged rows in each table of state.sqlite: named by `check`, mended by `check --repair`, and by a fetch where it can. */
import assert from "node:assert/strict";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { after, test } from "node:test";
import { TestWorld } from "../../test/support/app-world.ts";
import { toHex, utf8 } from "../base/bytes.ts";
import { Box } from "./mod.ts";

const world = new TestWorld(mkdtempSync(join(tmpdir(), "ouro-repair-")));
after(() => rmSync(world.folder, { recursive: true }));

let count = 0;

/** A box with something in every table, pushed. */
async function fullBox(): Promise<{ path: string; head: string }> {
  count += 1;
  const path = join(world.folder, `box${count}`);
  await using box = await Box.init(path, world.initOptions, world.context());
  writeFileSync(join(path, "one"), "1\n");
  await box.commit({ message: "first", all: true });
  await box.switch({ name: "side", create: box.head()?.commit ?? assert.fail() });
  writeFileSync(join(path, "two"), "2\n");
  const { id = assert.fail() } = await box.commit({ message: "second", all: true });
  await box.tag("t", id, { force: false });
  await box.addRemote("origin", join(world.folder, `remote${count}`));
  await box.push();
  writeFileSync(join(path, "one"), "picked\n");
  await box.add([utf8("one")]);
  return { path, head: toHex(box.head()?.commit ?? assert.fail()) };
}

function damage(path: string, sql: string): void {
  using database = new DatabaseSync(join(path, ".ourobox/state.sqlite"));
  assert(Number(database.prepare(sql).run().changes) > 0, sql);
}

async function lines(box: Box): Promise<string[]> {
  const all = await Array.fromAsync(box.check({ readData: true }));
  assert(all.every(({ hint }) => hint.includes("check --repair")));
  return all.map(({ what }) => what);
}

/** What names commits, as text. */
function names(box: Box): string[] {
  const branches = box.branches().map(({ name, remotes }) => `${name} ${remotes.map(({ remote }) => remote)}`);
  return [...branches.sort(), ...box.tags().map(({ name }) => name)];
}

/** Each damages rows of one table: their checksum, value or key. */
const damages: Readonly<Record<string, readonly string[]>> = {
  branches: ["UPDATE branches SET sum = sum + 1", "UPDATE branches SET name = 'mbin'"],
  remote_heads: ["UPDATE remote_heads SET raw = x'00'", "UPDATE remote_heads SET remote = 'prigin'"],
  tags: ["UPDATE tags SET sum = sum + 1", "UPDATE tags SET name = 'u'"],
  operations: ["UPDATE operations SET sum = sum + 1", "UPDATE operations SET before = x'00'"],
  picks: ["UPDATE picks SET path = x'00'"],
  scan: ["UPDATE scan SET directory = x'00'", "UPDATE scan SET data = x'00'"],
  settings: ["UPDATE settings SET sum = sum + 1", "UPDATE settings SET value = x'00'"],
};

for (const [table, all] of Object.entries(damages)) {
  for (const sql of all) {
    test(`damage in "${table}" is named and repaired: ${sql}`, async () => {
      const { path, head } = await fullBox();
      const wanted = await inBox(path, async (box) => names(box));
      damage(path, sql);
      await inBox(path, async (box) => {
        const found = await Array.fromAsync(box.check({ readData: true }));
        assert.deepEqual(
          found.filter(({ what }) => !what.includes(`rows of "${table}"`)),
          [],
        );
        assert.equal(found.length, 1);
        await box.repair(found);
        assert.deepEqual(await lines(box), []);
        await box.fetch();
        assert.deepEqual(names(box), wanted);
        const { id } = await box.commit({ message: "third", all: true });
        assert(id !== undefined);
        await box.push();
        assert(box.commitOf(id).commit.parents.some((parent) => toHex(parent) === head));
      });
    });
  }
}

for (const sql of damages["remote_heads"] ?? assert.fail()) {
  test(`a fetch heals heads of remotes by itself: ${sql}`, async () => {
    const { path } = await fullBox();
    const wanted = await inBox(path, async (box) => names(box));
    damage(path, sql);
    await inBox(path, async (box) => {
      const { heads } = await box.fetch();
      assert(heads > 0);
      assert.deepEqual(await lines(box), []);
      assert.deepEqual(names(box), wanted);
    });
  });
}

test("a damaged memory of a remote stops neither fetch nor push", async () => {
  const { path } = await fullBox();
  damage(path, "UPDATE settings SET sum = sum + 1 WHERE key LIKE 'remote %'");
  await inBox(path, async (box) => {
    await box.fetch();
    await box.push();
    assert.deepEqual(await lines(box), []);
  });
});

test("nothing is collected while it cannot be told what is needed", async () => {
  const { path } = await fullBox();
  damage(path, "UPDATE tags SET sum = sum + 1");
  await inBox(path, async (box) => {
    await assert.rejects(box.gc({ dryRun: false }), { kind: "corrupt", hint: /check --repair/ });
    await box.repair(await Array.fromAsync(box.check({ readData: true })));
    await box.gc({ dryRun: false });
    assert.deepEqual(await lines(box), []);
  });
});

test("a state whose tables are others is made anew from the heads", async () => {
  const { path, head } = await fullBox();
  const wanted = await inBox(path, async (box) => names(box));
  {
    using database = new DatabaseSync(join(path, ".ourobox/state.sqlite"), { defensive: false });
    database.exec("PRAGMA writable_schema = ON");
    database.exec("UPDATE sqlite_schema SET sql = replace(sql, 'directory', 'eirectory') WHERE name = 'scan'");
  }
  await inBox(path, async (box) => {
    assert.match((await lines(box)).join(), /not those of ourobox/);
    await assert.rejects(box.commit({ message: "third", all: true }), { kind: "corrupt" });
    await box.repair(await Array.fromAsync(box.check({ readData: true })));
    assert.deepEqual(await lines(box), []);
    assert.equal(toHex(box.head()?.commit ?? assert.fail()), head);
    await box.fetch();
    assert.deepEqual(names(box), wanted);
    await box.commit({ message: "third", all: true });
  });
});

async function inBox<T>(path: string, body: (box: Box) => Promise<T>): Promise<T> {
  await using box = await Box.open(path, world.context());
  return await body(box);
}
