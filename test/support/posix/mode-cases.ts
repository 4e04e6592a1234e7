/** Modes and owners: chmod(), fchmod(), chown(), lchown(), access(), and what permission bits allow whom. POSIX 4.7, File Access Permissions; chown(2) for setuid and setgid. */
import * as call from "./calls.ts";
import * as the from "./case.ts";

const { RDONLY, WRONLY, RDWR, TRUNC, NONBLOCK } = call.flags;
const shiftOf = new Map([
  [call.owner, 6],
  [call.member, 3],
  [call.other, 0],
]);
const [readBit, writeBit, executeBit] = [4, 2, 1];

function opened(fd: number): number {
  return fd < 0 ? fd : call.close(fd);
}

/** Only the bits of one's own class count, even where others have more. */
export const rightCases: the.Table = (add) => {
  const calls: Readonly<Record<string, { readonly needs: number; readonly act: () => number }>> = {
    "open O_RDONLY": { needs: readBit, act: () => opened(call.open("x", RDONLY | NONBLOCK, 0)) },
    "open O_WRONLY": { needs: writeBit, act: () => opened(call.open("x", WRONLY, 0)) },
    "open O_RDWR": { needs: readBit | writeBit, act: () => opened(call.open("x", RDWR, 0)) },
    "open O_RDONLY|O_TRUNC": { needs: readBit | writeBit, act: () => opened(call.open("x", RDONLY | TRUNC, 0)) },
    truncate: { needs: writeBit, act: () => call.truncate("x", 1) },
    "utimensat of now": { needs: writeBit, act: () => call.setTimes("x", undefined) },
    setxattr: { needs: writeBit, act: () => call.setxattr("x", "user.a", Buffer.from("v"), 1, 0) },
    getxattr: { needs: readBit, act: () => call.getxattr("x", "user.b", Buffer.alloc(9), 9) },
  };
  for (const [who, shift] of shiftOf)
    for (let bits = 0; bits < 8; bits += 1) {
      const mode = (0o777 & ~(7 << shift) & ((7 ^ bits) * 0o111)) | (bits << shift);
      for (const [name, each] of Object.entries(calls)) {
        add(`${name} of a file of mode ${mode.toString(8)} by ${who.name}`, () => {
          the.makeFile("x");
          the.must(call.setxattr("x", "user.b", Buffer.from("v"), 1, 0));
          the.give("x", call.owner, mode);
          const isOwn = name === "utimensat of now" && who === call.owner;
          the.want(call.as(who, each.act), isOwn || (each.needs & ~bits) === 0 ? "ok" : "EACCES", name);
        });
      }
      for (const kind of ["file", "directory"] as const)
        for (let how = 0; how < 8; how += 1) {
          add(`access ${how} to a ${kind} of mode ${mode.toString(8)} by ${who.name}`, () => {
            the.make(kind, "x");
            the.give("x", call.owner, mode);
            the.want(
              call.as(who, () => call.access("x", how)),
              (how & ~bits) === 0 ? "ok" : "EACCES",
              "access",
            );
          });
        }
      add(`listing a directory of mode ${mode.toString(8)} by ${who.name}`, () => {
        the.makeDirectory("x");
        the.give("x", call.owner, mode);
        the.want(
          call.as(who, () => opened(call.open("x", RDONLY, 0))),
          (bits & readBit) !== 0 ? "ok" : "EACCES",
          "open",
        );
      });
      add(`the way through a directory of mode ${mode.toString(8)} by ${who.name}`, () => {
        the.makeDirectory("x");
        the.makeFile("x/y");
        the.give("x", call.owner, mode);
        the.want(
          call.as(who, () => call.access("x/y", readBit)),
          (bits & executeBit) !== 0 ? "ok" : "EACCES",
          "access",
        );
      });
    }
  for (const kind of ["file", "directory"] as const)
    for (const mode of [0, 0o001, 0o010, 0o100, 0o666, 0o777])
      for (let how = 0; how < 8; how += 1)
        add(`access ${how} to a ${kind} of mode ${mode.toString(8)} by root`, () => {
          the.make(kind, "x", call.owner);
          the.must(call.chmod("x", mode));
          // Root runs what somebody may run.
          const wanted = (how & executeBit) !== 0 && kind === "file" && (mode & 0o111) === 0 ? "EACCES" : "ok";
          the.want(call.access("x", how), wanted, "access");
        });
  for (const how of [8, 16, 255, -1])
    add(`access with mode ${how}`, () => {
      the.makeFile("x");
      the.want(call.access("x", how), "EINVAL", "access");
    });
};

const modes = [
  0, 0o111, 0o222, 0o444, 0o640, 0o755, 0o777, 0o1000, 0o1777, 0o2000, 0o2755, 0o2644, 0o4000, 0o4755, 0o6711, 0o7777,
];

export const chmodCases: the.Table = (add) => {
  for (const kind of the.nodeKinds)
    for (const who of call.everybody)
      for (const mode of modes)
        add(`chmod of ${kind} to ${mode.toString(8)} by ${who.name}`, () => {
          the.make(kind, "x", call.owner);
          const before = call.stat("x");
          const result = call.as(who, () => call.chmod("x", mode));
          const isAllowed = who === call.root || who === call.owner;
          the.want(result, isAllowed ? "ok" : "EPERM", "chmod");
          the.want(call.stat("x").mode & 0o7777, isAllowed ? mode : before.mode & 0o7777, "mode");
          the.want(call.stat("x").mode & 0o170000, before.mode & 0o170000, "kind");
        });
  for (const kind of ["file", "directory"] as const)
    for (const mode of modes)
      for (const who of [call.root, call.owner, call.other])
        add(`fchmod of ${kind} to ${mode.toString(8)} by ${who.name}`, () => {
          the.make(kind, "x", call.owner);
          const fd = the.must(call.open("x", RDONLY, 0));
          the.want(
            call.as(who, () => call.fchmod(fd, mode)),
            who === call.other ? "EPERM" : "ok",
            "fchmod",
          );
          if (who !== call.other) the.want(call.stat("x").mode & 0o7777, mode, "mode");
          the.must(call.close(fd));
        });
  // Who is not in the group of a file cannot have a program run for it.
  for (const kind of ["file", "directory", "fifo"] as const)
    for (const mode of [0o2755, 0o2644, 0o6777])
      for (const group of [call.owner.gid, call.other.gid])
        for (const who of [call.root, call.owner])
          add(`chmod of ${kind} with group ${group} to ${mode.toString(8)} by ${who.name}`, () => {
            the.make(kind, "x");
            the.must(call.chownAt(call.cwd, "x", call.owner.uid, group, 0));
            the.want(
              call.as(who, () => call.chmod("x", mode)),
              "ok",
              "chmod",
            );
            const isCleared = who !== call.root && group !== who.gid;
            the.want(call.stat("x").mode & 0o7777, isCleared ? mode & ~0o2000 : mode, "mode");
          });
  for (const kind of the.linkKinds)
    add(`chmod of ${kind}`, () => {
      the.make(kind, "x");
      the.want(call.chmod("x", 0o700), kind === "loop" ? "ELOOP" : kind === "dangling link" ? "ENOENT" : "ok", "chmod");
      the.want(call.stat("x").mode & 0o777, 0o777, "mode of the link");
    });
};

const keep = 0xffff_ffff;

export const chownCases: the.Table = (add) => {
  const owners = [call.owner.uid, call.other.uid, 0, keep];
  const groups = [call.owner.gid, call.other.gid, 65_600, 0, keep];
  const inMore: call.Who = { ...call.owner, name: "owner in another group", groups: [65_600] };
  for (const who of [call.root, call.owner, inMore, call.member, call.other])
    for (const uid of owners)
      for (const gid of groups)
        for (const kind of ["file", "directory", "link to file"] as const)
          add(`chown of ${kind} to ${uid}:${gid} by ${who.name}`, () => {
            the.make(kind, "x", call.owner);
            const result = call.as(who, () => call.chownAt(call.cwd, "x", uid, gid, call.atFlags.NOFOLLOW));
            const isOwner = who.uid === call.owner.uid;
            const mayOwner = uid === keep || (isOwner && uid === call.owner.uid);
            const mayGroup = gid === keep || (isOwner && (gid === who.gid || who.groups.includes(gid)));
            the.want(result, who === call.root || (mayOwner && mayGroup) ? "ok" : "EPERM", "chown");
            const found = call.stat("x");
            const isDone = result >= 0;
            the.want(found.uid, isDone && uid !== keep ? uid : call.owner.uid, "owner");
            the.want(found.gid, isDone && gid !== keep ? gid : call.owner.gid, "group");
            if (the.isLink(kind)) the.want(call.stat("x.to").uid, call.owner.uid, "owner of what it leads to");
          });
  // Programs that run as their owner or group stop doing so with another one; directories keep their mark.
  for (const kind of ["file", "directory", "fifo"] as const)
    for (const mode of [0o4755, 0o2755, 0o6755, 0o6711, 0o2644, 0o6644, 0o4000, 0o2000, 0o1777, 0o7777])
      for (const who of [call.root, call.owner])
        for (const [uid, gid] of [
          [keep, call.owner.gid],
          [call.owner.uid, keep],
          [keep, keep],
        ] as const)
          add(`chown of ${kind} ${mode.toString(8)} to ${uid}:${gid} by ${who.name}`, () => {
            the.make(kind, "x");
            the.give("x", call.owner, mode);
            the.want(
              call.as(who, () => call.chownAt(call.cwd, "x", uid, gid, 0)),
              "ok",
              "chown",
            );
            let wanted = mode;
            if (kind !== "directory") {
              wanted &= ~0o4000;
              if ((mode & 0o010) !== 0) wanted &= ~0o2000;
            }
            the.want(call.stat("x").mode & 0o7777, wanted, "mode");
          });
  // What writes to a program or cuts it clears its marks, but by root.
  const writers: Readonly<Record<string, () => number>> = {
    write: () => {
      const fd = the.must(call.open("x", WRONLY, 0));
      const result = call.write(fd, Buffer.from("z"), 1);
      return result < 0 ? result : call.close(fd);
    },
    truncate: () => call.truncate("x", 2),
    "truncate to more": () => call.truncate("x", 200),
    "open O_TRUNC": () => opened(call.open("x", WRONLY | TRUNC, 0)),
    ftruncate: () => {
      const fd = the.must(call.open("x", WRONLY, 0));
      const result = call.ftruncate(fd, 1);
      return result < 0 ? result : call.close(fd);
    },
    fallocate: () => {
      const fd = the.must(call.open("x", WRONLY, 0));
      const result = call.fallocate(fd, 0, 0, 100);
      return result < 0 ? result : call.close(fd);
    },
  };
  for (const [name, act] of Object.entries(writers))
    for (const mode of [0o4777, 0o2777, 0o6777, 0o6767, 0o6666, 0o7777, 0o1666])
      for (const who of call.everybody)
        add(`${name} of a file ${mode.toString(8)} by ${who.name}`, () => {
          the.makeFile("x");
          the.give("x", call.owner, mode);
          the.want(call.as(who, act), "ok", name);
          let wanted = mode;
          if (who !== call.root) {
            wanted &= ~0o4000;
            if ((mode & 0o010) !== 0 || (who === call.other && (mode & 0o2000) !== 0)) wanted &= ~0o2000;
          }
          the.want(call.stat("x").mode & 0o7777, wanted, "mode");
        });
};
