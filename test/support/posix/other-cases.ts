/** Calls that few programs make: flags of open files, pieces of memory at once, pipes, O_DIRECT, O_NOATIME, addresses that are none, space, and writes with flags of their own. */
import * as call from "./calls.ts";
import * as the from "./case.ts";

const { RDONLY, WRONLY, RDWR, CREAT, APPEND, NONBLOCK, DIRECTORY } = call.flags;
const NOATIME = 0o1000000;
/** These differ between processors. */
const DIRECT = process.arch === "arm64" ? 0o200000 : 0o40000;
const [DSYNC, SYNC] = [0o10000, 0o4010000];
const [GETFL, SETFL] = [3, 4];
const page = 4096;

const readv = call.bind("long readv(int fd, void *parts, int count)");
const writev = call.bind("long writev(int fd, void *parts, int count)");
const pwritev2 = call.bind("long pwritev64v2(int fd, void *parts, int count, int64_t offset, int flags)");
const sendfile = call.bind("long sendfile64(int to, int from, void *offset, size_t count)");
const splice = call.bind("long splice(int from, void *fromAt, int to, void *toAt, size_t length, unsigned int flags)");
const pipe = call.bind("int pipe2(void *fds, int flags)");
const statfs = call.bind("int statfs64(const char *path, void *into)");
const openAddress = call.bind("int open64(size_t path, int flags, unsigned int mode)");
const mkdirAddress = call.bind("int mkdir(size_t path, unsigned int mode)");
const unlinkAddress = call.bind("int unlink(size_t path)");
const readAddress = call.bind("long pread64(int fd, size_t into, size_t size, int64_t offset)");
const writeAddress = call.bind("long pwrite64(int fd, size_t from, size_t size, int64_t offset)");
const futimens = call.bind("int futimens(int fd, void *times)");
const advise = call.bind("int posix_fadvise64(int fd, int64_t offset, int64_t length, int advice)");
const syncfs = call.bind("int syncfs(int fd)");
const syncRange = call.bind("int sync_file_range(int fd, int64_t offset, int64_t length, unsigned int flags)");

function using<T>(path: string, flags: number, act: (fd: number) => T): T {
  const fd = the.must(call.open(path, flags, 0o644));
  try {
    return act(fd);
  } finally {
    the.must(call.close(fd));
  }
}

/** Memory of our own that has an address, for the time of `act`. */
function withMemory(pages: number, act: (address: number) => void): void {
  const [PROT, ANONYMOUS] = [3, 0x22];
  const address = the.must(call.mmap(0, pages * page, PROT, ANONYMOUS, -1, 0));
  try {
    act(address);
  } finally {
    the.must(call.munmap(address, pages * page));
  }
}

/** struct iovec, one behind the other. */
function parts(...list: readonly (readonly [address: number, length: number])[]): Buffer {
  const bytes = Buffer.alloc(16 * list.length);
  for (const [index, [address, length]] of list.entries()) {
    bytes.writeBigUInt64LE(BigInt(address), 16 * index);
    bytes.writeBigUInt64LE(BigInt(length), 16 * index + 8);
  }
  return bytes;
}

export const otherCases: the.Table = (add) => {
  for (const who of call.everybody)
    for (const kind of ["file", "directory"] as const)
      add(`O_NOATIME of ${kind} by ${who.name}`, () => {
        the.make(kind, "x", call.owner);
        const isAllowed = who === call.root || who === call.owner;
        const fd = call.as(who, () => call.open("x", RDONLY | NOATIME, 0));
        the.want(fd, isAllowed ? "ok" : "EPERM", "open");
        if (fd >= 0) the.must(call.close(fd));
      });
  for (const [name, flags] of Object.entries({ O_DSYNC: DSYNC, O_SYNC: SYNC }))
    for (const size of [1, page, 100_000])
      add(`${size} bytes with ${name}`, () => {
        using("x", WRONLY | CREAT | flags, (fd) =>
          the.want(call.write(fd, Buffer.alloc(size, 7), size), size, "write"),
        );
        the.want(call.stat("x").size, size, "size");
      });
  for (const pages of [1, 2, 64])
    for (const at of [0, 1, 10])
      add(`${pages} pages at page ${at} with O_DIRECT`, () =>
        withMemory(pages, (address) => {
          const bytes = Buffer.alloc(pages * page, "direct!");
          call.putMemory(address, bytes);
          using("x", RDWR | CREAT | DIRECT, (fd) => {
            the.want(writeAddress(fd, address, bytes.length, at * page), bytes.length, "pwrite");
            call.putMemory(address, Buffer.alloc(bytes.length));
            the.want(readAddress(fd, address, bytes.length, at * page), bytes.length, "pread");
            the.want(call.getMemory(address, bytes.length).equals(bytes), true, "that they are the same");
          });
          const back = Buffer.alloc(bytes.length);
          using("x", RDONLY, (fd) =>
            the.want(call.pread(fd, back, back.length, at * page), back.length, "pread without it"),
          );
          the.want(back.equals(bytes), true, "that they are the same without it");
        }),
      );
  for (const [set, flags] of Object.entries({ O_APPEND: APPEND, O_NONBLOCK: NONBLOCK, O_NOATIME: NOATIME, nothing: 0 }))
    add(`F_SETFL of ${set}`, () => {
      the.makeFile("x", { text: "0123456789" });
      using("x", RDWR, (fd) => {
        the.want(call.fcntlNumber(fd, SETFL, flags), "ok", "F_SETFL");
        the.want(the.must(call.fcntlNumber(fd, GETFL, 0)) & (APPEND | NONBLOCK | NOATIME), flags, "F_GETFL");
        the.must(call.write(fd, Buffer.from("ab"), 2));
        the.want(call.fstat(fd).size, flags === APPEND ? 12 : 10, "size after a write");
      });
    });
  add("pieces of memory are written and read in order", () =>
    withMemory(1, (address) => {
      call.putMemory(address, Buffer.from("onetwothree"));
      const list = parts([address + 6, 5], [address, 3], [address + 3, 0], [address + 3, 3]);
      using("x", RDWR | CREAT, (fd) => {
        the.want(writev(fd, list, 4), 11, "writev");
        the.want(the.readAll("x"), "threeonetwo", "content");
        the.must(call.seek(fd, 0, 0));
        the.want(readv(fd, parts([address + 100, 2], [address + 200, 100]), 2), 11, "readv");
        the.want(call.getMemory(address + 200, 9).toString(), "reeonetwo", "the second piece");
        the.want(writev(fd, list, -1), "EINVAL", "writev of -1 pieces");
        the.want(writev(fd, list, 1025), "EINVAL", "writev of 1025 pieces");
        the.want(writev(fd, list, 0), 0, "writev of none");
      });
    }),
  );
  for (const [how, wanted] of [
    [0x10, 12],
    [0x02, 10],
    [0x04, 10],
  ] as const)
    add(`pwritev2 with flags ${how}`, () =>
      withMemory(1, (address) => {
        the.makeFile("x", { text: "0123456789" });
        call.putMemory(address, Buffer.from("ab"));
        using("x", RDWR, (fd) => {
          the.want(pwritev2(fd, parts([address, 2]), 1, 3, how), 2, "pwritev2");
          the.want(call.fstat(fd).size, wanted, "size");
          the.want(the.readAll("x").indexOf("ab"), how === 0x10 ? 10 : 3, "where it is");
        });
      }),
    );
  for (const size of [0, 1, 5000, 200_000])
    for (const offset of [0, 3, 4096]) {
      add(`sendfile of ${size} bytes from ${offset}`, () => {
        const bytes = Buffer.alloc(size, "sent bytes ");
        using("a", WRONLY | CREAT, (fd) => the.must(call.write(fd, bytes, size)));
        using("a", RDONLY, (from) =>
          using("b", RDWR | CREAT, (to) => {
            the.must(call.seek(from, offset, 0));
            let done = 0;
            for (;;) {
              const count = the.must(sendfile(to, from, null, 1 << 20));
              if (count === 0) break;
              done += count;
            }
            the.want(done, Math.max(0, size - offset), "how much was sent");
            const back = Buffer.alloc(done);
            if (done > 0) the.must(call.pread(to, back, done, 0));
            the.want(back.equals(bytes.subarray(offset)), true, "that it is the same");
          }),
        );
      });
      add(`splice of ${size} bytes through a pipe to ${offset}`, () => {
        const bytes = Buffer.alloc(size, "spliced bytes ");
        using("a", WRONLY | CREAT, (fd) => the.must(call.write(fd, bytes, size)));
        const fds = Buffer.alloc(8);
        the.must(pipe(fds, 0));
        const [out, into] = [fds.readInt32LE(0), fds.readInt32LE(4)];
        using("a", RDONLY, (from) =>
          using("b", RDWR | CREAT, (to) => {
            the.must(call.seek(to, offset, 0));
            for (let done = 0; ; ) {
              const count = the.must(splice(from, null, into, null, 32_768, 0));
              if (count === 0) break;
              for (let moved = 0; moved < count; ) moved += the.must(splice(out, null, to, null, count - moved, 0));
              done += count;
              the.want(call.fstat(to).size, offset + done, "size meanwhile");
            }
            const back = Buffer.alloc(size);
            if (size > 0) the.must(call.pread(to, back, size, offset));
            the.want(back.equals(bytes), true, "that it is the same");
          }),
        );
        the.must(call.close(out));
        the.must(call.close(into));
      });
    }
  for (const address of [1, page - 1])
    for (const [name, act] of Object.entries({
      open: () => openAddress(address, RDONLY, 0),
      mkdir: () => mkdirAddress(address, 0o755),
      unlink: () => unlinkAddress(address),
      pread: () => using("x", RDONLY, (fd) => readAddress(fd, address, 5, 0)),
      pwrite: () => using("x", WRONLY, (fd) => writeAddress(fd, address, 5, 0)),
    }))
      add(`${name} with the address ${address}`, () => {
        the.makeFile("x");
        the.want(act(), "EFAULT", name);
        the.want(the.readAll("x"), the.content, "content");
      });
  for (const kind of the.nodeKinds)
    add(`statfs by ${kind}`, () => {
      the.make(kind, "x");
      const [a, b] = [Buffer.alloc(200), Buffer.alloc(200)];
      the.want(statfs("x", a), "ok", "statfs");
      the.must(statfs(".", b));
      the.want(a.readBigInt64LE(16), b.readBigInt64LE(16), "blocks");
      the.want(a.readBigInt64LE(64), 255n, "the longest name");
      the.want(a.readBigInt64LE(24) <= a.readBigInt64LE(16), true, "that no more is free than there is");
    });
  add("futimens, of now and of values", () => {
    the.makeFile("x");
    using("x", RDONLY, (fd) => {
      const times = Buffer.alloc(32);
      times.writeBigInt64LE(77n, 0);
      times.writeBigInt64LE(5n, 8);
      times.writeBigInt64LE(88n, 16);
      the.want(futimens(fd, times), "ok", "futimens");
      the.want(`${call.fstat(fd).atime} ${call.fstat(fd).mtime}`, "77000000005 88000000000", "times");
      the.want(futimens(fd, null), "ok", "futimens of now");
      the.want(call.fstat(fd).mtime > 88_000_000_000n, true, "that it is now");
    });
  });
  for (const advice of [0, 1, 2, 3, 4, 5])
    add(`posix_fadvise ${advice} changes nothing that is read`, () => {
      the.makeFile("x");
      using("x", RDWR, (fd) => the.want(advise(fd, 0, 0, advice), 0, "posix_fadvise"));
      the.want(the.readAll("x"), the.content, "content");
    });
  add("syncfs and sync_file_range", () => {
    the.makeFile("x");
    using("x", RDWR, (fd) => {
      the.want(syncRange(fd, 0, 0, 7), "ok", "sync_file_range");
      the.want(syncRange(fd, 0, 0, 64), "EINVAL", "sync_file_range with flags that are none");
      the.want(syncfs(fd), "ok", "syncfs");
    });
    using(".", RDONLY | DIRECTORY, (fd) => the.want(syncfs(fd), "ok", "syncfs of a directory"));
  });
  for (const who of [call.root, call.other])
    add(`a name for an open file by AT_EMPTY_PATH, by ${who.name}`, () => {
      the.makeFile("x", { mode: 0o666, who });
      using("x", RDWR, (fd) => {
        const result = call.as(who, () => call.linkAt(fd, "", call.cwd, "y", call.atFlags.EMPTY));
        // Others may where it was they who opened it (Linux 6.10).
        the.want(result, who === call.root ? "ok" : ["ENOENT", "ok"], "linkat");
        if (result >= 0) the.want(call.fstat(fd).nlink, 2, "links");
      });
    });
  for (const count of [50, 300])
    add(`${count} descriptors of one file, and of as many`, () => {
      the.makeFile("x");
      const fds: number[] = [];
      for (let at = 0; at < count; at += 1)
        fds.push(the.must(call.open("x", RDWR, 0)), the.must(call.open(`f${at}`, RDWR | CREAT, 0o600)));
      for (const [at, fd] of fds.entries()) the.want(call.pwrite(fd, Buffer.from([at & 255]), 1, at), 1, "pwrite");
      the.want(call.stat("x").size, 2 * count - 1, "size");
      for (const fd of fds) the.must(call.close(fd));
    });
};
