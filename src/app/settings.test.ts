import assert from "node:assert/strict";
import { mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, test } from "node:test";
import { isKind } from "../base/errors.ts";
import { nodeDisk } from "../base/node-disk.ts";
import { Settings } from "./settings.ts";

let folder = "";
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "ourobox-settings-"));
  mkdirSync(join(folder, "box/.ourobox"), { recursive: true });
  mkdirSync(join(folder, "config/ourobox"), { recursive: true });
  writeFileSync(join(folder, "box/.ourobox/box"), "");
});
afterEach(() => rmSync(folder, { recursive: true }));

const random = (length: number): Uint8Array => crypto.getRandomValues(new Uint8Array(length));

function load(files: { box?: string; user?: string } = {}, env: Record<string, string> = {}): Settings {
  if (files.box !== undefined) writeFileSync(join(folder, "box/.ourobox/config"), files.box);
  if (files.user !== undefined) writeFileSync(join(folder, "config/ourobox/config"), files.user);
  return Settings.load({
    disk: nodeDisk,
    env: { XDG_CONFIG_HOME: join(folder, "config"), ...env },
    cwd: join(folder, "box"),
  });
}

const boxText = (): string => readFileSync(join(folder, "box/.ourobox/config"), "utf8");

test("the environment wins over the box, the box over the user, the user over the default", () => {
  const user = "user.name = U\nui.color = never\ninit.hash = sha256\n";
  const settings = load({ box: "user.name = B\nui.color = always\n", user }, { OUROBOX_USER_NAME: "E" });
  const row = (key: string): string => `${settings.findRow(key)?.value} ${settings.findRow(key)?.origin}`;
  assert.equal(row("user.name"), "E environment");
  assert.equal(row("ui.color"), "always box");
  assert.equal(row("init.hash"), "sha256 user");
  assert.equal(row("files.ownership"), "auto default");
  assert.equal(settings.findRow("ui.color")?.place, `${join(folder, "box/.ourobox/config")}:2`);
});

test("of a key given twice the last counts, and values may be quoted", () => {
  const settings = load({ box: '# user.name = no\n\nuser.name = A\n ; note\n  user.name="  B\\n"\n' });
  assert.equal(settings.find("user.name"), "  B\n");
  assert.deepEqual(settings.problems, []);
});

test("unknown keys and lines that are none are told, and change nothing else", () => {
  const settings = load({ box: 'user.nam = A\nnonsense\nuser.name = B\nui.color = "x\n' });
  assert.equal(settings.find("user.name"), "B");
  assert.equal(settings.problems.length, 3);
  assert.match(settings.problems[0] ?? "", /config:1 is ignored: there is no setting user\.nam$/);
  assert.match(settings.problems[1] ?? "", /config:2 is ignored: it is not "key = value"$/);
});

test("a value that does not fit is told, and the next place's counts", () => {
  const settings = load({ box: "ui.color = blue\ninit.chunk-size = 3K\n", user: "ui.color = never\n" });
  assert.equal(settings.find("ui.color"), "never");
  assert.equal(settings.findRow("init.chunk-size")?.value, "64K");
  assert.match(settings.problems[0] ?? "", /config:1 is ignored: ui\.color cannot be "blue": it is one of auto, /);
  assert.match(settings.problems[1] ?? "", /config:2 is ignored: init\.chunk-size cannot be "3K": it is a power/);
  settings.set("ui.color", "auto", { scope: "box", random });
  assert.equal(load().find("ui.color"), "auto");
});

test("a setting that there is not cannot be set, and can be taken out of a file", () => {
  const settings = load({ box: "user.nam = A\n" });
  assert.throws(
    () => settings.set("user.nam", "B", { scope: "box", random }),
    (thrown) => isKind(thrown, "usage") && /there is no such setting/.test(thrown.message),
  );
  settings.set("user.nam", undefined, { scope: "box", random });
  assert.equal(boxText(), "");
});

test("setting a value keeps comments, order and unknown lines", () => {
  const settings = load({ box: "# mine\nfuture.key = 1\nuser.name = A\nui.color = never\nuser.name = B\n" });
  settings.set("user.name", " C ", { scope: "box", random });
  assert.equal(boxText(), '# mine\nfuture.key = 1\nui.color = never\nuser.name = " C "\n');
  settings.set("ui.color", undefined, { scope: "box", random });
  settings.set("init.hash", "sha256", { scope: "box", random });
  assert.equal(boxText(), '# mine\nfuture.key = 1\nuser.name = " C "\ninit.hash = sha256\n');
});

test("a value that does not fit is refused, and nothing is written", () => {
  const settings = load({ box: "ui.color = never\n" });
  assert.throws(
    () => settings.set("ui.color", "blue", { scope: "box", random }),
    (thrown) => isKind(thrown, "usage"),
  );
  assert.throws(
    () => settings.set("no spaces", "x", { scope: "box", random }),
    (thrown) => isKind(thrown, "usage"),
  );
  assert.equal(boxText(), "ui.color = never\n");
});

test("the user's file is made with its folders, and a link to it is followed", () => {
  rmSync(join(folder, "config"), { recursive: true });
  load().set("user.name", "A", { scope: "user", random });
  const path = join(folder, "config/ourobox/config");
  assert.equal(readFileSync(path, "utf8"), "user.name = A\n");
  rmSync(path);
  writeFileSync(join(folder, "dotfile"), "");
  symlinkSync(join(folder, "dotfile"), path);
  load().set("user.name", "B", { scope: "user", random });
  assert.equal(readFileSync(join(folder, "dotfile"), "utf8"), "user.name = B\n");
});

test("without a box only the user's file counts, and the box's cannot be written", () => {
  rmSync(join(folder, "box/.ourobox"), { recursive: true });
  const settings = load({ user: "user.name = U\n" });
  assert.equal(settings.find("user.name"), "U");
  assert.throws(
    () => settings.set("user.name", "x", { scope: "box", random }),
    (thrown) => isKind(thrown, "no-box"),
  );
});

test("what starts a program counts in the user's file only, and a box's is told", () => {
  const settings = load({ box: "merge.x.command = box\n", user: "merge.x.command = user\n" });
  assert.equal(settings.find("merge.x.command"), "user");
  assert.match(settings.problems.join(), /config:1 is ignored: merge\.x\.command counts in the user's config only/);
  assert.throws(
    () => settings.set("merge.x.command", "true", { scope: "box", random }),
    (thrown) => isKind(thrown, "usage") && /starts a program/.test(thrown.message),
  );
  settings.set("merge.x.command", "true", { scope: "user", random });
  settings.set("merge.x.command", undefined, { scope: "box", random });
  assert.equal(boxText(), "");
});
