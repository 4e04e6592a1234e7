/** rename(): every kind over every kind in each way, into itself, names of one file, who may, and what it marks. POSIX rename(), rename(2). */
import * as call from "./calls.ts";
import * as the from "./case.ts";

const { NOREPLACE, EXCHANGE } = call.renameFlags;
const ways = { replace: 0, NOREPLACE, EXCHANGE } as const;
type Way = keyof typeof ways;

function rename(from: string, to: string, how: number = 0): number {
  return call.renameAt(call.cwd, from, call.cwd, to, how);
}

function outcome(from: the.Kind, to: the.Kind, way: Way): string {
  if (from === "nothing") return "ENOENT";
  if (way === "EXCHANGE") return to === "nothing" ? "ENOENT" : "ok";
  if (to === "nothing") return "ok";
  if (way === "NOREPLACE") return "EEXIST";
  if (the.isDirectory(from)) return the.isDirectory(to) ? (to === "directory" ? "ok" : "ENOTEMPTY") : "ENOTDIR";
  return the.isDirectory(to) ? "EISDIR" : "ok";
}

export const renameKindCases: the.Table = (add) => {
  for (const way of Object.keys(ways) as Way[])
    for (const target of ["a/y", "b/y"])
      for (const from of the.kinds)
        for (const to of the.kinds)
          add(
            `${way} ${from} over ${to} in ${target.startsWith("a") ? "the same" : "another"} directory`,
            () => {
              const [first, second] = [call.findStat("a/x"), call.findStat(target)];
              const result = rename("a/x", target, ways[way]);
              the.want(result, outcome(from, to, way), "rename");
              const inodeOf = (stat: call.Stat | number): bigint => (typeof stat === "number" ? 0n : stat.inode);
              const isDone = result >= 0;
              const [x, y] = [inodeOf(call.findStat("a/x")), inodeOf(call.findStat(target))];
              the.want(y, inodeOf(isDone ? first : second), "what the new name leads to");
              the.want(
                x,
                isDone ? (way === "EXCHANGE" ? inodeOf(second) : 0n) : inodeOf(first),
                "what the old name leads to",
              );
              if (isDone && from === "full directory")
                the.want(the.kindAt(`${target}/inside`), "file", "what is in it");
              const subdirectories = ["a", "b"]
                .map((name) => call.stat(name).nlink)
                .reduce((sum, each) => sum + each, -4);
              const targets = [from, to].filter((kind) => kind === "link to directory").length;
              const gone = isDone && way !== "EXCHANGE" && the.isDirectory(to) ? 1 : 0;
              const made = [from, to].filter((kind) => the.isDirectory(kind)).length;
              the.want(subdirectories, made + targets - gone, "links of the directories");
            },
            () => {
              the.makeDirectory("a");
              the.makeDirectory("b");
              the.make(from, "a/x");
              the.make(to, target);
            },
          );
};

export const renameEdgeCases: the.Table = (add) => {
  const edges: readonly (readonly [string, string, number, string | readonly string[]])[] = [
    ["d", "d/x", 0, "EINVAL"],
    ["d", "d/e/x", 0, "EINVAL"],
    ["d", "d/e", 0, "EINVAL"],
    ["d/e", "d", 0, "ENOTEMPTY"],
    ["d/e/f", "d", 0, "ENOTEMPTY"],
    ["d", "d/e", EXCHANGE, "EINVAL"],
    ["d/e", "d", EXCHANGE, "EINVAL"],
    ["d", "d", 0, "ok"],
    ["d", "d", EXCHANGE, "ok"],
    ["d", "d", NOREPLACE, "EEXIST"],
    ["f", "f", 0, "ok"],
    ["f", "f", NOREPLACE, "EEXIST"],
    ["d/", "n", 0, "ok"],
    ["d/", "n/", 0, "ok"],
    ["d", "n/", 0, "ok"],
    ["f/", "n", 0, "ENOTDIR"],
    ["f", "n/", 0, "ENOTDIR"],
    ["f", "d/", 0, ["EISDIR", "ENOTDIR"]],
    ["d", "f/", 0, "ENOTDIR"],
    [".", "n", 0, "EBUSY"],
    ["d/.", "n", 0, "EBUSY"],
    ["d/..", "n", 0, "EBUSY"],
    ["d", ".", 0, "EBUSY"],
    ["d", "d/..", 0, "EBUSY"],
    ["d", ".", NOREPLACE, "EEXIST"],
    ["f", "g", NOREPLACE | EXCHANGE, "EINVAL"],
    ["f", "g", 8, "EINVAL"],
    ["f", "n/x", 0, "ENOENT"],
    ["f", "g/x", 0, "ENOTDIR"],
    ["n/x", "f", 0, "ENOENT"],
    ["g/x", "f", 0, "ENOTDIR"],
    ["f", "/proc/self/x", 0, "EXDEV"],
    ["f", "", 0, "ENOENT"],
    ["", "f", 0, "ENOENT"],
    ["dl/", "n", 0, "ENOTDIR"],
    ["dl", "n", 0, "ok"],
    ["d", "dl", 0, "ENOTDIR"],
    ["d", "dl/", 0, "ENOTDIR"],
    ["f", "dl/x", 0, "ok"],
    ["dl/e", "n", 0, "ok"],
  ];
  for (const [from, to, how, wanted] of edges)
    add(`"${from}" to "${to}"${how === 0 ? "" : ` with flags ${how}`}`, () => {
      the.makeDirectory("d");
      the.makeDirectory("d/e");
      the.makeFile("d/e/f");
      the.makeFile("f");
      the.makeFile("g");
      the.must(call.symlink("d", "dl"));
      the.want(rename(from, to, how), wanted, "rename");
    });
  for (const how of [0, EXCHANGE, NOREPLACE])
    for (const place of ["x", "d/x"])
      add(`two names of one file, flags ${how}, ${place}`, () => {
        the.makeDirectory("d");
        the.makeFile("f");
        the.must(call.linkAt(call.cwd, "f", call.cwd, place, 0));
        the.want(rename("f", place, how), how === NOREPLACE ? "EEXIST" : "ok", "rename");
        the.want(call.stat("f").nlink, 2, "links");
        the.want(call.stat(place).nlink, 2, "links of the other name");
      });
  for (const length of [1, 254, 255, 256])
    for (const how of [0, NOREPLACE, EXCHANGE])
      add(`to a name of ${length} bytes, flags ${how}`, () => {
        the.makeFile("f");
        const name = "n".repeat(length);
        if (how === EXCHANGE && length < 256) the.makeFile(name);
        the.want(rename("f", name, how), length < 256 ? "ok" : "ENAMETOOLONG", "rename");
      });
  add("what is open goes on under its new name", () => {
    the.makeFile("f");
    const fd = the.must(call.open("f", call.flags.RDWR, 0));
    the.must(rename("f", "g"));
    the.must(call.pwrite(fd, Buffer.from("S"), 1, 0));
    the.want(the.readAll("g")[0] ?? "", "S", "first byte");
    the.must(call.close(fd));
  });
  add("what is replaced goes on for those who have it open", () => {
    the.makeFile("f", { text: "old" });
    the.makeFile("g", { text: "new" });
    const fd = the.must(call.open("f", call.flags.RDWR, 0));
    the.must(rename("g", "f"));
    const bytes = Buffer.alloc(3);
    the.must(call.pread(fd, bytes, 3, 0));
    the.want(bytes.toString(), "old", "content");
    the.want(call.fstat(fd).nlink, 0, "links");
    the.want(the.readAll("f"), "new", "content by name");
    the.must(call.close(fd));
  });
  add("a replaced name of two leaves the other", () => {
    the.makeFile("f");
    the.makeFile("g");
    the.must(call.linkAt(call.cwd, "f", call.cwd, "h", 0));
    the.must(rename("g", "f"));
    the.want(call.stat("h").nlink, 1, "links");
  });
  add("the .. of a moved directory leads to its new place", () => {
    the.makeDirectory("a");
    the.makeDirectory("b");
    the.makeDirectory("a/d");
    the.must(rename("a/d", "b/d"));
    the.want(call.stat("b/d/..").inode, call.stat("b").inode, "inode of ..");
    the.want(call.stat("a").nlink, 2, "links of where it was");
    the.want(call.stat("b").nlink, 3, "links of where it is");
  });
};

/** Both directories must be writable and searchable; a moved directory, too. */
export const renamePermissionCases: the.Table = (add) => {
  const modes = [0o7, 0o3, 0o5, 0o1, 0o6, 0o2, 0];
  for (const who of [call.root, call.other])
    for (const fromMode of modes)
      for (const toMode of modes)
        for (const kind of ["file", "directory", "nothing"] as const)
          add(`${kind} from a directory ${fromMode} to one ${toMode} by ${who.name}`, () => {
            the.makeDirectory("a");
            the.makeDirectory("b");
            the.make(kind, "a/x", call.other);
            the.must(call.chmod("a", 0o700 | fromMode));
            the.must(call.chmod("b", 0o700 | toMode));
            const isRoot = who === call.root;
            const maySearch = isRoot || ((fromMode & 1) !== 0 && (toMode & 1) !== 0);
            const mayWrite = isRoot || ((fromMode & 2) !== 0 && (toMode & 2) !== 0);
            const wanted = !maySearch ? "EACCES" : kind === "nothing" ? "ENOENT" : mayWrite ? "ok" : "EACCES";
            the.want(
              call.as(who, () => rename("a/x", "b/y")),
              wanted,
              "rename",
            );
          });
};
