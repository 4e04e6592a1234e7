import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { CliBox } from "../../../test/support/cli-box.ts";

const box = new CliBox({ file: "one" });

test("transfers: flags and settings say how fast and how many; what does not fit is refused", async () => {
  await box.ok("remote", "add", "origin", "../remote");
  await box.ok("push", "--limit-upload", "500K", "--transfers", "2");
  await box.ok("fetch", "--limit-download=2M");
  for (const flags of [
    ["--limit-upload", "1K"],
    ["--limit-upload", "fast"],
    ["--transfers", "0"],
    ["--transfers", "65"],
  ]) {
    const { status, err } = await box.run("push", ...flags);
    assert.equal(status, 2, err);
    assert.match(err, /bytes a second|from 1 to 64/);
  }
  assert.equal((await box.run("config", "set", "transfers.upload", "1K")).status, 2);
  await box.ok("config", "set", "transfers.upload", "1M");
  await box.ok("push");
});

test("transfers: every command that goes to remotes takes the flags and their variables", async () => {
  await box.ok("remote", "add", "origin", "../remote");
  const lines = [
    ["push"],
    ["fetch"],
    ["pull"],
    ["sync"],
    ["clone", "../remote", "../clone"],
    ["restore", "--from", "../remote", "--target", "../target"],
    ["remote", "check", "origin"],
    ["remote", "copy", "origin", "../copy"],
  ];
  for (const line of lines) {
    for (const flag of ["--limit-upload=1K", "--limit-download=1K", "--transfers=0"])
      assert.equal((await box.run(...line, flag)).status, 2, `${line.join(" ")} ${flag}`);
    box.env["OUROBOX_TRANSFERS_AT_ONCE"] = "0";
    assert.equal((await box.run(...line)).status, 2, line.join(" "));
    delete box.env["OUROBOX_TRANSFERS_AT_ONCE"];
    const { status, err } = await box.run(...line, "--limit-upload=1M", "--limit-download=1M", "--transfers=2");
    assert.equal(status, 0, `${line.join(" ")}: ${err}`);
  }
});

test("remote publish: writes down what the remote has, with its date", async () => {
  await box.ok("remote", "add", "origin", "../remote");
  const early = await box.run("remote", "publish", "origin");
  assert.notEqual(early.status, 0);
  await box.ok("push");
  assert.match(await box.ok("remote", "publish", "origin"), /^Published \d+ files of origin\n$/);
  const listing = readFileSync(join(box.top, "remote/listing"), "utf8");
  assert.match(listing, /^ourobox listing 1\t2026-11-01T10:/);
  assert.match(listing, /\tconfig\n.*\theads\/[0-9a-f]{16}\n.*\tindex\/[0-9a-f]{64}\n.*\tpacks\/[0-9a-f]{64}\n/s);
  await box.ok("push");
  await box.ok("fetch");
});
