/** A box on a file system that is mounted read-only: what looks at it works, with worker threads too, and the box stays as it is. */
import assert from "node:assert/strict";
import { execFileSync, spawnSync } from "node:child_process";
import { mkdirSync, readdirSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { Prng } from "../../src/base/prng.ts";
import { skipUnlessRoot } from "../support/debian-program.ts";
import { errorOf } from "../support/program.ts";
import { fillFolder } from "../support/slow-folder.ts";
import { requireSame, SlowPlace } from "../support/slow-machine.ts";

const size = { files: 300, largeFiles: 4, largeBytes: 5_000_000 };

class ReadOnlyMount implements Disposable {
  readonly path: string;

  constructor(path: string, of: string) {
    this.path = path;
    mkdirSync(path);
    execFileSync("mount", ["--bind", of, path]);
    execFileSync("mount", ["-o", "remount,bind,ro", path]);
  }

  [Symbol.dispose](): void {
    execFileSync("umount", ["-l", this.path]);
  }
}

/** Leaves a database as a process does that is killed while it has it open: with changes in its -wal file. */
function writeAndDie(path: string): void {
  const program = `const { DatabaseSync } = require("node:sqlite");
    const database = new DatabaseSync(${JSON.stringify(path)});
    database.exec("PRAGMA wal_autocheckpoint = 0; CREATE TABLE other (one); DROP TABLE other");
    process.kill(process.pid, "SIGKILL");`;
  assert.equal(spawnSync(process.execPath, ["-e", program]).signal, "SIGKILL");
}

for (const isKilled of [false, true]) {
  const name = `a box that is mounted read-only can be looked at${isKilled ? " after its owner was killed" : ""}`;
  test(name, { skip: skipUnlessRoot() }, async () => {
    using place = new SlowPlace();
    const a = place.machine("a");
    mkdirSync(a.folder);
    await a.ok(["init"]);
    fillFolder(new Prng(1), a.folder, size);
    await a.ok(["commit", "-m", "first"]);
    if (isKilled) for (const file of ["state", "index"]) writeAndDie(join(a.folder, `.ourobox/${file}.sqlite`));
    const before = readdirSync(join(a.folder, ".ourobox"));
    using mount = new ReadOnlyMount(place.path("mount"), a.folder);
    const b = a.at(mount.path);
    for (const args of [["log", "--names"], ["show", "HEAD"], ["ls", "-R"], ["du"], ["check"]]) await b.ok(args);
    await b.requireClean("on the mount");
    assert.equal((await b.look(["diff"])).out, "");
    await b.ok(["restore", "--target", place.path("target")]);
    requireSame(a.folder, place.path("target"), "what was restored");
    for (const args of [["commit"], ["restore", "."], ["tag", "mine"], ["gc"]]) {
      const { kind, hint } = errorOf(await b.run(args));
      assert.equal(kind, "read-only", args.join(" "));
      assert.match(hint ?? "", /clone it/);
    }
    assert.deepEqual(readdirSync(join(a.folder, ".ourobox")), before);
  });
}
