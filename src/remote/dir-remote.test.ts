import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { randomBytes } from "node:crypto";
import { mkdirSync, mkdtempSync, readdirSync, rmSync, statSync, symlinkSync, utimesSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { utf8 } from "../base/bytes.ts";
import type { Disk } from "../base/disk.ts";
import { isKind } from "../base/errors.ts";
import { nodeDisk } from "../base/node-disk.ts";
import { DirRemote } from "./dir-remote.ts";
import { nodeCopier } from "./file-copier.ts";
import { testRemote } from "./remote.suite.ts";

const random = (length: number): Uint8Array => randomBytes(length);

interface Folder extends Disposable {
  readonly path: string;
}

function makeFolder(): Folder {
  const path = mkdtempSync(join(tmpdir(), "ouro-dir-"));
  return { path, [Symbol.dispose]: () => rmSync(path, { recursive: true, force: true }) };
}

for (const [name, copier] of [
  ["dir by blocks", undefined],
  ["dir by the kernel", nodeCopier],
] as const) {
  testRemote(name, () => {
    const { path, [Symbol.dispose]: dispose } = makeFolder();
    const options = { disk: nodeDisk, random, ...(copier === undefined ? {} : { copier }) };
    return { open: () => new DirRemote(path, path, options), [Symbol.dispose]: dispose };
  });
}

test("dir: a folder that is not there is offline, not empty, and is never made", async () => {
  using folder = makeFolder();
  const path = join(folder.path, "unmounted");
  const remote = new DirRemote(path, path, { disk: nodeDisk, random });
  const offline = (thrown: unknown): boolean => isKind(thrown, "offline");
  await assert.rejects(remote.put("packs/a", utf8("a")), offline);
  await assert.rejects(remote.putIf("config", utf8("a"), { ifAbsent: true }), offline);
  await assert.rejects(remote.get("packs/a"), offline);
  await assert.rejects(remote.stat("packs/a"), offline);
  await assert.rejects(remote.remove("packs/a"), offline);
  await assert.rejects(remote.topNames(), offline);
  await assert.rejects(Array.fromAsync(remote.list("packs/")), offline);
  assert.deepEqual(readdirSync(folder.path), []);
});

test("dir: neither temporary files nor what is no blob is listed or read", { timeout: 10_000 }, async () => {
  using folder = makeFolder();
  const remote = new DirRemote(folder.path, folder.path, { disk: nodeDisk, random });
  await remote.put("packs/a", utf8("a"));
  writeFileSync(join(folder.path, "packs/Upper"), "x");
  writeFileSync(join(folder.path, "packs/.hidden"), "x");
  writeFileSync(Buffer.concat([Buffer.from(`${folder.path}/packs/`), Buffer.from([0x62, 0xff])]), "x");
  symlinkSync("/etc/passwd", join(folder.path, "packs/link"));
  execFileSync("mkfifo", [join(folder.path, "packs/fifo")]);
  const names = (await Array.fromAsync(remote.list("packs/"))).map(({ name }) => name);
  assert.deepEqual(names, ["packs/a"]);
  for (const name of ["packs/link", "packs/fifo"]) {
    await assert.rejects(remote.get(name), (thrown) => isKind(thrown, "not-found"));
    assert.equal(await remote.stat(name), undefined);
  }
});

test("dir: blobs are readable by whom the umask allows, even when made from a private file", async () => {
  using folder = makeFolder();
  const path = join(folder.path, "place");
  mkdirSync(path);
  const source = join(folder.path, "private");
  writeFileSync(source, new Uint8Array(2_000_000), { mode: 0o600 });
  writeFileSync(join(folder.path, "ordinary"), "");
  const { mode } = statSync(join(folder.path, "ordinary"));
  const remote = new DirRemote(path, path, { disk: nodeDisk, random, copier: nodeCopier });
  await remote.put("packs/a", { path: source, size: 2_000_000 });
  await remote.put("packs/b", utf8("b"));
  assert.deepEqual([statSync(join(path, "packs/a")).mode, statSync(join(path, "packs/b")).mode], [mode, mode]);
  await remote.download("packs/a", join(folder.path, "down"));
  assert.equal(statSync(join(folder.path, "down")).mode & 0o777, 0o600);
});

test("dir: what a killed process left is removed after a day, and nothing else", async () => {
  using folder = makeFolder();
  mkdirSync(join(folder.path, ".tmp"));
  for (const [name, ageSeconds] of [
    ["old", 90_000],
    ["new", 3600],
  ] as const) {
    const path = join(folder.path, ".tmp", name);
    writeFileSync(path, "x");
    const time = statSync(path).mtimeMs / 1000 - ageSeconds;
    utimesSync(path, time, time);
  }
  const remote = new DirRemote(folder.path, folder.path, { disk: nodeDisk, random });
  await remote.put("packs/a", utf8("a"));
  assert.deepEqual(readdirSync(join(folder.path, ".tmp")), ["new"]);
});

test("dir: puts that end together share the sync of their directory, and none ends before it", async () => {
  using folder = makeFolder();
  const synced: string[] = [];
  const disk: Disk = { ...nodeDisk, syncDirectory: (path) => void synced.push(String(path)) };
  const remote = new DirRemote(folder.path, folder.path, { disk, random });
  await remote.put("packs/first", utf8("a"));
  synced.length = 0;
  await Promise.all(Array.from({ length: 20 }, (_, index) => remote.put(`packs/${index}`, utf8("a"))));
  assert.ok(synced.length >= 1 && synced.length < 20, `${synced.length} syncs`);
});

test("dir: without hard links a conditional put is unsupported and leaves nothing", async () => {
  using folder = makeFolder();
  const link = (): void => {
    throw Object.assign(new Error("EPERM: operation not permitted, link"), { code: "EPERM" });
  };
  const remote = new DirRemote(folder.path, folder.path, { disk: { ...nodeDisk, link }, random });
  await assert.rejects(remote.putIf("config", utf8("a"), { ifAbsent: true }), (thrown) =>
    isKind(thrown, "unsupported"),
  );
  assert.deepEqual(readdirSync(join(folder.path, ".tmp")), []);
  assert.equal(await remote.stat("config"), undefined);
});

/** A disk whose nth call fails as a dying disk does, and every one after it. */
function failingDisk(failAt: number): { readonly disk: Disk; readonly count: () => number } {
  let count = 0;
  const disk = new Proxy(nodeDisk, {
    get(target, name: keyof Disk) {
      return (...args: unknown[]): unknown => {
        count += 1;
        // Closing works to the end, so that the test does not run out of descriptors.
        if (count >= failAt && name !== "close")
          throw Object.assign(new Error(`EIO: i/o error, ${name}`), { code: "EIO" });
        return (target[name] as (...args: unknown[]) => unknown).apply(target, args);
      };
    },
  });
  return { disk, count: () => count };
}

test("dir: whichever call to the disk fails, a blob is there whole or not at all, and can be put again", async () => {
  for (const action of ["put", "putIf"] as const) {
    for (let failAt = 1; ; failAt += 1) {
      using folder = makeFolder();
      const good = new DirRemote(folder.path, folder.path, { disk: nodeDisk, random });
      const { disk, count } = failingDisk(failAt);
      const bad = new DirRemote(folder.path, folder.path, { disk, random });
      const bytes = new Uint8Array(5000).fill(7);
      const run = (remote: DirRemote): Promise<unknown> =>
        action === "put" ? remote.put("packs/a", bytes) : remote.putIf("packs/a", bytes, { ifAbsent: true });
      const failure = await run(bad).then(
        () => undefined,
        (thrown: unknown) => thrown,
      );
      assert.ok(failure === undefined || isKind(failure, "io"), String(failure));
      const blobs = await Array.fromAsync(good.list("packs/"));
      assert.ok(blobs.every(({ name, size }) => name === "packs/a" && size === 5000));
      if (failure === undefined) assert.equal(blobs.length, 1);
      await run(good);
      assert.deepEqual(await good.get("packs/a"), bytes);
      if (failure === undefined && count() < failAt) break;
    }
  }
});
