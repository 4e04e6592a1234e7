/**
 * What every Remote must do. A new remote is done when it passes this suite.
 *
 * `openPlace` gives a fresh, empty place; its `open` gives remotes on that place, each as another process would have it.
 */
import assert from "node:assert/strict";
import { mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { setImmediate } from "node:timers/promises";
import { copyBytes, equalBytes, toText, utf8 } from "../base/bytes.ts";
import { type ErrorKind, isKind } from "../base/errors.ts";
import { Prng } from "../base/prng.ts";
import type { Remote } from "./remote.ts";

export interface TestPlace extends Disposable {
  open(): Remote;
}

const hello = utf8("hello");

async function namesOf(remote: Remote, prefix: string): Promise<string[]> {
  return (await Array.fromAsync(remote.list(prefix))).map(({ name }) => name).sort();
}

function rejects(promise: Promise<unknown>, kind: ErrorKind): Promise<void> {
  return assert.rejects(promise, (thrown) => isKind(thrown, kind) || assert.fail(`not "${kind}": ${String(thrown)}`));
}

/** @param options.except Names of tests that a storage cannot pass, whatever we do; its test file says why. */
export function testRemote(
  kind: string,
  openPlace: () => TestPlace,
  { except }: { readonly except?: RegExp } = {},
): void {
  function testOn(name: string, body: (remote: Remote, place: TestPlace, folder: string) => Promise<void>): void {
    if (except?.test(name) === true) return;
    test(`${kind}: ${name}`, async () => {
      using place = openPlace();
      const folder = mkdtempSync(join(tmpdir(), "ouro-remote-"));
      try {
        await using remote = place.open();
        await body(remote, place, folder);
      } finally {
        rmSync(folder, { recursive: true });
      }
    });
  }

  testOn("a blob reads back as stored, by every instance", async (remote, place) => {
    await remote.put("packs/a", hello);
    assert.ok(equalBytes(await remote.get("packs/a"), hello));
    await using other = place.open();
    assert.ok(equalBytes(await other.get("packs/a"), hello));
  });

  testOn("a stored or read blob does not share memory with the caller", async (remote) => {
    const mine = copyBytes(hello);
    await remote.put("packs/a", mine);
    mine.fill(0);
    (await remote.get("packs/a")).fill(0);
    assert.ok(equalBytes(await remote.get("packs/a"), hello));
  });

  testOn("an empty blob is a blob", async (remote) => {
    await remote.put("packs/a", new Uint8Array());
    assert.equal((await remote.get("packs/a")).length, 0);
    assert.equal((await remote.stat("packs/a"))?.size, 0);
    assert.deepEqual(await namesOf(remote, "packs/"), ["packs/a"]);
  });

  const ranges = [
    { start: 0, end: 5, want: "hello" },
    { start: 1, end: 3, want: "el" },
    { start: 4, end: 5, want: "o" },
    { start: 0, end: 0, want: "" },
    { start: 5, end: 5, want: "" },
  ];
  for (const { want, ...range } of ranges) {
    testOn(`bytes ${range.start} to ${range.end} of "hello" are "${want}"`, async (remote) => {
      await remote.put("packs/a", hello);
      assert.equal(toText(await remote.get("packs/a", { range })), want);
    });
  }

  for (const range of [
    { start: 0, end: 6 },
    { start: 6, end: 6 },
    { start: 3, end: 2 },
    { start: -1, end: 2 },
    { start: 0.5, end: 2 },
  ]) {
    testOn(`bytes ${range.start} to ${range.end} of "hello" are refused`, async (remote) => {
      await remote.put("packs/a", hello);
      await rejects(remote.get("packs/a", { range }), "invalid");
    });
  }

  testOn("more bytes than the caller can take are refused unread", async (remote, _place, folder) => {
    await remote.put("packs/a", hello);
    await rejects(remote.get("packs/a", { bytesMax: 4 }), "too-large");
    assert.equal(toText(await remote.get("packs/a", { bytesMax: 2, range: { start: 0, end: 2 } })), "he");
    await rejects(remote.download("packs/a", join(folder, "a"), { bytesMax: 4 }), "too-large");
  });

  testOn(
    "an absent blob is not found, has no stat, and is removed without complaint",
    async (remote, _place, folder) => {
      for (const name of ["packs/a", "config"]) {
        await rejects(remote.get(name), "not-found");
        await rejects(remote.download(name, join(folder, "a")), "not-found");
        assert.equal(await remote.stat(name), undefined);
        await remote.remove(name);
      }
      assert.deepEqual(await namesOf(remote, "packs/"), []);
      assert.deepEqual(await remote.topNames(), []);
    },
  );

  testOn("a put replaces, and the tag tells", async (remote) => {
    await remote.put("heads/a", hello);
    const first = await remote.stat("heads/a");
    assert.deepEqual({ name: first?.name, size: first?.size }, { name: "heads/a", size: 5 });
    assert.deepEqual(await remote.stat("heads/a"), first);
    await remote.put("heads/a", utf8("other"));
    assert.equal(toText(await remote.get("heads/a")), "other");
    const second = await remote.stat("heads/a");
    if (first?.tag !== undefined) assert.notEqual(second?.tag, first.tag);
    const [listed] = await Array.fromAsync(remote.list("heads/"));
    assert.deepEqual(listed, second);
  });

  testOn("a list has what begins with the prefix and nothing else", async (remote) => {
    for (const name of ["packs/a", "packs/b", "packs/sub/c", "packs2/d", "pack", "heads/e"])
      await remote.put(name, hello);
    assert.deepEqual(await namesOf(remote, "packs/"), ["packs/a", "packs/b", "packs/sub/c"]);
    assert.deepEqual(await namesOf(remote, "packs/sub/"), ["packs/sub/c"]);
    assert.deepEqual(await namesOf(remote, "index/"), []);
    assert.deepEqual([...(await remote.topNames())].sort(), ["heads", "pack", "packs", "packs2"]);
    await remote.remove("packs/a");
    assert.deepEqual(await namesOf(remote, "packs/"), ["packs/b", "packs/sub/c"]);
  });

  const refused = [
    "",
    ".",
    "..",
    "../a",
    "a/../b",
    "a/..",
    "/a",
    "a/",
    "a//b",
    "A",
    "packs/B",
    "a b",
    "a\0",
    ".tmp/a",
    "-a",
    "é",
    "a\\b",
    `a${"b".repeat(200)}`,
  ];
  for (const name of refused) {
    testOn(`the name ${JSON.stringify(name.slice(0, 20))} is refused everywhere`, async (remote, _place, folder) => {
      await rejects(remote.put(name, hello), "invalid");
      await rejects(remote.putIf(name, hello, { ifAbsent: true }), "invalid");
      await rejects(remote.get(name), "invalid");
      await rejects(remote.download(name, join(folder, "a")), "invalid");
      await rejects(remote.stat(name), "invalid");
      await rejects(remote.remove(name), "invalid");
      if (!name.endsWith("a/")) await rejects(namesOf(remote, name), "invalid");
      assert.deepEqual(await remote.topNames(), []);
    });
  }

  testOn("large files go up and down byte for byte, with progress", async (remote, _place, folder) => {
    const bytes = new Prng(1).bytes(9 * 1024 * 1024 + 17);
    writeFileSync(join(folder, "up"), bytes);
    let sent = 0;
    await remote.put(
      "packs/a",
      { path: join(folder, "up"), size: bytes.length },
      {
        onBytes: (count) => {
          sent += count;
        },
      },
    );
    assert.equal(sent, bytes.length);
    assert.ok(equalBytes(await remote.get("packs/a"), bytes));
    let received = 0;
    const size = await remote.download("packs/a", join(folder, "down"), {
      onBytes: (count) => {
        received += count;
      },
    });
    assert.deepEqual([size, received], [bytes.length, bytes.length]);
    assert.ok(equalBytes(readFileSync(join(folder, "down")), bytes));
  });

  testOn("a download goes on where it stopped, and starts over what is there", async (remote, _place, folder) => {
    const bytes = new Prng(2).bytes(5_000_000);
    await remote.put("packs/a", bytes);
    const path = join(folder, "down");
    for (const offset of [0, 1, 3_000_000, bytes.length]) {
      writeFileSync(path, bytes.subarray(0, offset));
      assert.equal(await remote.download("packs/a", path, { offset }), bytes.length);
      assert.ok(equalBytes(readFileSync(path), bytes), `from ${offset}`);
    }
    writeFileSync(path, new Uint8Array(6_000_000));
    await remote.download("packs/a", path);
    assert.equal(statSync(path).size, bytes.length);
    await rejects(remote.download("packs/a", path, { offset: bytes.length + 1 }), "invalid");
  });

  testOn("a source that is not as long as said is not stored", async (remote, _place, folder) => {
    const path = join(folder, "up");
    for (const size of [4, 6, 3_000_000]) {
      writeFileSync(path, hello);
      await assert.rejects(remote.put("packs/a", { path, size }), (thrown) => isKind(thrown));
      assert.deepEqual(await namesOf(remote, "packs/"), []);
    }
    await rejects(remote.put("packs/a", { path: join(folder, "none"), size: 1 }), "not-found");
    assert.deepEqual(await namesOf(remote, "packs/"), []);
  });

  testOn("a stopped put leaves nothing", async (remote, _place, folder) => {
    const path = join(folder, "up");
    writeFileSync(path, new Uint8Array(9_000_000));
    const stop = new AbortController();
    const put = remote.put("packs/a", { path, size: 9_000_000 }, { signal: stop.signal, onBytes: () => stop.abort() });
    // A remote that sends all at once may have finished.
    const stored = await put.then(
      () => true,
      (thrown) => !isKind(thrown, "aborted"),
    );
    assert.deepEqual(await namesOf(remote, "packs/"), stored ? ["packs/a"] : []);
    await rejects(remote.put("packs/b", hello, { signal: AbortSignal.abort() }), "aborted");
    await rejects(remote.get("packs/b", { signal: AbortSignal.abort() }), "aborted");
    assert.equal(await remote.stat("packs/b"), undefined);
  });

  testOn("readers beside a writer see an old blob or a new one, never a part", async (remote, place) => {
    await using other = place.open();
    const blobs = [1, 2, 3].map((value) => new Uint8Array(100_000 * value).fill(value));
    await remote.put("heads/a", blobs[0] as Uint8Array);
    let writing = true;
    const writer = (async () => {
      for (let count = 0; count < 30; count += 1) await remote.put("heads/a", blobs[count % 3] as Uint8Array);
      writing = false;
    })();
    while (writing) {
      const got = await other.get("heads/a");
      assert.ok(
        blobs.some((blob) => equalBytes(got, blob)),
        `${got.length} bytes beginning with ${got[0]}`,
      );
      assert.deepEqual(await namesOf(other, "heads/"), ["heads/a"]);
      await setImmediate();
    }
    await writer;
  });

  testOn("many puts at once, by two instances, all arrive", async (remote, place) => {
    await using other = place.open();
    const names = Array.from({ length: 60 }, (_, index) => `packs/${index}`);
    await Promise.all(names.map((name, index) => (index % 2 === 0 ? remote : other).put(name, utf8(name))));
    assert.deepEqual(await namesOf(remote, "packs/"), [...names].sort());
    for (const name of names) assert.equal(toText(await other.get(name)), name);
  });

  testOn("of many that create one name at once, one does", async (remote, place) => {
    if (remote.conditions === "none") return rejects(remote.putIf("config", hello, { ifAbsent: true }), "unsupported");
    await using other = place.open();
    const tries = Array.from({ length: 20 }, (_, index) =>
      (index % 2 === 0 ? remote : other).putIf("config", utf8(`${index}`), { ifAbsent: true }),
    );
    const tags = await Promise.all(tries);
    const winner = tags.findIndex((tag) => tag !== undefined);
    assert.equal(tags.filter((tag) => tag !== undefined).length, 1);
    assert.equal(toText(await other.get("config")), `${winner}`);
    assert.equal((await other.stat("config"))?.tag, tags[winner]);
  });

  testOn("a conditional replacement happens only on what was seen", async (remote, place) => {
    await remote.put("heads/a", hello);
    const tag = (await remote.stat("heads/a"))?.tag ?? "";
    if (remote.conditions !== "cas") return rejects(remote.putIf("heads/a", hello, { ifMatch: tag }), "unsupported");
    await using other = place.open();
    const next = await other.putIf("heads/a", utf8("1"), { ifMatch: tag });
    assert.ok(next !== undefined);
    assert.equal(await remote.putIf("heads/a", utf8("2"), { ifMatch: tag }), undefined);
    assert.equal(await remote.putIf("heads/b", utf8("2"), { ifMatch: tag }), undefined);
    assert.ok(await remote.putIf("heads/a", utf8("3"), { ifMatch: next }));
    assert.equal(toText(await other.get("heads/a")), "3");
    assert.deepEqual(await namesOf(remote, "heads/"), ["heads/a"]);
  });
}
