/** Locks between processes: fcntl() on ranges, of processes and of open files, and flock(). POSIX fcntl(), fcntl(2), flock(2). */
import * as call from "./calls.ts";
import * as the from "./case.ts";
import {
  flockStruct,
  getLock,
  ofdGetLock,
  ofdSetLock,
  otherProcess,
  readFlock,
  readLock,
  setLock,
  unlock,
  writeLock,
} from "./locks.ts";

const { RDONLY, WRONLY, RDWR } = call.flags;
const typeNames = ["read", "write", "unlocked"];
/** LOCK_SH, LOCK_EX, both without waiting, and LOCK_UN. */
const [shared, exclusive, release] = [1 | 4, 2 | 4, 8];

/** Start and length; of length 0 to the end, of a negative one before the start. */
const ranges: readonly (readonly [number, number])[] = [
  [0, 0],
  [0, 10],
  [5, 10],
  [10, 10],
  [20, 0],
  [9, 1],
  [30, -10],
  [1_000_000, 1],
];

function bounds([start, length]: readonly [number, number]): readonly [number, number] {
  if (length === 0) return [start, Number.POSITIVE_INFINITY];
  return length < 0 ? [start + length, start] : [start, start + length];
}

function overlap(a: readonly [number, number], b: readonly [number, number]): boolean {
  const [[aStart, aEnd], [bStart, bEnd]] = [bounds(a), bounds(b)];
  return aStart < bEnd && bStart < aEnd;
}

function withBoth(act: (own: number, others: number) => void, flags: number = RDWR): void {
  the.makeFile("x");
  const own = the.must(call.open("x", RDWR, 0));
  const others = otherProcess().open("x", flags);
  try {
    act(own, others);
  } finally {
    otherProcess().ask("CLOSE", others);
    call.close(own);
  }
}

export const rangeLockCases: the.Table = (add) => {
  for (const ofd of [false, true])
    for (const mine of ranges)
      for (const theirs of ranges)
        for (const [myType, theirType] of [
          [readLock, readLock],
          [readLock, writeLock],
          [writeLock, readLock],
          [writeLock, writeLock],
        ] as const)
          add(
            `${ofd ? "an open file's" : "a process's"} ${typeNames[myType]} lock of ${mine} and another's ${typeNames[theirType]} lock of ${theirs}`,
            () =>
              withBoth((own, others) => {
                const isFree = !overlap(mine, theirs) || (myType === readLock && theirType === readLock);
                the.want(
                  call.fcntl(own, ofd ? ofdSetLock : setLock, flockStruct(myType, ...mine)),
                  "ok",
                  "the first lock",
                );
                const helper = otherProcess();
                const [, type = -1, start = -1, length = -1, pid = -1] = helper.ask(
                  "GET",
                  others,
                  theirType,
                  ...theirs,
                );
                the.want(type, isFree ? unlock : myType, "what F_GETLK finds");
                if (!isFree) {
                  const [from, to] = bounds(mine);
                  the.want(start, from, "start of what it finds");
                  the.want(length, to === Number.POSITIVE_INFINITY ? 0 : to - from, "length of what it finds");
                  the.want(pid, ofd ? -1 : process.pid, "whose it is");
                }
                const [result = -1] = helper.ask("LOCK", others, theirType, ...theirs);
                the.want(result, isFree ? "ok" : "EAGAIN", "the second lock");
                the.must(call.fcntl(own, ofd ? ofdSetLock : setLock, flockStruct(unlock, 0, 0)));
                the.want(
                  helper.ask("LOCK", others, theirType, ...theirs)[0] ?? -1,
                  "ok",
                  "the second lock after the first",
                );
              }),
          );
  // A lock that is taken over, cut in two or joined with another.
  for (const [middle, type] of [
    [[10, 10], unlock],
    [[10, 10], readLock],
    [[0, 10], unlock],
    [[20, 10], unlock],
    [[0, 30], readLock],
  ] as const)
    add(`of a write lock of 0,30 a part ${middle} becomes ${typeNames[type]}`, () =>
      withBoth((own, others) => {
        the.must(call.fcntl(own, setLock, flockStruct(writeLock, 0, 30)));
        the.must(call.fcntl(own, setLock, flockStruct(type, middle[0], middle[1])));
        for (const at of [0, 5, 9, 10, 15, 19, 20, 25, 29, 30]) {
          const isIn = at >= middle[0] && at < middle[0] + middle[1];
          const wanted = at >= 30 ? unlock : isIn ? type : writeLock;
          const [, found = -1] = otherProcess().ask("GET", others, writeLock, at, 1);
          the.want(found, wanted, `the lock of byte ${at}`);
        }
      }),
    );
  add("locks of a process end when it closes any descriptor of the file", () =>
    withBoth((own, others) => {
      the.must(call.fcntl(own, setLock, flockStruct(writeLock, 0, 0)));
      the.must(call.close(the.must(call.open("x", RDONLY, 0))));
      the.want(otherProcess().ask("LOCK", others, writeLock, 0, 0)[0] ?? -1, "ok", "another's lock");
    }),
  );
  add("locks of an open file end with its last descriptor", () =>
    withBoth((own, others) => {
      the.must(call.fcntl(own, ofdSetLock, flockStruct(writeLock, 0, 0)));
      the.must(call.close(the.must(call.open("x", RDONLY, 0))));
      the.want(otherProcess().ask("LOCK", others, writeLock, 0, 0)[0] ?? -1, "EAGAIN", "another's lock");
      const copy = the.must(call.fcntlNumber(own, 0, 0));
      the.must(call.close(copy));
      the.want(
        otherProcess().ask("LOCK", others, writeLock, 0, 0)[0] ?? -1,
        "EAGAIN",
        "another's lock after a copy is closed",
      );
    }),
  );
  for (const [type, flags, wanted] of [
    [readLock, WRONLY, "EBADF"],
    [writeLock, RDONLY, "EBADF"],
    [readLock, RDONLY, "ok"],
    [writeLock, WRONLY, "ok"],
  ] as const)
    add(`a ${typeNames[type]} lock with access ${flags}`, () => {
      the.makeFile("x");
      const fd = the.must(call.open("x", flags, 0));
      the.want(call.fcntl(fd, setLock, flockStruct(type, 0, 0)), wanted, "fcntl");
      the.must(call.close(fd));
    });
  for (const [start, length, whence, wanted] of [
    [-1, 5, 0, "EINVAL"],
    [5, -10, 0, "EINVAL"],
    [0, 5, 9, "EINVAL"],
    [-5, 3, 2, "ok"],
    [-13, 3, 2, "EINVAL"],
    [5, -5, 0, "ok"],
  ] as const)
    add(`a lock from ${start} of ${length}, whence ${whence}`, () => {
      the.makeFile("x");
      const fd = the.must(call.open("x", RDWR, 0));
      the.want(call.fcntl(fd, setLock, flockStruct(writeLock, start, length, whence)), wanted, "fcntl");
      the.must(call.close(fd));
    });
  add("a process finds no lock of its own, and two of its open files do", () => {
    the.makeFile("x");
    const [a, b] = [the.must(call.open("x", RDWR, 0)), the.must(call.open("x", RDWR, 0))];
    the.must(call.fcntl(a, setLock, flockStruct(writeLock, 0, 0)));
    const lock = flockStruct(writeLock, 0, 0);
    the.must(call.fcntl(b, getLock, lock));
    the.want(readFlock(lock).type, unlock, "what F_GETLK finds");
    the.must(call.fcntl(a, setLock, flockStruct(unlock, 0, 0)));
    the.must(call.fcntl(a, ofdSetLock, flockStruct(writeLock, 3, 4)));
    const wish = flockStruct(writeLock, 0, 0);
    the.must(call.fcntl(b, ofdGetLock, wish));
    const { type, start, length } = readFlock(wish);
    the.want(`${type} ${start} ${length}`, "1 3 4", "what F_OFD_GETLK finds");
    the.must(call.close(a));
    the.must(call.close(b));
  });
};

export const wholeLockCases: the.Table = (add) => {
  const kinds = { shared, exclusive };
  for (const [mine, first] of Object.entries(kinds))
    for (const [theirs, second] of Object.entries(kinds))
      for (const flags of [RDONLY, RDWR])
        add(`a ${mine} flock and another's ${theirs} one, opened with ${flags}`, () =>
          withBoth((own, others) => {
            const isFree = mine === "shared" && theirs === "shared";
            the.want(call.flock(own, first), "ok", "the first");
            the.want(otherProcess().ask("FLOCK", others, second)[0] ?? -1, isFree ? "ok" : "EAGAIN", "the second");
            the.must(call.flock(own, release));
            the.want(otherProcess().ask("FLOCK", others, second)[0] ?? -1, "ok", "the second after the first");
          }, flags),
        );
  add("flock is of an open file: a copy has it, another does not, and it ends with the last", () => {
    the.makeFile("x");
    const [a, b] = [the.must(call.open("x", RDWR, 0)), the.must(call.open("x", RDWR, 0))];
    the.must(call.flock(a, exclusive));
    the.want(call.flock(b, exclusive), "EAGAIN", "flock of another");
    const copy = the.must(call.fcntlNumber(a, 0, 0));
    the.want(call.flock(copy, exclusive), "ok", "flock of a copy");
    the.must(call.close(a));
    the.want(call.flock(b, exclusive), "EAGAIN", "flock while there is a copy");
    the.must(call.close(copy));
    the.want(call.flock(b, exclusive), "ok", "flock after the last");
    the.must(call.close(b));
  });
  add("flock becomes shared, and exclusive again", () =>
    withBoth((own, others) => {
      the.must(call.flock(own, exclusive));
      the.must(call.flock(own, shared));
      the.want(otherProcess().ask("FLOCK", others, shared)[0] ?? -1, "ok", "another's shared one");
      the.want(call.flock(own, exclusive), "EAGAIN", "exclusive while another has it");
    }),
  );
  add("flock and fcntl do not see each other", () =>
    withBoth((own, others) => {
      the.must(call.flock(own, exclusive));
      the.want(otherProcess().ask("LOCK", others, writeLock, 0, 0)[0] ?? -1, "ok", "fcntl");
    }),
  );
  add("flock of a directory", () => {
    const [a, b] = [the.must(call.open(".", RDONLY, 0)), the.must(call.open(".", RDONLY, 0))];
    the.want(call.flock(a, exclusive), "ok", "flock");
    the.want(call.flock(b, exclusive), "EAGAIN", "flock of another");
    the.must(call.close(a));
    the.want(call.flock(b, exclusive), "ok", "flock after it");
    the.must(call.close(b));
  });
  add("flock of nonsense", () => {
    the.makeFile("x");
    const fd = the.must(call.open("x", RDWR, 0));
    the.want(call.flock(fd, 0), "EINVAL", "flock");
    the.must(call.close(fd));
  });
};
