/** Making names: mkdir(), mknod(), mkfifo(), symlink(), link(), on every kind of thing that may be there already, by whom, and what links lead to. */
import * as call from "./calls.ts";
import * as the from "./case.ts";

const { fifo, file, socket, character, block } = call.kindBits;

/** Who may not make a device is told so. */
const makers: Readonly<Record<string, (path: string) => number>> = {
  mkdir: (path) => call.mkdir(path, 0o755),
  mkfifo: (path) => call.mknod(path, fifo | 0o644),
  "mknod file": (path) => call.mknod(path, file | 0o644),
  "mknod socket": (path) => call.mknod(path, socket | 0o644),
  "mknod character": (path) => call.mknod(path, character | 0o644, 1, 5),
  "mknod block": (path) => call.mknod(path, block | 0o644, 7, 251),
  symlink: (path) => call.symlink("target", path),
  link: (path) => call.linkAt(call.cwd, "linked", call.cwd, path, 0),
};
const madeBy: Readonly<Record<string, string>> = {
  mkdir: "directory",
  mkfifo: "fifo",
  "mknod file": "file",
  "mknod socket": "socket",
  "mknod character": "character",
  "mknod block": "block",
  symlink: "symlink",
  link: "file",
};
const isDevice = (name: string): boolean => name === "mknod character" || name === "mknod block";

export const makeCases: the.Table = (add) => {
  for (const [name, maker] of Object.entries(makers))
    for (const who of call.everybody)
      for (const kind of the.kinds)
        for (const parent of ["open to all", "of another"] as const)
          add(`${name} where there is ${kind}, in a directory ${parent}, by ${who.name}`, () => {
            the.makeFile("linked", { mode: 0o666 });
            the.makeDirectory("d");
            the.make(kind, "d/x");
            the.must(call.chmod("d", parent === "of another" ? 0o755 : 0o777));
            const before = kind === "nothing" ? undefined : call.stat("d/x").inode;
            const result = call.as(who, () => maker("d/x"));
            the.want(result, makeOutcome(name, { who, kind, parent }), name);
            const wanted = result >= 0 ? (madeBy[name] ?? "") : the.madeKind(kind);
            the.want(the.kindAt("d/x"), wanted, "what is there");
            if (before !== undefined) the.want(call.stat("d/x").inode, before, "its inode");
            if (result < 0) return;
            const found = call.stat("d/x");
            if (name === "link") the.want(found.nlink, 2, "links");
            else the.want(found.uid, who.uid, "owner");
            if (name === "mknod character") the.want(`${found.major},${found.minor}`, "1,5", "device");
            if (name === "mknod block") the.want(`${found.major},${found.minor}`, "7,251", "device");
          });
  for (const [name, maker] of Object.entries(makers)) {
    add(`${name} where a link to nothing is leaves that alone`, () => {
      the.makeFile("linked");
      the.must(call.symlink("nowhere", "x"));
      the.want(maker("x"), "EEXIST", name);
      the.want(the.kindAt("nowhere"), "nothing", "where it leads");
    });
    for (const path of [".", "..", "./.", "/"])
      add(`${name} of "${path}"`, () => {
        the.makeFile("linked");
        the.want(maker(path), "EEXIST", name);
      });
    add(`${name} with a slash behind`, () => {
      the.makeFile("linked");
      the.want(maker("x/"), name === "mkdir" ? "ok" : "ENOENT", name);
    });
  }
};

function makeOutcome(
  name: string,
  { who, kind, parent }: { readonly who: call.Who; readonly kind: the.Kind; readonly parent: string },
): string | readonly string[] {
  if (kind !== "nothing") return "EEXIST";
  if (parent === "of another" && who !== call.root) return "EACCES";
  return isDevice(name) && who !== call.root ? "EPERM" : "ok";
}

export const symlinkCases: the.Table = (add) => {
  for (const length of [1, 2, 59, 60, 61, 127, 128, 255, 256, 1000, 1023, 1024, 4000, 4094, 4095, 4096])
    add(`a symlink of ${length} bytes`, () => {
      const target = "t".repeat(length);
      const result = call.symlink(target, "x");
      the.want(result, length < 4096 ? "ok" : "ENAMETOOLONG", "symlink");
      if (result < 0) return;
      the.want(call.readlink("x"), target, "target");
      the.want(call.stat("x").size, length, "size");
      the.want(call.readlink("x", 1), "t", "the first byte");
      the.want(call.stat("x").mode, call.kindBits.symlink | 0o777, "mode");
    });
  for (const target of ["", "a/b", "/", "..", "../x", "a//b/", "\xff\xfe".normalize(), "with space", "new\nline"])
    add(`a symlink to ${JSON.stringify(target)}`, () => {
      the.want(call.symlink(target, "x"), target === "" ? "ENOENT" : "ok", "symlink");
      if (target !== "") the.want(call.readlink("x"), Buffer.from(target).toString("latin1"), "target");
    });
  for (const kind of the.kinds)
    for (const who of [call.root, call.other])
      add(`readlink of ${kind} by ${who.name}`, () => {
        the.make(kind, "x");
        const found = call.as(who, () => call.readlink("x"));
        const target = kind === "loop" ? "x" : "x.to";
        the.want(found, the.isLink(kind) ? target : kind === "nothing" ? "ENOENT" : "EINVAL", "readlink");
      });
  for (const chain of [1, 2, 10, 39, 40, 41, 45])
    add(`${chain} symlinks in a row`, () => {
      the.makeFile("l0");
      for (let at = 1; at <= chain; at += 1) the.must(call.symlink(`l${at - 1}`, `l${at}`));
      const fd = call.open(`l${chain}`, call.flags.RDONLY, 0);
      the.want(fd, chain <= 40 ? "ok" : "ELOOP", "open");
      if (fd >= 0) the.must(call.close(fd));
    });
};

export const linkCases: the.Table = (add) => {
  for (const kind of the.kinds)
    for (const how of [0, call.atFlags.FOLLOW])
      add(`a link to ${kind}${how === 0 ? "" : " with AT_SYMLINK_FOLLOW"}`, () => {
        the.make(kind, "x");
        const target = how !== 0 && the.isLink(kind) ? (kind === "loop" ? "ELOOP" : "x.to") : "x";
        const result = call.linkAt(call.cwd, "x", call.cwd, "y", how);
        if (target === "ELOOP") return the.want(result, "ELOOP", "link");
        const there = the.kindAt(target);
        the.want(result, there === "nothing" ? "ENOENT" : there === "directory" ? "EPERM" : "ok", "link");
        if (result < 0) return the.want(the.kindAt("y"), "nothing", "what is there");
        the.want(call.stat("y").inode, call.stat(target).inode, "inode");
        the.want(call.stat("y").nlink, 2, "links");
        the.want(call.stat(target).nlink, 2, "links of the first name");
        the.must(call.unlink(target));
        the.want(call.stat("y").nlink, 1, "links after the first is gone");
      });
  for (const count of [2, 3, 10, 100])
    add(`${count} links of one file`, () => {
      the.makeFile("n0");
      for (let at = 1; at < count; at += 1) the.must(call.linkAt(call.cwd, "n0", call.cwd, `n${at}`, 0));
      for (let at = 0; at < count; at += 1) {
        the.want(call.stat(`n${at}`).nlink, count - at, "links");
        the.must(call.unlink(`n${at}`));
      }
    });
  for (let count = 0; count < 8; count += 1)
    add(`a directory with ${count} directories has ${count + 2} links`, () => {
      the.makeDirectory("d");
      the.makeFile("d/file");
      for (let at = 0; at < count; at += 1) the.makeDirectory(`d/${at}`);
      the.want(call.stat("d").nlink, count + 2, "links");
      for (let at = 0; at < count; at += 1) {
        the.must(call.rmdir(`d/${at}`));
        the.want(call.stat("d").nlink, count + 1 - at, "links while they go");
      }
    });
};
