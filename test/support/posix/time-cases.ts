/** Which of the three times each call marks, and which it leaves; and utimensat(): who may, and what is kept. POSIX 4.12, File Times Update, and each call's own page. */
import * as call from "./calls.ts";
import * as the from "./case.ts";

const { RDONLY, WRONLY, RDWR, CREAT, TRUNC, APPEND, DIRECTORY } = call.flags;
const { NOFOLLOW } = call.atFlags;
/** So old that reading marks it, also where the mount is relatime. */
const old = { seconds: 1_000_000_000, ns: 123 };
const omit = { seconds: 0, ns: call.utimeOmit };
const now = { seconds: 0, ns: call.utimeNow };

interface Marking {
  readonly act: () => number;
  /** What is marked, by path: "a", "m", "c". Nothing else that is there is. */
  readonly marks: Readonly<Record<string, string>>;
}

function withOpen(path: string, flags: number, act: (fd: number) => number): number {
  const fd = call.open(path, flags, 0o644);
  if (fd < 0) return fd;
  const result = act(fd);
  the.must(call.close(fd));
  return result;
}

const bytes = Buffer.from("abcdef");
const rename = (from: string, to: string, how = 0): number => call.renameAt(call.cwd, from, call.cwd, to, how);

/** In a world of `d` (with the file f, of which "other" is a link, the file g, a link l, the directory e) and the directory `to`. */
const markings: Readonly<Record<string, Marking>> = {
  "open O_CREAT": { act: () => withOpen("d/new", WRONLY | CREAT, () => 0), marks: { d: "mc" } },
  "open O_CREAT of what is there": { act: () => withOpen("d/f", WRONLY | CREAT, () => 0), marks: {} },
  "open O_RDONLY": { act: () => withOpen("d/f", RDONLY, () => 0), marks: {} },
  "open O_TRUNC": { act: () => withOpen("d/f", WRONLY | TRUNC, () => 0), marks: { "d/f": "mc" } },
  "open O_TRUNC of an empty file": {
    act: () => withOpen("d/empty", WRONLY | TRUNC, () => 0),
    marks: { "d/empty": "mc" },
  },
  mkdir: { act: () => call.mkdir("d/new", 0o755), marks: { d: "mc" } },
  mkfifo: { act: () => call.mknod("d/new", call.kindBits.fifo | 0o644), marks: { d: "mc" } },
  symlink: { act: () => call.symlink("t", "d/new"), marks: { d: "mc" } },
  link: { act: () => call.linkAt(call.cwd, "d/f", call.cwd, "to/new", 0), marks: { to: "mc", "d/f": "c" } },
  unlink: { act: () => call.unlink("d/f"), marks: { d: "mc", other: "c" } },
  rmdir: { act: () => call.rmdir("d/e"), marks: { d: "mc" } },
  "rename in a directory": { act: () => rename("d/f", "d/n"), marks: { d: "mc", "d/n": "c" } },
  "rename to another directory": { act: () => rename("d/g", "to/g"), marks: { d: "mc", to: "mc", "to/g": "c" } },
  "rename of a directory": { act: () => rename("d/e", "to/e"), marks: { d: "mc", to: "mc", "to/e": "c" } },
  "rename over": { act: () => rename("d/g", "d/f"), marks: { d: "mc", "d/f": "c", other: "c" } },
  "rename EXCHANGE": {
    act: () => rename("d/g", "to/x", call.renameFlags.EXCHANGE),
    marks: { d: "mc", to: "mc", "d/g": "c", "to/x": "c" },
  },
  "rename to its own name": { act: () => rename("d/g", "d/g"), marks: {} },
  write: { act: () => withOpen("d/f", WRONLY, (fd) => call.write(fd, bytes, 6)), marks: { "d/f": "mc" } },
  "write of nothing": { act: () => withOpen("d/f", WRONLY, (fd) => call.write(fd, bytes, 0)), marks: {} },
  pwrite: { act: () => withOpen("d/f", WRONLY, (fd) => call.pwrite(fd, bytes, 6, 100)), marks: { "d/f": "mc" } },
  append: { act: () => withOpen("d/f", WRONLY | APPEND, (fd) => call.write(fd, bytes, 6)), marks: { "d/f": "mc" } },
  "truncate to less": { act: () => call.truncate("d/f", 1), marks: { "d/f": "mc" } },
  "truncate to more": { act: () => call.truncate("d/f", 10_000), marks: { "d/f": "mc" } },
  "ftruncate to less": { act: () => withOpen("d/f", WRONLY, (fd) => call.ftruncate(fd, 1)), marks: { "d/f": "mc" } },
  "ftruncate to the size it has": {
    act: () => withOpen("d/f", WRONLY, (fd) => call.ftruncate(fd, the.content.length)),
    marks: { "d/f": "mc" },
  },
  "ftruncate of an empty file to nothing": {
    act: () => withOpen("d/empty", WRONLY, (fd) => call.ftruncate(fd, 0)),
    marks: { "d/empty": "mc" },
  },
  chmod: { act: () => call.chmod("d/f", 0o600), marks: { "d/f": "c" } },
  "chmod to the mode it has": { act: () => call.chmod("d/f", 0o644), marks: { "d/f": "c" } },
  fchmod: { act: () => withOpen("d/f", RDONLY, (fd) => call.fchmod(fd, 0o600)), marks: { "d/f": "c" } },
  "chmod of a directory": { act: () => call.chmod("d", 0o700), marks: { d: "c" } },
  chown: { act: () => call.chownAt(call.cwd, "d/f", 5, 6, 0), marks: { "d/f": "c" } },
  "chown to whom it belongs": { act: () => call.chownAt(call.cwd, "d/f", 0, 0, 0), marks: { "d/f": "c" } },
  "chown to nobody": { act: () => call.chownAt(call.cwd, "d/f", 0xffff_ffff, 0xffff_ffff, 0), marks: { "d/f": "c" } },
  "lchown of a link": { act: () => call.chownAt(call.cwd, "d/l", 5, 6, NOFOLLOW), marks: { "d/l": "c" } },
  fchown: { act: () => withOpen("d/f", RDONLY, (fd) => call.fchown(fd, 5, 6)), marks: { "d/f": "c" } },
  setxattr: { act: () => call.setxattr("d/f", "user.a", bytes, 6, 0), marks: { "d/f": "c" } },
  "setxattr of a directory": { act: () => call.setxattr("d", "user.a", bytes, 6, 0), marks: { d: "c" } },
  getxattr: { act: () => call.getxattr("d/f", "user.b", Buffer.alloc(9), 9), marks: {} },
  listxattr: { act: () => call.listxattr("d/f", Buffer.alloc(99), 99), marks: {} },
  removexattr: { act: () => call.removexattr("d/f", "user.b"), marks: { "d/f": "c" } },
  "utimensat of now": { act: () => call.setTimes("d/f", undefined), marks: { "d/f": "amc" } },
  "utimensat of access": { act: () => call.setTimes("d/f", [now, omit]), marks: { "d/f": "ac" } },
  "utimensat of change": { act: () => call.setTimes("d/f", [omit, now]), marks: { "d/f": "mc" } },
  "utimensat of neither": { act: () => call.setTimes("d/f", [omit, omit]), marks: {} },
  "utimensat to the times it has": { act: () => call.setTimes("d/f", [old, old]), marks: { "d/f": "c" } },
  "utimensat of a link": { act: () => call.setTimes("d/l", undefined, NOFOLLOW), marks: { "d/l": "amc" } },
  "utimensat by a link": { act: () => call.setTimes("d/l", undefined), marks: { "d/g": "amc", "d/l": "a" } },
  read: { act: () => withOpen("d/f", RDONLY, (fd) => call.read(fd, Buffer.alloc(9), 9)), marks: { "d/f": "a" } },
  pread: { act: () => withOpen("d/f", RDONLY, (fd) => call.pread(fd, Buffer.alloc(9), 9, 2)), marks: { "d/f": "a" } },
  "read of nothing": { act: () => withOpen("d/f", RDONLY, (fd) => call.read(fd, Buffer.alloc(9), 0)), marks: {} },
  listing: {
    act: () => withOpen("d", RDONLY | DIRECTORY, (fd) => call.getdents(fd, Buffer.alloc(9000), 9000)),
    marks: { d: "a" },
  },
  readlink: { act: () => (typeof call.readlink("d/l") === "string" ? 0 : -1), marks: { "d/l": "a" } },
  "a walk by a link": { act: () => call.access("d/l", 0), marks: { "d/l": "a" } },
  access: { act: () => call.access("d/f", 4), marks: {} },
  lseek: { act: () => withOpen("d/f", RDONLY, (fd) => call.seek(fd, 3, 0)), marks: {} },
  fsync: { act: () => withOpen("d/f", WRONLY, (fd) => call.fsync(fd)), marks: {} },
  "fallocate to more": {
    act: () => withOpen("d/f", WRONLY, (fd) => call.fallocate(fd, 0, 0, 20_000)),
    marks: { "d/f": "mc" },
  },
  "a hole punched": {
    act: () => withOpen("d/f", WRONLY, (fd) => call.fallocate(fd, 3, 0, 4096)),
    marks: { "d/f": "mc" },
  },
  copy_file_range: {
    act: () =>
      withOpen("other", RDONLY, (from) => withOpen("d/g", WRONLY, (to) => call.copyRange(from, null, to, null, 5, 0))),
    marks: { "d/g": "mc", "d/f": "a" },
  },
  "a failed mkdir": { act: () => Number(call.mkdir("d/f", 0o755) !== -17), marks: {} },
  "a failed unlink": { act: () => Number(call.unlink("d/none") !== -2), marks: {} },
  "a failed rename": { act: () => Number(rename("d/none", "to/n") !== -2), marks: {} },
  "a failed rmdir": { act: () => Number(call.rmdir("d") !== -39), marks: {} },
  "a failed chmod": { act: () => Number(call.as(call.other, () => call.chmod("d/f", 0o777)) !== -1), marks: {} },
  "a failed truncate": { act: () => Number(call.truncate("d/f", -1) !== -22), marks: {} },
};
const watched = ["d", "to", "d/f", "d/g", "d/l", "d/e", "d/empty", "to/x", "other"];

export const markCases: the.Table = (add) => {
  for (const [name, { act, marks }] of Object.entries(markings))
    add(name, () => {
      the.makeDirectory("d");
      the.makeDirectory("to");
      the.makeDirectory("d/e");
      for (const each of ["d/f", "d/g", "to/x"]) the.makeFile(each);
      the.makeFile("d/empty", { text: "" });
      the.must(call.symlink("g", "d/l"));
      the.must(call.linkAt(call.cwd, "d/f", call.cwd, "other", 0));
      the.must(call.setxattr("d/f", "user.b", bytes, 6, 0));
      for (const path of watched) the.must(call.setTimes(path, [old, old], NOFOLLOW));
      const before = new Map(watched.map((path) => [path, call.stat(path)]));
      the.waitTick();
      the.want(act(), "ok", name);
      const paths = [...new Set([...watched, ...Object.keys(marks)])];
      const after = new Map(paths.map((path) => [path, call.findStat(path)]));
      for (const [path, is] of after) {
        if (typeof is === "number") continue;
        // By inode: what was at a path may be at another, and one file's names are marked together.
        const isThis = (each: call.Stat | number | undefined): boolean =>
          typeof each === "object" && each.inode === is.inode;
        const was = [...before.values()].find(isThis);
        if (was === undefined) continue;
        const wanted = Object.entries(marks).find(([each]) => isThis(after.get(each)))?.[1] ?? "";
        const marked = (["atime", "mtime", "ctime"] as const).filter((time) => is[time] > was[time]);
        the.want(marked.map((time) => time[0]).join(""), wanted, `what is marked of ${path}`);
      }
    });
  for (const [name, make] of Object.entries({
    file: () => the.makeFile("x"),
    directory: () => the.must(call.mkdir("x", 0o755)),
    fifo: () => the.must(call.mknod("x", call.kindBits.fifo | 0o644)),
    symlink: () => the.must(call.symlink("t", "x")),
  }))
    add(`a new ${name} has the time it was made at`, () => {
      const early = BigInt(Date.now()) * 1_000_000n - 50_000_000n;
      make();
      const late = BigInt(Date.now()) * 1_000_000n + 50_000_000n;
      const { atime, mtime, ctime } = call.stat("x");
      for (const each of [atime, mtime, ctime]) the.want(each >= early && each <= late, true, "whether it is now");
    });
};

const values = { now, omit, "a value": { seconds: 1_234_567_890, ns: 987_654_321 } } as const;

/** Now for both needs the right to write, a value needs the owner; nothing needs nothing. */
export const setTimeCases: the.Table = (add) => {
  for (const who of call.everybody)
    for (const mayWrite of [false, true])
      for (const kind of ["file", "directory", "fifo"] as const)
        for (const [access, a] of [...Object.entries(values), ["NULL", undefined] as const])
          for (const [change, m] of Object.entries(values)) {
            if (a === undefined && m !== now) continue;
            add(
              `access ${access}, change ${change} of ${kind} by ${who.name} who ${mayWrite ? "may write" : "may read"}`,
              () => {
                the.make(kind, "x", call.owner);
                the.must(call.chmod("x", mayWrite ? 0o777 : 0o555));
                the.must(call.setTimes("x", [old, old]));
                const isBothNow = a === undefined || (a === now && m === now);
                const isNothing = a === omit && m === omit;
                const isOwner = who === call.root || who === call.owner;
                const wanted = isOwner || isNothing ? "ok" : isBothNow ? (mayWrite ? "ok" : "EACCES") : "EPERM";
                const result = call.as(who, () => call.setTimes("x", a === undefined ? undefined : [a, m]));
                the.want(result, wanted, "utimensat");
                const { atime, mtime } = call.stat("x");
                const isDone = result >= 0;
                checkTime(atime, isDone ? (a ?? now) : omit, "access");
                checkTime(mtime, isDone ? m : omit, "change");
              },
            );
          }
  for (const ns of [-1, 1_000_000_000, 2 ** 30 - 3, 2 ** 31])
    for (const first of [true, false])
      add(`${ns} nanoseconds of ${first ? "access" : "change"}`, () => {
        the.makeFile("x");
        const bad = { seconds: 5, ns };
        the.want(call.setTimes("x", first ? [bad, old] : [old, bad]), "EINVAL", "utimensat");
      });
  for (const seconds of [0, 1, -1, -1_000_000_000, -2_147_000_000, 2 ** 31 - 1, 2 ** 31, 2 ** 32 - 1, 2 ** 32, 2 ** 33])
    for (const ns of [0, 1, 999_999_999])
      for (const kind of ["file", "directory", "dangling link"] as const)
        add(`${seconds} s and ${ns} ns of ${kind}`, () => {
          the.make(kind, "x");
          const other = { seconds: seconds + 1, ns };
          the.want(call.setTimes("x", [{ seconds, ns }, other], NOFOLLOW), "ok", "utimensat");
          const { atime, mtime } = call.stat("x");
          the.want(atime, BigInt(seconds) * 1_000_000_000n + BigInt(ns), "access time");
          the.want(mtime, BigInt(seconds + 1) * 1_000_000_000n + BigInt(ns), "change time");
        });
  add("times are kept over a write to another file and a new look", () => {
    the.makeFile("x");
    the.must(call.setTimes("x", [old, old]));
    withOpen("x", RDWR, () => 0);
    checkTime(call.stat("x").mtime, old, "change");
  });
};

function checkTime(found: bigint, wanted: call.Time, what: string): void {
  const given = wanted === omit ? old : wanted;
  if (wanted === now) the.want(found > BigInt(Date.now() - 60_000) * 1_000_000n, true, `${what} time is now`);
  else the.want(found, BigInt(given.seconds) * 1_000_000_000n + BigInt(given.ns), `${what} time`);
}
