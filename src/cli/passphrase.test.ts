import assert from "node:assert/strict";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { cliWorld } from "../../test/support/cli.ts";
import { isKind } from "../base/errors.ts";
import { getPassphrase } from "./passphrase.ts";

const get = (env: Readonly<Record<string, string>>, answer?: string): Promise<string> =>
  getPassphrase("Passphrase", cliWorld({ env, ...(answer === undefined ? {} : { answer }) }));

test("a passphrase comes from its variable, a file's first line, a command, or a person", async () => {
  const folder = mkdtempSync(join(tmpdir(), "ourobox-passphrase-"));
  try {
    const file = join(folder, "secret");
    writeFileSync(file, "from a file\nrest");
    assert.equal(await get({ OUROBOX_PASSPHRASE: "itself" }), "itself");
    assert.equal(await get({ OUROBOX_PASSPHRASE_FILE: file }), "from a file");
    assert.equal(await get({ OUROBOX_PASSPHRASE_COMMAND: `echo "$WORD"; echo rest`, WORD: "printed" }), "printed");
    assert.equal(await get({}, "typed"), "typed");
  } finally {
    rmSync(folder, { recursive: true });
  }
});

test("what gives no passphrase is a wrong key, and nobody is asked instead", async () => {
  const wrong = [
    { OUROBOX_PASSPHRASE: "" },
    { OUROBOX_PASSPHRASE_FILE: "/nonexistent/x" },
    { OUROBOX_PASSPHRASE_COMMAND: "exit 3" },
  ];
  for (const env of wrong)
    await assert.rejects(get(env as Record<string, string>, "typed"), (thrown) => isKind(thrown, "wrong-key"));
  await assert.rejects(get({}), (thrown) => isKind(thrown, "wrong-key") && /no terminal/.test(thrown.message));
});

test("a new passphrase has variables of its own, and a person types it twice", async () => {
  const env = { OUROBOX_PASSPHRASE: "old", OUROBOX_NEW_PASSPHRASE_COMMAND: "echo new" };
  assert.equal(await getPassphrase("New", cliWorld({ env }), "new"), "new");
  assert.equal(await getPassphrase("First", cliWorld({ env }), "first"), "old");
  for (const purpose of ["new", "first"] as const) {
    const typed = ["one", "two", "three", "three"];
    const world = { ...cliWorld({}), ask: async () => typed.shift() };
    await assert.rejects(getPassphrase("New", world, purpose), (thrown) => isKind(thrown, "wrong-key"));
    assert.equal(await getPassphrase("New", world, purpose), "three");
    assert.deepEqual(typed, []);
  }
});
