/** A machine that has metadata only, as a person uses it: the real program, in processes of its own. */
import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { randomBytes } from "node:crypto";
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, test } from "node:test";
import { Program, type Ran } from "../support/program.ts";

const top = mkdtempSync(join(tmpdir(), "ourobox-unreal-"));
after(() => rmSync(top, { recursive: true, force: true }));

test("an unreal clone shows all, brings what is read, and keeps what is made real", async () => {
  const program = new Program(join(top, "home"));
  const [box, clone, remote] = [join(top, "box"), join(top, "clone"), join(top, "remote")];
  const ok = async (cwd: string, ...args: string[]): Promise<string> => {
    const ran = await program.run(args, { cwd });
    assert.equal(ran.status, 0, ran.err);
    return ran.out;
  };
  mkdirSync(join(box, "photos"), { recursive: true });
  const photo = randomBytes(150_000);
  writeFileSync(join(box, "photos/one.raw"), photo);
  writeFileSync(join(box, "photos/two.raw"), randomBytes(150_000));
  writeFileSync(join(box, "note.txt"), "a note\n");
  await ok(box, "init");
  await ok(box, "commit", "-m", "First");
  await ok(box, "remote", "add", "origin", remote);
  await ok(box, "push");
  await ok(top, "clone", "--unreal", remote, clone);
  assert.deepEqual(readdirSync(clone), [".ourobox"]);
  assert.match(await ok(clone, "status"), /Real here: 0 files of .*\nNothing has changed/);
  assert.match(await ok(clone, "ls", "-l", "photos"), / unreal +photos\/one\.raw\n/);
  assert.equal(await ok(clone, "cat", "note.txt"), "a note\n");
  // What lies near the note may have come along.
  const real = /^(\d+) +2 entries +photos\n$/.exec(await ok(clone, "du", "--real", "-s", "-b", "photos"))?.[1];
  assert(Number(real) < 300_000, `${real} bytes are here`);
  await ok(clone, "realize", "photos/one.raw");
  assert.deepEqual(readFileSync(join(clone, "photos/one.raw")), photo);
  assert.deepEqual(readdirSync(join(clone, "photos")), ["one.raw"]);
  assert.equal(await ok(clone, "mark"), "real  photos/one.raw\n");
  renameSync(remote, `${remote}-away`);
  const offline: Ran = await program.run(["cat", "photos/two.raw"], { cwd: clone });
  assert.match(offline.err, /no remote that may have it answers \(origin: /);
  const kept: Ran = await program.run(["unrealize", "photos"], { cwd: clone });
  assert.notEqual(kept.status, 0);
  assert.deepEqual(readdirSync(join(clone, "photos")), ["one.raw"]);
  renameSync(`${remote}-away`, remote);
  await ok(clone, "unrealize", "photos");
  assert.deepEqual(readdirSync(clone), [".ourobox"]);
  assert.match(await ok(clone, "status"), /Nothing has changed/);
  await ok(clone, "check", "--read-data");
});

test("a machine with little room reads all of a box, and keeps no more than it is told", async () => {
  const program = new Program(join(top, "little-home"));
  const [box, clone, remote] = [join(top, "little-box"), join(top, "little-clone"), join(top, "little-remote")];
  const ok = async (cwd: string, ...args: string[]): Promise<string> => {
    const ran = await program.run(args, { cwd });
    assert.equal(ran.status, 0, ran.err);
    return ran.out;
  };
  mkdirSync(box);
  const files = Array.from({ length: 12 }, () => randomBytes(300_000).toString("base64"));
  for (const [at, text] of files.entries()) writeFileSync(join(box, `f${at}`), text);
  await ok(box, "init");
  await ok(box, "commit", "-m", "First");
  await ok(box, "remote", "add", "origin", remote);
  await ok(box, "push");
  await ok(top, "clone", "--unreal", remote, clone);
  await ok(clone, "cache", "set", "1M", "--free", "0%");
  const kib = (): number =>
    Number(/^\d+/.exec(execFileSync("du", ["-sk", join(clone, ".ourobox/packs")]).toString())?.[0]);
  const before = kib();
  for (let round = 0; round < 2; round += 1) {
    for (const [at, text] of files.entries()) {
      assert.equal(await ok(clone, "cat", `f${at}`), text);
      // The ends of packs, which say what is in them, are no cache.
      assert(kib() <= before + 1024 + 64, `${kib()} KiB of packs, ${before} at first`);
    }
  }
  // Two at once: each may be over by what it has just read.
  await Promise.all(
    [0, 1].map(async (first) => {
      for (let at = first; at < files.length; at += 2) assert.equal(await ok(clone, "cat", `f${at}`), files[at]);
    }),
  );
  await ok(clone, "cache", "shrink");
  assert(kib() <= before + 1024 + 64);
  await ok(clone, "check", "--read-data");
  await ok(clone, "cache", "clear");
  assert.match(await ok(clone, "cache"), /^in the cache +0 B +0 pieces/);
});
