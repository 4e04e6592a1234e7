import assert from "node:assert/strict";
import { mkdirSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { compareFolder } from "../../test/support/random-folder.ts";
import { TestFolder } from "../../test/support/test-folder.ts";
import { State } from "../history/mod.ts";

for (const kind of ["file", "directory"] as const) {
  test(`when two directories swap places, a ${kind} of one name in each stays with neither`, async () => {
    using folder = new TestFolder();
    using state = State.open(":memory:");
    const at = (path: string): string => join(folder.path, path);
    const make = (path: string, text: string): void => {
      if (kind === "directory") mkdirSync(at(path));
      writeFileSync(at(kind === "directory" ? `${path}/inside` : path), text);
    };
    for (const name of ["x", "d", "d/y"]) mkdirSync(at(name));
    writeFileSync(at("x/of-x"), "x stays itself");
    writeFileSync(at("d/y/of-y"), "y stays itself");
    make("x/child", "the first child");
    await folder.commit();
    assert(folder.tree !== undefined);
    const copy = join(folder.place, "copy");
    await folder.checkout(copy, folder.tree, { state });
    const from = folder.tree;
    renameSync(at("x"), at("away"));
    renameSync(at("d/y"), at("x"));
    renameSync(at("away"), at("d/y"));
    rmSync(at("d/y/child"), { recursive: true });
    make("x/child", "quite another child, as long as it is");
    await folder.commit();
    await folder.checkout(copy, folder.tree, { state, from });
    compareFolder(folder, copy);
    assert.deepEqual(await folder.statusLines(undefined, { path: copy, state }), []);
  });
}
