/** `branch`, `switch` and `clone --branch`. */
import assert from "node:assert/strict";
import { existsSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { CliBox } from "../../../test/support/cli-box.ts";

const box = new CliBox({ "a.txt": "a\n", "d/b.txt": "b\n" });

const read = (path: string): string => readFileSync(join(box.folder, path), "utf8");

async function fails(...args: string[]): Promise<string> {
  const { status, err } = await box.run(...args);
  assert.notEqual(status, 0, `${args.join(" ")} succeeded`);
  return err;
}

test("work on a branch is beside the other, and switch goes to and fro", async () => {
  await box.ok("switch", "-c", "idea");
  box.write("a.txt", "of the idea\n");
  rmSync(join(box.folder, "d"), { recursive: true });
  await box.ok("commit", "-m", "Idea");
  await box.ok("switch", "main");
  assert.equal(read("a.txt"), "a\n");
  assert.equal(read("d/b.txt"), "b\n");
  assert.equal(await box.ok("status", "-s"), "");
  box.write("d/b.txt", "of main\n");
  await box.ok("commit", "-m", "Main");
  await box.ok("switch", "idea");
  assert.equal(read("a.txt"), "of the idea\n");
  assert(!existsSync(join(box.folder, "d")));
  assert.equal(await box.ok("status", "-s"), "");
  assert.match(await box.ok("branch"), /^\* idea +[0-9a-f]{12}\n {2}main +[0-9a-f]{12}\n$/);
  assert.match(await box.ok("log", "--oneline", "main"), / Main\n.* First\n$/);
  assert.equal(await box.ok("check"), "");
  await box.ok("gc");
  assert.equal(await box.ok("cat", "main:d/b.txt"), "of main\n");
});

test("events of different branches have different writers, and those of one branch one", async () => {
  await box.ok("switch", "-c", "idea");
  for (const branch of ["idea", "main", "idea", "main"]) {
    if (!(await box.ok("branch")).includes(`* ${branch}`)) await box.ok("switch", branch);
    box.write("a.txt", `${branch} ${Math.random()}\n`);
    await box.ok("commit", "-m", branch);
  }
  const writersOf = async (branch: string): Promise<Set<string>> => {
    const lines = (await box.ok("log", "--json", branch)).trim().split("\n");
    const commits = lines.map((line) => JSON.parse(line) as { message: string; writer: string });
    return new Set(commits.filter(({ message }) => message === branch).map(({ writer }) => writer));
  };
  const [main, idea] = [await writersOf("main"), await writersOf("idea")];
  assert.equal(main.size, 1);
  assert.equal(idea.size, 1);
  assert.notDeepEqual(main, idea);
});

test("uncommitted work stays over a switch, and is never replaced", async () => {
  await box.ok("switch", "-c", "idea");
  box.write("a.txt", "of the idea\n");
  await box.ok("commit", "-m", "Idea");
  box.write("d/b.txt", "not committed\n");
  await box.ok("switch", "main");
  assert.equal(read("d/b.txt"), "not committed\n");
  assert.equal(await box.ok("status", "-s"), " M d/b.txt\n");
  box.write("a.txt", "not committed either\n");
  assert.match(await fails("switch", "idea"), /not committed: a\.txt/);
  assert.match(await box.ok("branch"), /^ {2}idea .*\n\* main/);
  assert.equal(read("a.txt"), "not committed either\n");
});

test("a branch is deleted when another has its commits, else only by force", async () => {
  await box.ok("branch", "same");
  await box.ok("branch", "-d", "same");
  await box.ok("switch", "-c", "idea");
  box.write("a.txt", "of the idea\n");
  await box.ok("commit", "-m", "Idea");
  assert.match(await fails("branch", "-d", "idea"), /it is the one at hand/);
  await box.ok("switch", "main");
  assert.match(await fails("branch", "-d", "idea"), /has commits that no other branch has/);
  await box.ok("branch", "-d", "-f", "idea");
  assert.match(await box.ok("branch"), /^\* main +[0-9a-f]{12}\n$/);
  assert.match(await fails("switch", "idea"), /there is none/);
  await box.ok("switch", "-c", "idea");
  box.write("a.txt", "again\n");
  await box.ok("commit", "-m", "Again");
  assert.equal(await box.ok("check"), "");
});

test("names that mean something else, and those that are taken, are refused", async () => {
  for (const name of ["HEAD", "a b", "-x", "abcdef", "a~1"])
    assert.match(await fails("branch", "--", name), /Cannot name/);
  assert.match(await fails("switch", "-c", "main"), /there is one/);
  assert.match(await fails("switch", "nowhere"), /there is none/);
});

test("branches travel: others see them, begin from them, and clone them", async () => {
  const remote = join(box.top, "remote");
  await box.ok("remote", "add", "origin", remote);
  await box.ok("push");
  await box.ok("switch", "-c", "idea");
  box.write("a.txt", "of the idea\n");
  await box.ok("commit", "-m", "Idea");
  await box.ok("push");
  const other = join(box.top, "other");
  const inOther = (...args: string[]): Promise<string> => box.ok("-C", other, ...args);
  await box.ok("clone", remote, other);
  assert.match(await inOther("branch"), /^ {2}idea +\(on origin\)\n\* main +[0-9a-f]{12}\n$/);
  assert.equal(readFileSync(join(other, "a.txt"), "utf8"), "a\n");
  assert.equal(await inOther("cat", "origin/idea:a.txt"), "of the idea\n");
  await inOther("switch", "idea");
  assert.equal(readFileSync(join(other, "a.txt"), "utf8"), "of the idea\n");
  writeFileSync(join(other, "a.txt"), "of the other\n");
  await inOther("commit", "-m", "Other");
  await inOther("push");
  await box.ok("pull");
  assert.equal(read("a.txt"), "of the other\n");
  await box.ok("switch", "main");
  assert.equal(read("a.txt"), "a\n");
  assert.match((await box.run("pull")).err, /Already up to date/);
  const third = join(box.top, "third");
  await box.ok("clone", "--branch", "idea", remote, third);
  assert.equal(readFileSync(join(third, "a.txt"), "utf8"), "of the other\n");
  assert.match(await fails("clone", "--branch", "none", remote, join(box.top, "fourth")), /has none of that name/);
});

test("all branches are pushed, not only the one at hand; and a deleted one goes from the remote", async () => {
  const remote = join(box.top, "remote");
  await box.ok("remote", "add", "origin", remote);
  await box.ok("branch", "kept");
  await box.ok("switch", "-c", "idea");
  box.write("a.txt", "of the idea\n");
  await box.ok("commit", "-m", "Idea");
  await box.ok("switch", "main");
  await box.ok("push");
  const other = join(box.top, "other");
  await box.ok("clone", remote, other);
  assert.match(await box.ok("-C", other, "branch"), /idea.*\n {2}kept.*\n\* main/);
  await box.ok("branch", "-d", "--force", "idea");
  await box.ok("push");
  await box.ok("-C", other, "fetch");
  assert.match(await box.ok("-C", other, "branch"), /^ {2}kept.*\n\* main.*\n$/);
});

test("diff A...B shows what B has that A has not", async () => {
  await box.ok("switch", "-c", "idea");
  box.write("a.txt", "of the idea\n");
  await box.ok("commit", "-m", "Idea");
  await box.ok("switch", "main");
  box.write("d/b.txt", "of main\n");
  await box.ok("commit", "-m", "Main");
  assert.equal(await box.ok("diff", "--names", "main...idea"), "M  a.txt\n");
  assert.equal(await box.ok("diff", "--names", "idea...main"), "M  d/b.txt\n");
  assert.equal(await box.ok("diff", "--names", "idea", "main"), "M  a.txt\nM  d/b.txt\n");
  await box.ok("merge", "idea");
  assert.equal(await box.ok("diff", "--names", "main...idea"), "");
  assert.match(await fails("diff", "main...idea", "main"), /Give A\.\.\.B alone/);
});
