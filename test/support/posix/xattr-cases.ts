/** Extended attributes and POSIX ACLs: names, sizes, flags, who may on what; what is inherited, and what an ACL allows. xattr(7), acl(5). */
import * as call from "./calls.ts";
import * as the from "./case.ts";

const [CREATE, REPLACE] = [1, 2];
const { RDONLY, WRONLY, CREAT } = call.flags;

function set(path: string, name: string, value: Uint8Array | string, how = 0): number {
  const bytes = Buffer.from(value);
  return call.setxattr(path, name, bytes.length === 0 ? Buffer.alloc(1) : bytes, bytes.length, how);
}

/** The value, or an errno. */
function get(path: string, name: string): string {
  const into = Buffer.alloc(70_000);
  const count = call.getxattr(path, name, into, into.length);
  return count < 0 ? call.nameOf(count) : into.toString("latin1", 0, count);
}

function list(path: string): string[] {
  const into = Buffer.alloc(70_000);
  const count = the.must(call.listxattr(path, into, into.length));
  return into
    .toString("latin1", 0, count)
    .split("\0")
    .filter((name) => name.length > 0 && !name.startsWith("security.selinux"));
}

const namespaces = ["user.", "trusted.", "security.", "nothing.", "USER.", "system."] as const;

/** Of users are only those of files and directories; trusted ones are root's, and others do not see them. */
function setOutcome(space: string, kind: the.Kind, who: call.Who): string | readonly string[] {
  if (kind === "nothing") return "ENOENT";
  if (space === "system.") return "EOPNOTSUPP";
  // Of a namespace that nobody knows first the right to write is asked for.
  if (space === "nothing." || space === "USER.")
    return who === call.other && !the.isLink(kind) ? "EACCES" : "EOPNOTSUPP";
  if (space === "trusted.") return who === call.root ? "ok" : "EPERM";
  if (space === "security.") return who === call.root ? "ok" : "EPERM";
  if (kind !== "file" && !the.isDirectory(kind)) return "EPERM";
  return who === call.root || who === call.owner ? "ok" : "EACCES";
}

export const xattrCases: the.Table = (add) => {
  for (const space of namespaces)
    for (const kind of the.kinds)
      for (const who of [call.root, call.owner, call.other])
        add(`${space}x of ${kind} by ${who.name}`, () => {
          the.make(kind, "x", call.owner);
          const result = call.as(who, () => set("x", `${space}x`, "value"));
          the.want(result, setOutcome(space, kind, who), "setxattr");
          if (result < 0) return;
          const mayRead = space !== "trusted." || who === call.root;
          the.want(
            call.as(who, () => get("x", `${space}x`)),
            mayRead ? "value" : "ENODATA",
            "getxattr",
          );
          the.want(list("x").includes(`${space}x`), true, "that it is listed");
          the.want(
            call.as(call.other, () => list("x").includes(`${space}x`)),
            space !== "trusted.",
            "that others see it",
          );
          the.want(
            call.as(who, () => call.removexattr("x", `${space}x`)),
            "ok",
            "removexattr",
          );
          the.want(get("x", `${space}x`), "ENODATA", "getxattr after it");
          the.want(call.removexattr("x", `${space}x`), "ENODATA", "removexattr again");
        });
  for (const kind of ["file", "directory"] as const)
    for (const isThere of [false, true])
      for (const how of [0, CREATE, REPLACE, CREATE | REPLACE, 4])
        add(`flags ${how} where an attribute ${isThere ? "is" : "is not"}, of a ${kind}`, () => {
          the.make(kind, "x");
          if (isThere) the.must(set("x", "user.a", "old"));
          const wanted =
            how === 4
              ? "EINVAL"
              : (how & CREATE) !== 0 && isThere
                ? "EEXIST"
                : (how & REPLACE) !== 0 && !isThere
                  ? "ENODATA"
                  : "ok";
          const result = set("x", "user.a", "new", how);
          the.want(result, wanted, "setxattr");
          the.want(get("x", "user.a"), result >= 0 ? "new" : isThere ? "old" : "ENODATA", "the value");
        });
  for (const length of [1, 10, 249, 250, 251, 300])
    add(`a name of ${length + 5} bytes`, () => {
      the.makeFile("x");
      const name = `user.${"n".repeat(length)}`;
      const wanted = name.length <= 255 ? "ok" : "ERANGE";
      the.want(set("x", name, "v"), wanted, "setxattr");
      the.want(get("x", name), wanted === "ok" ? "v" : "ERANGE", "getxattr");
      the.want(call.removexattr("x", name), wanted, "removexattr");
    });
  for (const name of ["", "user", "user.", "user.a b", "user.ü", "user.a.b.c", "user.user.x"])
    add(`the name ${JSON.stringify(name)}`, () => {
      the.makeFile("x");
      const wanted = name === "" ? "ERANGE" : name === "user" ? "EOPNOTSUPP" : name === "user." ? "EINVAL" : "ok";
      the.want(set("x", name, "v"), wanted, "setxattr");
      if (wanted === "ok") the.want(list("x").join(), Buffer.from(name).toString("latin1"), "the names");
    });
  for (const length of [0, 1, 100, 255, 256, 1000, 2000, 3000])
    for (const kind of ["file", "directory"] as const)
      add(`a value of ${length} bytes, of a ${kind}`, () => {
        the.make(kind, "x");
        const value = "v".repeat(length);
        the.want(set("x", "user.a", value), "ok", "setxattr");
        the.want(get("x", "user.a"), value, "value");
        const small = Buffer.alloc(Math.max(1, length));
        the.want(call.getxattr("x", "user.a", small, 0), length, "how long it is");
        if (length > 1) the.want(call.getxattr("x", "user.a", small, length - 1), "ERANGE", "where it does not fit");
        the.want(call.getxattr("x", "user.a", small, length), length, "where it does");
        the.want(call.listxattr("x", small, 0), 7, "how long the names are");
        the.want(call.listxattr("x", Buffer.alloc(6), 6), "ERANGE", "where they do not fit");
      });
  for (const length of [65_537, 100_000])
    add(`a value of ${length} bytes`, () => {
      the.makeFile("x");
      the.want(set("x", "user.a", "v".repeat(length)), "E2BIG", "setxattr");
    });
  for (const count of [0, 1, 2, 10, 40])
    add(`${count} attributes`, () => {
      the.makeFile("x");
      const names = Array.from({ length: count }, (_, at) => `user.n${at}`);
      for (const name of names) the.must(set("x", name, name));
      the.want(list("x").sort().join(), names.sort().join(), "the names");
      for (const name of names) the.want(get("x", name), name, "value");
      for (const name of names) the.must(call.removexattr("x", name));
      the.want(list("x").length, 0, "names that are left");
    });
  for (const mode of [0o700, 0o600, 0o400, 0o200, 0o000])
    add(`attributes of users by an owner of a file ${mode.toString(8)}`, () => {
      the.makeFile("x", { who: call.owner });
      the.must(set("x", "user.a", "v"));
      the.must(call.chmod("x", mode));
      call.as(call.owner, () => {
        the.want(get("x", "user.a"), (mode & 0o400) !== 0 ? "v" : "EACCES", "getxattr");
        the.want(set("x", "user.a", "w"), (mode & 0o200) !== 0 ? "ok" : "EACCES", "setxattr");
        the.want(call.removexattr("x", "user.a"), (mode & 0o200) !== 0 ? "ok" : "EACCES", "removexattr");
      });
    });
  for (const who of [call.root, call.owner, call.other])
    add(`attributes of users of a sticky directory by ${who.name}`, () => {
      the.makeDirectory("d", { who: call.owner, mode: 0o1777 });
      the.want(
        call.as(who, () => set("d", "user.a", "v")),
        who === call.other ? "EPERM" : "ok",
        "setxattr",
      );
    });
  add("attributes go with a file to its new name, and not to its copy", () => {
    the.makeFile("x");
    the.must(set("x", "user.a", "v"));
    the.must(call.renameAt(call.cwd, "x", call.cwd, "y", 0));
    the.must(call.linkAt(call.cwd, "y", call.cwd, "z", 0));
    the.want(get("y", "user.a"), "v", "under the new name");
    the.want(get("z", "user.a"), "v", "under a second name");
  });
};

const none = 0xffff_ffff;
/** Tags of entries. */
const [USER_OBJ, USER, GROUP_OBJ, GROUP, MASK, OTHER] = [1, 2, 4, 8, 16, 32];
type Entry = readonly [tag: number, bits: number, id?: number];

function acl(...entries: readonly Entry[]): Buffer {
  const bytes = Buffer.alloc(4 + 8 * entries.length);
  bytes.writeUInt32LE(2, 0);
  for (const [index, [tag, bits, id = none]] of entries.entries()) {
    bytes.writeUInt16LE(tag, 4 + 8 * index);
    bytes.writeUInt16LE(bits, 6 + 8 * index);
    bytes.writeUInt32LE(id, 8 + 8 * index);
  }
  return bytes;
}

const [accessAcl, defaultAcl] = ["system.posix_acl_access", "system.posix_acl_default"];
const { owner, member, other } = call;

/** The bits of each entry, as they are on a path. */
function bitsOf(path: string, name: string): string {
  const text = get(path, name);
  if (text.startsWith("E")) return text;
  const bytes = Buffer.from(text, "latin1");
  const found: number[] = [];
  for (let at = 4; at < bytes.length; at += 8) found.push(bytes.readUInt16LE(at + 2));
  return found.join("");
}

export const aclCases: the.Table = (add) => {
  const makers: Readonly<Record<string, (path: string, mode: number) => number>> = {
    open: (path, mode) => {
      const fd = call.open(path, WRONLY | CREAT, mode);
      return fd < 0 ? fd : call.close(fd);
    },
    mkdir: (path, mode) => call.mkdir(path, mode),
    mkfifo: (path, mode) => call.mknod(path, call.kindBits.fifo | mode),
    mknod: (path, mode) => call.mknod(path, call.kindBits.file | mode),
  };
  // The umask does not count where there is a default ACL.
  for (const [name, maker] of Object.entries(makers))
    for (const mode of [0o777, 0o755, 0o666, 0o640, 0o600, 0])
      for (const mask of [0, 0o022, 0o077])
        for (const [user, named, group, limit, others] of [
          [7, 7, 7, 7, 7],
          [7, 5, 4, 7, 0],
          [6, 7, 5, 5, 4],
          [4, 6, 6, 2, 1],
        ] as const)
          for (const who of [call.root, owner])
            add(
              `${name} ${mode.toString(8)} with umask ${mask.toString(8)} below a default ACL ${user}${named}${group}${limit}${others} by ${who.name}`,
              () => {
                the.makeDirectory("d", { mode: 0o777 });
                const given = acl(
                  [USER_OBJ, user],
                  [USER, named, other.uid],
                  [GROUP_OBJ, group],
                  [MASK, limit],
                  [OTHER, others],
                );
                the.must(set("d", defaultAcl, given));
                call.umask(mask);
                the.want(
                  call.as(who, () => maker("d/x", mode)),
                  "ok",
                  name,
                );
                const [u, g, o] = [(mode >> 6) & user, (mode >> 3) & limit, mode & others].map((bits) => bits & 7);
                the.want(call.stat("d/x").mode & 0o777, ((u ?? 0) << 6) | ((g ?? 0) << 3) | (o ?? 0), "mode");
                the.want(bitsOf("d/x", accessAcl), `${u}${named}${group}${g}${o}`, "access ACL");
                const inherited = name === "mkdir" ? `${user}${named}${group}${limit}${others}` : "ENODATA";
                the.want(bitsOf("d/x", defaultAcl), inherited, "default ACL");
              },
            );
  // What an ACL allows: the owner's entry, a user's, the best of groups, others'; the mask limits all between. (Linux looks at no ACL whose mask is 0.)
  for (let bits = 0; bits < 8; bits += 1)
    for (const mask of [1, 2, 3, 4, 5, 6, 7])
      for (const [title, who, entry] of [
        ["a named user", other, [USER, bits, other.uid]],
        ["a named group", other, [GROUP, bits, other.gid]],
        ["the group", member, [GROUP_OBJ, bits]],
      ] as const)
        add(`${title} with ${bits} and the mask ${mask}`, () => {
          the.makeFile("x", { who: owner });
          const entries: Entry[] = [[USER_OBJ, 7], entry, [MASK, mask], [OTHER, 7 ^ bits]];
          if (entry[0] !== GROUP_OBJ) entries.push([GROUP_OBJ, 0]);
          the.must(set("x", accessAcl, acl(...entries.sort(([a], [b]) => a - b))));
          the.want(call.stat("x").mode & 0o777, 0o700 | (mask << 3) | (7 ^ bits), "mode");
          for (let how = 1; how < 8; how += 1)
            the.want(
              call.as(who, () => call.access("x", how)),
              (how & ~(bits & mask)) === 0 ? "ok" : "EACCES",
              `access ${how}`,
            );
          const fd = call.as(who, () => call.open("x", RDONLY, 0));
          the.want(fd, (bits & mask & 4) !== 0 ? "ok" : "EACCES", "open");
          if (fd >= 0) the.must(call.close(fd));
        });
  for (const mode of [0, 0o640, 0o777, 0o421])
    add(`chmod ${mode.toString(8)} changes the mask of an ACL`, () => {
      the.makeFile("x");
      the.must(set("x", accessAcl, acl([USER_OBJ, 6], [USER, 7, 5], [GROUP_OBJ, 5], [MASK, 7], [OTHER, 4])));
      the.must(call.chmod("x", mode));
      the.want(bitsOf("x", accessAcl), `${mode >> 6}75${(mode >> 3) & 7}${mode & 7}`, "access ACL");
    });
  const broken: Readonly<Record<string, Buffer>> = {
    "without others": acl([USER_OBJ, 7], [GROUP_OBJ, 5]),
    "without a mask": acl([USER_OBJ, 7], [USER, 7, 5], [GROUP_OBJ, 5], [OTHER, 4]),
    "of another version": Buffer.from([3, 0, 0, 0]),
    "that is cut off": acl([USER_OBJ, 7], [GROUP_OBJ, 5], [OTHER, 4]).subarray(0, 15),
    "in the wrong order": acl([OTHER, 7], [USER_OBJ, 7], [GROUP_OBJ, 5]),
  };
  for (const [name, bytes] of Object.entries(broken))
    for (const which of [accessAcl, defaultAcl])
      add(`${which} ${name}`, () => {
        the.makeDirectory("d");
        the.want(
          set("d", which, bytes),
          name === "of another version" ? ["EOPNOTSUPP", "EINVAL"] : "EINVAL",
          "setxattr",
        );
      });
  add("an ACL that says no more than the mode is the mode", () => {
    the.makeFile("x");
    the.must(set("x", accessAcl, acl([USER_OBJ, 6], [GROUP_OBJ, 2], [OTHER, 1])));
    the.want(call.stat("x").mode & 0o777, 0o621, "mode");
    the.want(get("x", accessAcl), "ENODATA", "access ACL");
  });
  for (const who of call.everybody)
    for (const [kind, which] of [
      ["file", accessAcl],
      ["directory", accessAcl],
      ["directory", defaultAcl],
      ["file", defaultAcl],
    ] as const)
      add(`${which} of a ${kind} is set by ${who.name}`, () => {
        the.make(kind, "x", owner);
        const given = acl([USER_OBJ, 7], [USER, 5, 9], [GROUP_OBJ, 5], [MASK, 5], [OTHER, 4]);
        const isOwner = who === call.root || who === owner;
        const wanted = kind === "file" && which === defaultAcl ? "EACCES" : isOwner ? "ok" : "EPERM";
        the.want(
          call.as(who, () => set("x", which, given)),
          isOwner ? wanted : ["EPERM", "EACCES"],
          "setxattr",
        );
      });
  // Who is not in the group of a file loses its setgid with a new ACL.
  for (const [gid, isCleared] of [
    [owner.gid, false],
    [other.gid, true],
  ] as const)
    add(`an ACL set by the owner of a setgid file of ${isCleared ? "another" : "the own"} group`, () => {
      the.makeFile("x");
      the.must(call.chownAt(call.cwd, "x", owner.uid, gid, 0));
      the.must(call.chmod("x", 0o2755));
      const given = acl([USER_OBJ, 7], [USER, 5, 9], [GROUP_OBJ, 5], [MASK, 5], [OTHER, 4]);
      the.must(call.as(owner, () => set("x", accessAcl, given)));
      the.want(call.stat("x").mode & 0o7777, isCleared ? 0o754 : 0o2754, "mode");
    });
};
