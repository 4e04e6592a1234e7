/**
 * open(): every combination of flags on every kind of file, by who may read and write it and by who may read it only; the modes of what is made; files without a name.
 * POSIX open(); open(2) for what is Linux's own: the order of its checks, O_TMPFILE, O_PATH, nodev.
 */
import { release } from "node:os";
import * as call from "./calls.ts";
import * as the from "./case.ts";

const { RDONLY, WRONLY, RDWR, CREAT, EXCL, TRUNC, APPEND, DIRECTORY, NOFOLLOW, NONBLOCK, PATH, TMPFILE } = call.flags;
const accesses = { RDONLY, WRONLY, RDWR } as const;
const options = { CREAT, EXCL, TRUNC, APPEND, DIRECTORY, NOFOLLOW } as const;
type Option = keyof typeof options;
const optionNames = Object.keys(options) as Option[];
const targetOf: Partial<Record<the.Kind, the.Kind>> = {
  "link to file": "file",
  "link to directory": "directory",
  "dangling link": "nothing",
};

interface How {
  readonly access: keyof typeof accesses;
  readonly set: ReadonlySet<Option>;
  readonly mayWrite: boolean;
}

/** What must come of it: "ok", or an errno. The mount is nodev. */
function outcome(kind: the.Kind, { access, set, mayWrite }: How): string {
  if (set.has("CREAT") && set.has("DIRECTORY")) return "EINVAL";
  if (set.has("CREAT") && set.has("EXCL") && kind !== "nothing") return "EEXIST";
  let target = kind;
  if (the.isLink(kind)) {
    if (set.has("NOFOLLOW")) return set.has("DIRECTORY") ? "ENOTDIR" : "ELOOP";
    if (kind === "loop") return "ELOOP";
    target = targetOf[kind] ?? kind;
  }
  if (target === "nothing") return set.has("CREAT") ? "ok" : "ENOENT";
  const writes = access !== "RDONLY" || set.has("TRUNC");
  if (the.isDirectory(target)) return set.has("CREAT") || writes ? "EISDIR" : "ok";
  if (set.has("DIRECTORY")) return "ENOTDIR";
  if (target === "character" || target === "block") return "EACCES";
  if (writes && !mayWrite) return "EACCES";
  if (target === "socket") return "ENXIO";
  // Nobody reads it.
  if (target === "fifo" && access === "WRONLY") return "ENXIO";
  return "ok";
}

function checkOpened(fd: number, kind: the.Kind, { access, set }: How): void {
  const path = the.isLink(kind) ? "x.to" : "x";
  const found = call.fstat(fd);
  the.want(found.inode, call.stat(path).inode, "what was opened");
  the.want(call.fcntlNumber(fd, 3, 0) & 3, accesses[access], "the access mode it has");
  if ((found.mode & 0o170000) !== call.kindBits.file) return;
  const isNew = kind === "nothing" || kind === "dangling link";
  the.want(found.size, isNew || set.has("TRUNC") ? 0 : the.content.length, "size");
  if (isNew) the.want(found.mode & 0o7777, 0o640, "mode of what was made");
  const byte = Buffer.from("z");
  the.want(call.write(fd, byte, 1), access === "RDONLY" ? "EBADF" : "ok", "write");
  the.want(call.pread(fd, byte, 1, 0), access === "WRONLY" ? "EBADF" : "ok", "read");
  if (access !== "RDONLY" && set.has("APPEND")) the.want(call.fstat(fd).size, found.size + 1, "size after an append");
}

/** Before Linux 6.4 a file was made all the same. */
const [major = 0, minor = 0] = release().split(".").map(Number);
const refusesBoth = major > 6 || (major === 6 && minor >= 4);

/** All subsets; O_EXCL without O_CREAT is undefined. */
function* optionSets(): Generator<ReadonlySet<Option>> {
  for (let bits = 0; bits < 1 << optionNames.length; bits += 1) {
    const set = new Set(optionNames.filter((_, index) => (bits & (1 << index)) !== 0));
    const isDefined = !set.has("EXCL") || set.has("CREAT");
    if (isDefined && (refusesBoth || !set.has("CREAT") || !set.has("DIRECTORY"))) yield set;
  }
}

export const openFlagCases: the.Table = (add) => {
  for (const who of [call.owner, call.other])
    for (const kind of the.kinds)
      for (const access of Object.keys(accesses) as How["access"][])
        for (const set of optionSets()) {
          const how = { access, set, mayWrite: who !== call.other };
          add(
            `${kind} ${access} ${[...set].join("|")} by ${who.name}`,
            () => {
              let number = accesses[access] | NONBLOCK;
              for (const each of set) number |= options[each];
              const fd = call.as(who, () => call.open("x", number, 0o640));
              the.want(fd, outcome(kind, how), "open");
              the.want(the.kindAt("x"), kind === "nothing" && fd >= 0 ? "file" : the.madeKind(kind), "what is there");
              if (fd < 0) return;
              checkOpened(fd, kind, how);
              the.must(call.close(fd));
            },
            () => the.make(kind, "x", call.owner),
          );
        }
};

const masks = [0, 0o022, 0o027, 0o077, 0o777] as const;
const modes = [0, 0o400, 0o600, 0o644, 0o666, 0o755, 0o777, 0o1644, 0o2755, 0o4755, 0o6777] as const;

type Maker = (path: string, mode: number) => number;

/** What is made with which mode: the umask takes bits away, and nothing else does but who may not have setgid. */
const makers: Readonly<Record<string, Maker>> = {
  open: (path, mode) => {
    const fd = call.open(path, WRONLY | CREAT, mode);
    return fd < 0 ? fd : call.close(fd);
  },
  mkdir: (path, mode) => call.mkdir(path, mode & 0o1777),
  mkfifo: (path, mode) => call.mknod(path, call.kindBits.fifo | mode),
  "mknod file": (path, mode) => call.mknod(path, call.kindBits.file | mode),
  "mknod socket": (path, mode) => call.mknod(path, call.kindBits.socket | mode),
};

export const newModeCases: the.Table = (add) => {
  for (const who of [call.root, call.owner])
    for (const [name, maker] of Object.entries(makers))
      for (const mask of masks)
        for (const mode of modes)
          add(`${name} ${mode.toString(8)} with umask ${mask.toString(8)} by ${who.name}`, () => {
            call.umask(mask);
            the.want(
              call.as(who, () => maker("x", mode)),
              "ok",
              name,
            );
            const found = call.stat("x");
            const wanted = (name === "mkdir" ? mode & 0o1777 : mode) & ~mask;
            the.want(found.mode & 0o7777, wanted, "mode");
            the.want(found.uid, who.uid, "owner");
            the.want(found.gid, who.gid, "group");
            the.want(found.nlink, name === "mkdir" ? 2 : 1, "links");
            if (name !== "mkdir") the.want(found.size, 0, "size");
          });
};

const symlinkMaker: Maker = (path) => call.symlink("to", path);

/** In a setgid directory new things have its group, and new directories its setgid bit. */
export const groupCases: the.Table = (add) => {
  for (const who of [call.root, call.owner, call.member, call.other])
    for (const isSetgid of [false, true])
      for (const [name, maker] of [...Object.entries(makers), ["symlink", symlinkMaker] as const])
        for (const mode of [0o644, 0o755, 0o2755, 0o2644])
          add(`${name} ${mode.toString(8)} in a ${isSetgid ? "setgid " : ""}directory by ${who.name}`, () => {
            the.makeDirectory("d");
            the.must(call.chownAt(call.cwd, "d", 0, call.owner.gid, 0));
            the.must(call.chmod("d", isSetgid ? 0o2777 : 0o777));
            the.want(
              call.as(who, () => maker("d/x", mode)),
              "ok",
              name,
            );
            const found = call.stat("d/x");
            the.want(found.uid, who.uid, "owner");
            the.want(found.gid, isSetgid ? call.owner.gid : who.gid, "group");
            if (name === "symlink") return;
            const isIn = who === call.root || who === call.member || who === call.owner;
            let wanted = mode & ~0o022;
            if (name === "mkdir") wanted = (mode & 0o1777 & ~0o022) | (isSetgid ? 0o2000 : 0);
            // A program that would run for a group its maker is not in.
            else if (isSetgid && !isIn && (mode & 0o2010) === 0o2010) wanted &= ~0o2000;
            the.want(found.mode & 0o7777, wanted, "mode");
          });
};

export const temporaryFileCases: the.Table = (add) => {
  const places: Readonly<Record<string, string>> = {
    directory: "ok",
    "full directory": "ok",
    "link to directory": "ok",
    file: "ENOTDIR",
    fifo: "ENOTDIR",
    nothing: "ENOENT",
    "dangling link": "ENOENT",
    loop: "ELOOP",
  };
  for (const [kind, wanted] of Object.entries(places))
    for (const who of [call.root, call.owner, call.other])
      for (const access of ["WRONLY", "RDWR"] as const)
        add(`O_TMPFILE ${access} in ${kind} by ${who.name}`, () => {
          the.make(kind as the.Kind, "x", call.owner);
          const fd = call.as(who, () => call.open("x", TMPFILE | accesses[access], 0o604));
          the.want(fd, wanted === "ok" && who === call.other ? "EACCES" : wanted, "open");
          if (fd < 0) return;
          const found = call.fstat(fd);
          the.want(found.nlink, 0, "links");
          the.want(found.mode, call.kindBits.file | 0o604, "mode");
          the.want(found.uid, who.uid, "owner");
          the.must(call.write(fd, Buffer.from("abc"), 3));
          the.want(call.linkAt(call.cwd, `/proc/self/fd/${fd}`, call.cwd, "named", call.atFlags.FOLLOW), "ok", "link");
          the.want(call.fstat(fd).nlink, 1, "links after it");
          the.want(the.readAll("named"), "abc", "content");
          the.must(call.close(fd));
        });
  add("O_TMPFILE|O_EXCL has no name ever", () => {
    const fd = the.must(call.open(".", TMPFILE | WRONLY | EXCL, 0o600));
    the.want(call.linkAt(call.cwd, `/proc/self/fd/${fd}`, call.cwd, "n", call.atFlags.FOLLOW), "ENOENT", "link");
    the.must(call.close(fd));
  });
  add("O_TMPFILE is for writing", () => the.want(call.open(".", TMPFILE | RDONLY, 0o600), "EINVAL", "open"));
  for (const kind of the.kinds) {
    if (kind === "nothing") continue;
    for (const who of [call.root, call.other])
      add(`O_PATH of ${kind} by ${who.name}`, () => {
        the.make(kind, "x");
        if (!the.isLink(kind)) the.must(call.chmod("x", 0));
        const fd = call.as(who, () => call.open("x", PATH | NOFOLLOW, 0));
        the.want(fd, "ok", "open");
        the.want(call.fstat(fd).inode, call.stat("x").inode, "what was opened");
        the.want(call.read(fd, Buffer.alloc(1), 1), "EBADF", "read");
        the.want(call.fchmod(fd, 0o777), "EBADF", "fchmod");
        the.must(call.close(fd));
      });
  }
};
