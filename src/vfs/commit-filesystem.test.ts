import assert from "node:assert/strict";
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { assertFails } from "../../test/support/assert-fails.ts";
import { readAll } from "../../test/support/fs-client.ts";
import { DirectClient } from "../../test/support/fs-client-direct.ts";
import { KernelClient } from "../../test/support/fs-client-kernel.ts";
import { TestFolder } from "../../test/support/test-folder.ts";
import { withMethods } from "../../test/support/with-methods.ts";
import { toHex } from "../base/bytes.ts";
import { OuroError } from "../base/errors.ts";
import type { Hash } from "../format/mod.ts";
import type { ContentSource, MissingChunk, Store } from "../store/mod.ts";
import { CommitFilesystem, type CommitFilesystemOptions } from "./commit-filesystem.ts";
import { type Caller, type DirectoryEntry, rootInode, type UnwantedInode } from "./filesystem.ts";
import { readingCases, refusedWrites } from "./filesystem-reading.suite.ts";

const isRoot = process.getuid?.() === 0;
const caller: Caller = { uid: 0, gid: 0, pid: 1, signal: new AbortController().signal };
process.umask(0o022);

/** What is committed of a folder that somebody fills. */
async function committed(fill: (path: string) => Promise<void> | void, use: (folder: TestFolder) => Promise<void>) {
  using folder = new TestFolder();
  await fill(folder.path);
  await folder.commit();
  await use(folder);
}

function open(folder: TestFolder, options: Partial<CommitFilesystemOptions> = {}): CommitFilesystem {
  return new CommitFilesystem({ store: folder.store, tree: folder.tree as Hash, ...options });
}

for (const { name, asRoot, make, read } of readingCases) {
  test(`commit filesystem: ${name}`, { skip: asRoot === true && !isRoot ? "only root can" : false }, () =>
    committed(
      (path) => make(new KernelClient(path, process.getuid?.() ?? 0)),
      async (folder) => {
        const filesystem = open(folder);
        await read(new DirectClient(filesystem));
        assert.equal(filesystem.liveCount, 0, "every lookup was given back");
      },
    ),
  );
}

test("commit filesystem: all that writes is refused", () =>
  committed(
    (path) => {
      mkdirSync(join(path, "d"));
      writeFileSync(join(path, "f"), "x");
    },
    async (folder) => {
      const client = new DirectClient(open(folder));
      for (const refused of Object.values(refusedWrites)) await assertFails("EROFS", refused(client));
    },
  ));

function fillMany(path: string): void {
  mkdirSync(join(path, "many"));
  for (let index = 0; index < 1500; index += 1) writeFileSync(join(path, "many", `file ${index}`), `${index}`);
}

/** Lists a directory with everything looked up, as `ls -l` does, and gives nothing back. */
async function listAll(filesystem: CommitFilesystem, inode: number): Promise<DirectoryEntry[]> {
  const found: DirectoryEntry[] = [];
  for (let after = 0, before = -1; after !== before; ) {
    before = after;
    let room = 50;
    const give = (entry: DirectoryEntry): boolean => {
      room -= 1;
      if (room < 0) return false;
      found.push(entry);
      after = entry.cookie;
      return true;
    };
    await filesystem.readdir(inode, 0, { after, plus: true, give });
  }
  return found;
}

async function inodeOf(filesystem: CommitFilesystem, name: string): Promise<number> {
  const found = await filesystem.lookup(rootInode, Buffer.from(name));
  if (found === undefined) throw new Error(`there is no ${name}`);
  return found.attributes.inode;
}

test("commit filesystem: numbers and generations are the same for whoever opens it again", () =>
  committed(fillMany, async (folder) => {
    const numbers = async (): Promise<unknown[]> => {
      const filesystem = open(folder);
      const all = await listAll(filesystem, await inodeOf(filesystem, "many"));
      return all.map(({ inode, found }) => [inode, found?.attributes.generation]);
    };
    const first = await numbers();
    assert.deepEqual(await numbers(), first);
    assert.equal(new Set(first.map(String)).size, 1502);
  }));

test("commit filesystem: above so many live inodes it asks to forget the oldest, and is content with what goes", () =>
  committed(fillMany, async (folder) => {
    const filesystem = open(folder, { liveMax: 600 });
    const kept = new Map<number, string>();
    const nothing = (): void => {};
    const asked: UnwantedInode[] = [];
    filesystem.listen({
      attributesChanged: nothing,
      contentChanged: nothing,
      entryChanged: nothing,
      entryRemoved: nothing,
      unwanted: (inodes) => asked.push(...inodes),
    });
    const many = await inodeOf(filesystem, "many");
    let most = 0;
    for (let after = 2, isMore = true; isMore; ) {
      isMore = false;
      let room = 50;
      const give = (entry: DirectoryEntry): boolean => {
        room -= 1;
        if (room < 0) return false;
        kept.set(entry.inode, Buffer.from(entry.name).toString());
        after = entry.cookie;
        isMore = true;
        return true;
      };
      await filesystem.readdir(many, 0, { after, plus: true, give });
      most = Math.max(most, filesystem.liveCount);
      for (const { inode, name } of asked.splice(0)) {
        // The directory is in use.
        if (inode === many) continue;
        assert.equal(Buffer.from(name()?.name ?? []).toString(), kept.get(inode));
        kept.delete(inode);
        filesystem.forget(inode, 1);
      }
    }
    assert.ok(most <= 1200, `${most} were live`);
    assert.equal(kept.size + 1, filesystem.liveCount);
    for (const [inode] of kept) assert.equal((await filesystem.getattr(inode)).inode, inode);
  }));

/** A store that has no chunks but those that were brought. */
function emptied(store: Store): { readonly store: Store; readonly brought: Set<string> } {
  const brought = new Set<string>();
  const without = withMethods<Store>(store, {
    getChunk: (hash, length) => {
      if (brought.has(toHex(hash))) return store.getChunk(hash, length);
      throw new OuroError("not-found", "Cannot find a chunk");
    },
    expectChunks: (chunks) => chunks.filter(({ hash }) => !brought.has(toHex(hash))),
  });
  return { store: without, brought };
}

const content = Buffer.from(Array.from({ length: 400_000 }, (_, index) => (index * index) % 251));

test("commit filesystem: what is not here is brought once for all who read it, and what follows before it is asked for", () =>
  committed(
    (path) => writeFileSync(join(path, "f"), content),
    async (folder) => {
      const { store, brought } = emptied(folder.store);
      const calls: (readonly MissingChunk[])[] = [];
      const source: ContentSource = {
        fetch: async (chunks) => {
          calls.push(chunks);
          await new Promise((resolve) => setTimeout(resolve, 20));
          for (const { hash } of chunks) brought.add(toHex(hash));
        },
      };
      const filesystem = open(folder, { store, source });
      const inode = await inodeOf(filesystem, "f");
      const reads = await Promise.all([0, 100, 200].map((at) => filesystem.read(inode, 0, at, 1000, caller)));
      for (const [index, parts] of reads.entries())
        assert.ok(Buffer.concat(parts).equals(content.subarray(index * 100, index * 100 + 1000)));
      const asked = calls.flat().map(({ hash }) => toHex(hash));
      assert.equal(new Set(asked).size, asked.length, "nothing twice");
      await filesystem.read(inode, 0, 1200, 1000, caller);
      await filesystem.read(inode, 0, 2200, 1000, caller);
      const before = calls.length;
      await new Promise((resolve) => setTimeout(resolve, 50));
      assert.ok((await readAll(new DirectClient(filesystem), "f")).equals(content));
      assert.equal(calls.length, before, "all of it had been fetched ahead");
    },
  ));

test("commit filesystem: what cannot be brought is an EIO, a line in the log, and asked for again", () =>
  committed(
    (path) => writeFileSync(join(path, "f"), content),
    async (folder) => {
      const { store, brought } = emptied(folder.store);
      const log: string[] = [];
      let isOnline = false;
      const source: ContentSource = {
        fetch: async (chunks) => {
          if (!isOnline) throw new OuroError("offline", "Cannot fetch: origin does not answer");
          for (const { hash } of chunks) brought.add(toHex(hash));
        },
      };
      const filesystem = open(folder, { store, source, log: (text) => log.push(text) });
      const client = new DirectClient(filesystem);
      await assertFails("EIO", readAll(client, "f"));
      assert.deepEqual(log, ["Cannot read f: Cannot fetch: origin does not answer"]);
      isOnline = true;
      assert.ok((await readAll(client, "f")).equals(content));
      const alone = open(folder, { store: emptied(folder.store).store, log: (text) => log.push(text) });
      await assertFails("EIO", readAll(new DirectClient(alone), "f"));
      assert.match(log[1] ?? "", /^Cannot read f: .* is not on this machine$/);
    },
  ));

test("commit filesystem: whoever gives up waiting gets an EINTR, and the others their bytes", () =>
  committed(
    (path) => writeFileSync(join(path, "f"), content),
    async (folder) => {
      const { store, brought } = emptied(folder.store);
      const { promise, resolve } = Promise.withResolvers<void>();
      const source: ContentSource = {
        fetch: async (chunks) => {
          await promise;
          for (const { hash } of chunks) brought.add(toHex(hash));
        },
      };
      const filesystem = open(folder, { store, source });
      const inode = await inodeOf(filesystem, "f");
      const impatient = new AbortController();
      const [one, two] = [impatient.signal, caller.signal].map(async (signal) =>
        filesystem.read(inode, 0, 0, 100, { ...caller, signal }),
      );
      impatient.abort();
      await assertFails("EINTR", one as Promise<unknown>);
      resolve();
      assert.ok(Buffer.concat((await two) ?? []).equals(content.subarray(0, 100)));
    },
  ));

test("commit filesystem: without attributes anywhere, ACLs and security attributes are not supported", () =>
  committed(
    (path) => writeFileSync(join(path, "f"), "x"),
    async (folder) => {
      const client = new DirectClient(open(folder));
      await assertFails("EOPNOTSUPP", client.getxattr("f", "system.posix_acl_access"));
      await assertFails("EOPNOTSUPP", client.getxattr("f", "security.selinux"));
      await assertFails("ENODATA", client.getxattr("f", "user.any"));
      assert.equal((await client.getxattr("f", "user.ourobox.status")).toString(), "committed");
      assert.match((await client.getxattr("f", "user.ourobox.hash")).toString(), /^[0-9a-f]{64}$/);
      assert.match((await client.getxattr("f", "user.ourobox.peer")).toString(), /^[0-9a-f]{16}$/);
      assert.deepEqual(await client.listxattr("f"), []);
    },
  ));

test("commit filesystem: owners and mode bits can be others than they are", () =>
  committed(
    (path) => writeFileSync(join(path, "f"), "x", { mode: 0o644 }),
    async (folder) => {
      const client = new DirectClient(open(folder, { uid: 1234, gid: 567, umask: 0o077 }));
      const { uid, gid, mode } = await client.stat("f");
      assert.deepEqual([uid, gid, mode], [1234, 567, 0o600]);
    },
  ));
