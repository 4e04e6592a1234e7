/** Damage in every kind of file of a box: found, named, healed where it can be, and never handed out. */
import assert from "node:assert/strict";
import { globSync, readdirSync, readFileSync as readFile, rmSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { Box } from "../../src/app/mod.ts";
import { isKind, OuroError } from "../../src/base/errors.ts";
import { Prng } from "../../src/base/prng.ts";
import { decodeIdentity, encodeIdentity, wrapKey } from "../../src/format/mod.ts";
import { FaultyPlace, faultyPassphrase, smallChunks } from "../support/faulty-box.ts";
import { type Blow, blows, checkLines, openDamaged, readPromised } from "../support/faulty-damage.ts";

/** Of each file; the slow tests take more. */
const flips = Number(process.env["FLIPS"] ?? 5);

/** Three commits, each with files of its own: so three packs of either kind. */
async function makeBox(place: FaultyPlace, plain: boolean): Promise<void> {
  await using box = await Box.init(
    place.path("a"),
    { hash: plain ? "sha256" : "blake3", chunk: smallChunks, bare: false, plain },
    place.context(),
  );
  for (let round = 1; round <= 3; round += 1) {
    place.write("a", {
      [`r${round}/big`]: new Prng(round).bytes(9000),
      [`r${round}/text`]: `round ${round}\n`.repeat(200),
      [`r${round}/small`]: `${round}`,
      shared: `shared ${round}`,
    });
    await box.commit({ message: `round ${round}`, all: true });
    await box.tag(`t${round}`, box.head()?.commit ?? assert.fail(), { force: false });
    await place.promise("a");
  }
  await box.addRemote("origin", place.path("remote"));
  await box.push();
}

/** The passphrase of the remote costs next to nothing to try, as it is tried hundreds of times. */
async function makeCheap(place: FaultyPlace): Promise<void> {
  const path = place.path("remote/config");
  const identity = decodeIdentity(readFile(path, "utf8"), path);
  const cost = { memoryKiB: 64, passes: 1, lanes: 1 };
  await using box = await Box.open(place.path("a"), place.context());
  for (const pack of box.store.packs())
    classes.set(`${place.top} ${Buffer.from(pack.name).toString("hex")}`, pack.class);
  const { key, box: id } = box.secrets;
  if (key === undefined) return;
  const wrapped = await wrapKey(key, id, faultyPassphrase, {
    random: (length) => crypto.getRandomValues(new Uint8Array(length)),
    cost,
  });
  writeFileSync(path, encodeIdentity({ ...identity, keys: [wrapped] }));
}

/** By place and name. */
const classes = new Map<string, string>();
const places = new Map<string, FaultyPlace>();
before(async () => {
  for (const suite of ["plain", "sealed"]) {
    const place = new FaultyPlace();
    places.set(suite, place);
    await makeBox(place, suite === "plain");
    await makeCheap(place);
    place.save();
  }
});
after(() => {
  for (const place of places.values()) place[Symbol.dispose]();
});

/** Each blow to each of these files, in a fresh copy. */
async function strike(
  suite: string,
  pattern: string,
  body: (place: FaultyPlace, file: string, blow: string) => Promise<void>,
): Promise<number> {
  const place = places.get(suite) ?? assert.fail();
  place.reset(1);
  const files = globSync(pattern, { cwd: place.path(".") }).sort();
  assert(files.length > 0, pattern);
  let count = 0;
  for (const file of files) {
    for (const blow of blows(readFile(place.path(file)), flips, new Prng(files.indexOf(file) + 1))) {
      count += 1;
      place.reset(count);
      hit(place, file, blow);
      try {
        await body(place, file, blow.name);
      } catch (thrown) {
        throw new Error(`${suite}: ${file}: ${blow.name}`, { cause: thrown });
      }
    }
  }
  return count;
}

function hit(place: FaultyPlace, file: string, blow: Blow): void {
  blow.apply(place.path(file));
}

/** Which packs are of a class, as the box that was saved has them. */
function isClass(place: FaultyPlace, name: Uint8Array | undefined, packClass: string): boolean {
  return name !== undefined && classes.get(`${place.top} ${Buffer.from(name).toString("hex")}`) === packClass;
}

/** A round's content is in one pack: what was new in that round is lost at most, and nothing else. */
function requireOneRound(names: Iterable<string>): void {
  const rounds = new Set<string>();
  for (const name of names) {
    const [commit = "", ...path] = name.split("/");
    rounds.add(path[0] === "shared" ? `shared in ${commit}` : (path[0] ?? ""));
  }
  const shared = [...rounds].filter((each) => each.startsWith("shared"));
  assert(rounds.size - shared.length <= 1 && shared.length <= 1, `files of one round at most: ${[...rounds]}`);
}

/** A refusal names the file and says what to do. */
function requireClear(error: OuroError, file: string): void {
  const name = file.split("/").at(-1) ?? file;
  const text = `${error.subject ?? ""} ${error.message}`;
  assert(text.includes(name), `${name} is named in: ${text}`);
  assert(error.hint !== undefined && error.hint.length > 10, `a hint with: ${error.message}`);
}

for (const suite of ["plain", "sealed"]) {
  test(`${suite}: damage in a pack is found, named, costs only what was in it, and is mended as the hint says`, async (t) => {
    const mended = { fetch: 0, commit: 0 };
    const count = await strike(suite, "a/.ourobox/packs/*", async (place, file) => {
      const opened = await openDamaged(place, "a");
      if (opened instanceof OuroError) throw opened;
      await using box = opened;
      const name = `packs/${file.split("/").at(-1)}`;
      const all = await Array.fromAsync(box.check({ readData: true }));
      const found = all.filter((each) => each.file === name);
      assert(found.length > 0, `check names it: ${JSON.stringify(all)}`);
      assert(
        all.every(({ hint }) => hint.includes("check --repair")),
        JSON.stringify(all),
      );
      assert.deepEqual(
        all.filter((each) => each.file !== name && !each.file.startsWith("commit ")),
        [],
      );
      const { same, unread } = await readPromised(place, box);
      const isMeta = found.some(({ pack }) => isClass(place, pack, "meta"));
      if (!isMeta) {
        requireOneRound(unread.keys());
        assert(same.length > 10);
      }
      const { isLacking } = await box.repair(all);
      assert(isLacking);
      const repaired = await readPromised(place, box);
      assert(repaired.same.length >= same.length, "what could be read can be read after the repair");
      if (isMeta || unread.size % 2 === 0) {
        const { partial } = await box.fetch();
        assert(!partial, place.warnings.join("\n"));
        mended.fetch += 1;
      } else {
        await box.commit({ message: "again", all: true });
        const head = (await readPromised(place, box)).unread
          .keys()
          .filter((each) => each.startsWith(place.promised.at(-1)?.commit.slice(0, 8) ?? ""));
        assert.deepEqual([...head], [], "what is in the folder is whole");
        mended.commit += 1;
        await box.fetch();
      }
      const last = await readPromised(place, box);
      assert.deepEqual([...last.unread], []);
      assert.deepEqual(await checkLines(box), []);
    });
    t.diagnostic(`${count} blows, mended: ${JSON.stringify(mended)}`);
  });

  test(`${suite}: damage in index.sqlite is healed at once, or found and healed as the hint says`, async (t) => {
    let healed = 0;
    const count = await strike(suite, "a/.ourobox/index.sqlite", async (place) => {
      const opened = await openDamaged(place, "a");
      if (opened instanceof OuroError) throw opened;
      {
        await using box = opened;
        const lines = await checkLines(box);
        const { unread } = await readPromised(place, box);
        if (place.notices.some((text) => text.includes("anew"))) healed += 1;
        if (lines.length === 0) return assert.deepEqual([...unread], []);
        assert(
          lines.some(({ file }) => file === "index.sqlite"),
          JSON.stringify(lines),
        );
        assert(
          lines.every(({ file, hint }) => file.startsWith("commit ") || hint.includes("remove .ourobox/index.sqlite")),
          JSON.stringify(lines),
        );
        for (const error of unread.values()) assert(["corrupt", "not-found"].includes(error.kind), error.message);
      }
      for (const path of globSync(place.path("a/.ourobox/index.sqlite*"))) rmSync(path);
      healed += 1;
      await place.verify();
    });
    t.diagnostic(`${count} blows, ${healed} healed`);
    assert(healed > 0);
  });

  test(`${suite}: damage in state.sqlite is found or healed from the heads, and no commit is lost`, async (t) => {
    let [healed, repaired, renewed] = [0, 0, 0];
    const count = await strike(suite, "a/.ourobox/state.sqlite", async (place) => {
      const head = place.promised.at(-1)?.commit;
      const opened = await openDamaged(place, "a");
      if (opened instanceof OuroError) throw opened;
      {
        await using box = opened;
        if (place.warnings.length > 0) healed += 1;
        const all = await Array.fromAsync(box.check({ readData: true }));
        const { unread } = await readPromised(place, box);
        assert.deepEqual([...unread], []);
        if (all.length > 0) {
          assert(
            all.every(({ file, hint }) => file.endsWith("state.sqlite") && hint.includes("check --repair")),
            JSON.stringify(all),
          );
          repaired += 1;
          await box.repair(all);
          if (place.warnings.some((text) => text.includes("set aside"))) renewed += 1;
          assert.deepEqual(await checkLines(box), []);
        }
        assert.equal(Buffer.from(box.head()?.commit ?? []).toString("hex"), head);
        assert.deepEqual(
          box.tags().map(({ name }) => name),
          ["t1", "t2", "t3"],
        );
        await box.fetch();
        assert.equal((await box.sync([], { force: false, message: "sync" })).partial, false);
        assert.deepEqual(
          box.branches().flatMap(({ name, remotes }) => remotes.map(({ remote }) => `${remote}/${name}`)),
          ["origin/main"],
        );
      }
      await place.verify();
      assert.equal(await place.head("a"), head);
    });
    t.diagnostic(`${count} blows, ${healed} healed at once, ${repaired} repaired, ${renewed} of them made anew`);
    assert(healed > 0 && repaired > 0);
  });

  test(`${suite}: damage in the small files is found, or refused by name`, async (t) => {
    const counts: number[] = [];
    for (const file of ["box", "writer", "heads/*", ...(suite === "plain" ? [] : ["keys"])]) {
      const count = await strike(suite, `a/.ourobox/${file}`, async (place, path) => {
        const opened = await openDamaged(place, "a");
        if (opened instanceof OuroError) return requireClear(opened, path);
        await using box = opened;
        const lines = await checkLines(box);
        const { unread } = await readPromised(place, box);
        assert.deepEqual([...unread], []);
        const name = path.slice("a/.ourobox/".length);
        if (lines.length > 0)
          return assert(
            lines.every((line) => line.file.includes(name) && line.hint.length > 10),
            JSON.stringify(lines),
          );
        // What nobody notices has changed nothing: white space in JSON.
        assert.notEqual(file, "heads/*");
        place.write("a", { more: "more" });
        const { id } = await box.commit({ message: "more", all: true });
        assert(id !== undefined);
      });
      counts.push(count);
    }
    t.diagnostic(`${counts} blows`);
  });

  test(`${suite}: damage in config never stops a box from opening, and is told`, async () => {
    await strike(suite, "a/.ourobox/config", async (place) => {
      const opened = await openDamaged(place, "a");
      if (opened instanceof OuroError) throw opened;
      await using box = opened;
      for (const { file, hint } of await checkLines(box)) assert(file === "config" && hint.length > 10);
      const { unread } = await readPromised(place, box);
      assert.deepEqual([...unread], []);
    });
  });

  test(`${suite}: damage in a remote never gives wrong bytes to a clone, and is told`, async (t) => {
    const outcomes: Record<string, number> = {};
    for (const file of ["config", "heads/*", "index/*", "packs/*"]) {
      const count = await strike(suite, `remote/${file}`, async (place, path) => {
        const { cloneBox } = await import("../../src/app/mod.ts");
        let outcome: string;
        try {
          const { head, partial } = await cloneBox(
            place.path("remote"),
            place.path("b"),
            { bare: false },
            place.context(),
          );
          outcome = partial ? "partial" : head === undefined ? "nothing" : "whole";
          if (partial)
            assert(
              place.warnings.some((text) => text.includes(path.split("/").at(-1)?.slice(0, 12) ?? "")),
              place.warnings.join("\n"),
            );
        } catch (thrown) {
          if (!isKind(thrown)) throw thrown;
          outcome = "refused";
          assert(thrown.hint !== undefined, thrown.message);
        }
        outcomes[`${file} ${outcome}`] = (outcomes[`${file} ${outcome}`] ?? 0) + 1;
        if (outcome === "whole") {
          assert.deepEqual(readdirSync(place.path("b")).sort(), readdirSync(place.path("a")).sort());
        }
        // Whatever was written is right.
        for (const each of globSync("**/*", { cwd: place.path("b") })) {
          const [is, shall] = [place.path(join("b", each)), place.path(join("a", each))];
          if (statSync(is).isFile()) assert.deepEqual(readFile(is), readFile(shall), each);
        }
        const opened = await openDamaged(place, "b");
        if (opened instanceof OuroError) return assert.equal(opened.kind, "no-box");
        await using box = opened;
        const { unread } = await readPromised(place, box);
        if (!file.startsWith("packs") || isClass(place, Buffer.from(path.split("/").at(-1) ?? "", "hex"), "meta"))
          return;
        // One pack of content is lost: all that is in others can be had by the commit's id.
        requireOneRound(unread.keys());
        const head = place.promised.at(-1)?.commit ?? "";
        assert(
          place.warnings.some((text) => text.includes(head.slice(0, 12))),
          place.warnings.join("\n"),
        );
        const source = box.resolve(head.slice(0, 12));
        const { partial } = await box.restore({ source, paths: [], target: place.path("rest"), dryRun: false });
        assert(partial);
        const written = globSync("**/*", { cwd: place.path("rest") }).filter((each) =>
          statSync(place.path(join("rest", each))).isFile(),
        );
        for (const each of written)
          assert.deepEqual(readFile(place.path(join("rest", each))), readFile(place.path(join("a", each))), each);
        assert(written.length >= 6, `${written}`);
      });
      outcomes[`${file} blows`] = count;
    }
    t.diagnostic(JSON.stringify(outcomes));
  });
}
