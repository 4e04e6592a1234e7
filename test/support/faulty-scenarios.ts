/** Every command on a small place, for tests that fail each of its operations: what is there before, what is run, what holds in the end. */
import assert from "node:assert/strict";
import { chmodSync, linkSync, mkdirSync, readdirSync, renameSync, rmSync, symlinkSync } from "node:fs";
import { type AppContext, Box, cloneBox } from "../../src/app/mod.ts";
import { fromHex, utf8 } from "../../src/base/bytes.ts";
import { isKind } from "../../src/base/errors.ts";
import { Prng } from "../../src/base/prng.ts";
import { type FaultyPlace, listFolder, smallChunks } from "./faulty-box.ts";

export interface Scenario {
  readonly name: string;
  /** Not among the fast tests. */
  readonly isSlow?: boolean;
  /** With a good disk, once. */
  prepare(place: FaultyPlace): Promise<void>;
  /** What may fail. Run again, it ends what it began. @returns Whether the command said that all is done. */
  run(place: FaultyPlace, context: AppContext): Promise<boolean>;
  /** Holds at any moment, however the command ended. */
  always?(place: FaultyPlace): Promise<void>;
  /** Holds when the command has said that it is done. */
  finished(place: FaultyPlace): Promise<void>;
}

const plain = { hash: "blake3", chunk: smallChunks, bare: false, plain: true } as const;
const sealed = { ...plain, plain: false } as const;
const everything = { message: "all", all: true } as const;

/** Some of everything that a folder holds. */
function writeFirst(place: FaultyPlace, name: string): void {
  place.write(name, {
    "a.txt": "one\n",
    "big.bin": new Prng(11).bytes(20_000),
    "d/b.txt": "two\n".repeat(300),
    "d/sub/c.txt": "three\n",
    empty: "",
    h1: "linked",
    "gone/x": "going",
    "gone/y": "going too",
  });
  for (let index = 0; index < 12; index += 1) place.write(name, { [`many/file-${index}`]: `content ${index}` });
  mkdirSync(place.path(`${name}/hollow`));
  symlinkSync("a.txt", place.path(`${name}/to-a`));
  linkSync(place.path(`${name}/h1`), place.path(`${name}/h2`));
}

function writeSecond(place: FaultyPlace, name: string): void {
  const path = (inner: string): string => place.path(`${name}/${inner}`);
  place.write(name, { "a.txt": "one, changed\n", h1: "linked, changed", "new/n.txt": "new", "many/file-3": "other" });
  place.write(name, { "big.bin": Buffer.concat([Buffer.from("front"), new Prng(11).bytes(20_000)]) });
  renameSync(path("d/b.txt"), path("d/b2.txt"));
  renameSync(path("d/sub"), path("moved"));
  rmSync(path("gone"), { recursive: true });
  rmSync(path("to-a"));
  symlinkSync("moved/c.txt", path("to-a"));
  chmodSync(path("many/file-5"), 0o755);
}

export async function inBox<T>(
  place: FaultyPlace,
  name: string,
  context: AppContext,
  body: (box: Box) => Promise<T>,
): Promise<T> {
  await using box = await Box.open(place.path(name), context);
  return await body(box);
}

async function commit(place: FaultyPlace, name: string, context: AppContext = place.context()): Promise<boolean> {
  return inBox(place, name, context, async (box) => !(await box.commit(everything)).partial);
}

async function makeFirst(place: FaultyPlace, options: typeof plain | typeof sealed = plain): Promise<void> {
  writeFirst(place, "a");
  await (await Box.init(place.path("a"), options, place.context()))[Symbol.asyncDispose]();
  await commit(place, "a");
  await place.promise("a");
}

/** A box with the first commit. */
export async function makePlain(place: FaultyPlace): Promise<void> {
  await makeFirst(place);
}

export async function makeSecond(place: FaultyPlace): Promise<void> {
  writeSecond(place, "a");
  await commit(place, "a");
  await place.promise("a");
}

/** A remote with the first commit, and then the second. */
export async function makeRemote(place: FaultyPlace): Promise<void> {
  await makeFirst(place);
  await inBox(place, "a", place.context(), (box) => box.addRemote("origin", place.path("remote")));
  await push(place);
}

export async function push(place: FaultyPlace, context: AppContext = place.context()): Promise<boolean> {
  return inBox(place, "a", context, async (box) => (await box.push()).packs >= 0);
}

async function clone(place: FaultyPlace, context: AppContext = place.context()): Promise<boolean> {
  try {
    return !(await cloneBox(place.path("remote"), place.path("b"), { bare: false }, context)).partial;
  } catch (thrown) {
    // The last run has ended it and could not say so.
    if (!isKind(thrown, "exists") || (await place.head("b")) === undefined) throw thrown;
    // Or it could not read one file's content, and said so: what is missing is restored.
    return inBox(place, "b", context, async (box) => {
      const source = box.resolve("HEAD");
      return !(await box.restore({ source, paths: [], dryRun: false })).partial;
    });
  }
}

/** Whoever clones the remote now gets one of these commits of box "a", whole, or is told that there is nothing. */
async function requireVisible(place: FaultyPlace, commits: readonly (string | undefined)[]): Promise<void> {
  const target = place.path("visitor");
  try {
    await cloneBox(place.path("remote"), target, { bare: true }, place.context());
    assert(commits.includes(await place.head("visitor")), "the remote shows one of the commits");
    await place.verify();
  } catch (thrown) {
    if (!isKind(thrown) || !["not-found", "offline"].includes(thrown.kind)) throw thrown;
    assert(commits.includes(undefined), `the remote shows a commit, not: ${thrown.message}`);
  }
  rmSync(target, { recursive: true, force: true });
}

export const commitsOf = (place: FaultyPlace): string[] =>
  place.promised.filter(({ box }) => box === "a").map((each) => each.commit);

export const scenarios: readonly Scenario[] = [
  {
    name: "init",
    prepare: async (place) => writeFirst(place, "a"),
    async run(place, context) {
      try {
        await (await Box.init(place.path("a"), sealed, context))[Symbol.asyncDispose]();
      } catch (thrown) {
        // The last run has made it and could not say so.
        if (!isKind(thrown, "exists")) throw thrown;
      }
      return true;
    },
    async finished(place) {
      assert(await commit(place, "a"));
      await place.requireClean("a");
    },
  },
  {
    name: "first commit",
    async prepare(place) {
      writeFirst(place, "a");
      await (await Box.init(place.path("a"), sealed, place.context()))[Symbol.asyncDispose]();
    },
    run: (place, context) => commit(place, "a", context),
    finished: (place) => place.requireClean("a"),
  },
  {
    name: "second commit",
    async prepare(place) {
      await makeFirst(place, sealed);
      writeSecond(place, "a");
    },
    run: (place, context) => commit(place, "a", context),
    finished: (place) => place.requireClean("a"),
  },
  {
    name: "add, tag and remote add",
    async prepare(place) {
      await makeFirst(place);
      place.write("a", { "a.txt": "picked", "big.bin": "not picked" });
    },
    run: (place, context) =>
      inBox(place, "a", context, async (box) => {
        await box.add([utf8("a.txt")]);
        await box.tag("t", box.head()?.commit ?? assert.fail(), { force: true });
        if (box.remotes().length === 0) await box.addRemote("origin", place.path("remote"));
        return true;
      }),
    finished: (place) =>
      inBox(place, "a", place.context(), async (box) => {
        assert.deepEqual(
          box.tags().map(({ name }) => name),
          ["t"],
        );
        assert.equal(box.remotes().length, 1);
        const { counts, took } = await box.commit({ message: "picked", all: false });
        assert.deepEqual({ took, changed: counts.changed }, { took: "picked", changed: 1 });
      }),
  },
  {
    name: "first push",
    async prepare(place) {
      await makeFirst(place);
      await inBox(place, "a", place.context(), (box) => box.addRemote("origin", place.path("remote")));
    },
    run: push,
    always: (place) => requireVisible(place, [undefined, ...commitsOf(place)]),
    finished: (place) => requireVisible(place, commitsOf(place).slice(-1)),
  },
  {
    name: "second push",
    async prepare(place) {
      await makeRemote(place);
      await makeSecond(place);
    },
    run: push,
    always: (place) => requireVisible(place, commitsOf(place)),
    finished: (place) => requireVisible(place, commitsOf(place).slice(-1)),
  },
  {
    name: "clone",
    async prepare(place) {
      await makeRemote(place);
      await makeSecond(place);
      await push(place);
    },
    run: clone,
    async finished(place) {
      assert.equal(await place.head("b"), commitsOf(place).at(-1));
      await place.requireClean("b");
      assert.deepEqual(listFolder(place.path("b")), listFolder(place.path("a")));
    },
  },
  {
    name: "pull",
    async prepare(place) {
      await makeRemote(place);
      await clone(place);
      await place.promise("b");
      await makeSecond(place);
      await push(place);
    },
    run: (place, context) =>
      inBox(place, "b", context, async (box) => {
        const { moved, partial } = await box.pull();
        if (moved !== undefined || partial) return !partial;
        // The last run has ended it, but for what it could not make, and said so.
        const { absent } = await box.status();
        const source = box.resolve("HEAD");
        return absent.length === 0 || !(await box.restore({ source, paths: absent, dryRun: false })).partial;
      }),
    async finished(place) {
      assert.equal(await place.head("b"), commitsOf(place).at(-1));
      await place.requireClean("b");
      assert.deepEqual(listFolder(place.path("b")), listFolder(place.path("a")));
    },
  },
  {
    name: "restore",
    async prepare(place) {
      await makeFirst(place);
      place.write("before", {});
      await makeSecond(place);
      place.write("a", { "a.txt": "not in a commit", "d/b2.txt": "neither" });
    },
    run: (place, context) =>
      inBox(place, "a", context, async (box) => {
        const source = fromHex(commitsOf(place)[0] ?? "", 32);
        return !(await box.restore({ source, paths: [], dryRun: false })).partial;
      }),
    async always(place) {
      // What was replaced is in the folder or in a commit.
      await inBox(place, "a", place.context(), async (box) => {
        const [first, ...commits] = [...box.log({ paths: [], withChanges: false })].map(({ id }) => id);
        const kept = [...(first === undefined ? [] : [first]), ...commits].map((id) => box.find(id, utf8("a.txt")));
        const texts = await Promise.all(
          kept
            .filter((entry) => entry !== undefined)
            .map(async (entry) => Buffer.concat(await Array.fromAsync(box.readFile(entry))).toString()),
        );
        const here = listFolder(place.path("a")).get("a.txt") ?? "";
        assert(texts.includes("not in a commit") || here.endsWith(" not in a commit"), "the changed file is kept");
      });
    },
    async finished(place) {
      const [first] = place.promised;
      const names = [...listFolder(place.path("a"))].filter(([, line]) => !line.startsWith("directory"));
      const wanted = [...(first?.files ?? [])].filter(([, line]) => !line.startsWith("directory"));
      assert.deepEqual(names, wanted);
      assert(await commit(place, "a"));
      await place.requireClean("a");
    },
  },
  {
    name: "restore elsewhere",
    async prepare(place) {
      await makeFirst(place);
      await makeSecond(place);
      place.write("full", { "a.txt": "in the way", mine: "mine" });
    },
    run: (place, context) =>
      inBox(place, "a", context, async (box) => {
        const source = fromHex(commitsOf(place)[0] ?? "", 32);
        const reports = [
          await box.restore({ source, paths: [], target: place.path("fresh"), dryRun: false }),
          await box.restore({ source, paths: [utf8("a.txt"), utf8("d")], target: place.path("full"), dryRun: false }),
        ];
        return reports.every(({ partial }) => !partial);
      }),
    async always(place) {
      assert.equal(listFolder(place.path("full")).get("mine")?.split(" ").at(-1), "mine");
    },
    async finished(place) {
      const wanted = place.promised[0]?.files ?? new Map();
      assert.deepEqual(listFolder(place.path("fresh")), wanted);
      const full = listFolder(place.path("full"));
      assert.equal(full.get("a.txt"), wanted.get("a.txt"));
      assert.equal(full.get("d/sub/c.txt"), wanted.get("d/sub/c.txt"));
    },
  },
  {
    name: "gc",
    async prepare(place) {
      await makeFirst(place, sealed);
      await makeSecond(place);
      // What an interrupted commit leaves: packs that nothing refers to.
      place.write("a", { "never.bin": new Prng(5).bytes(9000), "a.txt": "never" });
      await inBox(place, "a", place.context(), async (box) => {
        const ingest = box.store.openIngest({ workers: 0 });
        const { size } = { size: 9000 };
        await ingest.ingest([{ path: utf8(place.path("a/never.bin")), size, blocks: 18 }]);
        await ingest.finish();
        using sink = box.store.openMetaWriter();
        sink.put("list", utf8("nothing refers to this"));
        sink.finish();
        box.store.endWriting();
      });
      rmSync(place.path("a/never.bin"));
    },
    run: (place, context) =>
      inBox(place, "a", context, async (box) => {
        await box.gc({ dryRun: false });
        // A pack that could not be read is left for another time.
        return !place.notices.some((text) => text.includes("ourobox check"));
      }),
    async finished(place) {
      await inBox(place, "a", place.context(), async (box) => {
        assert.deepEqual(await box.gc({ dryRun: true }), { packsRemoved: 0, packsWritten: 0, bytesFreed: 0 });
      });
      assert.equal(readdirSync(place.path("a/.ourobox/packs")).length, 2);
    },
  },
];
