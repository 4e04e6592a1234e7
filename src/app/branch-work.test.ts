/**
 * Work in the box's folder and in two branches that are mounted beside it, all at once: what is done in one is seen there and nowhere else, until it is merged; what
 * a commit has is what was shown.
 */
import assert from "node:assert/strict";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after } from "node:test";
import { TestWorld } from "../../test/support/app-world.ts";
import { type FsClient, readAll, writeAll } from "../../test/support/fs-client.ts";
import { KernelClient } from "../../test/support/fs-client-kernel.ts";
import { MountedBranch } from "../../test/support/mounted-branch.ts";
import { testSeeds } from "../../test/support/seeds.ts";
import { contentOf, namesIn, writeAll as writeFiles } from "../../test/support/unreal-pair.ts";
import type { Prng } from "../base/prng.ts";
import { Box } from "./mod.ts";

const world = new TestWorld(mkdtempSync(join(tmpdir(), "ouro-branch-work-")));
after(() => rmSync(world.folder, { recursive: true }));
process.umask(0o022);

const stepsMax = 30;
const files = ["a", "b", "d/one", "d/two", "d/deep/three"];
const names = [...files, "new", "d/new", "e/new"];
const dirs = ["d", "e", "d/deep", "e/deep"];

/** One place where a branch is worked on. */
interface Place {
  readonly box: Box;
  client(): FsClient;
  commit(): Promise<void>;
}

async function seen(client: FsClient, directory = ""): Promise<Record<string, string>> {
  const found: Record<string, string> = {};
  for (const name of (await client.readdir(directory)).sort()) {
    const path = directory === "" ? name : `${directory}/${name}`;
    if (path === ".ourobox") continue;
    if ((await client.stat(path)).kind === "directory") Object.assign(found, await seen(client, path));
    else found[path] = (await readAll(client, path)).toString();
  }
  return found;
}

async function committed(box: Box): Promise<Record<string, string>> {
  const found: Record<string, string> = {};
  for (const path of namesIn(box)) found[path] = await contentOf(box, path);
  return found;
}

/** Whatever cannot be done is not. */
async function attempt(act: Promise<unknown>): Promise<void> {
  await act.catch((thrown: { code?: string }) => assert.notEqual(thrown.code, undefined, String(thrown)));
}

async function change(prng: Prng, client: FsClient, step: number): Promise<void> {
  const [from, to] = [prng.pick([...names, ...dirs]), prng.pick([...names, ...dirs])];
  switch (prng.int(0, 3)) {
    case 0:
      return attempt(client.rename(from, to));
    case 1:
      return attempt(client.unlink(from));
    case 2:
      return attempt(client.mkdir(prng.pick(dirs), 0o755));
    default:
      return attempt(writeAll(client, prng.pick(names), `step ${step}\n`));
  }
}

testSeeds("branches in three places: each has what was done there", 4, async (prng) => {
  const path = mkdtempSync(join(world.folder, "box-"));
  writeFiles(path, Object.fromEntries(files.map((name) => [name, `${name}\n`])));
  await using box = await Box.init(path, world.initOptions, world.context());
  await box.commit({ message: "first", all: true });
  const open = new Map<string, MountedBranch>();
  for (const name of ["side", "other"]) open.set(name, await MountedBranch.open(box, name, box.head()?.commit));
  const mounted = (name: string): MountedBranch => open.get(name) as MountedBranch;
  const main = new KernelClient(path, 0);
  const places: Record<string, Place> = {
    main: { box, client: () => main, commit: async () => void (await box.commit({ message: "c", all: true })) },
  };
  for (const name of open.keys())
    places[name] = {
      get box() {
        return mounted(name).box;
      },
      client: () => mounted(name).client,
      commit: async () => void (await mounted(name).commitAll()),
    };
  const shown = (): Promise<Record<string, string>[]> =>
    Promise.all(Object.values(places).map(({ client }) => seen(client())));
  try {
    for (let step = 1; step <= stepsMax; step += 1) {
      const at = prng.int(0, 2);
      const place = Object.values(places)[at] as Place;
      const before = await shown();
      const others = async (): Promise<void> => {
        const now = await shown();
        for (const [index, each] of now.entries()) if (index !== at) assert.deepEqual(each, before[index]);
      };
      const act = prng.int(0, 9);
      if (act < 5) await change(prng, place.client(), step);
      else {
        await place.commit();
        assert.deepEqual(await seen(place.client()), before[at]);
        assert.deepEqual(await committed(place.box), before[at]);
        if (act === 6) {
          const from = Object.values(places)[prng.int(0, 2)] as Place;
          await place.box.merge(from.box.resolve("HEAD"), { name: "m", acceptClock: false });
        } else if (act === 7) {
          const [last] = place.box.operations(1);
          if (last?.before !== undefined) await place.box.undo(last);
        } else if (act === 8) await box.gc({ dryRun: false });
        assert.deepEqual(await seen(place.client()), await committed(place.box));
      }
      await others();
      if (act !== 9 || place.box === box) continue;
      const name = place.box.branch;
      await change(prng, place.client(), step);
      const left = await seen(place.client());
      await mounted(name)[Symbol.asyncDispose]();
      open.set(name, await MountedBranch.open(box, name));
      assert.deepEqual(await seen(place.client()), left);
    }
    for (const [name, place] of Object.entries(places)) {
      await place.commit();
      const goal = await seen(place.client());
      if (name === "main") continue;
      await mounted(name)[Symbol.asyncDispose]();
      open.delete(name);
      await box.switch({ name });
      assert.deepEqual(await seen(main), goal);
    }
    assert.deepEqual(await Array.fromAsync(box.check({ readData: true })), []);
  } finally {
    for (const each of open.values()) await each[Symbol.asyncDispose]();
  }
});
