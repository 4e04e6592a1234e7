/** How a mount behaves towards the kernel. Every one of these decides which requests are never made: requests are what costs. */

export interface FuseBehaviour {
  /** How long the kernel may believe that a name leads where it did, that attributes are as they were, and that a name is not there. Milliseconds. */
  readonly entryMs: number;
  readonly attributesMs: number;
  readonly negativeMs: number;
  /**
   * The filesystem tells (`FuseMount.invalidate…`) of all that changes by itself, so the kernel does not look at times and sizes to find out, and
   * keeps listings of directories.
   */
  readonly tellsChanges: boolean;
  /** No OPEN, OPENDIR and their releases: all reads are by inode. Only for what is not written. */
  readonly withoutOpens: boolean;
  /** No FLUSH at every close: nothing is told late, and locks are the kernel's. */
  readonly withoutFlushes: boolean;
  /** The filesystem keeps the locks. Else the kernel does, which is right while nobody else serves the same files. */
  readonly locks: boolean;
  /** POSIX ACLs: the kernel asks for and checks them. */
  readonly posixAcl: boolean;
  /**
   * Here is no SELinux: who asks for the label of what has none (`security.selinux`), as the root has none, is told that there are no labels, an EOPNOTSUPP.
   * `ls -l` then asks once; after an ENODATA, for every file that it shows.
   */
  readonly withoutLabels: boolean;
  /** The kernel gathers writes and keeps the times. Not together with `passthrough`, which then is off. */
  readonly writebackCache: boolean;
  /** Files with a `backingFd` are read and written by the kernel alone, where it can (Linux 6.9, as root). */
  readonly passthrough: boolean;
  /** Requests the kernel may have waiting here of its own accord (read-ahead, write-back). */
  readonly backgroundMax: number;
  /** How far the kernel reads ahead, in bytes. More than 128 KiB only as root. */
  readonly readAheadBytes: number;
}

export const defaultBehaviour: FuseBehaviour = {
  entryMs: 1000,
  attributesMs: 1000,
  negativeMs: 0,
  tellsChanges: false,
  withoutOpens: false,
  withoutFlushes: false,
  locks: false,
  posixAcl: true,
  withoutLabels: false,
  writebackCache: false,
  passthrough: false,
  backgroundMax: 64,
  readAheadBytes: 128 * 1024,
};
