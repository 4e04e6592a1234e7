/** Programs of this machine that merge, from the attribute in the tree to the commit that settles. */
import assert from "node:assert/strict";
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, test } from "node:test";
import { TestWorld } from "../../test/support/app-world.ts";
import { Box, cloneBox } from "./mod.ts";

const top = mkdtempSync(join(tmpdir(), "ouro-driver-"));
after(() => rmSync(top, { recursive: true }));

const request = { force: true, message: "" };
const name = "it's a list.n";
let count = 0;

/** Two machines that have both added a line to a file; the second syncs last. @param config Of the user there. */
async function meet(config: string): Promise<{ text: string; conflicts: number; said: string[] }> {
  count += 1;
  const place = join(top, String(count));
  const worlds = ["one", "two"].map((each) => {
    const world = new TestWorld(join(place, each));
    mkdirSync(join(world.folder, "config/ourobox"), { recursive: true });
    writeFileSync(join(world.folder, "config/ourobox/config"), config);
    return world;
  });
  const [one, two] = worlds as [TestWorld, TestWorld];
  const [a, b] = [join(one.folder, "box"), join(two.folder, "box")];
  mkdirSync(a);
  writeFileSync(join(a, ".ouroboxattributes"), "*.n merge=union\n");
  writeFileSync(join(a, name), "m\n");
  await using first = await Box.init(a, one.initOptions, one.context());
  await first.addRemote("origin", join(place, "remote"));
  await first.sync([], request);
  await cloneBox(join(place, "remote"), b, { bare: false }, two.context());
  await using second = await Box.open(b, two.context());
  writeFileSync(join(a, name), "a\nm\n");
  await first.sync([], request);
  writeFileSync(join(b, name), "m\nb\n");
  await second.sync([], request);
  assert.deepEqual(readdirSync(join(b, ".ourobox/tmp")), [], "what the driver was given is gone");
  await first.sync([], request);
  assert.deepEqual(readFileSync(join(a, name)), readFileSync(join(b, name)));
  return { text: readFileSync(join(b, name), "utf8"), conflicts: second.conflicts([]).length, said: two.said };
}

test("a driver of this machine's config settles what the tree gives to it", async () => {
  const command = 'echo %P | grep -q "s a list" && test "$(cat %O)" = m && sort -u -o %A %A %B';
  const { text, conflicts } = await meet(`merge.union.command = ${command}\n`);
  assert.equal(text, "a\nb\nm\n");
  assert.equal(conflicts, 0);
});

test("a driver that fails, or that this machine does not have, leaves the conflict", async () => {
  for (const config of ["merge.union.command = echo no luck >&2; false\n", "", "merge.other.command = true\n"]) {
    const { text, conflicts } = await meet(config);
    assert.equal(text, "m\nb\n");
    assert.equal(conflicts, 1);
  }
});

test("a driver that a box's own config names is not run", async () => {
  const world = new TestWorld(join(top, "box-config"));
  const folder = join(world.folder, "box");
  mkdirSync(folder, { recursive: true });
  {
    await using _ = await Box.init(folder, world.initOptions, world.context());
  }
  writeFileSync(join(folder, ".ourobox/config"), "merge.union.command = true\n");
  await using box = await Box.open(folder, world.context());
  assert.equal(box.settings.find("merge.union.command"), undefined);
});
