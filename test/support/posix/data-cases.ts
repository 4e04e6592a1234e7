/** Content: read, write, pread, pwrite, appending, sizes, seeking with holes, space, copying, mapping, and files that have no name any more. */
import * as call from "./calls.ts";
import * as the from "./case.ts";

const { RDONLY, WRONLY, RDWR, CREAT, TRUNC, APPEND, DIRECTORY, NONBLOCK, PATH } = call.flags;
const [SET, CUR, END, DATA, HOLE] = [0, 1, 2, 3, 4];
const kib = 1024;
const block = 64 * kib;

function using<T>(path: string, flags: number, act: (fd: number) => T): T {
  const fd = the.must(call.open(path, flags, 0o644));
  try {
    return act(fd);
  } finally {
    the.must(call.close(fd));
  }
}

/** The first bytes are told apart by where they are. */
function pattern(length: number, from = 0): Buffer {
  const bytes = Buffer.alloc(length);
  for (let at = 0; at < length; at += 1) bytes[at] = ((from + at) % 251) + 1;
  return bytes;
}

function readBack(path: string, size: number): Buffer {
  return using(path, RDONLY, (fd) => {
    const bytes = Buffer.alloc(size + 1);
    const count = the.must(call.pread(fd, bytes, bytes.length, 0));
    return bytes.subarray(0, count);
  });
}

const sizes = [0, 1, 2, 4095, 4096, 4097, 65_536, 100_001, 1_048_576, 1_048_577];

export const readWriteCases: the.Table = (add) => {
  for (const size of sizes)
    for (const offset of [0, 1, 4095, 4096, 200_000])
      add(`${size} bytes at ${offset}`, () => {
        const bytes = pattern(size);
        using("x", RDWR | CREAT, (fd) => {
          the.want(call.pwrite(fd, bytes, size, offset), size, "pwrite");
          the.want(call.seek(fd, 0, CUR), 0, "offset after it");
          const end = size === 0 ? 0 : offset + size;
          the.want(call.fstat(fd).size, end, "size");
          const back = Buffer.alloc(size + 10);
          the.want(call.pread(fd, back, back.length, offset), size, "pread");
          the.want(back.subarray(0, size).equals(bytes), true, "that they are the same");
          the.want(call.pread(fd, back, 10, end), 0, "pread at the end");
          the.want(call.pread(fd, back, 10, end + 1000), 0, "pread after the end");
          if (offset === 0 || size === 0) return;
          the.want(call.pread(fd, back, 1, 0), 1, "pread before");
          the.want(back[0] ?? -1, 0, "byte of the hole");
        });
      });
  for (const size of sizes)
    for (const flags of [0, APPEND])
      add(`${size} bytes behind ${flags === 0 ? "the offset" : "the end (O_APPEND)"}`, () => {
        the.makeFile("x", { text: "0123456789" });
        using("x", RDWR | flags, (fd) => {
          the.must(call.seek(fd, 3, SET));
          the.want(call.write(fd, pattern(size), size), size, "write");
          const start = flags === APPEND && size > 0 ? 10 : 3;
          the.want(call.seek(fd, 0, CUR), start + size, "offset after it");
          the.want(call.fstat(fd).size, Math.max(10, start + size), "size");
          // Linux appends here, too, whatever the offset says.
          the.want(call.pwrite(fd, Buffer.from("!"), 1, 0), 1, "pwrite");
          the.want(call.fstat(fd).size, Math.max(10, start + size) + (flags === APPEND ? 1 : 0), "size after pwrite");
        });
      });
  for (const [name, flags] of Object.entries({ O_RDONLY: RDONLY, O_WRONLY: WRONLY, O_RDWR: RDWR, O_PATH: PATH }))
    add(`what a descriptor of ${name} may`, () => {
      the.makeFile("x");
      using("x", flags, (fd) => {
        const byte = Buffer.from("z");
        const [reads, writes] = [flags === RDONLY || flags === RDWR, flags === WRONLY || flags === RDWR];
        the.want(call.read(fd, byte, 1), reads ? "ok" : "EBADF", "read");
        the.want(call.pread(fd, byte, 1, 0), reads ? "ok" : "EBADF", "pread");
        the.want(call.write(fd, byte, 1), writes ? "ok" : "EBADF", "write");
        the.want(call.pwrite(fd, byte, 1, 0), writes ? "ok" : "EBADF", "pwrite");
        the.want(call.ftruncate(fd, 1), writes ? "ok" : flags === PATH ? "EBADF" : "EINVAL", "ftruncate");
        the.want(call.fallocate(fd, 0, 0, 10), writes ? "ok" : "EBADF", "fallocate");
        the.want(call.fsync(fd), flags === PATH ? "EBADF" : "ok", "fsync");
        the.want(call.fdatasync(fd), flags === PATH ? "EBADF" : "ok", "fdatasync");
        the.want(call.seek(fd, 0, SET), flags === PATH ? "EBADF" : "ok", "lseek");
      });
    });
  add("what a descriptor of a directory may", () =>
    using(".", RDONLY | DIRECTORY, (fd) => {
      the.want(call.read(fd, Buffer.alloc(9), 9), "EISDIR", "read");
      the.want(call.pread(fd, Buffer.alloc(9), 9, 0), "EISDIR", "pread");
      the.want(call.write(fd, Buffer.alloc(9), 9), "EBADF", "write");
      the.want(call.ftruncate(fd, 0), "EINVAL", "ftruncate");
      the.want(call.fsync(fd), "ok", "fsync");
      the.want(call.fdatasync(fd), "ok", "fdatasync");
    }),
  );
  add("offsets below zero", () => {
    the.makeFile("x");
    using("x", RDWR, (fd) => {
      the.want(call.pread(fd, Buffer.alloc(1), 1, -1), "EINVAL", "pread");
      the.want(call.pwrite(fd, Buffer.alloc(1), 1, -1), "EINVAL", "pwrite");
    });
  });
  add("appends of two descriptors are one behind the other", () => {
    the.makeFile("x", { text: "" });
    using("x", WRONLY | APPEND, (a) =>
      using("x", WRONLY | APPEND, (b) => {
        for (let at = 0; at < 20; at += 1) the.want(call.write(at % 2 === 0 ? a : b, pattern(1, at), 1), 1, "write");
      }),
    );
    the.want(readBack("x", 20).equals(pattern(20)), true, "that all are there in order");
  });
  add("what one writes, another reads at once", () => {
    the.makeFile("x");
    using("x", WRONLY, (a) =>
      using("x", RDONLY, (b) => {
        for (let at = 0; at < 20; at += 1) {
          the.must(call.pwrite(a, pattern(1, at), 1, 5));
          const byte = Buffer.alloc(1);
          the.must(call.pread(b, byte, 1, 5));
          the.want(byte.equals(pattern(1, at)), true, "that it is seen");
        }
      }),
    );
  });
};

export const sizeCases: the.Table = (add) => {
  const resizers: Readonly<Record<string, (size: number) => number>> = {
    truncate: (size) => call.truncate("x", size),
    ftruncate: (size) => using("x", WRONLY, (fd) => call.ftruncate(fd, size)),
  };
  for (const [name, resize] of Object.entries(resizers)) {
    for (const from of [0, 1, 4096, 70_000])
      for (const to of [0, 1, 4095, 4096, 4097, 70_000, 1_000_000, 2 ** 32, 2 ** 40])
        add(`${name} from ${from} to ${to}`, () => {
          using("x", WRONLY | CREAT, (fd) => the.must(call.write(fd, pattern(from), from)));
          the.want(resize(to), "ok", name);
          the.want(call.stat("x").size, to, "size");
          if (to > 1_000_000) return;
          const wanted = Buffer.concat([pattern(Math.min(from, to)), Buffer.alloc(Math.max(0, to - from))]);
          the.want(readBack("x", to).equals(wanted), true, "that the rest is as it was, and zeros");
          // What was cut off does not come back.
          the.must(resize(1_100_000));
          the.want(
            readBack("x", 1_100_000)
              .subarray(to)
              .every((byte) => byte === 0),
            true,
            "that what follows is zeros",
          );
        });
    for (const [size, wanted] of [
      [-1, "EINVAL"],
      [-(2 ** 40), "EINVAL"],
    ] as const)
      add(`${name} to ${size}`, () => {
        the.makeFile("x");
        the.want(resize(size), wanted, name);
      });
  }
  for (const kind of the.kinds)
    for (const who of [call.root, call.other])
      add(`truncate of ${kind} by ${who.name}`, () => {
        the.make(kind, "x");
        const wanted: Partial<Record<the.Kind, string>> = {
          nothing: "ENOENT",
          file: who === call.root ? "ok" : "EACCES",
          "link to file": who === call.root ? "ok" : "EACCES",
          directory: "EISDIR",
          "full directory": "EISDIR",
          "link to directory": "EISDIR",
          "dangling link": "ENOENT",
          loop: "ELOOP",
        };
        the.want(
          call.as(who, () => call.truncate("x", 3)),
          wanted[kind] ?? "EINVAL",
          "truncate",
        );
      });
};

/** Data where 1, holes where 0: blocks of 64 KiB. */
const layouts = ["0", "1", "01", "10", "010", "101", "0011", "110011", "00000001", "1000"];

export const seekCases: the.Table = (add) => {
  for (const layout of layouts) {
    const size = layout.length * block;
    const dataAt = (from: number): number => {
      for (let at = from; at < size; at = (Math.floor(at / block) + 1) * block)
        if (layout[Math.floor(at / block)] === "1") return at;
      return -1;
    };
    const holeAt = (from: number): number => {
      for (let at = from; at < size; at = (Math.floor(at / block) + 1) * block)
        if (layout[Math.floor(at / block)] === "0") return at;
      return size;
    };
    for (let at = 0; at <= layout.length; at += 1)
      for (const more of [0, 1, block - 1])
        add(`SEEK_DATA and SEEK_HOLE from ${at * block + more} in ${layout}`, () => {
          using("x", RDWR | CREAT, (fd) => {
            the.must(call.ftruncate(fd, size));
            for (const [index, each] of [...layout].entries())
              if (each === "1") the.must(call.pwrite(fd, pattern(block), block, index * block));
            the.must(call.fsync(fd));
            const from = at * block + more;
            const isInside = from < size;
            const data = dataAt(from);
            const found = call.seek(fd, from, DATA);
            the.want(found, isInside && data >= 0 ? data : "ENXIO", "SEEK_DATA");
            the.want(call.seek(fd, from, HOLE), isInside ? holeAt(from) : "ENXIO", "SEEK_HOLE");
          });
        });
  }
  for (const [offset, whence, wanted] of [
    [0, SET, 0],
    [5, SET, 5],
    [1_000_000, SET, 1_000_000],
    [-1, SET, "EINVAL"],
    [3, CUR, 7],
    [-4, CUR, 0],
    [-5, CUR, "EINVAL"],
    [0, END, 12],
    [-12, END, 0],
    [-13, END, "EINVAL"],
    [100, END, 112],
    [0, 9, "EINVAL"],
    [-1, DATA, "ENXIO"],
    [-1, HOLE, "ENXIO"],
    [12, DATA, "ENXIO"],
    [12, HOLE, "ENXIO"],
    [11, HOLE, 12],
    [11, DATA, 11],
  ] as const)
    add(`lseek ${offset} from ${whence}`, () => {
      the.makeFile("x");
      using("x", RDONLY, (fd) => {
        the.must(call.seek(fd, 4, SET));
        the.want(call.seek(fd, offset, whence), wanted, "lseek");
        the.want(call.seek(fd, 0, CUR), typeof wanted === "string" ? 4 : wanted, "where it is then");
      });
    });
  add("a fifo has no offset", () => {
    the.make("fifo", "x");
    using("x", RDWR | NONBLOCK, (fd) => {
      the.want(call.seek(fd, 0, SET), "ESPIPE", "lseek");
      the.want(call.pread(fd, Buffer.alloc(1), 1, 0), "ESPIPE", "pread");
      the.want(call.pwrite(fd, Buffer.alloc(1), 1, 0), "ESPIPE", "pwrite");
      the.want(call.ftruncate(fd, 0), "EINVAL", "ftruncate");
      the.want(call.fallocate(fd, 0, 0, 1), "ESPIPE", "fallocate");
      the.want(call.fsync(fd), "EINVAL", "fsync");
    });
  });
};

const [KEEP, PUNCH, COLLAPSE, ZERO, INSERT] = [1, 2, 8, 16, 32];

export const spaceCases: the.Table = (add) => {
  const ways = {
    reserve: 0,
    "reserve and keep the size": KEEP,
    "punch a hole": PUNCH | KEEP,
    zero: ZERO,
    "zero and keep the size": ZERO | KEEP,
  };
  for (const [name, mode] of Object.entries(ways))
    for (const offset of [0, 1, 4096, 65_000, 65_536, 100_000])
      for (const length of [1, 4095, 4096, 65_536, 200_000])
        add(`${name}: ${length} bytes at ${offset}`, () => {
          const bytes = pattern(block);
          using("x", RDWR | CREAT, (fd) => {
            the.must(call.write(fd, bytes, block));
            the.want(call.fallocate(fd, mode, offset, length), "ok", "fallocate");
            const size = (mode & KEEP) !== 0 ? block : Math.max(block, offset + length);
            the.want(call.fstat(fd).size, size, "size");
            const wanted = Buffer.alloc(size);
            bytes.copy(wanted);
            if ((mode & (PUNCH | ZERO)) !== 0) wanted.fill(0, Math.min(offset, size), Math.min(offset + length, size));
            the.want(readBack("x", size).equals(wanted), true, "that the content is right");
            the.want(call.seek(fd, 0, CUR), block, "the offset");
          });
        });
  for (const [mode, offset, length, wanted] of [
    [0, -1, 10, "EINVAL"],
    [0, 0, 0, "EINVAL"],
    [0, 0, -1, "EINVAL"],
    [PUNCH | KEEP, 0, 0, "EINVAL"],
    [PUNCH, 0, 10, "EOPNOTSUPP"],
    [PUNCH | ZERO | KEEP, 0, 10, "EOPNOTSUPP"],
    [1 << 20, 0, 10, "EOPNOTSUPP"],
    [COLLAPSE | KEEP, 0, 4096, ["EINVAL", "EOPNOTSUPP"]],
    [INSERT | KEEP, 0, 4096, ["EINVAL", "EOPNOTSUPP"]],
    [0, 2 ** 62, 2 ** 62, "EFBIG"],
  ] as const)
    add(`fallocate ${mode} of ${length} at ${offset}`, () => {
      the.makeFile("x");
      using("x", RDWR, (fd) => the.want(call.fallocate(fd, mode, offset, length), wanted, "fallocate"));
      the.want(the.readAll("x"), the.content, "content");
    });
  for (const mode of [COLLAPSE, INSERT])
    add(mode === COLLAPSE ? "FALLOC_FL_COLLAPSE_RANGE" : "FALLOC_FL_INSERT_RANGE", () => {
      const bytes = pattern(4 * block);
      using("x", RDWR | CREAT, (fd) => {
        the.must(call.write(fd, bytes, bytes.length));
        the.want(call.fallocate(fd, mode, block, block), "ok", "fallocate");
        the.want(call.fstat(fd).size, (mode === COLLAPSE ? 3 : 5) * block, "size");
      });
    });
};

export const copyCases: the.Table = (add) => {
  const at = (offset: number | undefined): Buffer | null => {
    if (offset === undefined) return null;
    const bytes = Buffer.alloc(8);
    bytes.writeBigInt64LE(BigInt(offset));
    return bytes;
  };
  for (const size of [0, 1, 4096, 70_000])
    for (const from of [undefined, 0, 1, 4095, 80_000])
      for (const to of [undefined, 0, 1, 5000])
        for (const length of [0, 1, 5000, 100_000])
          add(`${length} of ${size} bytes, from ${from ?? "the offset"} to ${to ?? "the offset"}`, () => {
            const bytes = pattern(size);
            using("a", WRONLY | CREAT, (fd) => the.must(call.write(fd, bytes, size)));
            the.makeFile("b", { text: "0123456789" });
            using("a", RDONLY, (source) =>
              using("b", RDWR, (target) => {
                const start = from ?? 0;
                const wanted = Math.max(0, Math.min(length, size - start));
                const [fromAt, toAt] = [at(from), at(to)];
                let done = 0;
                for (;;) {
                  const count = call.copyRange(source, fromAt, target, toAt, length - done, 0);
                  the.want(count, "ok", "copy_file_range");
                  done += count;
                  if (count === 0 || done >= length) break;
                }
                the.want(done, wanted, "how much was copied");
                const offset = call.seek(source, 0, CUR);
                the.want(offset, from === undefined ? wanted : 0, "offset of the source");
                the.want(call.seek(target, 0, CUR), to === undefined ? wanted : 0, "offset of the target");
                if (fromAt !== null) the.want(Number(fromAt.readBigInt64LE()), start + wanted, "offset given back");
                const back = Buffer.alloc(wanted + 1);
                if (wanted > 0) the.must(call.pread(target, back, wanted, to ?? 0));
                the.want(back.subarray(0, wanted).equals(bytes.subarray(start, start + wanted)), true, "content");
                the.want(call.fstat(target).size, wanted === 0 ? 10 : Math.max(10, (to ?? 0) + wanted), "size");
              }),
            );
          });
  const errors: readonly (readonly [string, number, string, number, number, string])[] = [
    ["a file for writing", WRONLY, "x", RDWR, 0, "EBADF"],
    ["a file", RDONLY, "x", RDONLY, 0, "EBADF"],
    ["a file", RDONLY, "x", WRONLY | APPEND, 0, "EBADF"],
    ["a file", RDONLY, "x", WRONLY, 1, "EINVAL"],
    ["directory", RDONLY, "x", WRONLY, 0, "EISDIR"],
    ["a file", RDONLY, "directory", RDONLY, 0, "EISDIR"],
    ["fifo", RDWR, "x", WRONLY, 0, "EINVAL"],
    ["a file", RDONLY, "fifo", RDWR, 0, "EINVAL"],
  ];
  for (const [from, fromFlags, to, toFlags, how, wanted] of errors)
    add(`from ${from} (${fromFlags}) to ${to} (${toFlags}), flags ${how}`, () => {
      the.makeFile("a file");
      the.makeFile("a file for writing");
      the.makeFile("x");
      the.makeDirectory("directory");
      the.make("fifo", "fifo");
      using(from, fromFlags | NONBLOCK, (a) =>
        using(to, toFlags | NONBLOCK, (b) =>
          the.want(call.copyRange(a, null, b, null, 5, how), wanted, "copy_file_range"),
        ),
      );
    });
  for (const [from, to, length, wanted] of [
    [0, 5, 10, "EINVAL"],
    [5, 0, 10, "EINVAL"],
    [0, 0, 10, "EINVAL"],
    [0, 1000, 10, "ok"],
    [20, 0, 10, "ok"],
  ] as const)
    add(`in one file ${length} bytes from ${from} to ${to}`, () => {
      the.makeFile("x", { text: "some content that is long enough for this" });
      using("x", RDWR, (fd) =>
        the.want(call.copyRange(fd, at(from), fd, at(to), length, 0), wanted, "copy_file_range"),
      );
    });
};

export const writeTruncateCases: the.Table = (add) => {
  for (const flags of [RDONLY, WRONLY, RDWR])
    add(`O_TRUNC with access ${flags} of a file that others have open`, () => {
      the.makeFile("x");
      using("x", RDONLY, (fd) => {
        using("x", flags | TRUNC, () => 0);
        the.want(call.fstat(fd).size, 0, "size");
        the.want(call.pread(fd, Buffer.alloc(9), 9, 0), 0, "pread");
      });
    });
};
