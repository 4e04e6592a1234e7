/** `restore --from`: straight from a remote, where there is no box. */
import assert from "node:assert/strict";
import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync, statSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { runCli, type Seen } from "../../../test/support/cli.ts";
import { CliBox } from "../../../test/support/cli-box.ts";
import { FakeS3 } from "../../../test/support/fake-s3.ts";
import { Prng } from "../../base/prng.ts";

const large = Buffer.from(new Prng(5).bytes(300_000));
const box = new CliBox({ "a.txt": "first\n", "d/b.txt": "second\n" });
const at = (...path: string[]): string => join(box.top, ...path);

function restore(...args: string[]): Promise<Seen> {
  return runCli(["restore", "--from", ...args], { cwd: box.top, env: { ...box.env, HOME: box.top } });
}

test("a remote is restored where there is no box, all of it or some paths, as it is now or was", async () => {
  box.write("large", large.toString("latin1"));
  await box.ok("commit", "-m", "Large");
  box.write("a.txt", "changed\n");
  await box.ok("commit", "-m", "Second");
  await box.ok("remote", "add", "origin", at("remote"));
  await box.ok("push");
  const all = await restore("./remote", "--target", "out/deep");
  assert.equal(all.status, 0, all.err);
  assert.match(all.err, /^Restored 3 files from [0-9a-f]{12}$/m);
  assert.equal(readFileSync(at("out/deep/a.txt"), "utf8"), "changed\n");
  assert.equal(readFileSync(at("out/deep/large"), "latin1"), readFileSync(at("box/large"), "latin1"));
  assert.deepEqual(readdirSync(at("out/deep")).sort(), ["a.txt", "d", "large"], "nothing else is left there");
  const some = await restore(at("remote"), "--target", "some", "--source", "HEAD~2", "d", "a.txt");
  assert.equal(some.status, 0, some.err);
  assert.equal(readFileSync(at("some/a.txt"), "utf8"), "first\n");
  assert.deepEqual(readdirSync(at("some")).sort(), ["a.txt", "d"]);
  assert.equal((await restore(at("remote"), "--target", "some", "-q", "d")).err, "");
});

test("only what is restored is brought", async () => {
  for (const name of ["one", "two", "three"]) {
    box.write(name, new Prng(name.length).bytes(200_000).join(""));
    await box.ok("commit", "-m", name);
  }
  await box.ok("remote", "add", "origin", at("remote"));
  await box.ok("push");
  const large = readdirSync(at("remote/packs")).filter((name) => statSync(at("remote/packs", name)).size > 50_000);
  assert(large.length >= 2);
  // Who would bring more could not.
  for (const name of large) rmSync(at("remote/packs", name));
  mkdirSync(at("target"));
  // What is held meanwhile is seen by a second restore into the same folder, which must not be disturbed by it.
  const [first, second] = await Promise.all([
    restore(at("remote"), "--target", "target", "a.txt"),
    restore(at("remote"), "--target", "target", "d"),
  ]);
  assert.deepEqual([first.status, second.status], [0, 0], first.err + second.err);
  assert.deepEqual(readdirSync(at("target")).sort(), ["a.txt", "d"]);
});

test("what cannot be restored is told, and leaves nothing of the box behind", async () => {
  await box.ok("remote", "add", "origin", at("remote"));
  await box.ok("push");
  assert.equal((await restore(at("remote"))).status, 2);
  assert.equal((await restore(at("remote"), "--target", "out", "nothing")).status, 1);
  assert.equal((await restore(at("remote"), "--target", "out", "--source", "nothing")).status, 1);
  assert.equal((await restore(at("elsewhere"), "--target", "out")).status, 1);
  box.env["OUROBOX_PASSPHRASE"] = "wrong";
  assert.equal((await restore(at("remote"), "--target", "out")).status, 12);
  box.env["OUROBOX_PASSPHRASE"] = "secret";
  assert.deepEqual(existsSync(at("out")) ? readdirSync(at("out")) : [], []);
});

test("one that was interrupted goes on with what has come, and takes in what was pushed meanwhile", async () => {
  await using server = await FakeS3.start();
  server.buckets.add("bucket");
  Object.assign(box.env, server.env);
  for (let at = 0; at < 12; at += 1) {
    box.write(`large-${at}`, Buffer.from(new Prng(at).bytes(150_000)).toString("latin1"));
    await box.ok("commit", "-m", `${at}`);
  }
  await box.ok("remote", "add", "origin", "s3://bucket/box");
  await box.ok("push");
  const gets = (): number =>
    server.requests.filter((each) => each.startsWith("GET") && each.includes("/packs/")).length;
  server.requests.length = 0;
  assert.equal((await restore("s3://bucket/box", "--target", "whole")).status, 0);
  const all = gets();
  assert(all > 12, `${all}`);

  const controller = new AbortController();
  server.requests.length = 0;
  server.fault = () => {
    if (gets() >= all - 4) controller.abort();
    return undefined;
  };
  const args = ["restore", "--from", "s3://bucket/box", "--target", "out"];
  const stopped = await runCli(args, {
    cwd: box.top,
    env: { ...box.env, HOME: box.top },
    signal: controller.signal,
  });
  assert.equal(stopped.status, 130, stopped.err);
  server.fault = undefined;
  const [left = "", ...more] = readdirSync(at("out")).filter((name) => name.startsWith(".ourobox."));
  assert.deepEqual(more, []);
  assert.match(stopped.err, new RegExp(`goes on with what has come, which is in .*/out/${left}`));
  assert.equal(statSync(at("out", left)).mode & 0o777, 0o700, "the box's key is in it");

  box.write("late", "late\n");
  await box.ok("commit", "-m", "Late");
  await box.ok("push");
  server.requests.length = 0;
  // The key is there: nobody is asked for the passphrase.
  box.env["OUROBOX_PASSPHRASE"] = "wrong";
  const { status, err } = await restore("s3://bucket/box", "--target", "out");
  assert.equal(status, 0, err);
  assert(gets() * 3 < all, `${gets()} of ${all}`);
  for (const name of ["late", "large-0", "large-11", "a.txt"])
    assert.deepEqual(readFileSync(at("out", name)), readFileSync(at("box", name)), name);
  assert.deepEqual(
    readdirSync(at("out")).filter((name) => name.startsWith(".ourobox")),
    [],
  );
  box.env["OUROBOX_PASSPHRASE"] = "secret";
});
