/** Commands that print what is stored never wait for anything: that they end at Ctrl-C has to be made so. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { cliWorld } from "../../../test/support/cli.ts";
import { CliBox } from "../../../test/support/cli-box.ts";
import { OuroError } from "../../base/errors.ts";
import { Prng } from "../../base/prng.ts";
import { main } from "../main.ts";

const long = "long ".repeat(1800);
const box = new CliBox({});

/** Runs a command, and interrupts it as soon as it prints anything. */
async function interrupt(...args: string[]): Promise<{ status: number; bytes: number }> {
  const aborter = new AbortController();
  let bytes = 0;
  const sink = {
    write(part: Uint8Array): void {
      bytes += part.length;
      setImmediate(() => aborter.abort(new OuroError("aborted", "Interrupted", { subject: "SIGINT" })));
    },
    isTerminal: false,
    columns: 80,
  };
  const status = await main(args, cliWorld({ cwd: box.folder, env: box.env, signal: aborter.signal }, sink));
  return { status, bytes };
}

test("what lists commits, files, changes and bytes ends when it is interrupted", async () => {
  for (let count = 0; count < 20; count += 1) {
    box.write(`texts/${count}`, `${count}\n${long}\n`);
    await box.ok("commit", "-m", `${count} ${long}`);
  }
  for (let count = 0; count < 2100; count += 1) box.write(`${"n".repeat(60)}${count}`, "");
  box.write("large", Buffer.from(new Prng(1).bytes(5_000_000)).toString("latin1"));
  await box.ok("commit", "-m", "more");
  for (const args of [["log"], ["ls"], ["diff", "HEAD~20", "HEAD~1"], ["cat", "large"]]) {
    const whole = Buffer.byteLength(await box.ok(...args));
    const { status, bytes } = await interrupt(...args);
    assert.deepEqual([args[0], status], [args[0], 130]);
    assert(bytes < whole, `${args[0]} printed ${bytes} of ${whole} bytes`);
  }
});
