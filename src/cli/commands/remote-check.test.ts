/** `remote check`: each kind of damage is found and named, and what is whole here heals it. */
import assert from "node:assert/strict";
import { readdirSync, readFileSync, rmSync, truncateSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { CliBox } from "../../../test/support/cli-box.ts";
import { Prng } from "../../base/prng.ts";

const random = Buffer.from(new Prng(7).bytes(200_000)).toString("base64");
const box = new CliBox({ "a.txt": "first\n", "d/b.bin": random });
const at = (...path: string[]): string => join(box.top, "remote", ...path);

async function pushed(): Promise<void> {
  await box.ok("remote", "add", "origin", at());
  await box.ok("push");
  box.write("d/c.txt", "another\n");
  await box.ok("commit", "-m", "Second");
  await box.ok("push");
}

/** Files of a folder there, the largest first. */
function filesIn(folder: string): string[] {
  const size = (name: string): number => readFileSync(at(folder, name)).length;
  return readdirSync(at(folder)).sort((a, b) => size(b) - size(a));
}

function flip(path: string, place: number): void {
  const bytes = readFileSync(path);
  const index = place < 0 ? bytes.length + place : place;
  bytes[index] = (bytes[index] ?? 0) ^ 0x10;
  writeFileSync(path, bytes);
}

async function requireWhole(): Promise<void> {
  const { out, err, status } = await box.run("remote", "check", "origin", "--read-data");
  assert.equal(status, 0, out + err);
  assert.equal(out, "");
  rmSync(join(box.top, "copy"), { recursive: true, force: true });
  await box.ok("clone", at(), join(box.top, "copy"));
  assert.equal(readFileSync(join(box.top, "copy/d/b.bin"), "utf8"), random);
  assert.equal(await box.ok("-C", join(box.top, "copy"), "check", "--read-data"), "");
}

/** Each kind of damage: what does it, what is said of it, and whether only reading the bytes finds it. */
const damages: readonly { name: string; does(): void; says: RegExp; isInData?: boolean }[] = [
  {
    name: "a pack that is gone",
    does: () => rmSync(at("packs", filesIn("packs")[0] ?? "")),
    says: /^damaged: packs\/[0-9a-f]{64}: .*it is not there\n {2}Run `ourobox remote check origin --repair`/m,
  },
  {
    name: "a pack that is cut off",
    does: () => truncateSync(at("packs", filesIn("packs")[0] ?? ""), 5000),
    says: /^damaged: packs\/[0-9a-f]{64}: .*it has 5000 bytes/m,
  },
  {
    name: "a pack whose end is damaged",
    does: () => flip(at("packs", filesIn("packs")[0] ?? ""), -100),
    says: /^damaged: packs\/[0-9a-f]{64}: /m,
  },
  {
    name: "a pack whose content is damaged",
    does: () => flip(at("packs", filesIn("packs")[0] ?? ""), 50_000),
    says: /^damaged: packs\/[0-9a-f]{64}: .*its bytes have another hash/m,
    isInData: true,
  },
  {
    name: "an index file that is damaged",
    does: () => flip(at("index", filesIn("index")[0] ?? ""), -10),
    says: /^damaged: index\/[0-9a-f]{64}: /m,
  },
  {
    name: "an index file that is gone",
    does: () => rmSync(at("index", filesIn("index")[0] ?? "")),
    says: /^damaged: commit [0-9a-f]{12}: .*it is in no pack there that is whole/m,
  },
  {
    name: "a head that is damaged",
    does: () => flip(at("heads", filesIn("heads")[0] ?? ""), -10),
    says: /^damaged: heads\/[0-9a-f]{16}: /m,
  },
  { name: "everything that was written but the config", does: damageAll, says: /^damaged: /m },
];

function damageAll(): void {
  for (const folder of ["packs", "index", "heads"])
    for (const name of filesIn(folder)) flip(at(folder, name), Math.floor(readFileSync(at(folder, name)).length / 2));
}

for (const { name, does, says, isInData = false } of damages) {
  test(`remote check finds ${name}, changes nothing by itself, and heals it with --repair`, async () => {
    await pushed();
    await requireWhole();
    does();
    const lightly = await box.run("remote", "check", "origin");
    if (isInData) assert.equal(lightly.status, 0, lightly.out);
    else assert.match(lightly.out, says);
    const flags = isInData ? ["--read-data"] : [];
    const { out, status } = await box.run("remote", "check", "origin", ...flags);
    assert.equal(status, 1);
    assert.match(out, says);
    const again = await box.run("remote", "check", "origin", ...flags);
    assert.equal(again.out, out);
    const repaired = await box.run("remote", "check", "origin", "--read-data", "--repair");
    assert.equal(repaired.status, 0, repaired.out + repaired.err);
    assert.match(repaired.err, /All is whole there now/);
    await requireWhole();
    await box.ok("push");
    await box.ok("fetch");
  });
}

test("--read-data-subset reads a part; what is damaged here, too, is left and told", async () => {
  for (let count = 0; count < 6; count += 1) {
    box.write(`${count}`, new Prng(count).bytes(10_000).join(""));
    await box.ok("commit", "-m", `${count}`);
  }
  await pushed();
  const part = await box.ok("remote", "check", "origin", "--read-data-subset", "5%", "--json");
  const { packs, packsRead, damaged } = JSON.parse(part) as Record<string, number>;
  assert.equal(damaged, 0);
  assert((packsRead ?? 0) >= 1 && (packsRead ?? 0) < (packs ?? 0), part);
  for (const wrong of ["0%", "101%", "some"])
    assert.equal((await box.run("remote", "check", "origin", "--read-data-subset", wrong)).status, 2);
  assert.equal((await box.run("remote", "list", "--repair")).status, 2);
  const [largest = ""] = filesIn("packs");
  flip(at("packs", largest), 50_000);
  flip(join(box.folder, ".ourobox/packs", largest), 60_000);
  const { out, err, status } = await box.run("remote", "check", "origin", "--read-data", "--repair");
  assert.equal(status, 1);
  assert.match(err, new RegExp(`warning: Pack ${largest.slice(0, 12)} is damaged here, too`));
  assert.match(out, new RegExp(`damaged: packs/${largest}`));
});

test("a push that was cut off, and heads that are new here, are no damage", async () => {
  await pushed();
  writeFileSync(at("packs", "ab".repeat(32)), "a part");
  await box.ok("clone", at(), join(box.top, "copy"));
  writeFileSync(join(box.top, "copy/new.txt"), "new");
  await box.ok("-C", join(box.top, "copy"), "commit", "-m", "There");
  await box.ok("-C", join(box.top, "copy"), "push");
  const { status, err } = await box.run("remote", "check", "origin");
  assert.equal(status, 0, err);
  assert.match(err, /1 file in packs\/ that nothing lists/);
  assert.match(err, /1 head not looked into/);
});
