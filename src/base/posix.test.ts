import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import {
  closeSync,
  ftruncateSync,
  mkdirSync,
  mkdtempSync,
  openSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
  writeSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import {
  close,
  copyRange,
  cwdFd,
  DirectoryLister,
  fileSystemType,
  findStat,
  findXattr,
  flock,
  fstat,
  linkAt,
  listXattrNames,
  lseekData,
  lseekHole,
  lstat,
  makeDirectoryAt,
  makeNode,
  makeSymlinkAt,
  openAt,
  openBeneath,
  openFlags,
  processArguments,
  punchHole,
  readLinkAt,
  removeDirectoryAt,
  removeXattr,
  renameAt,
  setMode,
  setModeAt,
  setTime,
  setTimeAt,
  setXattr,
  startSyncFileSystem,
  statWord,
  syncFileSystem,
  unlinkAt,
} from "./posix.ts";

class Folder implements Disposable {
  readonly path: string = mkdtempSync(join(tmpdir(), "ourobox-posix-"));
  readonly fd: number = openSync(this.path, "r");

  file(name: string, text = "x"): string {
    writeFileSync(join(this.path, name), text);
    return join(this.path, name);
  }

  [Symbol.dispose](): void {
    closeSync(this.fd);
    rmSync(this.path, { recursive: true, force: true });
  }
}

const code = (expected: string) => (error: unknown) => (error as NodeJS.ErrnoException).code === expected;

test("a stat has what the kernel knows, to the nanosecond", () => {
  using folder = new Folder();
  const path = folder.file("f", "hello");
  setTimeAt(cwdFd, path, 1_234_567_890_123_456_789n);
  const [ours, node] = [lstat(path), statSync(path, { bigint: true })];
  assert.equal(ours.kind, "file");
  assert.equal(ours.mtimeNs, 1_234_567_890_123_456_789n);
  assert.equal(ours.ctimeNs, node.ctimeNs);
  assert.equal(ours.inode, node.ino);
  assert.equal(BigInt(ours.blocks), node.blocks);
  assert.deepEqual(
    [ours.size, ours.uid, ours.gid, ours.nlink, ours.mode],
    [5, Number(node.uid), Number(node.gid), 1, Number(node.mode) & 0o7777],
  );
  assert.deepEqual(lstat("f", folder.fd), ours);
  assert.deepEqual(lstat(Buffer.from(path)), ours);
  const fd = openSync(path, "r");
  assert.deepEqual(fstat(fd), ours);
  closeSync(fd);
});

test("a stat looks at a symlink and not through it, and is absent where there is nothing", () => {
  using folder = new Folder();
  symlinkSync("nowhere", join(folder.path, "l"));
  assert.equal(lstat("l", folder.fd).kind, "symlink");
  assert.equal(lstat(folder.path).kind, "directory");
  assert.equal(lstat("/dev/null").kind, "character");
  assert.deepEqual([lstat("/dev/null").rdevMajor, lstat("/dev/null").rdevMinor], [1, 3]);
  assert.equal(findStat("none", folder.fd), undefined);
  assert.equal(findStat("l/x", folder.fd), undefined);
  assert.throws(() => lstat("none", folder.fd), code("ENOENT"));
});

test("a failed call is an error as Node's are", () => {
  assert.throws(
    () => lstat("/no/such/path"),
    (error: NodeJS.ErrnoException) =>
      error.code === "ENOENT" && error.errno === -2 && error.syscall === "statx" && error.path === "/no/such/path",
  );
  assert.throws(() => lstat("a\0b"), code("EINVAL"));
  assert.throws(() => lstat("x".repeat(300_000)), code("ENAMETOOLONG"));
  assert.throws(() => lstat(new Uint8Array(9000).fill(97)), code("ENAMETOOLONG"));
});

test("times before 1970 and at the ends of a second are set as they are", () => {
  using folder = new Folder();
  const fd = openSync(folder.file("f"), "r+");
  for (const ns of [
    0n,
    -1n,
    -1_000_000_000n,
    -1_500_000_000n,
    999_999_999n,
    1_000_000_000n,
    4_102_444_800_000_000_001n,
  ]) {
    setTime(fd, ns);
    assert.equal(fstat(fd).mtimeNs, ns);
  }
  closeSync(fd);
});

test("nothing is opened through a symlink or outside of the directory", () => {
  using folder = new Folder();
  mkdirSync(join(folder.path, "in/deep"), { recursive: true });
  folder.file("in/deep/f", "inside");
  symlinkSync("in", join(folder.path, "link"));
  symlinkSync("/etc/passwd", join(folder.path, "out"));
  const fd = openBeneath(folder.fd, "in/deep/f", openFlags.read);
  assert.equal(readFileSync(fd, "utf8"), "inside");
  close(fd);
  assert.throws(() => openBeneath(folder.fd, "link/deep/f", openFlags.read), code("ELOOP"));
  assert.throws(() => openBeneath(folder.fd, "out", openFlags.read), code("ELOOP"));
  assert.throws(() => openBeneath(folder.fd, "../x", openFlags.write | openFlags.create, 0o600), code("EXDEV"));
  assert.throws(() => openBeneath(folder.fd, "/etc/passwd", openFlags.read), code("EXDEV"));
  assert.throws(() => openAt(folder.fd, "out", openFlags.read), code("ELOOP"));
  const made = openBeneath(folder.fd, "in/new", openFlags.write | openFlags.create | openFlags.exclusive, 0o640);
  setMode(made, 0o4755);
  assert.equal(fstat(made).mode, 0o4755);
  close(made);
});

test("directories, symlinks, links and nodes are made, renamed and removed by name", () => {
  using folder = new Folder();
  makeDirectoryAt(folder.fd, "d", 0o700);
  makeSymlinkAt(folder.fd, "l", new Uint8Array([0x66, 0xff]));
  assert.deepEqual(readLinkAt(folder.fd, "l"), new Uint8Array([0x66, 0xff]));
  makeNode(folder.fd, "p", { kind: "fifo", mode: 0o600 });
  setModeAt(folder.fd, "p", 0o622);
  assert.deepEqual([lstat("p", folder.fd).kind, lstat("p", folder.fd).mode], ["fifo", 0o622]);
  folder.file("a", "a");
  folder.file("b", "b");
  linkAt(folder.fd, "a", folder.fd, "d/a");
  assert.equal(lstat("a", folder.fd).nlink, 2);
  const place = (name: string): { directory: number; name: string } => ({ directory: folder.fd, name });
  assert.throws(() => renameAt(place("a"), place("b"), "no-replace"), code("EEXIST"));
  renameAt(place("a"), place("b"), "exchange");
  assert.equal(readFileSync(join(folder.path, "a"), "utf8"), "b");
  renameAt(place("a"), place("b"), "replace");
  assert.throws(() => removeDirectoryAt(folder.fd, "d"), code("ENOTEMPTY"));
  unlinkAt(folder.fd, "d/a");
  removeDirectoryAt(folder.fd, "d");
  assert.equal(findStat("d", folder.fd), undefined);
});

test("attributes of files, directories and symlinks are listed, read, set and removed", (t) => {
  using folder = new Folder();
  const path = folder.file("f");
  assert.deepEqual(listXattrNames(path), []);
  setXattr(path, "user.one", Buffer.from([1, 0, 2]));
  setXattr(path, new Uint8Array(Buffer.from("user.\xff", "latin1")), new Uint8Array(0));
  assert.equal(listXattrNames(path).length, 2);
  const fd = openSync(path, "r");
  assert.deepEqual(findXattr(fd, "user.one"), new Uint8Array([1, 0, 2]));
  assert.deepEqual(findXattr(path, Buffer.from("user.\xff", "latin1")), new Uint8Array(0));
  assert.equal(findXattr(path, "user.none"), undefined);
  setXattr(fd, "user.big", new Uint8Array(3000).fill(7));
  assert.equal(findXattr(path, "user.big")?.length, 3000);
  closeSync(fd);
  removeXattr(path, "user.one");
  removeXattr(path, "user.one");
  assert.equal(listXattrNames(path).length, 2);
  if (process.geteuid?.() !== 0) return t.diagnostic("symlinks have attributes of root's only");
  symlinkSync("f", join(folder.path, "l"));
  setXattr(join(folder.path, "l"), "trusted.mark", Buffer.from("on the link"));
  assert.deepEqual(listXattrNames(join(folder.path, "l")).map(String), [
    String(new Uint8Array(Buffer.from("trusted.mark"))),
  ]);
  assert.equal(findXattr(path, "trusted.mark"), undefined);
});

test("holes are found and made", () => {
  using folder = new Folder();
  const fd = openSync(join(folder.path, "f"), "w+");
  assert.equal(lseekData(fd, 0), undefined);
  writeSync(fd, new Uint8Array(65_536).fill(1), 0, 65_536, 1_048_576);
  ftruncateSync(fd, 4_194_304);
  assert.equal(lseekData(fd, 0), 1_048_576);
  assert.equal(lseekHole(fd, 1_048_576), 1_114_112);
  assert.equal(lseekData(fd, 1_114_112), undefined);
  assert.equal(lseekHole(fd, 0), 0);
  punchHole(fd, 1_048_576, 65_536);
  assert.equal(lseekData(fd, 0), undefined);
  closeSync(fd);
});

test("locks are the kernel's, shared or exclusive, and end with their descriptor", () => {
  using folder = new Folder();
  const path = folder.file("f");
  const [a, b] = [openSync(path, "r"), openSync(path, "r")];
  assert(flock(a, "shared"));
  assert(flock(b, "shared"));
  assert(!flock(a, "exclusive"));
  flock(b, "unlock");
  assert(flock(a, "exclusive"));
  assert(!flock(b, "shared"));
  closeSync(a);
  assert(flock(b, "exclusive", { wait: true }));
  closeSync(b);
});

test("bytes are copied within the kernel, and a file system is synced and named", () => {
  using folder = new Folder();
  const from = openSync(folder.file("from", "some bytes"), "r");
  const to = openSync(join(folder.path, "to"), "w");
  assert.equal(copyRange(from, to, 100), 10);
  assert.equal(copyRange(from, to, 100), 0);
  assert.equal(readFileSync(join(folder.path, "to"), "utf8"), "some bytes");
  syncFileSystem(to);
  assert(fileSystemType(to) > 0);
  closeSync(from);
  closeSync(to);
});

test("a sync on another thread says how it ended", async () => {
  using folder = new Folder();
  await startSyncFileSystem(folder.fd);
  await assert.rejects(startSyncFileSystem(1_000_000), { code: "EBADF", syscall: "syncfs" });
});

test("a listing gives every name once, whatever its bytes, with its stat", () => {
  using folder = new Folder();
  const names = new Set<string>();
  for (let index = 0; index < 3000; index += 1) names.add(`${"n".repeat(index % 200)}${index}`);
  names.add("\xff\xfe.\n");
  names.add(".hidden");
  names.add("..double");
  for (const name of names) writeFileSync(Buffer.from(`${folder.path}/${name}`, "latin1"), name.slice(0, 3), "latin1");
  const lister = new DirectoryLister();
  for (let round = 0; round < 2; round += 1) {
    const fd = openSync(folder.path, "r");
    const seen = new Set<string>();
    lister.begin(fd);
    while (lister.next()) {
      const { name } = lister;
      assert(!seen.has(name));
      seen.add(name);
      assert(lister.statName());
      assert.equal(lister.stat[statWord.size], Math.min(3, name.length));
      assert.equal(lister.statBuffer.readBigUInt64LE(statWord.inode * 4), lister.inode);
    }
    assert.deepEqual(seen, names);
    closeSync(fd);
  }
});

test("the arguments of the process are bytes", () => {
  const module = JSON.stringify(new URL("posix.ts", import.meta.url).href);
  const program = `import(${module}).then(({ processArguments }) => console.log(JSON.stringify(processArguments(2).map((each) => Buffer.from(each).toString("hex")))))`;
  // A shell makes the byte, as Node cannot pass it.
  const run = spawnSync("sh", ["-c", `exec "$0" -e '${program}' -- plain "$(printf 'a\\377')"`, process.execPath], {
    encoding: "utf8",
  });
  assert.equal(run.stdout.trim(), JSON.stringify(["706c61696e", "61ff"]), run.stderr);
  assert(processArguments(1000).length >= 1);
});
