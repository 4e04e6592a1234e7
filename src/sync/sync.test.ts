import assert from "node:assert/strict";
import { test } from "node:test";
import { someSecrets, TestBox, testPassphrase } from "../../test/support/sync-box.ts";
import { toHex } from "../base/bytes.ts";
import { isKind } from "../base/errors.ts";
import { nodeDisk } from "../base/node-disk.ts";
import { MemoryPlace, MemoryRemote } from "../remote/mod.ts";
import { unlockRemote } from "./mod.ts";

for (const suite of ["aes-256-gcm", "plain"] as const) {
  test(`sync: what is pushed from a ${suite} box comes back on another machine`, async () => {
    const secrets = someSecrets(suite);
    using a = new TestBox(secrets);
    const remote = new MemoryRemote(nodeDisk, new MemoryPlace());
    await a.init(remote);
    assert.equal((await a.push(remote)).outcome, "empty");
    const first = await a.commit({ "a.txt": "one", "dir/b.txt": "two".repeat(5000) });
    a.state.setTag({ name: "v1", clock: 5n, writer: a.writer, commit: first });
    const pushed = await a.push(remote);
    assert.equal(pushed.outcome, "pushed");
    assert.ok(pushed.packs >= 2);
    assert.equal((await a.push(remote)).outcome, "up-to-date");

    using b = new TestBox(await unlockRemote(remote, async () => testPassphrase));
    const fetched = await b.fetch(remote);
    assert.deepEqual(fetched.keptOut, []);
    assert.deepEqual(
      fetched.heads.map(({ commit }) => toHex(commit)),
      [toHex(first)],
    );
    assert.deepEqual(
      b.state.tags().map(({ name }) => name),
      ["v1"],
    );
    b.adopt(first);
    assert.deepEqual(b.files(), a.files());
    assert.deepEqual(b.damage(), []);
    assert.equal((await b.push(remote)).outcome, "up-to-date");

    const second = await b.commit({ "a.txt": "one", "c.txt": "three" });
    assert.equal((await b.push(remote)).outcome, "pushed");
    const back = await a.fetch(remote);
    assert.deepEqual(
      back.heads.map(({ commit }) => toHex(commit)),
      [toHex(second)],
    );
    a.adopt(second);
    assert.deepEqual(a.files(), { "a.txt": "one", "c.txt": "three" });
    assert.deepEqual(a.damage(), []);
  });
}

test("sync: a sealed remote does not open with a wrong passphrase", async () => {
  using a = new TestBox(someSecrets());
  const remote = new MemoryRemote(nodeDisk);
  await a.init(remote);
  await assert.rejects(
    unlockRemote(remote, async () => "wrong"),
    (thrown) => isKind(thrown, "wrong-key") && thrown.message.includes(remote.url),
  );
});
