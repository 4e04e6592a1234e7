import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import {
  chmodSync,
  chownSync,
  closeSync,
  ftruncateSync,
  linkSync,
  lutimesSync,
  mkdirSync,
  openSync,
  readFileSync,
  readlinkSync,
  symlinkSync,
  writeFileSync,
  writeSync,
} from "node:fs";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import { runAsNobody } from "../../test/support/as-nobody.ts";
import { TestFolder } from "../../test/support/test-folder.ts";
import { isKind } from "../base/errors.ts";
import {
  close,
  type FileStat,
  findXattr,
  lseekData,
  lseekHole,
  lstat,
  makeDirectoryAt,
  makeNode,
  openAt,
  openFlags,
  setTimeAt,
  setXattr,
} from "../base/posix.ts";
import { State } from "../history/mod.ts";

const isRoot = process.geteuid?.() === 0;
const modes = 0o7777;

interface Trip {
  readonly folder: TestFolder;
  /** The folder that was committed. */
  readonly from: string;
  /** The folder that was made of the commit. */
  readonly to: string;
}

/** Makes something, commits it, checks it out elsewhere, and looks. The next status of both must be clean. */
async function roundTrip(make: (path: string) => void, look: (trip: Trip) => void): Promise<void> {
  using folder = new TestFolder({ keepsOwner: isRoot, isRoot });
  make(folder.path);
  await folder.commit();
  assert(folder.tree !== undefined);
  const to = join(folder.place, "copy");
  using state = State.open(":memory:");
  const report = await folder.checkout(to, folder.tree, { state });
  assert.equal(report.isPartial, false);
  assert.deepEqual(folder.warnings, []);
  look({ folder, from: folder.path, to });
  assert.deepEqual(await folder.statusLines(), []);
  assert.deepEqual(await folder.statusLines(undefined, { path: to, state }), []);
}

function at(path: string, name: string | Uint8Array): Buffer {
  return Buffer.concat([Buffer.from(`${path}/`), typeof name === "string" ? Buffer.from(name) : name]);
}

/** The same of both, of everything in these fields. */
function same({ from, to }: Trip, name: string | Uint8Array, fields: readonly (keyof FileStat)[]): void {
  const [one, two] = [lstat(at(from, name)), lstat(at(to, name))];
  for (const field of fields) assert.deepEqual(two[field], one[field], `${String(name)} ${field}`);
}

type Proof = (t: TestContext) => Promise<void>;

const proofs: Readonly<Record<string, Proof>> = {
  bytes: () =>
    roundTrip(
      (path) => {
        writeFileSync(join(path, "empty"), "");
        writeFileSync(join(path, "small"), "hello");
        writeFileSync(join(path, "large"), Buffer.alloc(3_000_000, "some text that repeats, and a counter "));
        for (let index = 0; index < 256; index += 1) writeFileSync(join(path, `byte-${index}`), Buffer.alloc(3, index));
      },
      ({ from, to }) => {
        for (const name of ["empty", "small", "large", "byte-0", "byte-255"])
          assert(readFileSync(join(from, name)).equals(readFileSync(join(to, name))), name);
      },
    ),

  holes: () =>
    roundTrip(
      (path) => {
        const fd = openSync(join(path, "sparse"), "w");
        writeSync(fd, Buffer.alloc(8192, 1), 0, 8192, 1_048_576);
        writeSync(fd, Buffer.alloc(65_536, 0), 0, 65_536, 4_194_304);
        ftruncateSync(fd, 16_777_216);
        closeSync(fd);
        const all = openSync(join(path, "hole"), "w");
        ftruncateSync(all, 5_000_000);
        closeSync(all);
      },
      (trip) => {
        same(trip, "sparse", ["size", "blocks"]);
        same(trip, "hole", ["size", "blocks"]);
        assert.equal(lstat(at(trip.to, "hole")).blocks, 0);
        const stretches = (path: string): number[] => {
          const fd = openSync(path, "r");
          const found: number[] = [];
          for (let data = lseekData(fd, 0); data !== undefined; data = lseekData(fd, found.at(-1) ?? 0))
            found.push(data, lseekHole(fd, data));
          closeSync(fd);
          return found;
        };
        assert.deepEqual(stretches(join(trip.to, "sparse")), stretches(join(trip.from, "sparse")));
        assert(readFileSync(join(trip.from, "sparse")).equals(readFileSync(join(trip.to, "sparse"))));
      },
    ),

  "permission bits": () =>
    roundTrip(
      (path) => {
        for (const mode of [0o644, 0o600, 0o755, 0o000, 0o777, 0o4755, 0o2755, 0o1644, 0o7777, 0o444]) {
          // What one may not read oneself is not kept.
          if (!isRoot && mode === 0o000) continue;
          writeFileSync(join(path, `f${mode}`), "x");
          chmodSync(join(path, `f${mode}`), mode);
        }
        mkdirSync(join(path, "d"));
        writeFileSync(join(path, "d/inside"), "x");
        chmodSync(join(path, "d"), 0o1555);
      },
      (trip) => {
        for (const mode of [0o644, 0o755, 0o4755, 0o2755, 0o1644, 0o7777, 0o444]) same(trip, `f${mode}`, ["mode"]);
        same(trip, "d", ["mode"]);
        assert.equal(lstat(at(trip.to, `f${0o7777}`)).mode & modes, 0o7777);
      },
    ),

  "owner and group": async (t) => {
    if (!isRoot) return t.skip("only root can give files away");
    await roundTrip(
      (path) => {
        writeFileSync(join(path, "f"), "x");
        chownSync(join(path, "f"), 1234, 4_000_000_000);
        chmodSync(join(path, "f"), 0o4711);
        mkdirSync(join(path, "d"));
        chownSync(join(path, "d"), 0, 77);
        symlinkSync("x", join(path, "l"));
        spawnSync("chown", ["-h", "55:66", join(path, "l")]);
      },
      (trip) => {
        for (const name of ["f", "d", "l"]) same(trip, name, ["uid", "gid", "mode"]);
        assert.equal(lstat(at(trip.to, "f")).gid, 4_000_000_000);
      },
    );
  },

  mtime: () =>
    roundTrip(
      (path) => {
        writeFileSync(join(path, "f"), "x");
        setTimeAt(-100, join(path, "f"), 1_234_567_890_123_456_789n);
        writeFileSync(join(path, "old"), "x");
        setTimeAt(-100, join(path, "old"), -1_500_000_001n);
        symlinkSync("x", join(path, "l"));
        setTimeAt(-100, join(path, "l"), 987_654_321_000_000_001n);
        mkdirSync(join(path, "d/e"), { recursive: true });
        writeFileSync(join(path, "d/e/inside"), "x");
        setTimeAt(-100, join(path, "d/e"), 1_000_000_000_000_000_007n);
        setTimeAt(-100, join(path, "d"), 1_100_000_000_999_999_999n);
        setTimeAt(-100, path, 1_200_000_000_000_000_003n);
      },
      (trip) => {
        for (const name of ["f", "old", "l", "d", "d/e", "."]) same(trip, name, ["mtimeNs"]);
        assert.equal(lstat(at(trip.to, "f")).mtimeNs, 1_234_567_890_123_456_789n);
      },
    ),

  "extended attributes": () =>
    roundTrip(
      (path) => {
        writeFileSync(join(path, "f"), "x");
        setXattr(join(path, "f"), "user.short", Buffer.from("value"));
        setXattr(join(path, "f"), "user.empty", Buffer.alloc(0));
        mkdirSync(join(path, "d"));
        setXattr(join(path, "d"), "user.long", Buffer.alloc(2000, 7));
        if (!isRoot) return;
        setXattr(join(path, "f"), "trusted.mark", Buffer.from([0, 1, 255]));
        setXattr(
          join(path, "f"),
          "security.capability",
          Buffer.from("0100000200040000000000000000000000000000", "hex"),
        );
      },
      ({ from, to }) => {
        for (const [name, attribute] of [
          ["f", "user.short"],
          ["f", "user.empty"],
          ["d", "user.long"],
          ["f", "trusted.mark"],
          ["f", "security.capability"],
        ] as const)
          assert.deepEqual(findXattr(join(to, name), attribute), findXattr(join(from, name), attribute), attribute);
      },
    ),

  "POSIX ACLs": () =>
    roundTrip(
      (path) => {
        // Version 2; owner rw-, user 1000 r--, group r--, mask r--, others ---.
        const acl = Buffer.from(
          "02000000010006" +
            "00ffffffff" +
            "02000400e8030000" +
            "04000400ffffffff" +
            "10000400ffffffff" +
            "20000000ffffffff",
          "hex",
        );
        writeFileSync(join(path, "f"), "x");
        setXattr(join(path, "f"), "system.posix_acl_access", acl);
        mkdirSync(join(path, "d"));
        writeFileSync(join(path, "d/before"), "made before its directory had a default");
        setXattr(join(path, "d"), "system.posix_acl_default", acl);
      },
      ({ from, to }) => {
        for (const [name, attribute] of [
          ["f", "system.posix_acl_access"],
          ["d", "system.posix_acl_default"],
          ["d/before", "system.posix_acl_access"],
        ] as const)
          assert.deepEqual(findXattr(join(to, name), attribute), findXattr(join(from, name), attribute), name);
        assert(findXattr(join(to, "f"), "system.posix_acl_access") !== undefined);
      },
    ),

  symlinks: () =>
    roundTrip(
      (path) => {
        symlinkSync("/etc/passwd", join(path, "absolute"));
        symlinkSync("../../outside", join(path, "outside"));
        symlinkSync("dangling", join(path, "dangling"));
        symlinkSync(".", join(path, "loop"));
        symlinkSync(Buffer.from([0x66, 0xff, 0xfe]), at(path, "bytes"));
        symlinkSync("x".repeat(4095), join(path, "long"));
      },
      ({ from, to }) => {
        for (const name of ["absolute", "outside", "dangling", "loop", "bytes", "long"])
          assert.deepEqual(readlinkSync(at(to, name), "buffer"), readlinkSync(at(from, name), "buffer"));
      },
    ),

  "empty directories": () =>
    roundTrip(
      (path) => {
        mkdirSync(join(path, "a/b/c"), { recursive: true });
        lutimesSync(join(path, "a/b/c"), 5, 6);
      },
      (trip) => same(trip, "a/b/c", ["kind", "mode", "mtimeNs"]),
    ),

  "names that are not UTF-8": () =>
    roundTrip(
      (path) => {
        const directory = Buffer.from([0xff, 0x64]);
        mkdirSync(at(path, directory));
        writeFileSync(Buffer.concat([at(path, directory), Buffer.from([0x2f, 0x80, 0x81])]), "one");
        writeFileSync(at(path, Buffer.from([0xe4, 0x0a, 0x22])), "two");
      },
      ({ to }) => {
        assert.equal(
          readFileSync(Buffer.concat([at(to, Buffer.from([0xff, 0x64])), Buffer.from([0x2f, 0x80, 0x81])]), "utf8"),
          "one",
        );
        assert.equal(readFileSync(at(to, Buffer.from([0xe4, 0x0a, 0x22])), "utf8"), "two");
      },
    ),

  "names of 255 bytes": () =>
    roundTrip(
      (path) => {
        writeFileSync(join(path, "n".repeat(255)), "long");
        mkdirSync(join(path, "d".repeat(255)));
      },
      (trip) => {
        assert.equal(readFileSync(join(trip.to, "n".repeat(255)), "utf8"), "long");
        same(trip, "d".repeat(255), ["kind"]);
      },
    ),

  "paths of 4,096 bytes and more": () =>
    roundTrip(
      (path) => {
        let fd = openAt(-100, path, openFlags.read | openFlags.directory);
        for (let depth = 0; depth < 30; depth += 1) {
          const name = `${depth}-`.padEnd(200, "d");
          makeDirectoryAt(fd, name, 0o755);
          writeFileSync(`/proc/self/fd/${fd}/file`, `at depth ${depth}`);
          const below = openAt(fd, name, openFlags.read | openFlags.directory);
          close(fd);
          fd = below;
        }
        writeFileSync(`/proc/self/fd/${fd}/deepest`, "here");
        symlinkSync("x", `/proc/self/fd/${fd}/link`);
        setXattr(`/proc/self/fd/${fd}/deepest`, "user.deep", Buffer.from("yes"));
        close(fd);
      },
      ({ to, folder }) => {
        let fd = openAt(-100, to, openFlags.read | openFlags.directory);
        for (let depth = 0; depth < 30; depth += 1) {
          assert.equal(readFileSync(`/proc/self/fd/${fd}/file`, "utf8"), `at depth ${depth}`);
          const below = openAt(fd, `${depth}-`.padEnd(200, "d"), openFlags.read | openFlags.directory);
          close(fd);
          fd = below;
        }
        assert.equal(readFileSync(`/proc/self/fd/${fd}/deepest`, "utf8"), "here");
        assert.equal(readlinkSync(`/proc/self/fd/${fd}/link`), "x");
        assert.deepEqual(findXattr(`/proc/self/fd/${fd}/deepest`, "user.deep"), new Uint8Array(Buffer.from("yes")));
        close(fd);
        const longest = Math.max(...[...folder.entries().keys()].map(({ length }) => length));
        assert(longest > 5000);
      },
    ),

  "hard links": () =>
    roundTrip(
      (path) => {
        mkdirSync(join(path, "d"));
        writeFileSync(join(path, "one"), "shared");
        linkSync(join(path, "one"), join(path, "two"));
        linkSync(join(path, "one"), join(path, "d/three"));
        writeFileSync(join(path, "equal"), "shared");
      },
      ({ to }) => {
        const inodes = ["one", "two", "d/three", "equal"].map((name) => lstat(at(to, name)).inode);
        assert.equal(inodes[0], inodes[1]);
        assert.equal(inodes[0], inodes[2]);
        assert.notEqual(inodes[0], inodes[3]);
        assert.equal(lstat(at(to, "one")).nlink, 3);
      },
    ),

  "fifos and sockets": () =>
    roundTrip(
      (path) => {
        makeNode(-100, join(path, "fifo"), { kind: "fifo", mode: 0o640 });
        makeNode(-100, join(path, "socket"), { kind: "socket", mode: 0o600 });
        setTimeAt(-100, join(path, "fifo"), 77n);
      },
      (trip) => {
        same(trip, "fifo", ["kind", "mode", "mtimeNs"]);
        same(trip, "socket", ["kind", "mode", "mtimeNs"]);
        assert.equal(lstat(at(trip.to, "fifo")).kind, "fifo");
      },
    ),

  "device nodes": async (t) => {
    if (!isRoot) return t.skip("only root can make them");
    try {
      await roundTrip(
        (path) => {
          makeNode(-100, join(path, "null"), { kind: "character", mode: 0o666, major: 1, minor: 3 });
          makeNode(-100, join(path, "block"), { kind: "block", mode: 0o660, major: 4000, minor: 1_000_000 });
        },
        (trip) => {
          for (const name of ["null", "block"]) same(trip, name, ["kind", "mode", "rdevMajor", "rdevMinor"]);
          assert.equal(lstat(at(trip.to, "block")).rdevMinor, 1_000_000);
        },
      );
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== "EPERM" && !isKind(error, "permission")) throw error;
      t.skip("no device nodes in this container");
    }
  },
};

const rows = readFileSync(new URL("../../doc/kept.md", import.meta.url), "utf8")
  .split("\n")
  .filter((line) => /^\| [^-W]/.test(line))
  .map((line) => line.split("|")[1]?.trim() ?? "");

test("every row of the table has a proof, and every proof a row", () => {
  assert.deepEqual(rows, Object.keys(proofs));
});

for (const [row, proof] of Object.entries(proofs)) test(`kept: ${row}`, proof);

test("what an ordinary user has is kept as well", (t) => {
  if (!isRoot) return;
  const run = runAsNobody(import.meta.filename, "^kept");
  if (run === undefined) t.skip("nobody may not read this checkout");
  else assert.equal(run.status, 0, run.output);
});
