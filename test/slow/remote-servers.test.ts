/**
 * Remotes on the real servers: the suite of all remotes, what their conditions are found to be, and two machines that never meet.
 * Ceph loses a disk in the middle of a push; nothing fails. Many writers at once are in remote-race.test.ts.
 */
import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { systemClock } from "../../src/base/clock.ts";
import { nodeDisk } from "../../src/base/node-disk.ts";
import { DirRemote } from "../../src/remote/dir-remote.ts";
import { HttpRemote, parseHttpUrl } from "../../src/remote/http/http-remote.ts";
import type { Remote } from "../../src/remote/mod.ts";
import { measureConditions, openRemote } from "../../src/remote/open-remote.ts";
import { testRemote } from "../../src/remote/remote.suite.ts";
import type { S3Verdict } from "../../src/remote/s3/s3-remote.ts";
import { runCli } from "../support/cli.ts";
import { skipWithout } from "../support/debian-program.ts";
import { PublishedRemote } from "../support/published-remote.ts";
import {
  cephPrograms,
  type RunningServer,
  signal,
  skipWithoutServer,
  startCeph,
  startNginx,
  startSwift,
  swiftPrograms,
} from "../support/real-servers.ts";
import { skipWithoutSshd, TestSshd } from "../support/sshd.ts";

const random = (length: number): Uint8Array => randomBytes(length);
type Env = Readonly<Record<string, string>>;

const top = mkdtempSync(join(tmpdir(), "ouro-remotes-"));
after(() => rmSync(top, { recursive: true }));
let places = 0;
const newFolder = (): string => mkdtempSync(join(top, "place-"));

/** A box goes to a second machine and comes back changed, through the remote alone. */
async function goThere(url: string, remoteEnv: Env, during?: () => void): Promise<void> {
  const machines = newFolder();
  let nowMs = Date.now();
  const env = {
    ...remoteEnv,
    OUROBOX_USER_NAME: "Ada",
    OUROBOX_PASSPHRASE: "secret",
    XDG_CONFIG_HOME: join(machines, "c"),
  };
  const run = async (folder: string, ...args: string[]): Promise<void> => {
    nowMs += 1000;
    const { err, status } = await runCli(args, { cwd: join(machines, folder), nowMs, env });
    assert.equal(status, 0, err);
  };
  const pushSlowly = async (): Promise<void> => {
    // A limit of speed needs a clock that goes on.
    const options = { cwd: join(machines, "a"), clock: systemClock, env };
    const { err, status } = await runCli(["push", "--limit-upload", "8M"], options);
    assert.equal(status, 0, err);
  };
  await run("", "init", "a");
  const big = randomBytes(40_000_000);
  writeFileSync(join(machines, "a/big"), big);
  await run("a", "commit", "-m", "First");
  await run("a", "remote", "add", "origin", url);
  if (during === undefined) await run("a", "push");
  else await pushAnd(during, pushSlowly);
  await run("", "clone", url, "b");
  assert.ok(readFileSync(join(machines, "b/big")).equals(big));
  writeFileSync(join(machines, "b/small"), "two");
  await run("b", "commit", "-m", "Second");
  await run("b", "push");
  await run("a", "pull");
  assert.equal(readFileSync(join(machines, "a/small"), "utf8"), "two");
}

/** Lets something happen in the middle of a push that takes five seconds at least. */
async function pushAnd(during: () => void, push: () => Promise<void>): Promise<void> {
  let isOver = false;
  const pushing = push().finally(() => {
    isOver = true;
  });
  await Promise.race([pushing, sleep(2500)]);
  assert.equal(isOver, false, "it is in the middle of it");
  during();
  await pushing;
}

async function testBucket(
  name: string,
  start: () => Promise<RunningServer>,
  { skip, verdict, during }: { skip: string | false; verdict: S3Verdict; during?: (server: RunningServer) => void },
): Promise<void> {
  if (skip !== false) {
    test(name, { skip }, () => {});
    return;
  }
  const server = await start();
  after(() => server[Symbol.asyncDispose]());
  const options = { cwd: "/", disk: nodeDisk, random, env: server.env, create: true };
  testRemote(name, () => {
    places += 1;
    const url = `s3://suite/a b/${places}`;
    return { open: () => openRemote(url, { ...options, verdict }), [Symbol.dispose]() {} };
  });
  test(`${name}: its conditions are found to be "${verdict}"`, async () => {
    assert.equal(await measureConditions("s3://suite/probe", options), verdict);
  });
  test(`${name}: two machines that never meet`, () =>
    goThere("s3://boxes/a", server.env, during && (() => during(server))));
  test(`${name}: what is too large for one put goes in parts, and is there whole or not at all`, async () => {
    await using remote = openRemote("s3://boxes/parts", { ...options, verdict });
    await putInParts(remote);
  });
}

/** A blob above 64 MiB, and one whose put is stopped in its second part. */
async function putInParts(remote: Remote): Promise<void> {
  const bytes = randomBytes(70_000_000);
  const path = join(newFolder(), "large");
  writeFileSync(path, bytes);
  const source = { path, size: bytes.length };
  let sent = 0;
  await remote.put("packs/large", source, { onBytes: (count) => (sent += count) });
  assert.equal(sent, bytes.length);
  const border = 32 * 1024 * 1024;
  const range = { start: border - 1000, end: border + 1000 };
  assert.ok(bytes.subarray(range.start, range.end).equals(await remote.get("packs/large", { range })));
  await remote.download("packs/large", `${path}-back`);
  assert.ok(readFileSync(`${path}-back`).equals(bytes));
  const stop = new AbortController();
  const onBytes = (count: number): void => {
    sent += count;
    if (sent > bytes.length + border + 1_000_000) stop.abort();
  };
  await assert.rejects(remote.put("packs/stopped", source, { onBytes, signal: stop.signal }), { kind: "aborted" });
  const listed = (await Array.fromAsync(remote.list("packs/"))).map(({ name, size }) => ({ name, size }));
  assert.deepEqual(listed, [{ name: "packs/large", size: bytes.length }]);
}

await testBucket("Ceph", startCeph, {
  skip: skipWithoutServer(cephPrograms),
  verdict: "cas-bare",
  during({ folder }) {
    const pid = Number(readFileSync(join(folder, "run/osd.2.pid"), "utf8"));
    assert.ok(signal(pid, "SIGKILL"));
  },
});

await testBucket("Swift", startSwift, { skip: skipWithoutServer(swiftPrograms), verdict: "none" });

const noNginx = skipWithoutServer({ nginx: "nginx-light" });
if (noNginx !== false) test("nginx", { skip: noNginx }, () => {});
else {
  const nginx = await startNginx(top);
  after(() => nginx[Symbol.asyncDispose]());
  const urlOf = (folder: string): string => `${nginx.url}${folder.slice(top.length)}`;
  testRemote("nginx", () => {
    const folder = newFolder();
    const dir = new DirRemote(folder, folder, { disk: nodeDisk, random });
    const open = (): HttpRemote => new HttpRemote(parseHttpUrl(urlOf(folder)), "nginx", { disk: nodeDisk, env: {} });
    return { open: () => new PublishedRemote(dir, open), [Symbol.dispose]() {} };
  });
  test("nginx: a published box is cloned, and says how old it is", async () => {
    const folder = newFolder();
    const env = { OUROBOX_USER_NAME: "Ada", XDG_CONFIG_HOME: join(folder, "c") };
    const run = (cwd: string, ...args: string[]) => runCli(args, { cwd: join(folder, cwd), env });
    for (const [cwd, ...args] of [
      ["", "init", "--plain", "a"],
      ["a", "commit", "-m", "First"],
      ["a", "remote", "add", "origin", join(folder, "r")],
      ["a", "push"],
      ["a", "remote", "publish", "origin"],
    ] as [string, ...string[]][]) {
      if (args[0] === "commit") writeFileSync(join(folder, "a/file"), "one");
      const { status, err } = await run(cwd, ...args);
      assert.equal(status, 0, err);
    }
    const { status, err } = await run("", "clone", urlOf(join(folder, "r")), "b");
    assert.equal(status, 0, err);
    assert.match(err, /published at 2026-11-01 10:00 UTC/);
    assert.equal(readFileSync(join(folder, "b/file"), "utf8"), "one");
    writeFileSync(join(folder, "b/file"), "two");
    assert.equal((await run("b", "commit", "-m", "Second")).status, 0);
    const pushed = await run("b", "push");
    assert.notEqual(pushed.status, 0);
    assert.match(pushed.err, /can only be read/);
  });
}

const noRclone = skipWithout("rclone", ["version"]) || skipWithoutSshd();
if (noRclone !== false) test("rclone", { skip: noRclone }, () => {});
else {
  const sshd = await TestSshd.start();
  after(() => sshd[Symbol.asyncDispose]());
  const config = join(top, "rclone.conf");
  mkdirSync(join(top, "home"));
  const sftp = `type = sftp\nhost = 127.0.0.1\nport = ${sshd.port}\nuser = ${sshd.user}\nkey_file = ${sshd.folder}/user_key`;
  writeFileSync(config, `[here]\ntype = local\n\n[there]\n${sftp}\nknown_hosts_file = ${sshd.folder}/known_hosts\n`);
  const env = { PATH: process.env["PATH"] ?? "", HOME: join(top, "home"), RCLONE_CONFIG: config };
  for (const name of ["here", "there"]) {
    // rclone deletes what it replaces before it moves: for a moment a listing has neither.
    testRemote(
      `rclone ${name}`,
      () => {
        const url = `rclone:${name}:${newFolder()}`;
        return { open: () => openRemote(url, { cwd: "/", disk: nodeDisk, random, env }), [Symbol.dispose]() {} };
      },
      { except: /readers beside a writer/ },
    );
    test(`rclone ${name}: two machines that never meet`, () => goThere(`rclone:${name}:${newFolder()}`, env));
  }
  test("sftp: two machines that never meet", () =>
    goThere(sshd.url(newFolder()), { PATH: env.PATH, OUROBOX_SSH: sshd.command.join(" ") }));
}
