/**
 * What every call that takes a path has in common: how a path may end, what may be on the way, how long it may be, and who may search and write the directories on the
 * way. POSIX 4.16, Pathname Resolution, and the ERRORS of each call.
 */
import * as call from "./calls.ts";
import * as the from "./case.ts";

const { RDONLY, WRONLY, CREAT, DIRECTORY } = call.flags;
const [maxPath, maxName] = [4096, 255];

interface PathCall {
  readonly act: (path: string) => number;
  /** Whether it makes the name: else it needs what is there, a file. */
  readonly makes?: boolean;
  /** Whether its directory is written to. */
  readonly changes?: boolean;
  /** Whether a symlink at the end is followed. */
  readonly follows?: boolean;
  /** Whether only root and the owner may. */
  readonly owned?: boolean;
}

function opened(fd: number): number {
  return fd < 0 ? fd : call.close(fd);
}

const now = { seconds: 1_000_000, ns: 0 };
const value = Buffer.from("v");

/** "helper" is a file in the case's directory. */
const calls: Readonly<Record<string, PathCall>> = {
  open: { act: (path) => opened(call.open(path, RDONLY, 0)), follows: true },
  "open O_WRONLY": { act: (path) => opened(call.open(path, WRONLY, 0)), follows: true },
  "open O_CREAT": { act: (path) => opened(call.open(path, WRONLY | CREAT, 0o644)), makes: true, changes: true },
  mkdir: { act: (path) => call.mkdir(path, 0o755), makes: true, changes: true },
  mkfifo: { act: (path) => call.mknod(path, call.kindBits.fifo | 0o644), makes: true, changes: true },
  symlink: { act: (path) => call.symlink("t", path), makes: true, changes: true },
  "link to": { act: (path) => call.linkAt(call.cwd, "helper", call.cwd, path, 0), makes: true, changes: true },
  "link from": { act: (path) => call.linkAt(call.cwd, path, call.cwd, "linked", 0), owned: true },
  "rename to": { act: (path) => call.renameAt(call.cwd, "helper", call.cwd, path, 0), makes: true, changes: true },
  "rename from": { act: (path) => call.renameAt(call.cwd, path, call.cwd, "renamed", 0), changes: true },
  unlink: { act: (path) => call.unlink(path), changes: true },
  chmod: { act: (path) => call.chmod(path, 0o600), follows: true, owned: true },
  chown: { act: (path) => call.chownAt(call.cwd, path, call.owner.uid, call.owner.gid, 0), follows: true, owned: true },
  lchown: {
    act: (path) => call.chownAt(call.cwd, path, call.owner.uid, call.owner.gid, call.atFlags.NOFOLLOW),
    owned: true,
  },
  truncate: { act: (path) => call.truncate(path, 3), follows: true },
  utimensat: { act: (path) => call.setTimes(path, [now, now]), follows: true, owned: true },
  "utimensat NOFOLLOW": { act: (path) => call.setTimes(path, [now, now], call.atFlags.NOFOLLOW), owned: true },
  access: { act: (path) => call.access(path, 0), follows: true },
  lstat: { act: (path) => failureOf(call.findStat(path)) },
  stat: { act: (path) => failureOf(call.findStat(path, { follow: true })), follows: true },
  lsetxattr: { act: (path) => call.setxattr(path, "user.a", value, 1, 0) },
  llistxattr: { act: (path) => call.listxattr(path, Buffer.alloc(10), 10) },
};

function failureOf(found: call.Stat | number): number {
  return typeof found === "number" ? found : 0;
}

const ways: Readonly<Record<string, { readonly way: string; readonly wanted: string }>> = {
  "a directory that is not there": { way: "none/x", wanted: "ENOENT" },
  "an empty path": { way: "", wanted: "ENOENT" },
  "a file": { way: "helper/x", wanted: "ENOTDIR" },
  "a file and ..": { way: "helper/../x", wanted: "ENOTDIR" },
  "a fifo": { way: "fifo/x", wanted: "ENOTDIR" },
  "a socket": { way: "socket/x", wanted: "ENOTDIR" },
  "a character device": { way: "character/x", wanted: "ENOTDIR" },
  "a link to a file": { way: "toFile/x", wanted: "ENOTDIR" },
  "a link to nothing": { way: "dangling/x", wanted: "ENOENT" },
  "a link to itself": { way: "loop/x", wanted: "ELOOP" },
  "two links to each other": { way: "one/x", wanted: "ELOOP" },
  "a name of 256 bytes": { way: `${"n".repeat(maxName + 1)}/x`, wanted: "ENAMETOOLONG" },
  "at its end a name of 256 bytes": { way: `d/${"n".repeat(maxName + 1)}`, wanted: "ENAMETOOLONG" },
  "at its end a name of 300 two-byte letters": { way: `d/${"ü".repeat(300)}`, wanted: "ENAMETOOLONG" },
  "4096 bytes": { way: `${"./".repeat(maxPath / 2 - 1)}xx`, wanted: "ENAMETOOLONG" },
  "5000 bytes": { way: `${"./".repeat(2500)}x`, wanted: "ENAMETOOLONG" },
};
const goodWays: Readonly<Record<string, (name: string) => string>> = {
  "4095 bytes": (name) => `d${"/".repeat(maxPath - 2 - name.length)}${name}`,
  "many dots": (name) => `./././d/.././d/./${name}`,
  "many slashes": (name) => `d////${name}`,
  "a link to a directory": (name) => `toDirectory/${name}`,
  "forty links": (name) => `l40/${name}`,
};

function prepare(): void {
  the.makeFile("helper");
  the.makeDirectory("d");
  the.make("fifo", "fifo");
  the.make("socket", "socket");
  the.make("character", "character");
  for (const [target, name] of [
    ["helper", "toFile"],
    ["nowhere", "dangling"],
    ["loop", "loop"],
    ["two", "one"],
    ["one", "two"],
    ["d", "toDirectory"],
  ] as const)
    the.must(call.symlink(target, name));
}

export const pathCases: the.Table = (add) => {
  for (const [name, { act, makes = false }] of Object.entries(calls)) {
    for (const [on, { way, wanted }] of Object.entries(ways))
      add(`${name} by ${on}`, () => {
        prepare();
        the.want(act(way), wanted, name);
      });
    for (const [on, way] of Object.entries(goodWays))
      for (const length of [1, 255])
        add(`${name} by ${on} to a name of ${length} bytes`, () => {
          prepare();
          the.must(call.symlink("d", "l1"));
          for (let at = 2; at <= 40; at += 1) the.must(call.symlink(`l${at - 1}`, `l${at}`));
          const base = "x".repeat(length);
          if (!makes) the.makeFile(`d/${base}`);
          the.want(act(way(base)), "ok", name);
        });
    add(`${name} by forty-one links`, () => {
      prepare();
      the.must(call.symlink("d", "l1"));
      for (let at = 2; at <= 41; at += 1) the.must(call.symlink(`l${at - 1}`, `l${at}`));
      the.want(act("l41/x"), "ELOOP", name);
    });
  }
};

/** How a path ends: a slash behind what is none, dots, and a symlink, which is followed or not. */
export const pathEndCases: the.Table = (add) => {
  for (const [name, { act, makes = false, follows = false }] of Object.entries(calls)) {
    if (makes) continue;
    for (const [path, wanted] of [
      ["helper/", "ENOTDIR"],
      ["helper/.", "ENOTDIR"],
      ["helper//", "ENOTDIR"],
      ["fifo/", "ENOTDIR"],
      ["toFile/", "ENOTDIR"],
      ["none/", "ENOENT"],
      ["dangling/", name === "unlink" || name === "rename from" ? "ENOTDIR" : "ENOENT"],
      ["loop/", name === "unlink" || name === "rename from" ? "ENOTDIR" : "ELOOP"],
    ] as const)
      add(`${name} of "${path}"`, () => {
        prepare();
        the.want(act(path), wanted, name);
      });
    // Links have no attributes of users; those calls are in a table of their own.
    if (name === "lsetxattr") continue;
    add(`${name} of a link to itself`, () => {
      prepare();
      the.want(act("loop"), follows ? "ELOOP" : "ok", name);
    });
    add(`${name} of a link to nothing`, () => {
      prepare();
      the.want(act("dangling"), follows ? "ENOENT" : "ok", name);
    });
    add(`${name} of a link acts on ${follows ? "what it leads to" : "itself"}`, () => {
      prepare();
      const [link, file] = [call.stat("toFile"), call.stat("helper")];
      the.waitTick();
      the.want(act("toFile"), "ok", name);
      if (follows) the.want(call.stat("toFile").ctime, link.ctime, "change time of the link");
      else the.want(call.stat("helper").ctime, file.ctime, "change time of the file");
    });
  }
};

/** Every directory on the way must be searchable, the last one writable for what changes it; and some calls are the owner's. */
export const pathRightCases: the.Table = (add) => {
  const people = [call.root, call.owner, call.member, call.other];
  for (const [name, { act, makes = false, changes = false, owned = false }] of Object.entries(calls))
    for (const who of people)
      for (let bits = 0; bits < 8; bits += 1)
        add(`${name} in a directory of which ${who.name} has ${bits}`, () => {
          const shift = who === call.owner ? 6 : who === call.member ? 3 : 0;
          the.makeFile("helper", { who, mode: 0o666 });
          the.makeDirectory("d");
          if (!makes) the.makeFile("d/x", { who: owned ? who : call.root, mode: 0o666 });
          // Everybody else has the opposite.
          const mode = 0o777 & ~(7 << shift) & (0o777 ^ (bits * 0o111));
          the.give("d", call.owner, mode | (bits << shift));
          const isChown = name === "chown" || name === "lchown";
          const maySearch = who === call.root || (bits & 1) !== 0;
          const mayWrite = who === call.root || !changes || (bits & 2) !== 0;
          const wanted = !(maySearch && mayWrite)
            ? "EACCES"
            : isChown && who !== call.root && who !== call.owner
              ? "EPERM"
              : "ok";
          the.want(
            call.as(who, () => act("d/x")),
            wanted,
            name,
          );
        });
  for (const [name, { act, makes = false, changes = false, owned = false }] of Object.entries(calls))
    for (const depth of [1, 2, 3])
      for (const isBlocked of [true, false])
        add(
          `${name} ${isBlocked ? "below a directory without search" : "by directories with search alone"}, ${depth} deep, by other`,
          () => {
            the.makeFile("helper", { who: call.other, mode: 0o666 });
            the.makeDirectory("top");
            let path = "top";
            for (let at = 0; at < depth; at += 1) {
              path += "/d";
              the.makeDirectory(path);
            }
            the.must(call.chmod(path, 0o777));
            if (!makes) the.makeFile(`${path}/x`, { who: owned ? call.other : call.root, mode: 0o666 });
            the.must(call.chmod("top", isBlocked ? 0o766 : 0o711));
            const isChown = name === "chown" || name === "lchown";
            const result = call.as(call.other, () => act(`${path}/x`));
            the.want(result, isBlocked ? "EACCES" : isChown ? "EPERM" : "ok", name);
            the.want(
              changes && !isBlocked && makes ? the.kindAt(`${path}/x`) !== "nothing" : true,
              true,
              "that it is done",
            );
          },
        );
  for (const [name, { act, owned = false }] of Object.entries(calls)) {
    if (!owned || name === "link from") continue;
    for (const who of people)
      for (const mode of [0o777, 0o755, 0o000])
        add(`${name} of a file of the owner's, mode ${mode.toString(8)}, by ${who.name}`, () => {
          the.makeFile("x", { who: call.owner, mode });
          the.want(
            call.as(who, () => act("x")),
            who === call.root || who === call.owner ? "ok" : "EPERM",
            name,
          );
        });
  }
};

/** Paths longer than PATH_MAX are reached step by step. */
export const deepCases: the.Table = (add) => {
  for (const depth of [10, 20, 60])
    add(`${depth} directories with names of 200 bytes, one in the other`, () => {
      const name = "n".repeat(200);
      const fds = [the.must(call.open(".", RDONLY | DIRECTORY, 0))];
      const start = fds[0] ?? -1;
      for (let at = 0; at < depth; at += 1) {
        the.must(call.mkdir(name, 0o755));
        process.chdir(name);
        fds.push(the.must(call.open(".", RDONLY | DIRECTORY, 0)));
      }
      the.makeFile("x");
      the.want(the.readAll("x"), the.content, "content of what is deepest");
      the.want(call.stat("..").inode, call.fstat(fds.at(-2) ?? -1).inode, "inode of ..");
      the.must(call.unlink("x"));
      for (let at = depth; at > 0; at -= 1) {
        the.must(call.close(fds[at] ?? -1));
        the.must(call.unlinkAt(fds[at - 1] ?? -1, name, call.atFlags.REMOVEDIR));
      }
      the.must(call.close(start));
    });
  const names = [
    "a b",
    "ümlaut",
    "日本語",
    "tab\there",
    "new\nline",
    "-rf",
    "..a",
    "...",
    "a.",
    " ",
    "\\",
    "*",
    "?",
    "~",
    "\u0001",
    "e\u0301",
    "é",
    "CON",
    "a:b",
    "'\"",
  ];
  for (const name of names)
    add(`a name ${JSON.stringify(name)}`, () => {
      the.makeFile(name);
      the.want(the.readAll(name), the.content, "content");
      the.must(call.renameAt(call.cwd, name, call.cwd, `${name}2`, 0));
      the.want(the.kindAt(name), "nothing", "what the old name leads to");
      the.must(call.unlink(`${name}2`));
    });
  add("names that differ in case, or in how a letter is composed, are different", () => {
    const list = ["a", "A", "\u00e9", "e\u0301", "\u00df", "SS", "\u017f", "s", "K", "\u212a"];
    for (const name of list) the.makeFile(name, { text: name });
    for (const name of list) the.want(Buffer.from(the.readAll(name), "latin1").toString(), name, "content");
  });
};
