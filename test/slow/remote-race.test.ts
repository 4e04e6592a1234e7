/**
 * Many writers push to one remote at the same moment, over and over, while another prunes it: on real servers that keep conditions, refuse them, and lie
 * about them. All commits arrive, and the same tree is everywhere in the end.
 *
 * Here is a part of the full race, which is OUROBOX_RACE_WRITERS=20 OUROBOX_RACE_COMMITS=50 and takes some 14 minutes of processor time a server. OUROBOX_RACE_ONLY names the servers.
 * The writers are in this process: what they ask of the server goes on at once, what they compute in turns.
 */
import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import { mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, type TestContext, test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { layoutOf } from "../../src/app/layout.ts";
import { readSecrets } from "../../src/app/make-box.ts";
import { toText, utf8 } from "../../src/base/bytes.ts";
import { nodeDisk } from "../../src/base/node-disk.ts";
import { nodeCopier, type OpenRemoteOptions, openRemote, type Remote } from "../../src/remote/mod.ts";
import type { S3Verdict } from "../../src/remote/s3/s3-remote.ts";
import { prune } from "../../src/sync/mod.ts";
import { TestWorld } from "../support/app-world.ts";
import { runCli, type Seen } from "../support/cli.ts";
import { jsonLines } from "../support/program.ts";
import { cephPrograms, skipWithoutServer, startCeph, startSwift, swiftPrograms } from "../support/real-servers.ts";
import { startS3rver } from "../support/s3rver.ts";
import { requireSame } from "../support/slow-machine.ts";
import { skipWithoutSshd, TestSshd } from "../support/sshd.ts";
import { TestBox } from "../support/sync-box.ts";

const writers = Number(process.env["OUROBOX_RACE_WRITERS"] ?? 8);
const commitsEach = Number(process.env["OUROBOX_RACE_COMMITS"] ?? 4);
const only = process.env["OUROBOX_RACE_ONLY"]?.split(",");
/** Of one blob, each on the condition that nobody else was quicker. */
const counters = 8;
const incrementsEach = 50;

const top = mkdtempSync(join(tmpdir(), "ouro-race-"));
after(() => rmSync(top, { recursive: true, force: true }));

interface Place {
  readonly url: string;
  readonly env: Readonly<Record<string, string>>;
}

/** A machine with a clone of the box. */
class Writer {
  readonly folder: string;
  readonly #env: Readonly<Record<string, string>>;
  #lastMs = 0;

  constructor(scene: string, name: string, env: Readonly<Record<string, string>>) {
    this.folder = join(scene, name);
    const own = {
      OUROBOX_USER_NAME: name,
      OUROBOX_PASSPHRASE: "secret",
      XDG_CONFIG_HOME: join(scene, `${name}-config`),
    };
    this.#env = { ...env, ...own, HOME: scene, PATH: process.env["PATH"] ?? "" };
  }

  run(...args: string[]): Promise<Seen> {
    this.#lastMs = Math.max(Date.now(), this.#lastMs + 1);
    return runCli(args, { cwd: this.folder, nowMs: this.#lastMs, env: this.#env });
  }

  async ok(...args: string[]): Promise<string> {
    const { status, out, err } = await this.run(...args);
    assert.equal(status, 0, `${this.folder}: ${args.join(" ")}: ${err}`);
    return out;
  }

  write(path: string, text: string): void {
    mkdirSync(join(this.folder, path, ".."), { recursive: true });
    writeFileSync(join(this.folder, path), text);
  }

  /** @returns The commit's name. */
  async commit(message: string): Promise<string> {
    const [line] = jsonLines(await this.ok("commit", "--json", "-m", message));
    return String(line?.["commit"]);
  }

  /** As people do who are told that others were quicker: again. @returns How often it was needed. */
  async push(): Promise<number> {
    for (let tries = 0; ; tries += 1) {
      const { status, err } = await this.run("push");
      if (status === 0) return tries;
      assert.match(err, /condemned|packed anew/, err);
      assert(tries < 10, err);
    }
  }
}

/** Prunes at once what it condemns, as fast as it can, until it is told to end. */
async function pruneOver(box: TestBox, remote: Remote, isOver: () => boolean) {
  const counts = { prunes: 0, condemned: 0, deleted: 0 };
  // Once more after the end.
  for (let rest = 3; rest > 0; rest -= isOver() ? 1 : 0) {
    await box.fetch(remote);
    try {
      const report = await prune({ ...box.pushOptions(remote), condemnedMs: 500, silentMs: 3_600_000 });
      counts.prunes += 1;
      counts.condemned += report.condemned;
      counts.deleted += report.deleted;
    } finally {
      box.store.endWriting();
    }
    // Of more writers each takes longer to push.
    await sleep(60 * writers);
  }
  return counts;
}

async function race(t: TestContext, { url, env }: Place): Promise<void> {
  const scene = mkdtempSync(join(top, "scene-"));
  const [first, ...others] = Array.from({ length: writers }, (_, at) => new Writer(scene, `w${at}`, env));
  assert(first !== undefined);
  const all = [first, ...others];
  const told = new Set<string>();
  mkdirSync(first.folder);
  await first.ok("init");
  first.write("start", "start\n");
  told.add(await first.commit("Start"));
  await first.ok("remote", "add", "origin", url);
  await first.push();
  for (const [at, writer] of others.entries()) {
    mkdirSync(writer.folder);
    await writer.ok("clone", url, writer.folder);
    // Whoever has pushed once is waited for by who deletes.
    writer.write(`own/${at + 1}`, "own\n");
    told.add(await writer.commit("Own"));
    await writer.push();
  }
  const shared: OpenRemoteOptions = {
    cwd: "/",
    disk: nodeDisk,
    random: (length) => randomBytes(length),
    copier: nodeCopier,
  };
  await using remote = openRemote(url, { ...shared, env: { ...env, PATH: process.env["PATH"] }, mayAsk: false });
  using pruner = new TestBox(readSecrets(new TestWorld(scene).context(), layoutOf(first.folder)).secrets);
  const begin = performance.now();
  let repeated = 0;
  let isOver = false;
  const racing = Promise.all(
    all.map(async (writer, at) => {
      for (let round = 0; round < commitsEach; round += 1) {
        writer.write(`all/${round}-${at}`, `${round} of ${at}\n`);
        told.add(await writer.commit(`${round} of ${at}`));
        // Every fourth time what others have pushed is taken in, too.
        if (round % 4 === 3) await writer.ok("sync");
        else repeated += await writer.push();
      }
    }),
  ).finally(() => {
    isOver = true;
  });
  const [pruned] = await Promise.all([pruneOver(pruner, remote, () => isOver), racing]);
  const seconds = Math.round((performance.now() - begin) / 1000);
  t.diagnostic(
    `${writers} writers, ${commitsEach} commits each: ${seconds} s; ${JSON.stringify({ repeated, ...pruned })}`,
  );
  assert(pruned.prunes >= 3 && pruned.condemned > 0, JSON.stringify(pruned));

  for (const writer of [...all, ...all]) await writer.ok("pull");
  assert.equal(told.size, writers * (commitsEach + 1));
  const trees = new Set<unknown>();
  for (const writer of all) {
    const log = jsonLines(await writer.ok("log", "--json"));
    const there = new Set(log.map(({ commit }) => String(commit)));
    assert.deepEqual(
      [...told].filter((id) => !there.has(id)),
      [],
      `all commits are in ${writer.folder}`,
    );
    trees.add(log[0]?.["tree"]);
    assert.equal(readdirSync(join(writer.folder, "all")).length, writers * commitsEach);
    requireSame(first.folder, writer.folder, writer.folder);
  }
  assert.equal(trees.size, 1, "the joined trees are equal everywhere");
  await first.ok("push");
  await first.ok("remote", "check", "origin", "--read-data");
  const late = new Writer(scene, "late", env);
  mkdirSync(late.folder);
  await late.ok("clone", url, late.folder);
  requireSame(first.folder, late.folder, "a clone");
  assert.equal(await late.ok("check", "--read-data"), "");
}

/** Each reads a number and writes the next, if it is still that number. @returns What is there in the end, and how often each was too late. */
async function count(open: () => Remote): Promise<{ readonly sum: number; readonly late: number }> {
  let late = 0;
  await Promise.all(
    Array.from({ length: counters }, async (_, counter) => {
      await using remote = open();
      for (let done = 0; done < incrementsEach; ) {
        const tag = (await remote.stat("heads/branch"))?.tag ?? "";
        const number = Number.parseInt(toText(await remote.get("heads/branch")), 10);
        // Each writer's text is its own, so that equal sums are not equal blobs.
        const next = utf8(`${number + 1} ${counter} ${done} ${late}`);
        const isDone = (await remote.putIf("heads/branch", next, { ifMatch: tag })) !== undefined;
        if (isDone) done += 1;
        else late += 1;
      }
    }),
  );
  await using remote = open();
  return { sum: Number.parseInt(toText(await remote.get("heads/branch")), 10), late };
}

async function testBucket(
  name: string,
  start: () => Promise<AsyncDisposable & { readonly env: Record<string, string> }>,
  { skip = false, verdict }: { readonly skip?: string | false; readonly verdict: S3Verdict },
): Promise<void> {
  const whyNot = isLeftOut(name) || skip;
  if (whyNot !== false) {
    test(`${name}: writers that push at once, and a pruner`, { skip: whyNot }, () => {});
    return;
  }
  const server = await start();
  after(() => server[Symbol.asyncDispose]());
  const options = { cwd: "/", disk: nodeDisk, random: (length: number) => randomBytes(length), env: server.env };
  const url = "s3://ourobucket/branch";
  const open = (): Remote => openRemote(url, { ...options, create: true, verdict });
  const title = `${name}: ${counters} writers that move one branch ${incrementsEach} times each`;
  if (verdict === "cas-bare") {
    test(`${title} lose nothing`, async (t) => {
      await using remote = open();
      await remote.put("heads/branch", utf8("0"));
      const { sum, late } = await count(open);
      t.diagnostic(`${late} of ${late + counters * incrementsEach} were too late, and told so`);
      assert.equal(sum, counters * incrementsEach);
      assert(late > 0, "they met");
    });
  } else {
    test(`${title} are refused before the first write`, async () => {
      await using remote = open();
      await remote.put("heads/branch", utf8("0"));
      await assert.rejects(count(open), { kind: "unsupported" });
      assert.equal(toText(await remote.get("heads/branch")), "0");
    });
  }
  test(`${name}: writers that push at once, and a pruner`, (t) =>
    race(t, { url: "s3://ourobucket/race", env: server.env }));
}

const isLeftOut = (name: string): string | false =>
  only !== undefined && !only.includes(name) ? "left out by OUROBOX_RACE_ONLY" : false;

await testBucket("Ceph", startCeph, { skip: skipWithoutServer(cephPrograms), verdict: "cas-bare" });
await testBucket("Swift", startSwift, { skip: skipWithoutServer(swiftPrograms), verdict: "none" });
await testBucket("s3rver", startS3rver, { verdict: "lying" });

test("SFTP: writers that push at once, and a pruner", { skip: isLeftOut("SFTP") || skipWithoutSshd() }, async (t) => {
  await using sshd = await TestSshd.start();
  await sshd.shareConnection();
  await race(t, { url: sshd.url(mkdtempSync(join(top, "sftp-"))), env: { OUROBOX_SSH: sshd.command.join(" ") } });
});

test("a folder: writers that push at once, and a pruner", { skip: isLeftOut("folder") }, (t) =>
  race(t, { url: join(top, "remote"), env: {} }),
);
