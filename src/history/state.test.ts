import assert from "node:assert/strict";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { test } from "node:test";
import { Worker } from "node:worker_threads";
import { toText, utf8 } from "../base/bytes.ts";
import { isKind } from "../base/errors.ts";
import { operationsMax, State } from "./state.ts";

const commit = new Uint8Array(32).fill(7);
const other = new Uint8Array(32).fill(8);
const writer = 0xfedc_ba98_7654_3210n;
const clock = 0xffff_0000_0000_0001n;

function withFolder(body: (path: string) => void | Promise<void>): () => Promise<void> {
  return async () => {
    const folder = mkdtempSync(join(tmpdir(), "ourobox-state-"));
    try {
      await body(join(folder, "state.sqlite"));
    } finally {
      rmSync(folder, { recursive: true });
    }
  };
}

const plain = (bytes: Uint8Array | undefined): number[] | undefined => (bytes === undefined ? undefined : [...bytes]);

test(
  "what was written is there after opening again",
  withFolder((path) => {
    const id = { clock, writer, counter: 2 ** 32 - 1 };
    {
      using state = State.open(path);
      assert.equal(state.head(), undefined);
      state.setHead({ writer, branch: "main", commit, last: { clock, id: commit } });
      state.setRemoteHead({ remote: "a", writer, commit, raw: utf8("raw") });
      state.setTag({ name: "v1", clock, writer, commit });
      state.addPicks([utf8("b"), utf8("a/\u00ff")]);
      state.setScanRow(id, utf8("scan"));
      state.setValue("k", utf8("v"));
      assert.equal(state.addOperation({ timeMs: 5, command: "commit", after: commit }), 1);
    }
    using state = State.open(path);
    const head = state.head();
    assert.deepEqual(
      [head?.writer, head?.branch, head?.last?.clock, plain(head?.commit), plain(head?.last?.id)],
      [writer, "main", clock, [...commit], [...commit]],
    );
    assert.deepEqual(
      state.remoteHeads("a").map((each) => each.writer),
      [writer],
    );
    assert.deepEqual(state.remoteHeads("b"), []);
    assert.deepEqual(plain(state.findTag("v1")), [...commit]);
    assert.deepEqual(state.picks().map(plain), [plain(utf8("a/\u00ff")), plain(utf8("b"))]);
    assert.deepEqual(plain(state.scanRow(id)), plain(utf8("scan")));
    assert.equal(state.scanRow({ ...id, counter: 1 }), undefined);
    assert.deepEqual(plain(state.value("k")), plain(utf8("v")));
    const [operation] = state.operations();
    assert.deepEqual(
      [operation?.id, operation?.timeMs, operation?.command, operation?.before],
      [1, 5, "commit", undefined],
    );
    assert.deepEqual(state.check(), []);
  }),
);

test("what is removed is gone", () => {
  using state = State.open(":memory:");
  const id = { clock, writer, counter: 1 };
  state.setScanRow(id, utf8("scan"));
  state.deleteScanRow(id);
  assert.equal(state.scanRow(id), undefined);
  state.addPicks([utf8("a"), utf8("b")]);
  state.removePicks([utf8("a")]);
  assert.equal(state.picks().length, 1);
  state.removePicks();
  assert.equal(state.picks().length, 0);
  state.setRemoteHead({ remote: "a", writer, commit, raw: utf8("raw") });
  state.renameRemote("a", "b");
  assert.deepEqual(
    state.remoteHeads().map(({ remote }) => remote),
    ["b"],
  );
  state.deleteRemoteHeads("b", 1n);
  assert.equal(state.remoteHeads().length, 1);
  state.deleteRemoteHeads("b");
  assert.equal(state.remoteHeads().length, 0);
  state.setValue("k", utf8("v"));
  state.setValue("k", undefined);
  assert.equal(state.value("k"), undefined);
});

test("a tag is a register: the greater event stays, whatever comes first", () => {
  using state = State.open(":memory:");
  assert.ok(state.setTag({ name: "v", clock: 5n, writer: 2n, commit }));
  assert.ok(!state.setTag({ name: "v", clock: 5n, writer: 1n, commit: other }));
  assert.ok(!state.setTag({ name: "v", clock: 4n, writer: 9n }));
  assert.deepEqual(plain(state.findTag("v")), [...commit]);
  assert.ok(state.setTag({ name: "v", clock: 6n, writer: 1n }));
  assert.equal(state.findTag("v"), undefined);
  assert.equal(state.tags().length, 1);
});

test("a transaction that throws leaves nothing, and one within another is part of it", () => {
  using state = State.open(":memory:");
  assert.throws(
    () =>
      state.transaction(() => {
        state.setHead({ writer, branch: "main", commit });
        state.setTag({ name: "v", clock, writer, commit });
        throw new Error("stop");
      }),
    /stop/,
  );
  assert.equal(state.head(), undefined);
  assert.equal(state.tags().length, 0);
  assert.throws(() => state.transaction(async () => state.setHead({ writer, branch: "main", commit })), TypeError);
  state.setHead({ writer, branch: "main", commit });
  assert.notEqual(state.head(), undefined);
});

test("only the last operations are remembered, newest first", () => {
  using state = State.open(":memory:");
  state.transaction(() => {
    for (let index = 1; index <= operationsMax + 5; index += 1)
      state.addOperation({ timeMs: index, command: "commit", before: commit, after: other });
  });
  assert.equal(state.operations().length, operationsMax);
  assert.deepEqual(
    state.operations(2).map(({ timeMs }) => timeMs),
    [operationsMax + 5, operationsMax + 4],
  );
});

test(
  "two connections take turns, and one that waits too long says so",
  withFolder((path) => {
    using one = State.open(path);
    using two = State.open(path, { busyMs: 30 });
    one.transaction(() => {
      assert.throws(
        () => two.setValue("k", utf8("v")),
        (error) => isKind(error, "locked"),
      );
      assert.equal(two.value("k"), undefined);
      one.setValue("k", utf8("w"));
      assert.equal(two.value("k"), undefined);
    });
    assert.deepEqual(plain(two.value("k")), plain(utf8("w")));
  }),
);

test(
  "many threads opening a new state at once all get it",
  withFolder(async (path) => {
    const module = JSON.stringify(new URL("state.ts", import.meta.url).href);
    const code = `
    const { State } = await import(${module});
    for (let round = 0; round < 20; round += 1) {
      using state = State.open(${JSON.stringify(path)});
      state.addOperation({ timeMs: 1, command: "commit" });
    }`;
    const url = new URL(`data:text/javascript,${encodeURIComponent(code)}`);
    await Promise.all(
      Array.from(
        { length: 4 },
        () =>
          new Promise<void>((resolve, reject) => {
            const worker = new Worker(url);
            worker.on("error", reject);
            worker.on("exit", () => resolve());
          }),
      ),
    );
    using state = State.open(path);
    assert.deepEqual(
      state.operations().map(({ id }) => id),
      Array.from({ length: 80 }, (_, index) => 80 - index),
    );
  }),
);

test(
  "a newer state, another program's and a file that is no database are refused",
  withFolder((path) => {
    State.open(path)[Symbol.dispose]();
    const database = new DatabaseSync(path);
    database.exec("PRAGMA user_version = 99");
    assert.throws(
      () => State.open(path),
      (error) => isKind(error, "newer-format"),
    );
    database.exec("PRAGMA user_version = 1; PRAGMA application_id = 5");
    assert.throws(
      () => State.open(path),
      (error) => isKind(error, "corrupt"),
    );
    database.close();
    writeFileSync(path, "x".repeat(5000));
    assert.throws(
      () => State.open(path),
      (error) => isKind(error, "corrupt"),
    );
  }),
);

test(
  "a changed value is found: when it is read, and by the check",
  withFolder((path) => {
    using state = State.open(path);
    const id = { clock, writer, counter: 1 };
    state.setHead({ writer, branch: "main", commit });
    state.setScanRow(id, utf8("scan"));
    const database = new DatabaseSync(path);
    database.exec("UPDATE scan SET data = x'7363616f'");
    assert.equal(state.scanRow(id), undefined);
    assert.equal(state.check().length, 1);
    database.exec("UPDATE head SET branch = 'mbin'");
    assert.throws(
      () => state.head(),
      (error) => isKind(error, "corrupt"),
    );
    assert.equal(state.check().length, 2);
    database.close();
  }),
);

test(
  "any flipped byte in a row's bytes is found",
  withFolder((path) => {
    {
      using state = State.open(path);
      state.setHead({
        writer,
        branch: "main",
        commit: utf8("0123456789abcdef0123456789abcdef"),
        last: { clock, id: other },
      });
    }
    const clean = readFileSync(path);
    const at = clean.indexOf("0123456789abcdef");
    for (let offset = -12; offset < 80; offset += 3) {
      const damaged = Buffer.from(clean);
      damaged[at + offset] = (damaged[at + offset] as number) ^ 0x10;
      writeFileSync(path, damaged);
      let isFound = false;
      try {
        using state = State.open(path);
        isFound = state.check().length > 0;
      } catch (error) {
        assert.ok(isKind(error), String(error));
        isFound = true;
      }
      assert.ok(isFound, `byte ${offset}`);
    }
  }),
);

test("the folder of a branch has a head, scan, picks, operations and values of its own, and shares all else", () => {
  using state = State.open(":memory:");
  const id = { clock, writer, counter: 1 };
  const side = state.ofBranch("side");
  state.setHead({ writer, branch: "main", commit });
  assert.equal(side.head(), undefined);
  side.setHead({ writer: 5n, branch: "side", commit: other, last: { clock, id: other } });
  assert.deepEqual([side.head()?.branch, side.head()?.writer, state.head()?.branch], ["side", 5n, "main"]);
  assert.deepEqual(plain(state.findBranch("side")?.commit), [...other]);
  assert.deepEqual([side.findBranch("main")?.writer, side.findBranch("side")], [writer, undefined]);
  state.setBranch({ writer: 6n, branch: "other" });
  const names = (of: State): string[] => of.branches().map(({ branch }) => branch);
  assert.deepEqual(
    [names(state), names(side)],
    [
      ["other", "side"],
      ["main", "other"],
    ],
  );
  assert.throws(() => side.setHead({ writer, branch: "main", commit }), TypeError);

  const again = state.ofBranch("again");
  for (const [at, each] of [state, side, again].entries()) {
    each.setScanRow(id, utf8(`scan ${at}`));
    each.addPicks([utf8(`pick ${at}`)]);
    each.setFolderValue("k", utf8(`value ${at}`));
    assert.equal(each.addOperation({ timeMs: at, command: `c${at}`, after: commit }), 1);
  }
  for (const [at, each] of [state, side, again].entries()) {
    assert.deepEqual(plain(each.scanRow(id)), plain(utf8(`scan ${at}`)));
    assert.deepEqual(each.picks().map(plain), [plain(utf8(`pick ${at}`))]);
    assert.deepEqual(plain(each.folderValue("k")), plain(utf8(`value ${at}`)));
    assert.deepEqual(
      each.operations().map(({ command }) => command),
      [`c${at}`],
    );
  }
  assert.equal(side.allOperations().length, 3);
  side.setValue("shared", utf8("v"));
  assert.deepEqual(plain(state.value("shared")), plain(utf8("v")));
  side.removePicks();
  side.deleteScanRow(id);
  assert.deepEqual([state.picks().length, side.picks().length], [1, 0]);
  assert.deepEqual([state.scanRow(id) === undefined, side.scanRow(id)], [false, undefined]);
  state.forgetFolder("again");
  assert.deepEqual([again.scanRow(id), again.picks().length, again.operations().length], [undefined, 0, 0]);
  assert.deepEqual([again.folderValue("k"), side.operations().length], [undefined, 1]);
  assert.deepEqual(state.check(), []);
});

test(
  "a row of a branch's folder with a wrong checksum is told, and mended without the others",
  withFolder((path) => {
    const id = { clock, writer, counter: 1 };
    State.open(path)[Symbol.dispose]();
    {
      using state = State.open(path);
      for (const name of ["a", "b"]) state.ofBranch(name).setScanRow(id, utf8(name));
    }
    {
      using database = new DatabaseSync(path);
      database.exec("UPDATE branch_scan SET branch = 'c' WHERE branch = 'a'");
    }
    using state = State.open(path);
    assert.equal(state.ofBranch("c").scanRow(id), undefined);
    assert.equal(state.check().length, 1);
    assert.deepEqual([...state.mend()], ["branch_scan"]);
    assert.deepEqual(plain(state.ofBranch("b").scanRow(id)), plain(utf8("b")));
    assert.deepEqual(state.check(), []);
  }),
);

test(
  "of what a number is noted is found by the thing and by the number, for each folder by itself; a damaged row is not there",
  withFolder((path) => {
    const [one, other] = [utf8("one"), utf8("other")];
    const row = { thing: one, number: 2 ** 52 + 1, generation: 7 };
    const rowsOf = (state: State, thing: Uint8Array, number: number): unknown[] =>
      state.numberRows(thing, number).map((each) => ({ ...each, thing: toText(each.thing) }));
    {
      using state = State.open(path);
      assert.equal(state.hasNumbers(), false);
      state.setNumber(row);
      assert.equal(state.hasNumbers(), true);
      const found = { ...row, thing: "one" };
      assert.deepEqual(rowsOf(state, one, 5), [found]);
      assert.deepEqual(rowsOf(state, other, row.number), [found]);
      assert.equal(state.ofBranch("b").hasNumbers(), false);
      state.ofBranch("b").setNumber({ ...row, thing: other });
      assert.deepEqual(rowsOf(state, other, 5), []);
      state.setNumber({ ...row, thing: other });
      assert.deepEqual(rowsOf(state, one, row.number), [{ ...row, thing: "other" }]);
      state.deleteNumber(other);
      assert.equal(state.hasNumbers(), false);
      state.setNumber(row);
    }
    {
      using database = new DatabaseSync(path);
      database.exec("UPDATE numbers SET generation = 8");
    }
    using state = State.open(path);
    assert.deepEqual(rowsOf(state, one, row.number), []);
    assert.equal(state.check().length, 1);
    assert.deepEqual([...state.mend()], ["numbers"]);
    assert.equal(state.hasNumbers(), false);
  }),
);
