/** Listings while names come and go, files that have no name any more, memory that is a file's, and programs that run. POSIX readdir(), unlink(), mmap(), open(). */
import { spawn, spawnSync } from "node:child_process";
import { copyFileSync } from "node:fs";
import * as call from "./calls.ts";
import * as the from "./case.ts";

const { RDONLY, WRONLY, RDWR, CREAT, DIRECTORY, TRUNC } = call.flags;

/** One call's worth of names; none at the end. "." and ".." are not among them. */
function listSome(fd: number, bytesMax: number): string[] {
  const into = Buffer.alloc(bytesMax);
  const count = the.must(call.getdents(fd, into, bytesMax));
  const names: string[] = [];
  for (let at = 0; at < count; at += into.readUInt16LE(at + 16)) {
    const end = into.indexOf(0, at + 19);
    names.push(into.toString("utf8", at + 19, end));
  }
  return names;
}

function listAll(fd: number, bytesMax = 32_768): string[] {
  const all: string[] = [];
  for (;;) {
    const some = listSome(fd, bytesMax);
    if (some.length === 0) return all.filter((name) => name !== "." && name !== "..");
    all.push(...some);
  }
}

function openDirectory(path: string): number {
  return the.must(call.open(path, RDONLY | DIRECTORY, 0));
}

const namesOf = (count: number): string[] => Array.from({ length: count }, (_, at) => `name-${at}`);

export const listingCases: the.Table = (add) => {
  for (const count of [0, 1, 2, 3, 10, 100, 500])
    for (const bytesMax of [64, 300, 4096, 65_536])
      for (const change of [
        "nothing",
        "others are made",
        "all that was seen is removed",
        "half is removed",
        "half is renamed",
      ])
        add(`${count} names in pieces of ${bytesMax} bytes while ${change}`, () => {
          the.makeDirectory("d");
          const names = namesOf(count);
          for (const name of names) the.must(call.mknod(`d/${name}`, call.kindBits.file | 0o644));
          const fd = openDirectory("d");
          const seen: string[] = [];
          const kept = new Set(names);
          for (let turn = 0; ; turn += 1) {
            const some = listSome(fd, bytesMax).filter((name) => name !== "." && name !== "..");
            if (some.length === 0 && turn > 1) break;
            seen.push(...some);
            if (turn > 2) continue;
            if (change === "others are made") the.must(call.mknod(`d/more-${turn}`, call.kindBits.file | 0o644));
            const gone = change.startsWith("all")
              ? some
              : change.startsWith("half") && turn === 0
                ? names.filter((_, at) => at % 2 === 0)
                : [];
            for (const name of gone) {
              if (!kept.delete(name)) continue;
              if (change.endsWith("removed")) the.must(call.unlink(`d/${name}`));
              else the.must(call.renameAt(call.cwd, `d/${name}`, call.cwd, `d/moved-${name}`, 0));
            }
          }
          the.must(call.close(fd));
          the.want(new Set(seen).size, seen.length, "how many names, each once");
          for (const name of kept) the.want(seen.includes(name), true, `that ${name} is seen`);
        });
  add("from the start again what has come is seen", () => {
    the.makeDirectory("d");
    const fd = openDirectory("d");
    the.want(listAll(fd).join(), "", "names");
    the.makeFile("d/a");
    the.must(call.seek(fd, 0, 0));
    the.want(listAll(fd).join(), "a", "names then");
    the.must(call.unlink("d/a"));
    the.must(call.seek(fd, 0, 0));
    the.want(listAll(fd).join(), "", "names in the end");
    the.must(call.close(fd));
  });
  for (const count of [5, 200])
    add(`back to a place among ${count} names`, () => {
      the.makeDirectory("d");
      for (const name of namesOf(count)) the.makeFile(`d/${name}`);
      const fd = openDirectory("d");
      listSome(fd, 120);
      const place = call.seek(fd, 0, 1);
      const rest = listAll(fd, 500);
      the.must(call.seek(fd, place, 0));
      the.want(listAll(fd, 500).join(), rest.join(), "the names from there");
      the.must(call.close(fd));
    });
  for (const kind of the.kinds) {
    if (kind === "nothing") continue;
    add(`the type and inode of ${kind} in a listing`, () => {
      the.makeDirectory("d");
      the.make(kind, "d/x");
      const fd = openDirectory("d");
      const into = Buffer.alloc(4096);
      const count = the.must(call.getdents(fd, into, 4096));
      const found = call.stat("d/x");
      for (let at = 0; at < count; at += into.readUInt16LE(at + 16)) {
        if (into.toString("utf8", at + 19, into.indexOf(0, at + 19)) !== "x") continue;
        the.want(into.readUInt8(at + 18), (found.mode & 0o170000) >> 12, "type");
        the.want(into.readBigUInt64LE(at), found.inode, "inode");
      }
      the.must(call.close(fd));
    });
  }
  add("a buffer that is too small", () => {
    const fd = openDirectory(".");
    the.want(call.getdents(fd, Buffer.alloc(8), 8), "EINVAL", "getdents");
    the.must(call.close(fd));
  });
  add("a file is no directory", () => {
    the.makeFile("x");
    const fd = the.must(call.open("x", RDONLY, 0));
    the.want(call.getdents(fd, Buffer.alloc(999), 999), "ENOTDIR", "getdents");
    the.must(call.close(fd));
  });
};

export const namelessCases: the.Table = (add) => {
  const goings: Readonly<Record<string, () => number>> = {
    unlink: () => call.unlink("x"),
    "rename over": () => {
      the.makeFile("y");
      return call.renameAt(call.cwd, "y", call.cwd, "x", 0);
    },
  };
  const uses: Readonly<Record<string, (fd: number) => void>> = {
    fstat: (fd) => {
      the.want(call.fstat(fd).nlink, 0, "links");
      the.want(call.fstat(fd).size, the.content.length, "size");
    },
    "read and write": (fd) => {
      const bytes = Buffer.alloc(5);
      the.want(call.pwrite(fd, Buffer.from("12345"), 5, 100), 5, "pwrite");
      the.want(call.pread(fd, bytes, 5, 100), 5, "pread");
      the.want(bytes.toString(), "12345", "what is read");
      the.want(call.fstat(fd).size, 105, "size");
    },
    ftruncate: (fd) => {
      the.want(call.ftruncate(fd, 3), "ok", "ftruncate");
      the.want(call.fstat(fd).size, 3, "size");
    },
    fchmod: (fd) => {
      the.want(call.fchmod(fd, 0o600), "ok", "fchmod");
      the.want(call.fstat(fd).mode & 0o777, 0o600, "mode");
    },
    fchown: (fd) => {
      the.want(call.fchown(fd, 5, 6), "ok", "fchown");
      the.want(call.fstat(fd).uid, 5, "owner");
    },
    fsync: (fd) => the.want(call.fsync(fd), "ok", "fsync"),
    fallocate: (fd) => the.want(call.fallocate(fd, 0, 0, 9000), "ok", "fallocate"),
    link: (fd) =>
      the.want(call.linkAt(call.cwd, `/proc/self/fd/${fd}`, call.cwd, "again", call.atFlags.FOLLOW), "ENOENT", "link"),
    "open again": (fd) => {
      const again = the.must(call.open(`/proc/self/fd/${fd}`, RDONLY, 0));
      the.want(call.read(again, Buffer.alloc(99), 99), the.content.length, "read");
      the.must(call.close(again));
    },
    utimensat: (fd) => {
      the.want(
        call.setTimes(`/proc/self/fd/${fd}`, [
          { seconds: 5, ns: 6 },
          { seconds: 7, ns: 8 },
        ]),
        "ok",
        "utimensat",
      );
      the.want(call.fstat(fd).mtime, 7_000_000_008n, "change time");
    },
    "an attribute": (fd) => {
      const value = Buffer.from("v");
      const fset = call.bind("int fsetxattr(int fd, const char *name, const void *value, size_t size, int flags)");
      const fget = call.bind("long fgetxattr(int fd, const char *name, void *into, size_t size)");
      the.want(fset(fd, "user.a", value, 1, 0), "ok", "fsetxattr");
      the.want(fget(fd, "user.a", Buffer.alloc(9), 9), 1, "fgetxattr");
    },
  };
  for (const [going, go] of Object.entries(goings))
    for (const [name, use] of Object.entries(uses))
      add(`${name} after ${going}`, () => {
        the.makeFile("x");
        const fd = the.must(call.open("x", RDWR, 0));
        the.must(go());
        use(fd);
        the.must(call.close(fd));
      });
  const inGone: Readonly<Record<string, () => number>> = {
    "open O_CREAT": () => call.open("n", WRONLY | CREAT, 0o644),
    mkdir: () => call.mkdir("n", 0o755),
    mkfifo: () => call.mknod("n", call.kindBits.fifo | 0o644),
    symlink: () => call.symlink("t", "n"),
    link: () => call.linkAt(call.cwd, "../f", call.cwd, "n", 0),
    rename: () => call.renameAt(call.cwd, "../f", call.cwd, "n", 0),
    stat: () => Number(call.findStat("n")),
  };
  for (const [name, act] of Object.entries(inGone))
    add(`${name} in a directory that is gone`, () => {
      the.makeDirectory("d");
      const f = the.must(call.open("d", RDONLY, 0));
      process.chdir("d");
      the.must(call.rmdir("../d"));
      the.want(call.fstat(f).nlink, 0, "links");
      const result = act();
      the.want(result, "ENOENT", name);
      // Linux says so; POSIX would have an empty listing.
      the.want(call.getdents(f, Buffer.alloc(999), 999), ["ENOENT", "ok"], "getdents");
      the.must(call.close(f));
    });
};

const [PROT_READ, PROT_WRITE, SHARED, PRIVATE, SYNC] = [1, 2, 1, 2, 4];
const page = 4096;

export const mapCases: the.Table = (add) => {
  function withMap(how: number, flags: number, act: (address: number, fd: number) => void): void {
    the.makeFile("x", { text: "0".repeat(2 * page) });
    const fd = the.must(call.open("x", flags, 0));
    const address = the.must(call.mmap(0, 2 * page, PROT_READ | (flags === RDWR ? PROT_WRITE : 0), how, fd, 0));
    try {
      act(address, fd);
    } finally {
      the.must(call.munmap(address, 2 * page));
      the.must(call.close(fd));
    }
  }
  for (const at of [0, 1, page - 1, page, 2 * page - 3])
    for (const isSynced of [false, true]) {
      add(`what is written to shared memory at ${at} is read${isSynced ? " after msync" : ""}`, () =>
        withMap(SHARED, RDWR, (address, fd) => {
          call.putMemory(address + at, Buffer.from("abc"));
          if (isSynced) the.want(call.msync(address, 2 * page, SYNC), "ok", "msync");
          const bytes = Buffer.alloc(3);
          the.must(call.pread(fd, bytes, 3, at));
          the.want(bytes.toString(), "abc", "what is read");
        }),
      );
    }
  for (const at of [0, page - 1, page])
    for (const [name, how] of [
      ["shared", SHARED],
      ["private", PRIVATE],
    ] as const)
      add(`what is written is in ${name} memory, at ${at}`, () =>
        withMap(how, RDONLY, (address) => {
          call.getMemory(address, 1);
          const fd = the.must(call.open("x", WRONLY, 0));
          the.must(call.pwrite(fd, Buffer.from("abc"), 3, at));
          the.must(call.close(fd));
          the.want(call.getMemory(address + at, 3).toString(), "abc", "the memory");
        }),
      );
  add("what is written to private memory stays there", () =>
    withMap(PRIVATE, RDWR, (address) => {
      call.putMemory(address, Buffer.from("abc"));
      the.want(the.readAll("x").slice(0, 3), "000", "what is read");
    }),
  );
  add("memory stays when its file is closed and gone", () => {
    the.makeFile("x", { text: "0".repeat(page) });
    const fd = the.must(call.open("x", RDWR, 0));
    const address = the.must(call.mmap(0, page, PROT_READ | PROT_WRITE, SHARED, fd, 0));
    the.must(call.close(fd));
    the.must(call.unlink("x"));
    call.putMemory(address, Buffer.from("abc"));
    the.want(call.getMemory(address, 4).toString(), "abc0", "the memory");
    the.must(call.munmap(address, page));
  });
  for (const [flags, protection, how, wanted] of [
    [RDONLY, PROT_READ | PROT_WRITE, SHARED, "EACCES"],
    [RDONLY, PROT_READ | PROT_WRITE, PRIVATE, "ok"],
    [WRONLY, PROT_READ, SHARED, "EACCES"],
    [WRONLY, PROT_READ, PRIVATE, "EACCES"],
    [RDWR, PROT_READ | PROT_WRITE, SHARED, "ok"],
  ] as const)
    add(`mmap ${protection} ${how} of access ${flags}`, () => {
      the.makeFile("x");
      const fd = the.must(call.open("x", flags, 0));
      const result = call.mmap(0, page, protection, how, fd, 0);
      the.want(result, wanted, "mmap");
      if (result >= 0) the.must(call.munmap(result, page));
      the.must(call.close(fd));
    });
  add("mmap of a directory", () => {
    const fd = openDirectory(".");
    the.want(call.mmap(0, page, PROT_READ, SHARED, fd, 0), "ENODEV", "mmap");
    the.must(call.close(fd));
  });
};

export const programCases: the.Table = (add) => {
  for (const [name, act] of Object.entries({
    "open O_WRONLY": () => call.open("sleep", WRONLY, 0),
    "open O_RDWR": () => call.open("sleep", RDWR, 0),
    "open O_TRUNC": () => call.open("sleep", WRONLY | TRUNC, 0),
    truncate: () => call.truncate("sleep", 5),
  }))
    add(`${name} of a program that runs`, () => {
      copyFileSync("/bin/sleep", "sleep");
      the.must(call.chmod("sleep", 0o755));
      const child = spawn(`${process.cwd()}/sleep`, ["20"], { stdio: "ignore" });
      try {
        the.want(child.pid !== undefined, true, "that it runs");
        the.want(act(), "ETXTBSY", name);
        the.want(call.unlink("sleep"), "ok", "unlink");
      } finally {
        child.kill("SIGKILL");
      }
    });
  add("a program that is open for writing does not run", () => {
    copyFileSync("/bin/true", "true");
    the.must(call.chmod("true", 0o755));
    const fd = the.must(call.open("true", WRONLY, 0));
    const run = (): string =>
      (spawnSync(`${process.cwd()}/true`).error as NodeJS.ErrnoException | undefined)?.code ?? "ok";
    the.want(run(), "ETXTBSY", "exec");
    the.must(call.close(fd));
    the.want(run(), "ok", "exec after it");
  });
  for (const mode of [0o644, 0o744, 0o711, 0o001, 0o100, 0o555])
    for (const who of [call.owner, call.other])
      add(`a program of mode ${mode.toString(8)} is run by ${who.name}`, () => {
        copyFileSync("/bin/true", "true");
        the.give("true", call.owner, mode);
        const { uid, gid } = who;
        const { error } = spawnSync(`${process.cwd()}/true`, { uid, gid });
        const bits = who === call.owner ? mode >> 6 : mode;
        the.want(
          (error as NodeJS.ErrnoException | undefined)?.code ?? "ok",
          (bits & 1) !== 0 ? "ok" : "EACCES",
          "exec",
        );
      });
};
