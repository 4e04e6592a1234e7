/**
 * Mounting as an ordinary user: fusermount3, which is setuid root, mounts and sends the open device back through a socket (_FUSE_COMMFD). It refuses what
 * the machine's owner does not allow in /etc/fuse.conf, and says so.
 */
import { spawn } from "node:child_process";
import { once } from "node:events";
import { OuroError } from "../../base/errors.ts";
import { close } from "../../base/posix.ts";
import { setNonBlocking } from "../../base/posix-device.ts";
import { receiveDescriptor, socketPair } from "../../base/posix-mount.ts";

const program = "fusermount3";
const toldBytesMax = 4096;

/**
 * Mounts, and gives the open device, non-blocking; the caller's to close.
 * @param options Those of mount(8), with commas between.
 * @throws OuroError "unsupported": there is no fusermount3. "permission": it refuses.
 */
export async function mountAsUser(directory: string, options: string): Promise<number> {
  const [ours, theirs] = socketPair();
  try {
    const run = runFusermount(["-o", options, "--", directory], theirs);
    const { status, told } = await run;
    const fd = status === 0 ? receiveDescriptor(ours) : undefined;
    if (fd !== undefined) {
      setNonBlocking(fd);
      return fd;
    }
    throw new OuroError("permission", `Cannot mount on ${directory}: ${told}`, { hint: hintFor(told) });
  } finally {
    close(ours);
    close(theirs);
  }
}

/** @param told What fusermount3 says. */
function hintFor(told: string): string {
  if (told.includes("/dev/fuse"))
    return "Ordinary users may not open the device here: root can let them with `chmod 666 /dev/fuse`, or has to mount.";
  return "An ordinary user must own the directory, and needs `user_allow_other` in /etc/fuse.conf for allow_other.";
}

/** Takes a user's mount away. @throws OuroError "locked": it is in use. "permission": it is another's, or none. */
export async function unmountAsUser(directory: string, options: { readonly lazy?: boolean } = {}): Promise<void> {
  const { status, told } = await runFusermount(["-u", ...(options.lazy === true ? ["-z"] : []), "--", directory]);
  if (status === 0) return;
  if (/busy/i.test(told)) throw new OuroError("locked", `Cannot unmount ${directory}: ${told}`);
  throw new OuroError("permission", `Cannot unmount ${directory}: ${told}`, {
    hint: "Only who has mounted it can take it away, and root.",
  });
}

async function runFusermount(args: readonly string[], socket?: number) {
  const child = spawn(program, args, {
    // Its language is ours, and its descriptor 3 the socket.
    env: { PATH: "/usr/bin:/bin:/usr/sbin:/sbin:/usr/local/bin", LC_ALL: "C", ...(socket === undefined ? {} : commFd) },
    stdio: ["ignore", "ignore", "pipe", ...(socket === undefined ? [] : [socket])],
  });
  let told = "";
  child.stderr?.setEncoding("utf8").on("data", (text: string) => {
    told = (told + text).slice(0, toldBytesMax);
  });
  try {
    const [status] = (await once(child, "close")) as [number | null];
    return { status, told: told.trim().replace(/^fusermount3: /, "") };
  } catch (thrown) {
    throw new OuroError("unsupported", `Cannot run ${program}: ${(thrown as Error).message}`, {
      hint: "Install the package fuse3, or mount as root.",
      cause: thrown,
    });
  }
}

const commFd = { _FUSE_COMMFD: "3" };
