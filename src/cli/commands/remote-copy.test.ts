/** `remote copy`: one remote becomes another, without a box; again and again; and as a plain one. */
import assert from "node:assert/strict";
import { readdirSync, readFileSync, rmSync, statSync, utimesSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { runCli, type Seen } from "../../../test/support/cli.ts";
import { CliBox } from "../../../test/support/cli-box.ts";
import { Prng } from "../../base/prng.ts";

const random = Buffer.from(new Prng(3).bytes(100_000)).toString("base64");
const box = new CliBox({ "a.txt": "a secret that is in clear text, and long enough to be found\n", "d/b.bin": random });
const at = (...path: string[]): string => join(box.top, ...path);

/** In a folder that has no box. */
function copy(...args: string[]): Promise<Seen> {
  return runCli(["remote", "copy", ...args], { cwd: box.top, env: { ...box.env, HOME: box.top } });
}

async function pushed(): Promise<void> {
  await box.ok("remote", "add", "origin", at("one"));
  await box.ok("push");
}

async function change(text: string): Promise<void> {
  box.write("c.txt", text);
  await box.ok("commit", "-m", text);
}

async function requireEqual(url: string): Promise<void> {
  rmSync(at("clone"), { recursive: true, force: true });
  await box.ok("clone", url, at("clone"));
  assert.equal(await box.ok("-C", at("clone"), "check", "--read-data"), "");
  assert.equal(readFileSync(at("clone/d/b.bin"), "utf8"), random);
  assert.equal(
    (await box.ok("-C", at("clone"), "log", "--json")).replaceAll(/"automatic".*/g, ""),
    (await box.ok("log", "--json")).replaceAll(/"automatic".*/g, ""),
  );
}

test("a copy of a remote is one: it opens with the same passphrases, and only what is new comes the next time", async () => {
  await pushed();
  const first = await copy(at("one"), at("two"));
  assert.equal(first.status, 0, first.err);
  assert.match(first.err, /^Copied 2 packs, .*, and 1 head$/m);
  assert.deepEqual(readdirSync(at("two/packs")).sort(), readdirSync(at("one/packs")).sort());
  await requireEqual(at("two"));
  assert.match((await copy(at("one"), at("two"))).err, /^Nothing new$/m);
  await change("Second");
  await box.ok("push");
  rmSync(at("two/packs", readdirSync(at("two/packs"))[0] ?? ""));
  assert.match(
    (await copy("./one", `file://${at("two")}`)).err,
    /^Copied 3 packs/m,
    "what is missing there comes again",
  );
  await requireEqual(at("two"));
  await box.ok("remote", "add", "two", at("two"));
  assert.equal((await box.run("remote", "check", "two", "--read-data")).status, 0);
  await box.ok("push", "two");
});

test("a head that is newer in the copy stays, and so does one that has gone on in both", async () => {
  await pushed();
  await copy(at("one"), at("two"));
  await box.ok("remote", "add", "two", at("two"));
  await change("Only there");
  await box.ok("push", "two");
  const [head = ""] = readdirSync(at("two/heads"));
  const before = readFileSync(at("two/heads", head));
  const { status, err } = await box.run("remote", "copy", "origin", "two");
  assert.equal(status, 0, err);
  assert.deepEqual(readFileSync(at("two/heads", head)), before);
  assert.equal((await box.run("remote", "copy", "two", "origin")).status, 0);
  assert.deepEqual(readFileSync(at("one/heads", head)), before);
});

test("what is damaged in the source leaves the heads of the copy as they are, and a mended source is gone on with", async () => {
  await pushed();
  const [pack = ""] = readdirSync(at("one/packs"));
  const whole = readFileSync(at("one/packs", pack));
  writeFileSync(
    at("one/packs", pack),
    whole.map((byte, index) => (index === 40 ? byte ^ 1 : byte)),
  );
  const { status, err } = await copy(at("one"), at("two"));
  assert.equal(status, 1);
  assert.match(err, /Cannot copy the heads of .*: 1 of its files are damaged or missing.*another hash/);
  assert.equal(readdirSync(at("two/packs")).length, 1);
  assert.throws(() => readdirSync(at("two/heads")));
  writeFileSync(at("one/packs", pack), whole);
  assert.match((await copy(at("one"), at("two"))).err, /^Copied 1 pack, /m);
  await requireEqual(at("two"));
});

test("a plain copy can be read without a passphrase, has the same commits, and takes in what is new", async () => {
  await pushed();
  delete box.env["OUROBOX_PASSPHRASE"];
  const refused = await copy("--plain", at("one"), at("two"));
  assert.equal(refused.status, 12, refused.err);
  box.env["OUROBOX_PASSPHRASE"] = "secret";
  const { status, err } = await copy("--plain", at("one"), at("two"));
  assert.equal(status, 0, err);
  delete box.env["OUROBOX_PASSPHRASE"];
  assert.equal(JSON.parse(readFileSync(at("two/config"), "utf8")).suite, "plain");
  await requireEqual(at("two"));
  assert.match((await box.run("remote", "copy", "--plain", "origin", at("two"))).err, /^Nothing new$/m);
  await change("Second");
  await box.ok("push");
  assert.match((await box.run("remote", "copy", "--plain", "origin", at("two"))).err, /^Copied 2 packs, .*1 head$/m);
  await requireEqual(at("two"));
  const wrong = await box.run("remote", "copy", "origin", at("two"));
  assert.equal(wrong.status, 1, "an encrypted copy does not go where a plain one is");
  await box.ok("remote", "add", "two", at("two"));
  assert.equal((await box.run("push", "two")).status, 1, "nor is it pushed to from the encrypted box");
  assert.equal((await copy("--plain", at("two"), at("three"))).status, 2);
  box.env["OUROBOX_PASSPHRASE"] = "secret";
});

test("places that are none are refused", async () => {
  await pushed();
  assert.equal((await box.run("remote", "copy", "origin", "nowhere")).status, 1);
  assert.equal((await box.run("remote", "copy", "origin", at("one"))).status, 2);
  assert.equal((await copy(at("nothing"), at("two"))).status, 1);
  writeFileSync(at("file"), "x");
  assert.equal((await box.run("remote", "copy", "origin", box.folder)).status, 1);
});

/** A day goes by on a remote. */
function age(name: string): void {
  for (const folder of readdirSync(at(name)).filter((each) => each !== "config")) {
    for (const file of readdirSync(at(name, folder))) {
      const before = statSync(at(name, folder, file)).mtimeMs / 1000 - 86_400;
      utimesSync(at(name, folder, file), before, before);
    }
  }
}

test("a remote that was pruned is whole, and so are copies of it, which know what was forgotten", async () => {
  await pushed();
  await copy(at("one"), at("early"));
  for (let day = 1; day <= 3; day += 1) {
    for (const part of ["a", "b"]) {
      box.write("big", Buffer.from(new Prng(day).bytes(30_000)).toString("base64") + part);
      await box.ok("commit", "-m", `${day}${part}`);
    }
    await box.ok("push", "origin");
    await box.ok("forget", "--keep-last", "1", "--prune", "--remote", "origin");
    age("one");
  }
  const checked = await box.run("remote", "check", "origin", "--read-data");
  assert.equal(checked.status, 0, checked.out);
  for (const [name, ...flags] of [["two"], ["three", "--plain"]] as const) {
    const { status, err } = await copy(...flags, at("one"), at(name));
    assert.equal(status, 0, err);
    assert.match((await copy(...flags, at("one"), at(name))).err, /^Nothing new$/m);
    await box.ok("clone", at(name), at(`clone of ${name}`));
    assert.equal(await box.ok("-C", at(`clone of ${name}`), "check", "--read-data"), "");
    assert.match(await box.ok("-C", at(`clone of ${name}`), "log", "--oneline"), /^[0-9a-f]+ 3b\n$/);
  }
  const { status, err } = await box.run("remote", "copy", at("early"), "origin");
  assert.equal(status, 1, "what was deleted does not come back under its name");
  assert.match(err, /were deleted there by a prune/);
  assert.equal((await box.run("remote", "check", "origin", "--read-data")).status, 0);
});
