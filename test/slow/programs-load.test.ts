/** Programs made to find what is wrong with a file system, at work in a live mount: fio, stress-ng and dbench. */
import { programTest } from "../support/live-programs.ts";

const fioMiB = 16;

/** Each writes a file in its own way and then reads all of it again, with a checksum in every block. */
const jobs: readonly string[] = [
  "--name=sequential --rw=write --bs=128k",
  "--name=random --rw=randwrite --bs=4k",
  "--name=odd --rw=randwrite --bsrange=512-16k --fallocate=posix",
  "--name=mixed --rw=randrw --bs=8k --fsync=64",
  "--name=mapped --rw=write --bs=64k --ioengine=mmap",
  "--name=mapped-random --rw=randwrite --bs=4k --ioengine=mmap",
  "--name=direct --rw=write --bs=1m --direct=1",
  "--name=direct-random --rw=randwrite --bs=4k --direct=1 --ioengine=libaio --iodepth=8",
  "--name=two-at-once --rw=randwrite --bs=4k --numjobs=2 --ioengine=libaio --iodepth=4",
];

programTest("what fio has written it finds again: sequentially, at random, mapped and direct", {
  needs: ["fio"],
  limitMs: 120_000,
  script: `fio() { command fio --size=${fioMiB}m --verify=crc32c --verify_fatal=1 --verify_state_save=0 --output=fio.txt "$@" || { cat fio.txt; exit 1; }; }
    ${jobs.map((job) => `fio ${job}`).join("\n")}
    fio --name=again --rw=read --bs=128k --filename=sequential.0.0 --direct=1
    fio --name=again --rw=read --bs=1m --filename=direct.0.0 --ioengine=mmap
    rm fio.txt two-at-once.*`,
});

/**
 * stress-ng's, of files and directories. Left out: io-uring (asks for a name that it has deleted, and fails on ext4 too); fiemap, verity, chattr and inode-flags (ioctls,
 * which are not passed on: nothing would be done); bind-mount, binderfs, procfs and tmpfs (file systems of their own); fanotify (of all that is mounted);
 * chdir (set up for longer than they run).
 */
const stressors: readonly string[] = [
  ...["access", "chmod", "chown", "copy-file", "dentry", "dir", "dirdeep", "dirmany", "dnotify", "dup", "fallocate"],
  ...["fcntl", "file-ioctl", "filename", "flock", "fpunch", "fsize", "fstat", "getdent", "handle", "hdd", "inotify"],
  ...["io", "iomix", "lease", "locka", "lockf", "lockofd", "mknod", "open", "rename", "symlink", "sync-file", "touch"],
  ...["utime", "xattr", "mmap", "msync", "link", "readahead", "revio", "seek", "sendfile", "splice", "aio", "aiol"],
];

programTest("stress-ng's stressors of file systems find nothing wrong", {
  needs: ["stress-ng"],
  limitMs: 180_000,
  script: `mkdir kept; echo kept > kept/file; mkdir stress
    for name in ${stressors.join(" ")}; do
      timeout 60 stress-ng --temp-path "$PWD/stress" --verify --timeout 1 --hdd-bytes 16m --iomix-bytes 16m --fallocate-bytes 16m \\
        --mmap-bytes 16m --mmap-file --$name 2 > "$OUTSIDE/said" 2>&1 ||
        { echo "$name: status $?"; cat "$OUTSIDE/said"; exit 1; }
      if grep fail: "$OUTSIDE/said"; then echo "$name"; exit 1; fi
    done
    rmdir stress`,
});

programTest("dbench works with two clients and leaves nothing behind", {
  needs: ["dbench"],
  script: `dbench -D "$PWD" -t 20 2 > "$OUTSIDE/said" || { cat "$OUTSIDE/said"; exit 1; }
    if grep -i 'failed\\|error' "$OUTSIDE/said"; then exit 1; fi
    grep Throughput "$OUTSIDE/said"`,
});
