/** Machines whose clocks are not together: what is dated far ahead is fetched and told of, and joined only when asked for. */
import assert from "node:assert/strict";
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { runCli, type Seen } from "../../../test/support/cli.ts";
import { HostileRemote } from "../../../test/support/hostile-remote.ts";
import { Box } from "../../app/mod.ts";
import { clockMax } from "../../base/clock.ts";

const hourMs = 3600 * 1000;
const now = Date.UTC(2026, 10, 1, 10);

/** Two machines, and a remote between them with a commit of the first. */
class Machines implements Disposable {
  readonly top: string = mkdtempSync(join(tmpdir(), "ourobox-clocks-"));
  /** How far ahead each one's clock is. */
  readonly ahead: Record<string, number> = { one: 0, two: 0, three: 0 };

  [Symbol.dispose](): void {
    rmSync(this.top, { recursive: true });
  }

  run(machine: string, ...args: string[]): Promise<Seen> {
    const env = { XDG_CONFIG_HOME: join(this.top, `${machine}-config`), OUROBOX_PASSPHRASE: "secret" };
    return runCli(args, { cwd: join(this.top, machine), nowMs: now + (this.ahead[machine] ?? 0), env });
  }

  async ok(machine: string, ...args: string[]): Promise<string> {
    const { out, err, status } = await this.run(machine, ...args);
    assert.equal(status, 0, err);
    return out;
  }

  path(...names: string[]): string {
    return join(this.top, ...names);
  }

  async write(machine: string, name: string): Promise<void> {
    writeFileSync(this.path(machine, name), name);
    await this.ok(machine, "commit", "-m", name);
  }
}

async function pair(): Promise<Machines> {
  const machines = new Machines();
  for (const name of ["one", "config"])
    await import("node:fs/promises").then(({ mkdir }) => mkdir(machines.path(name)));
  await machines.ok("one", "init");
  await machines.write("one", "first");
  await machines.ok("one", "remote", "add", "origin", machines.path("remote"));
  await machines.ok("one", "push");
  await machines.ok("", "clone", machines.path("remote"), machines.path("two"));
  return machines;
}

test("what is dated within a day is joined like anything else", async () => {
  using machines = await pair();
  machines.ahead["one"] = 23 * hourMs;
  await machines.write("one", "ahead");
  await machines.ok("one", "push");
  await machines.ok("two", "pull");
  assert(existsSync(machines.path("two", "ahead")));
});

test("once something far ahead was accepted, what is committed after it is joined like anything else", async () => {
  using machines = await pair();
  machines.ahead["one"] = 240 * hourMs;
  await machines.write("one", "ahead");
  await machines.ok("one", "push");
  assert.equal((await machines.run("two", "pull")).status, 3);
  await machines.ok("two", "pull", "--accept-clock");
  machines.ahead["one"] = 0;
  await machines.write("one", "later");
  await machines.ok("one", "push");
  await machines.ok("two", "pull");
  assert(existsSync(machines.path("two", "later")));
});

test("what is dated more than a day ahead is fetched, told of, and not joined until it is asked for", async () => {
  using machines = await pair();
  machines.ahead["one"] = 25 * hourMs;
  await machines.write("one", "ahead");
  await machines.ok("one", "push");
  assert.match((await machines.run("two", "fetch")).err, /more than a day ahead.*--accept-clock/s);
  for (const command of ["pull", "sync"]) {
    const { err, status } = await machines.run("two", command);
    assert.match(err, /more than a day ahead.*--accept-clock/s);
    assert.equal(status, 3, command);
    assert(!existsSync(machines.path("two", "ahead")));
  }
  // It is here, and can be looked at; what is committed is dated by this machine's clock.
  const [id] = /commit ([0-9a-f]{12}) to|[0-9a-f]{12}/.exec((await machines.run("two", "pull")).err) ?? [];
  assert.match(await machines.ok("two", "log", String(id?.replace(/^commit | to$/g, ""))), /ahead/);
  const commit = String(id?.replace(/^commit | to$/g, ""));
  const merged = await machines.run("two", "merge", commit);
  assert.equal(merged.status, 1);
  assert.match(merged.err, /more than a day ahead/);
  await machines.write("two", "mine");
  await machines.run("two", "push");
  await machines.ok("", "clone", machines.path("remote"), machines.path("three"), "--accept-clock");
  assert(existsSync(machines.path("three", "mine")) && existsSync(machines.path("three", "ahead")));
  // Asked for, it is joined, and is no matter any more.
  await machines.ok("two", "pull", "--accept-clock");
  assert.equal(readFileSync(machines.path("two", "ahead"), "utf8"), "ahead");
  await machines.ok("two", "pull");
  await machines.write("two", "later");
  await machines.ok("two", "sync");
});

test("a branch that is dated far ahead is not gone to unasked", async () => {
  using machines = await pair();
  machines.ahead["one"] = 25 * hourMs;
  await machines.ok("one", "switch", "-c", "side");
  await machines.write("one", "ahead");
  await machines.ok("one", "push");
  await machines.ok("two", "pull");
  const { err, status } = await machines.run("two", "switch", "side");
  assert.equal(status, 1);
  assert.match(err, /more than a day ahead/);
  await machines.ok("two", "switch", "--accept-clock", "side");
  await machines.ok("two", "switch", "main");
  await machines.ok("two", "switch", "side");
  await machines.ok("two", "merge", "--accept-clock", "main");
});

test("what was dated ahead is joined unasked when its time has nearly come", async () => {
  using machines = await pair();
  machines.ahead["one"] = 25 * hourMs;
  await machines.write("one", "ahead");
  await machines.ok("one", "push");
  assert.equal((await machines.run("two", "pull")).status, 3);
  machines.ahead["two"] = 2 * hourMs;
  await machines.ok("two", "pull");
  assert(existsSync(machines.path("two", "ahead")));
});

test("a clone of what is all dated ahead is refused, and goes on when asked to", async () => {
  using machines = new Machines();
  mkdirSync(machines.path("one"));
  machines.ahead["one"] = 1000 * hourMs;
  await machines.ok("one", "init");
  await machines.write("one", "ahead");
  await machines.ok("one", "remote", "add", "origin", machines.path("remote"));
  await machines.ok("one", "push");
  const args = ["clone", machines.path("remote"), machines.path("two")] as const;
  const { err, status } = await machines.run("", ...args);
  assert.equal(status, 1);
  assert.match(err, /more than a day ahead[\s\S]*--accept-clock/);
  await machines.ok("", ...args, "--accept-clock");
  assert(existsSync(machines.path("two", "ahead")));
});

test("a commit at the end of the clock's range stops nobody who does not ask for it", async () => {
  using remote = new HostileRemote();
  remote.publish(remote.root([remote.file("f", "fine")]));
  assert.equal((await remote.clone()).error, undefined);
  remote.publish(remote.root([remote.file("f", "forged")]), { clock: clockMax });
  const warnings: string[] = [];
  await using box = await Box.open(remote.path("target"), remote.context(warnings));
  assert.equal((await box.pull()).partial, true);
  assert.match(warnings.join("\n"), /dated 10889-08-02T05:31:50Z, more than a day ahead/);
  assert.equal(readFileSync(remote.path("target/f"), "utf8"), "fine");
  writeFileSync(remote.path("target/mine"), "1");
  assert((await box.commit({ message: "mine", all: true })).id !== undefined);
  // Whoever takes it in is told what that means, with the first commit.
  await box.pull(undefined, { force: true, acceptClock: true }).catch(() => undefined);
  writeFileSync(remote.path("target/mine"), "2");
  await assert.rejects(box.commit({ message: "late", all: true }), /clock in this box's history is at its end/);
});
