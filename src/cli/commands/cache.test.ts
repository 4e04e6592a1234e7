import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import { readFileSync, renameSync } from "node:fs";
import { join } from "node:path";
import { beforeEach, test } from "node:test";
import { CliBox } from "../../../test/support/cli-box.ts";

const box = new CliBox({ "a.txt": "first\n", "d/b.txt": randomBytes(200_000).toString("base64") });
const at = (name: string): string => join(box.top, name);

beforeEach(async () => {
  box.env["OUROBOX_CACHE_FREE"] = "0%";
  await box.ok("remote", "add", "origin", at("remote"));
  await box.ok("push");
  await box.ok("clone", "--unreal", at("remote"), at("b"));
});

const inClone = (...args: string[]): Promise<string> => box.ok("-C", at("b"), ...args);

async function stat(): Promise<Record<string, number>> {
  return JSON.parse(await inClone("cache", "stat", "--json")) as Record<string, number>;
}

test("the cache grows with what is read, and is cleared and shrunk as one says", async () => {
  assert.equal((await stat())["bytes"], 0);
  await inClone("cat", "d/b.txt");
  const full = await stat();
  assert((full["bytes"] ?? 0) > 150_000 && (full["frames"] ?? 0) > 0);
  assert.match(await inClone("cache"), /^in the cache +2\d\d KiB +\d+ pieces?/);
  const dry = JSON.parse(await inClone("cache", "clear", "--dry-run", "--json")) as Record<string, unknown>;
  assert.deepEqual(dry, { frames: full["frames"], bytes: full["bytes"], left: 0, partial: false, dryRun: true });
  assert.equal((await stat())["bytes"], full["bytes"]);
  await inClone("cache", "shrink", "150K");
  assert(((await stat())["bytes"] ?? 0) <= 150 * 1024);
  await inClone("cache", "clear");
  assert.equal((await stat())["bytes"], 0);
  assert.match(await inClone("cat", "a.txt"), /first/);
});

test("the quota is a setting of the box, which is obeyed at once", async () => {
  await inClone("cat", "d/b.txt");
  await inClone("cache", "set", "100K", "--free", "1%");
  const config = readFileSync(join(at("b"), ".ourobox/config"), "utf8");
  assert.match(config, /^cache\.size = 100K$/m);
  assert.match(config, /^cache\.free = 1%$/m);
  const { bytes = 0, quota } = await stat();
  assert.equal(quota, 100 * 1024);
  assert(bytes <= 100 * 1024);
  await inClone("cat", "d/b.txt");
  assert(((await stat())["bytes"] ?? 0) <= 100 * 1024);
});

test("what no remote is known to have stays, and the command says why", async () => {
  await inClone("cat", "d/b.txt");
  renameSync(at("remote"), at("away"));
  const { status, err } = await box.run("-C", at("b"), "cache", "clear");
  assert.equal(status, 3);
  assert.match(err, /cannot be given up: too few other places are known to have \d+ pieces? of it \(origin: /);
  renameSync(at("away"), at("remote"));
  await inClone("cache", "clear");
});

test("what makes no sense is refused with what to write instead", async () => {
  for (const [args, says] of [
    [["cache", "sta"], /Did you mean `ourobox cache stat`/],
    [["cache", "shrink", "much"], /Cannot shrink the cache to "much": it is a number of bytes, as 500M or 20G/],
    [["cache", "set"], /no size is given/],
    [["cache", "set", "-1"], /./],
    [["cache", "set", "20%", "--free", "101%"], /Cannot set cache.free to "101%": it is a share/],
    [["cache", "clear", "--free", "1%"], /Cannot use --free with `cache clear`/],
    [["cache", "clear", "now"], /one argument too many/],
  ] as const) {
    const { status, err } = await box.run("-C", at("b"), ...args);
    assert.equal(status, 2, args.join(" "));
    assert.match(err, says);
  }
  assert.doesNotMatch(readFileSync(join(at("b"), ".ourobox/config"), "utf8"), /cache/);
});
