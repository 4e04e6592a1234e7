/** Taking names away: unlink(), rmdir(), and sticky directories, in which only the owner of a file or of the directory may. */
import * as call from "./calls.ts";
import * as the from "./case.ts";

const removers: Readonly<Record<string, (path: string) => number>> = {
  unlink: (path) => call.unlink(path),
  rmdir: (path) => call.rmdir(path),
};

function removeOutcome(name: string, kind: the.Kind): string {
  if (kind === "nothing") return "ENOENT";
  if (name === "unlink") return the.isDirectory(kind) ? "EISDIR" : "ok";
  if (!the.isDirectory(kind)) return "ENOTDIR";
  return kind === "full directory" ? "ENOTEMPTY" : "ok";
}

export const removeCases: the.Table = (add) => {
  for (const [name, remover] of Object.entries(removers))
    for (const kind of the.kinds)
      for (const who of call.everybody)
        for (const mode of [0o777, 0o755, 0o555]) {
          add(
            `${name} of ${kind} in a directory of mode ${mode.toString(8)} by ${who.name}`,
            () => {
              const mayWrite = who === call.root || mode === 0o777 || (mode === 0o755 && who === call.owner);
              const allowed = removeOutcome(name, kind);
              const result = call.as(who, () => remover("d/x"));
              // Permission to write is looked at before what is there, but not before whether it is.
              the.want(result, mayWrite || kind === "nothing" ? allowed : "EACCES", name);
              the.want(the.kindAt("d/x"), result >= 0 ? "nothing" : the.madeKind(kind), "what is left");
              if (the.isLink(kind) && kind !== "loop" && kind !== "dangling link")
                the.want(the.kindAt("d/x.to"), kind === "link to file" ? "file" : "directory", "where it led");
            },
            () => {
              the.makeDirectory("d", { who: call.owner });
              the.make(kind, "d/x");
              the.must(call.chmod("d", mode));
            },
          );
        }
  for (const [name, act] of [
    ["unlink", () => call.unlink("x")],
    ["rename over", () => call.renameAt(call.cwd, "y", call.cwd, "x", 0)],
  ] as const)
    for (const flags of [call.flags.RDONLY, call.flags.RDWR])
      add(
        `${name} of a file that is open, with flags ${flags}`,
        () => {
          const fd = the.must(call.open("x", flags, 0));
          const before = call.fstat(fd);
          the.waitTick();
          the.want(act(), "ok", name);
          const { nlink, size, ctime } = call.fstat(fd);
          the.want(nlink, 0, "links");
          the.want(size, before.size, "size");
          the.want(ctime > before.ctime, true, "that the time of change is later");
          const bytes = Buffer.alloc(50);
          the.want(call.read(fd, bytes, 50), the.content.length, "read");
          the.want(bytes.toString("latin1", 0, the.content.length), the.content, "content");
          the.must(call.close(fd));
        },
        () => {
          the.makeFile("x");
          the.makeFile("y", { text: "another" });
        },
      );
  for (const [path, wanted] of [
    [".", "EINVAL"],
    ["d/.", "EINVAL"],
    ["d/..", "ENOTEMPTY"],
    ["d/", "ok"],
    ["d//", "ok"],
    ["link/", "ENOTDIR"],
    ["link", "ENOTDIR"],
    ["link/.", "EINVAL"],
    ["file/", "ENOTDIR"],
    ["/", "EBUSY"],
  ] as const)
    add(`rmdir of "${path}"`, () => {
      the.makeDirectory("d");
      the.makeFile("file");
      the.must(call.symlink("d", "link"));
      the.want(call.rmdir(path), wanted, "rmdir");
    });
  for (const [path, wanted] of [
    ["d", "EISDIR"],
    ["d/", "EISDIR"],
    ["file/", "ENOTDIR"],
    ["link/", "ENOTDIR"],
    ["d/none/", "ENOENT"],
    [".", "EISDIR"],
    ["..", "EISDIR"],
    ["/", "EISDIR"],
  ] as const)
    add(`unlink of "${path}"`, () => {
      the.makeDirectory("d");
      the.makeFile("file");
      the.must(call.symlink("d", "link"));
      the.want(call.unlink(path), wanted, "unlink");
    });
};

const victims = ["file", "directory", "fifo", "dangling link"] as const;

/** Ways to take a name away; `take` gets the path, and "mine", an own one beside it of the same kind. */
const takings: Readonly<Record<string, (kind: the.Kind) => number>> = {
  remove: (kind) => (kind === "directory" ? call.rmdir("d/x") : call.unlink("d/x")),
  "rename away": () => call.renameAt(call.cwd, "d/x", call.cwd, "mine/y", 0),
  "rename over": () => call.renameAt(call.cwd, "mine/x", call.cwd, "d/x", 0),
  "rename there": () => call.renameAt(call.cwd, "d/x", call.cwd, "d/y", 0),
  exchange: () => call.renameAt(call.cwd, "mine/x", call.cwd, "d/x", call.renameFlags.EXCHANGE),
};

export const stickyCases: the.Table = (add) => {
  const people = [call.root, call.owner, call.other];
  for (const who of people)
    for (const directoryOf of people)
      for (const fileOf of people)
        for (const kind of victims)
          for (const isSticky of [true, false])
            for (const [name, take] of Object.entries(takings))
              add(
                `${name} ${kind} of ${fileOf.name} in a ${isSticky ? "sticky " : ""}directory of ${directoryOf.name} by ${who.name}`,
                () => {
                  the.makeDirectory("mine", { mode: 0o777, who });
                  the.make(kind, "mine/x", who);
                  the.makeDirectory("d", { who: directoryOf });
                  the.make(kind, "d/x", fileOf);
                  the.must(call.chmod("d", isSticky ? 0o1777 : 0o777));
                  const isFree = !isSticky || who === call.root || who === directoryOf || who === fileOf;
                  // A directory that comes to another place has its ".." written.
                  const isMoved = kind === "directory" && (name === "rename away" || name === "exchange");
                  const mayMove = !isMoved || who === call.root || who === fileOf;
                  the.want(
                    call.as(who, () => take(kind)),
                    isFree ? (mayMove ? "ok" : "EACCES") : "EPERM",
                    name,
                  );
                },
              );
};
