/** Boxes that can only be read: what looks at them works, what would write says why not. Made by root, then looked at as nobody. */
import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { type TestContext, test } from "node:test";
import { runAsNobody } from "../../../test/support/as-nobody.ts";
import { runCli, type Seen } from "../../../test/support/cli.ts";
import { CliBox } from "../../../test/support/cli-box.ts";

/** Where root has left a box, when this is run as nobody. */
const place = process.env["TEST_PLACE"] ?? "";
const isNobody = place !== "";
const box = new CliBox(isNobody ? {} : { "a.txt": "a\n", "d/b.txt": "b\n" });

/** Lets everybody read the box, and nobody but root write it. */
function open(): void {
  execFileSync("chmod", ["-R", "u+rwX,go=rX", box.top]);
}

function lookAsNobody(t: TestContext): void {
  const ran = runAsNobody(import.meta.filename, "^nobody: ", { TEST_PLACE: box.folder });
  if (ran === undefined) t.skip("nobody may not read this checkout");
  else assert.equal(ran.status, 0, ran.output);
}

const asRoot = { skip: isNobody || process.geteuid?.() !== 0 };

test("another user's box can be looked at", asRoot, async (t) => {
  await box.ok("tag", "first");
  box.write("a.txt", "changed\n");
  open();
  const before = readdirSync(join(box.folder, ".ourobox")).sort();
  lookAsNobody(t);
  assert.deepEqual(readdirSync(join(box.folder, ".ourobox")).sort(), before);
});

test("another user's box can be looked at while its owner has it open", asRoot, async (t) => {
  await box.ok("tag", "first");
  box.write("a.txt", "changed\n");
  using _ = beginWriting("state");
  using __ = beginWriting("index");
  open();
  lookAsNobody(t);
});

test("another user's box can be looked at after its owner was killed", asRoot, async (t) => {
  await box.ok("tag", "first");
  box.write("a.txt", "changed\n");
  const copies: string[] = [];
  for (const name of ["state", "index"] as const) {
    using _ = beginWriting(name);
    const path = join(box.folder, `.ourobox/${name}.sqlite`);
    for (const ending of ["", "-wal"]) {
      execFileSync("cp", [`${path}${ending}`, `${path}${ending}.copy`]);
      copies.push(`${path}${ending}`);
    }
  }
  for (const path of copies) execFileSync("mv", [`${path}.copy`, path]);
  open();
  lookAsNobody(t);
});

test("another user's box can be looked at without its index", asRoot, async (t) => {
  await box.ok("tag", "first");
  box.write("a.txt", "changed\n");
  rmSync(join(box.folder, ".ourobox/index.sqlite"));
  open();
  lookAsNobody(t);
});

/** Opens a database of the box with something in its -wal file; its tables are as they were. */
function beginWriting(name: "state" | "index"): Disposable {
  const database = new DatabaseSync(join(box.folder, `.ourobox/${name}.sqlite`));
  database.exec("PRAGMA wal_autocheckpoint = 0; CREATE TABLE other (one); DROP TABLE other");
  return { [Symbol.dispose]: () => database.close() };
}

const options = { skip: !isNobody };

function look(...args: string[]): Promise<Seen> {
  return runCli(args, { cwd: place, env: { XDG_CONFIG_HOME: join(box.top, "config"), OUROBOX_USER_NAME: "Bob" } });
}

async function seen(...args: string[]): Promise<string> {
  const { out, err, status } = await look(...args);
  assert.equal(status, 0, err);
  return out;
}

test("nobody: history and content are there", options, async () => {
  assert.match(await seen("log", "--names"), /First\n\nA {2}a\.txt\nA {2}d\/\nA {2}d\/b\.txt\n$/);
  assert.match(await seen("show", "HEAD"), /^\+b$/m);
  assert.equal(await seen("ls", "-R"), "a.txt\nd/\nd/b.txt\n");
  assert.equal(await seen("cat", "HEAD:d/b.txt"), "b\n");
  assert.match(await seen("tag"), /^first /);
  await seen("branch");
  await seen("op", "log");
  await seen("check");
});

test("nobody: the folder is compared", options, async () => {
  assert.equal(await seen("status", "--porcelain"), " M a.txt\n");
  assert.match(await seen("diff"), /^-a\n\+changed$/m);
});

test("nobody: files are restored to another folder", options, async () => {
  const target = mkdtempSync(join(tmpdir(), "ourobox-target-"));
  try {
    await seen("restore", "--target", target);
    assert.equal(readFileSync(join(target, "d/b.txt"), "utf8"), "b\n");
  } finally {
    rmSync(target, { recursive: true });
  }
});

test("nobody: what would write says that the box can only be read", options, async () => {
  for (const args of [["commit"], ["restore", "."], ["tag", "mine"], ["add", "a.txt"], ["gc"]]) {
    const { err, status } = await look(...args);
    assert.equal(status, 1, args.join(" "));
    assert.match(err, /^ourobox: Cannot .* can only be read here\n(It|This box) belongs to another user,/);
  }
});
