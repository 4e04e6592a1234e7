/** A box in a temporary folder for tests of commands: made anew for each test of the file that asks for one, gone after it. */
import assert from "node:assert/strict";
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { afterEach, beforeEach } from "node:test";
import { runCli, type Seen } from "./cli.ts";

export class CliBox {
  /** Holds the box's folder `box`, and whatever a test makes beside it. */
  top = "";
  /** What is in the environment of every command. */
  readonly env: Record<string, string> = { OUROBOX_USER_NAME: "Ada", OUROBOX_PASSPHRASE: "secret" };
  #nowMs = 0;

  /** Registers what makes and removes the box. @param files What is in its first commit, "First". */
  constructor(files: Readonly<Record<string, string>>) {
    beforeEach(async () => {
      this.top = mkdtempSync(join(tmpdir(), "ourobox-cli-"));
      this.env["XDG_CONFIG_HOME"] = join(this.top, "config");
      this.#nowMs = Date.UTC(2026, 10, 1, 10);
      mkdirSync(this.folder);
      for (const [path, text] of Object.entries(files)) this.write(path, text);
      await this.ok("init");
      if (Object.keys(files).length > 0) await this.ok("commit", "-m", "First");
    });
    afterEach(() => rmSync(this.top, { recursive: true, force: true }));
  }

  /** Lets time pass for the commands that follow. */
  pass(ms: number): void {
    this.#nowMs += ms;
  }

  get folder(): string {
    return join(this.top, "box");
  }

  /** Writes a file of the box's folder, with the directories above it. */
  write(path: string, text: string): void {
    mkdirSync(dirname(join(this.folder, path)), { recursive: true });
    writeFileSync(join(this.folder, path), text);
  }

  /** Runs a command, a second after the last. @param cwd Below the box's folder. */
  runIn(cwd: string, ...args: string[]): Promise<Seen> {
    this.#nowMs += 1000;
    return runCli(args, { cwd: join(this.folder, cwd), nowMs: this.#nowMs, env: this.env });
  }

  run(...args: string[]): Promise<Seen> {
    return this.runIn("", ...args);
  }

  /** Runs what should succeed. @returns Its stdout. */
  async ok(...args: string[]): Promise<string> {
    const { out, err, status } = await this.run(...args);
    assert.equal(status, 0, err);
    return out;
  }
}
