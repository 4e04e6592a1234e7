/**
 * Making files as somebody else: a process of root's takes another's ids for the file system for the length of one call, as file servers do (setfsuid(2),
 * setfsgid(2); of the calling thread alone, so nothing that waits may be between). So a file belongs to the right one from its first moment.
 *
 * What the ids would allow is not asked: who calls has asked already, with the groups that are not known here. So of root's capabilities those stay that
 * overrule permission bits, keep the setgid bit and make device nodes. Sources: linux/capability.h (version 3), capabilities(7), setfsuid(2).
 */
import { check, dataAt, library, systemError } from "./posix-library.ts";

const version3 = 0x2008_0522;
const headBytes = 8;
/** CAP_CHOWN, DAC_OVERRIDE, DAC_READ_SEARCH, FOWNER, FSETID, LINUX_IMMUTABLE, MKNOD: the kernel takes these with the id 0, and MAC_OVERRIDE of the second word. */
const fileCapabilities = 0b1111 | (1 << 4) | (1 << 9) | (1 << 27);
/** CAP_DAC_OVERRIDE, CAP_FSETID, CAP_MKNOD. */
const keptCapabilities = (1 << 1) | (1 << 4) | (1 << 27);
const overflow = 75;
/** No id: the calls then change nothing, and tell what is. */
const noId = 0xffff_ffff;

/**
 * Does something at once with a caller's ids for files, where this process is root's and the caller is not.
 * @param act Synchronous.
 * @throws Error EOVERFLOW: there is no such id here (in a user namespace); and what `act` throws.
 */
export function asCaller<T>(caller: { readonly uid: number; readonly gid: number }, act: () => T): T {
  const { uid, gid } = caller;
  if ((uid === 0 && gid === 0) || process.geteuid?.() !== 0) return act();
  const { call } = library();
  const before = { uid: call.setfsuid(noId), gid: call.setfsgid(noId) };
  call.setfsgid(gid);
  try {
    call.setfsuid(uid);
    // The calls themselves tell of no failure.
    if (call.setfsuid(noId) !== (uid | 0) || call.setfsgid(noId) !== (gid | 0)) throw systemError(overflow, "setfsuid");
    if (uid !== 0) keepCapabilities();
    return act();
  } finally {
    // Back at 0, the kernel gives back the capabilities, too.
    call.setfsuid(before.uid);
    call.setfsgid(before.gid);
  }
}

function keepCapabilities(): void {
  const lib = library();
  const { scratch } = lib;
  const [head, sets] = [lib.data, lib.data + headBytes];
  scratch.writeUInt32LE(version3, dataAt);
  scratch.writeInt32LE(0, dataAt + 4);
  check(lib.call.capget(head, sets), "capget");
  const [effective, permitted] = [dataAt + headBytes, dataAt + headBytes + 4];
  const others = scratch.readInt32LE(effective) & ~fileCapabilities;
  scratch.writeInt32LE(others | (scratch.readInt32LE(permitted) & keptCapabilities), effective);
  scratch.writeUInt32LE(version3, dataAt);
  check(lib.call.capset(head, sets), "capset");
}
