/** What an unreal clone of many files costs: their metadata, and no more than so much of it. */
import assert from "node:assert/strict";
import { mkdirSync, mkdtempSync, readdirSync, rmSync, statSync, utimesSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, test } from "node:test";
import { TestWorld } from "../../test/support/app-world.ts";
import { Prng } from "../base/prng.ts";
import { Box, cloneBox } from "./mod.ts";

const world = new TestWorld(mkdtempSync(join(tmpdir(), "ouro-unreal-size-")));
after(() => rmSync(world.folder, { recursive: true }));

const files = 10_000;
const filesEach = 100;
/** Of these 32 are the hash of what is in the file, and 4 its time. */
const bytesMax = 80;
const words = [
  "report",
  "draft",
  "photo",
  "plan",
  "budget",
  "minutes",
  "scan",
  "index",
  "main",
  "util",
  "test",
  "view",
];
const endings = [".txt", ".md", ".jpg", ".pdf", ".ts", ".h", ".json"];

/** Names, times and contents as people have them: words, within weeks, all different. */
function makeFiles(folder: string, prng: Prng): void {
  const word = (): string => words[prng.int(0, words.length - 1)] as string;
  for (let made = 0; made < files; made += filesEach) {
    const below = join(folder, `${word()}-${made}`);
    mkdirSync(below, { recursive: true });
    for (let at = 0; at < filesEach; at += 1) {
      const path = join(below, `${word()}-${word()}-${prng.int(1000, 9999)}-${at}${endings[prng.int(0, 6)]}`);
      writeFileSync(path, prng.bytes(prng.int(20, 60)));
      const seconds = 1_700_000_000 + prng.int(0, 2_000_000) + prng.int(0, 999_999) / 1e6;
      utimesSync(path, seconds, seconds);
    }
  }
}

const bytesIn = (folder: string): number =>
  readdirSync(folder).reduce((sum, name) => sum + statSync(join(folder, name)).size, 0);

test(`an unreal clone brings under ${bytesMax} bytes a file`, async () => {
  const [folder, remote, cloned] = ["a", "remote", "b"].map((name) => join(world.folder, name)) as [
    string,
    string,
    string,
  ];
  await using box = await Box.init(folder, world.initOptions, world.context());
  makeFiles(folder, new Prng(1));
  await box.commit({ message: "all", all: true });
  await box.addRemote("origin", remote);
  await box.push();
  await cloneBox(remote, cloned, { bare: false, unreal: true }, world.context());
  await using clone = await Box.open(cloned, world.context());
  assert(clone.store.packs().every((pack) => pack.class === "meta"));
  const bytes =
    bytesIn(join(cloned, ".ourobox/packs")) + bytesIn(join(remote, "index")) + bytesIn(join(remote, "heads"));
  assert(bytes < bytesMax * files, `${bytes / files} bytes a file`);
});
