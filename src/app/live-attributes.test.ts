/** What `stat` says in a live mount of a box of which only a part is in the folder: as of any file, as far as it can be known. */
import assert from "node:assert/strict";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, test } from "node:test";
import { TestWorld } from "../../test/support/app-world.ts";
import type { FsClient, Stat } from "../../test/support/fs-client.ts";
import { DirectClient } from "../../test/support/fs-client-direct.ts";
import { UnrealPair } from "../../test/support/unreal-pair.ts";
import { type Caller, type DirectoryEntry, type Filesystem, rootInode } from "../vfs/mod.ts";
import { openLiveFilesystem } from "./live-filesystem.ts";
import { Box } from "./mod.ts";

const world = new TestWorld(mkdtempSync(join(tmpdir(), "ouro-live-attributes-")));
after(() => rmSync(world.folder, { recursive: true }));
const caller: Caller = { uid: 0, gid: 0, pid: 0, signal: AbortSignal.abort() };
const stagedMin = 1000;
const large = "large\n".repeat(1000);

interface Live {
  readonly client: FsClient;
  readonly filesystem: Filesystem;
  readonly commit: () => Promise<void>;
}

async function inLive(files: Readonly<Record<string, string>>, use: (live: Live) => Promise<void>): Promise<void> {
  await using pair = await UnrealPair.make(world, files);
  await using committer = await Box.open(pair.pathB, world.context());
  const commit = async (): Promise<void> => void (await committer.commit({ message: "settled", all: true }));
  const options = { settle: commit, onChange: () => {}, directory: "/mnt", stagedMin };
  await using live = openLiveFilesystem(pair.b, options);
  const { filesystem } = live;
  await use({
    client: new DirectClient(filesystem),
    filesystem,
    commit: async () => {
      live.flush();
      await commit();
    },
  });
}

/** The links of what is in the root, by name, as a listing has them. */
async function listedLinks(filesystem: Filesystem): Promise<Record<string, number>> {
  const links: Record<string, number> = {};
  const give = ({ name, found }: DirectoryEntry): boolean => {
    if (found === undefined) return true;
    links[Buffer.from(name).toString()] = found.attributes.nlink;
    filesystem.forget(found.attributes.inode, 1);
    return true;
  };
  await filesystem.readdir(rootInode, 0, { after: 0, plus: true, give }, caller);
  return links;
}

test("live attributes: a directory has a link for each one in it, in the folder or not, whoever asks; what is not in the folder at all has one", async () => {
  await inLive(
    { "d/f": "f\n", "d/e/f": "f\n", "d/gone/f": "f\n", "u/v/f": "f\n" },
    async ({ client, filesystem, commit }) => {
      for (const path of ["new", "new/a", "new/b", "d/below"]) await client.mkdir(path);
      const found = await filesystem.lookup(rootInode, Buffer.from("new"), caller);
      const inode = found?.attributes.inode ?? 0;
      const linksOfNew = async (): Promise<number[]> => [
        (await filesystem.getattr(inode)).nlink,
        (await client.stat("new")).nlink,
      ];
      assert.deepEqual(await listedLinks(filesystem), { new: 4, d: 5, u: 1 });
      assert.deepEqual([...(await linksOfNew()), (await client.stat("d")).nlink], [4, 4, 5]);
      await client.unlink("d/gone/f");
      await client.rmdir("d/gone");
      await client.rename("new/b", "b");
      assert.deepEqual(await linksOfNew(), [3, 3]);
      await commit();
      assert.deepEqual(await linksOfNew(), [3, 3]);
      assert.deepEqual(await listedLinks(filesystem), { new: 3, d: 4, u: 1, b: 2 });
      await client.rename("d/e", "new/e");
      assert.deepEqual(await listedLinks(filesystem), { new: 4, d: 3, u: 1, b: 2 });
      filesystem.forget(inode, 1);
    },
  );
});

test("live attributes: an unreal file that is open and loses its name has no links, also after a commit; what gets the name has", async () => {
  const texts: Readonly<Record<string, string>> = {
    small: "small\n",
    large,
    "over small": "small\n",
    "over large": large,
  };
  await inLive({ ...texts, one: "one\n", two: "two\n" }, async ({ client, commit }) => {
    const opened = new Map<string, { readonly fd: number; readonly before: Stat }>();
    for (const path of Object.keys(texts)) {
      const fd = await client.open(path, { read: true });
      opened.set(path, { fd, before: await client.statFile(fd) });
    }
    for (const path of ["small", "large"]) await client.unlink(path);
    await client.rename("one", "over small");
    await client.rename("two", "over large");
    for (const isCommitted of [false, true]) {
      if (isCommitted) await commit();
      for (const [path, { fd, before }] of opened) {
        const { nlink, size, mtimeNs, ctimeNs } = await client.statFile(fd);
        assert.deepEqual([nlink, size, mtimeNs], [0, before.size, before.mtimeNs], path);
        assert.ok(ctimeNs > before.ctimeNs, path);
        assert.equal((await client.read(fd, 0, size)).toString(), texts[path]);
      }
    }
    const made = await client.open("small", { write: true, create: true });
    await client.write(made, 0, Buffer.from("new\n"));
    await commit();
    assert.deepEqual([(await client.statFile(made)).nlink, (await client.stat("small")).nlink], [1, 1]);
    await client.close(made);
    for (const { fd } of opened.values()) await client.close(fd);
  });
});

/** What is done with a file and a descriptor of it. */
const changes: Readonly<Record<string, (client: FsClient, path: string, fd: number) => Promise<void>>> = {
  chmod: (client, path) => client.chmod(path, 0o600),
  "old times": (client, path) => client.setTime(path, 1n),
  truncate: (client, path) => client.truncate(path, 4000),
  write: (client, _, fd) => client.write(fd, 5, Buffer.from("x")),
  "fallocate of what is there": (client, _, fd) => client.fallocate(fd, "reserve", { offset: 0, length: 10 }),
};

test("live attributes: what changes a large unreal file marks its time of change, and that stays with a commit", async () => {
  const names = Object.keys(changes);
  await inLive(Object.fromEntries(names.map((name) => [name, large])), async ({ client, commit }) => {
    const changed = new Map<string, { readonly fd: number; readonly after: Stat }>();
    for (const [name, change] of Object.entries(changes)) {
      const fd = await client.open(name, { read: true, write: true });
      const before = await client.stat(name);
      await change(client, name, fd);
      const after = await client.stat(name);
      assert.ok(after.ctimeNs > before.ctimeNs, name);
      assert.equal(after.mtimeNs === before.mtimeNs, name === "chmod", name);
      changed.set(name, { fd, after });
    }
    await commit();
    for (const [name, { fd, after }] of changed) {
      for (const { ctimeNs, mtimeNs } of [await client.stat(name), await client.statFile(fd)])
        assert.deepEqual([ctimeNs, mtimeNs], [after.ctimeNs, after.mtimeNs], name);
      await client.close(fd);
    }
  });
});
