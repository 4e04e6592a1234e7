/** What a remote can find in the bytes of a sealed box: nothing of names, contents and messages, and nothing that two boxes with the same files have in common. */
import assert from "node:assert/strict";
import { readdirSync, readFileSync, statSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { CliBox } from "../../../test/support/cli-box.ts";
import { Prng } from "../../base/prng.ts";

const box = new CliBox({});
const words = [
  "zebrafolder",
  "zebrafile",
  "zebracontent",
  "zebramessage",
  "zebratag",
  "zebrabranch",
  "zebralink",
  "zebraperson",
];
/** The end of a pack is not sealed: how long its directory is, and where. Both follow from sizes, which a remote sees. */
const trailerBytes = 32;
/** So long a stretch in both is no accident. */
const stretchBytes = 24;

/** Makes a box of the same files as every other, and pushes it. @returns All bytes of its remote, and their names, by name. */
async function pushed(name: string, ...flags: string[]): Promise<Map<string, Buffer>> {
  const folder = join(box.top, name);
  const remote = join(box.top, `${name}-remote`);
  const run = (...args: string[]): Promise<string> => box.ok("-C", folder, ...args);
  await box.ok("init", ...flags, folder);
  box.write(`../${name}/zebrafolder/zebrafile.txt`, "zebracontent of a small file\n");
  box.write(`../${name}/zebrafolder/long.txt`, "zebracontent, line for line\n".repeat(5000));
  box.write(`../${name}/random`, new Prng(1).bytes(100_000).join(""));
  await run("commit", "-m", "zebramessage");
  await run("tag", "zebratag");
  await run("branch", "zebrabranch");
  await run("remote", "add", "origin", remote);
  await run("push");
  const names = readdirSync(remote, { recursive: true, encoding: "utf8" });
  const files = names.filter((each) => statSync(join(remote, each)).isFile());
  assert(files.length >= 5, `${files}`);
  return new Map(
    files.map((each) => [each, Buffer.concat([Buffer.from(`${each}\n`), readFileSync(join(remote, each))])]),
  );
}

function wordsIn(files: ReadonlyMap<string, Buffer>): string[] {
  const forms = (word: string): Buffer[] => [
    Buffer.from(word),
    Buffer.from(word, "utf16le"),
    Buffer.from(Buffer.from(word).toString("hex")),
  ];
  return words.filter((word) => [...files.values()].some((bytes) => forms(word).some((form) => bytes.includes(form))));
}

/** Names of the files of one that share a stretch with any of the other, but for `config`, which says in words how it is made. */
function sharedBy(one: ReadonlyMap<string, Buffer>, other: ReadonlyMap<string, Buffer>): string[] {
  const contents = (files: ReadonlyMap<string, Buffer>): [string, Buffer][] =>
    [...files]
      .filter(([name]) => name !== "config")
      .map(([name, bytes]) => [name, name.startsWith("packs/") ? bytes.subarray(0, -trailerBytes) : bytes]);
  const stretches = new Set<string>();
  for (const [, bytes] of contents(other))
    for (let at = 0; at + stretchBytes <= bytes.length; at += 1)
      stretches.add(bytes.toString("latin1", at, at + stretchBytes));
  return contents(one)
    .filter(([, bytes]) => {
      for (let at = 0; at + stretchBytes <= bytes.length; at += 1)
        if (stretches.has(bytes.toString("latin1", at, at + stretchBytes))) return true;
      return false;
    })
    .map(([name]) => name);
}

test("no byte of a sealed box's remote tells of names, contents or messages; those of a plain one do", async () => {
  box.env["OUROBOX_USER_NAME"] = "zebraperson";
  const plain = wordsIn(await pushed("plain", "--plain"));
  assert(plain.length >= 4, `the search finds what is there: ${plain}`);
  assert.deepEqual(wordsIn(await pushed("sealed")), []);
  box.env["OUROBOX_USER_NAME"] = "Ada";
});

test("two sealed boxes with the same files and passphrase have nothing in common on their remotes; plain ones have", async () => {
  assert(sharedBy(await pushed("plain-a", "--plain"), await pushed("plain-b", "--plain")).length > 0);
  assert.deepEqual(sharedBy(await pushed("sealed-a"), await pushed("sealed-b")), []);
});
