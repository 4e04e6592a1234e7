import assert from "node:assert/strict";
import { mkdirSync, mkdtempSync, readdirSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { after, test } from "node:test";
import { setTimeout as delay } from "node:timers/promises";
import { BoxMount } from "../support/box-mount.ts";
import { fuseProblem } from "../support/fuse-mount.ts";
import { Program, succeed } from "../support/program.ts";

const problem = await fuseProblem();
const skip = problem === undefined ? false : `no mount here: ${problem}`;
const place = mkdtempSync(join(tmpdir(), "ourobox-live-unreal-"));
const program = new Program(join(place, "home"));
const waitMsMax = 30_000;
const stepMs = 50;
process.umask(0o022);
after(() => rmSync(place, { recursive: true, force: true }));

function ok(cwd: string, ...args: readonly string[]): Promise<string> {
  return succeed(program.runHere(args, { cwd }));
}

const files: Readonly<Record<string, string>> = {
  "a/b/deep": "deep\n",
  "a/one": "one\n",
  "a/two": "two\n",
  "gone/x": "x\n",
  large: "large\n".repeat(500_000),
  top: "top\n",
};

interface Boxes {
  readonly full: string;
  readonly lean: string;
  readonly remote: string;
}

let made = 0;
/** A box with all files, and an unreal clone of it by way of a remote. */
async function makeBoxes(): Promise<Boxes> {
  made += 1;
  const [full, lean, remote] = ["full", "lean", "remote"].map((name) => join(place, `${name} ${made}`)) as [
    string,
    string,
    string,
  ];
  for (const [name, text] of Object.entries(files)) {
    mkdirSync(join(full, dirname(name)), { recursive: true });
    writeFileSync(join(full, name), text);
  }
  await ok(full, "init");
  await ok(full, "commit", "-m", "first");
  await ok(full, "tag", "v1");
  await ok(full, "remote", "add", "origin", remote);
  await ok(full, "push");
  await ok(place, "clone", "--unreal", remote, lean);
  return { full, lean, remote };
}

async function mountLive(box: string, ...args: string[]): Promise<BoxMount> {
  const mount = await BoxMount.start(program, { box, directory: `${box} live`, args });
  assert.equal(mount.started.status, 0, mount.started.err);
  return mount;
}

async function until(what: string, isTrue: () => Promise<boolean>): Promise<void> {
  for (let left = waitMsMax; left > 0; left -= stepMs) {
    if (await isTrue()) return;
    await delay(stepMs);
  }
  assert.fail(`in ${waitMsMax / 1000} s it did not come about that ${what}`);
}

test("live mount, unreal: all is there, and is brought when it is read; nothing comes into the folder", {
  skip,
}, async () => {
  const { full, lean } = await makeBoxes();
  await using mount = await mountLive(lean);
  assert.equal((await mount.run(`diff -r . '${full}' --exclude .ourobox && ls -A`)).out, "a\ngone\nlarge\ntop\n");
  assert.deepEqual(readdirSync(lean), [".ourobox"]);
  assert.match(
    (await mount.run("cat .ourobox/status; ls .ourobox")).out,
    /mode +live\n[\s\S]*conflicts\nhistory\nlog\nstatus/,
  );
  assert.equal((await mount.run("cat .ourobox/history/by-tag/v1/top; cat .ourobox/log")).out, "top\n");
});

test("live mount, unreal: what programs change is committed, pushed, and the same elsewhere", { skip }, async () => {
  const { full, lean } = await makeBoxes();
  await using mount = await mountLive(lean, "--commit-after", "1s");
  const script = `echo more >> a/one; mv a/b moved; mv moved/deep moved/deeper; rm -r gone; chmod 600 top; ln a/two twice
    sed -i s/two/2/ a/two; mkdir -p new/dir; cp large new/dir/copy; truncate -s 10 large; mv a aa; cat aa/one; ls -A; cat twice`;
  const { out } = await mount.run(script);
  assert.equal(out, "one\nmore\naa\nlarge\nmoved\nnew\ntop\ntwice\ntwo\n");
  const { status, err } = await program.run(["umount", mount.directory], { cwd: place });
  assert.equal(status, 0, err);
  await ok(lean, "push");
  await ok(full, "pull");
  await using again = await mountLive(lean);
  const same = `diff -r . '${full}' --exclude .ourobox; cd '${full}'; find . -path ./.ourobox -prune -o -type f -print | sort; stat -c %a top`;
  const names = ["aa/one", "aa/two", "large", "moved/deeper", "new/dir/copy", "top", "twice"];
  assert.equal((await again.run(same)).out, `${names.map((name) => `./${name}\n`).join("")}600\n`);
  assert.equal((await again.run("cat .ourobox/log")).out, "");
  assert.equal(await ok(lean, "status", "-s"), "");
});

test("live mount, unreal: without the remote what is not here is an error at once, and said why; then it goes on", {
  skip,
}, async () => {
  const { lean, remote } = await makeBoxes();
  await using mount = await mountLive(lean);
  renameSync(remote, `${remote} away`);
  const { out } = await mount.run(
    "ls -R > all; cat top; echo more >> top; echo new > gone/x; mv a/one a/1; rm a/two; wc -l < all",
  );
  assert.equal(out.match(/Input\/output error/g)?.length, 3, out);
  assert.match((await mount.run("cat .ourobox/log")).out, /Cannot open what is not in the folder: top: Cannot bring /);
  renameSync(`${remote} away`, remote);
  await until("it can be written again", async () => (await mount.run("echo more >> top")).status === 0);
  assert.equal((await mount.run("cat top gone/x; ls a")).out, "top\nmore\nnew\nb\none\n");
});

test("live mount, unreal: a pull beside it is seen, also by who had looked before", { skip }, async () => {
  const { full, lean } = await makeBoxes();
  await using mount = await mountLive(lean);
  assert.equal((await mount.run("cat a/one top; exec 5< a/two")).out, "one\ntop\n");
  writeFileSync(join(full, "a/one"), "another\n");
  renameSync(join(full, "top"), join(full, "bottom"));
  rmSync(join(full, "gone"), { recursive: true });
  await ok(full, "commit", "-m", "second");
  await ok(full, "push");
  await ok(lean, "pull");
  await until("it is seen", async () => (await mount.run("cat a/one")).out === "another\n");
  assert.equal(
    (await mount.run("ls; cat bottom")).out,
    "a\nbottom\nlarge\ntop\n".replace("large\ntop\n", "large\ntop\n"),
  );
});

test("live mount, unreal: the cache of a mount may be less than the box's", { skip }, async () => {
  const { lean } = await makeBoxes();
  const wrong = await BoxMount.start(program, { box: lean, directory: `${lean} no`, args: ["--cache-size", "much"] });
  assert.match(wrong.started.err, /--cache-size much: it is a number of bytes/);
  await using mount = await mountLive(lean, "--cache-size", "0");
  assert.equal((await mount.run("cat large | wc -l; cat top")).out, "500000\ntop\n");
  assert.match(await ok(lean, "cache", "--json"), /"bytes":0\b/);
});

test("live mount, unreal: inode numbers stay, whatever becomes real or unreal, in the mount or beside it", {
  skip,
}, async () => {
  const { lean } = await makeBoxes();
  const look = "find . -path ./.ourobox -prune -o -printf '%P %i\\n' | sort";
  let before: string;
  {
    await using mount = await mountLive(lean);
    before = (await mount.run(`ln a/two two; ${look}`)).out;
    assert.equal(
      (await mount.run(`chmod 600 top; echo more >> a/one; : > gone/x; mv a/b a/c; mv a/c a/b; ${look}`)).out,
      before,
    );
    await ok(place, "umount", mount.directory);
  }
  await ok(lean, "push");
  for (const args of [
    ["unrealize", "a", "two"],
    ["realize", "gone"],
    ["unrealize", "top"],
  ]) {
    await using mount = await mountLive(lean);
    assert.equal((await mount.run(look)).out, before);
    await ok(lean, ...args);
    await until("it is seen", async () => (await mount.run(look)).out === before);
    await ok(place, "umount", mount.directory);
  }
});

test("live mount, unreal: marks and states are attributes", { skip }, async () => {
  const { lean } = await makeBoxes();
  await using mount = await mountLive(lean);
  const attribute = async (name: string, of: string, value?: string): Promise<string> => {
    const all = [join(mount.directory, of), `user.ourobox.${name}`, ...(value === undefined ? [] : [value])];
    return (await mount.runProgram("set-xattr.ts", ...all)).out;
  };
  assert.equal(await attribute("status", "top"), "committed");
  assert.match(await attribute("hash", "top"), /^[0-9a-f]{64}$/);
  assert.match(await attribute("mark", "a"), /ENODATA/);
  assert.equal(await attribute("mark", "a", "real"), "real");
  assert.match(await ok(lean, "mark"), /real +a/);
  assert.match(await attribute("mark", "a", "nonsense"), /EINVAL/);
  assert.match(await attribute("status", "top", "committed"), /EPERM/);
  await mount.run("echo more >> top; echo new > n");
  assert.equal(await attribute("status", "top"), "changed");
  assert.equal(await attribute("status", "n"), "new");
});
