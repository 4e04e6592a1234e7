import assert from "node:assert/strict";
import { copyFileSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { after, test } from "node:test";
import { Prng } from "../../src/base/prng.ts";
import { BoxMount } from "../support/box-mount.ts";
import { fuseProblem } from "../support/fuse-mount.ts";
import { Program, succeed } from "../support/program.ts";

const problem = await fuseProblem();
const skip = problem === undefined ? false : `no mount here: ${problem}`;
const place = mkdtempSync(join(tmpdir(), "ourobox-live-staged-"));
const program = new Program(join(place, "home"));
const size = 24_000_000;
after(() => rmSync(place, { recursive: true, force: true }));

function ok(cwd: string, ...args: readonly string[]): Promise<string> {
  return succeed(program.runHere(args, { cwd }));
}

interface Boxes {
  readonly full: string;
  readonly lean: string;
}

let made = 0;
/** A box, and an unreal clone of it. */
async function makeBoxes(fill: (folder: string) => void): Promise<Boxes> {
  made += 1;
  const [full = "", lean = "", remote = ""] = ["full", "lean", "remote"].map((name) => join(place, `${name}${made}`));
  await ok(place, "init", full);
  fill(full);
  await ok(full, "commit", "-m", "first");
  await ok(full, "remote", "add", "origin", remote);
  await ok(full, "push");
  await ok(place, "clone", "--unreal", remote, lean);
  return { full, lean };
}

async function mountLive(box: string, ...args: string[]): Promise<BoxMount> {
  const mount = await BoxMount.start(program, { box, directory: `${box} live`, args });
  assert.equal(mount.started.status, 0, mount.started.err);
  return mount;
}

/** Brought of content, in bytes. */
async function broughtTo(box: string): Promise<number> {
  return (JSON.parse(await ok(box, "cache", "--json")) as { bytes: number }).bytes;
}

test("live mount, unreal: small writes into a large file bring what is around them, and outlive a kill", {
  skip,
}, async () => {
  const bytes = Buffer.from(new Prng(1).bytes(size));
  const { full, lean } = await makeBoxes((folder) => writeFileSync(join(folder, "big"), bytes));
  {
    await using mount = await mountLive(lean, "--commit-after", "off");
    const dd = "dd if=/dev/zero of=big conv=notrunc,fsync bs=4k count=1 seek=3000 status=none && stat -c %s big";
    assert.equal((await mount.run(dd)).out, `${size}\n`);
    bytes.fill(0, 3000 * 4096, 3001 * 4096);
    mount.kill();
  }
  assert.deepEqual(readdirSync(lean), [".ourobox"]);
  assert.equal(await broughtTo(lean), 0);
  assert.equal((await ok(lean, "status", "-s")).trim(), "M big");
  await ok(lean, "commit", "-m", "without a mount");
  assert.equal(await ok(lean, "status", "-s"), "");
  assert.deepEqual(readdirSync(lean), [".ourobox"]);
  assert((await broughtTo(lean)) < 6_000_000, `${await broughtTo(lean)} bytes were brought`);
  await ok(lean, "push");
  await ok(full, "pull");
  assert(readFileSync(join(full, "big")).equals(bytes));
});

test("live mount, unreal: a large file is written, mapped, cut and appended to where it lies", { skip }, async () => {
  const { full, lean } = await makeBoxes((folder) => writeFileSync(join(folder, "big"), new Prng(2).bytes(size)));
  await using mount = await mountLive(lean, "--commit-after", "1s");
  const there = join(place, "copy");
  copyFileSync(join(full, "big"), there);
  const { status, out } = await mount.runProgram("change-large.ts", join(mount.directory, "big"));
  assert.equal(status, 0, out);
  assert.equal((await mount.runProgram("change-large.ts", there)).status, 0);
  assert.equal((await mount.run(`cmp big '${there}'; mv big moved; cmp moved '${there}'; echo more >> moved`)).out, "");
  const ended = await program.run(["umount", mount.directory], { cwd: place });
  assert.equal(ended.status, 0, ended.err);
  await ok(lean, "push");
  await ok(full, "pull");
  assert(readFileSync(join(full, "moved")).equals(Buffer.concat([readFileSync(there), Buffer.from("more\n")])));
});

test("live mount, unreal: a large database is updated where it lies", { skip }, async () => {
  const { full, lean } = await makeBoxes((folder) => {
    using database = new DatabaseSync(join(folder, "db"));
    database.exec("CREATE TABLE rows (id INTEGER PRIMARY KEY, count INTEGER, noise BLOB)");
    database.exec(
      "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 12000) INSERT INTO rows SELECT i, 0, randomblob(1000) FROM n",
    );
  });
  await using mount = await mountLive(lean, "--commit-after", "1s");
  const update = `const { DatabaseSync } = require("node:sqlite"); const db = new DatabaseSync("db");
    for (let id = 100; id < 12000; id += 4000) db.exec("UPDATE rows SET count = count + 1 WHERE id = " + id);
    console.log(db.prepare("PRAGMA integrity_check").get().integrity_check, db.prepare("SELECT sum(count) AS n FROM rows").get().n)`;
  const run = (): Promise<{ readonly out: string }> =>
    mount.run(`'${process.execPath}' -e '${update.replaceAll("\n", " ")}'`);
  assert.equal((await run()).out, "ok 3\n");
  assert.equal((await run()).out, "ok 6\n");
  const ended = await program.run(["umount", mount.directory], { cwd: place });
  assert.equal(ended.status, 0, ended.err);
  assert.deepEqual(readdirSync(lean), [".ourobox"]);
  await ok(lean, "push");
  await ok(full, "pull");
  using database = new DatabaseSync(join(full, "db"));
  assert.equal(database.prepare("SELECT sum(count) AS n FROM rows").get()?.["n"], 6);
});
