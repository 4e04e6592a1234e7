import assert from "node:assert/strict";
import { chmodSync, mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, test } from "node:test";
import { TestWorld } from "../../test/support/app-world.ts";
import type { Disk } from "../base/disk.ts";
import { nodeDisk } from "../base/node-disk.ts";
import { Box, cloneBox } from "./mod.ts";
import { TemporaryFolder } from "./temporary-folder.ts";

const world = new TestWorld(mkdtempSync(join(tmpdir(), "ouro-temporary-")));
after(() => rmSync(world.folder, { recursive: true }));

/** What a killed process leaves: the folder and all in it, and no lock. */
function leaveBehind(parent: string, hex: string): void {
  mkdirSync(join(parent, `.ourobox.${hex}.tmp/packs`), { recursive: true });
  writeFileSync(join(parent, `.ourobox.${hex}.tmp/config`), "half");
}

const inTheMaking = (parent: string): string[] => readdirSync(parent).filter((name) => name.startsWith(".ourobox."));

test("what a killed init or clone has left is removed by the next one; what a living one makes is not", async () => {
  const [made, remote, cloned] = ["made", "remote", "cloned"].map((name) => join(world.folder, name)) as [
    string,
    string,
    string,
  ];
  for (const parent of [made, cloned]) leaveBehind(parent, "0123456789abcdef");
  const path = (parent: string): string => {
    using living = new TemporaryFolder(parent, world.context());
    assert.deepEqual(
      inTheMaking(parent).map((name) => join(parent, name)),
      [living.path],
    );
    leaveBehind(parent, "fedcba9876543210");
    using _next = new TemporaryFolder(parent, world.context());
    assert.equal(inTheMaking(parent).length, 2);
    assert(readdirSync(parent).includes(living.path.slice(parent.length + 1)));
    return living.path;
  };
  path(made);
  assert.deepEqual(inTheMaking(made), []);
  leaveBehind(made, "0123456789abcdef");
  await using box = await Box.init(made, world.initOptions, world.context());
  assert.deepEqual(inTheMaking(made), []);
  writeFileSync(join(made, "file"), "x");
  await box.commit({ message: "one", all: true });
  await box.addRemote("origin", remote);
  await box.push();
  await cloneBox(remote, cloned, { bare: false }, world.context());
  assert.deepEqual(readdirSync(cloned).sort(), [".ourobox", "file"]);
});

test("a folder that another took for a dead one's, before it was locked, is made again", () => {
  const parent = join(world.folder, "raced");
  mkdirSync(parent);
  for (const when of ["before it is opened", "before it is locked"]) {
    let isRaced = false;
    const removeOnce = (): void => {
      if (isRaced) return;
      isRaced = true;
      for (const name of inTheMaking(parent)) rmSync(join(parent, name), { recursive: true });
    };
    const disk: Disk = {
      ...nodeDisk,
      makeDirectory(path, permissions) {
        nodeDisk.makeDirectory(path, permissions);
        if (when === "before it is opened") removeOnce();
      },
      open(path, mode, permissions) {
        const fd = nodeDisk.open(path, mode, permissions);
        if (when === "before it is locked") removeOnce();
        return fd;
      },
    };
    using made = new TemporaryFolder(parent, { ...world.context(), disk });
    assert(isRaced);
    assert.deepEqual(
      inTheMaking(parent).map((name) => join(parent, name)),
      [made.path],
      when,
    );
  }
});

test("a folder with a name of its own is gone on with by its owner alone", () => {
  const parent = join(world.folder, "named");
  const name = "0123456789abcdef";
  const path = join(parent, `.ourobox.${name}.tmp`);
  mkdirSync(parent);
  const isGoneOnWith = (disk: Disk): boolean => {
    using made = new TemporaryFolder(parent, { ...world.context(), disk }, name);
    assert.equal(made.canBeKept, made.path === path);
    made.keep();
    return made.path === path;
  };
  assert(isGoneOnWith(nodeDisk));
  assert(isGoneOnWith(nodeDisk), "it was kept");
  const another: Disk = {
    ...nodeDisk,
    statFile(fd) {
      const stat = nodeDisk.statFile(fd);
      return { ...stat, owner: stat.owner + 1 };
    },
  };
  assert(!isGoneOnWith(another));
  for (const mode of [0o770, 0o707, 0o750]) {
    chmodSync(path, mode);
    assert(!isGoneOnWith(nodeDisk), mode.toString(8));
  }
  chmodSync(path, 0o700);
  assert(isGoneOnWith(nodeDisk), "it was left alone");
});
