/**
 * Where a walk through a folder stands: the open directories from the root to the one at hand.
 *
 * Directories are opened one name at a time and never through a symlink, so no path is too long and nothing outside the root is
 * reached. Only the deepest `openMax` descriptors stay open; those above are opened again, by the same names, when they are needed.
 */
import { ioError } from "../base/errors.ts";
import { close, openAt, openBeneath, openFlags, type PathLike } from "../base/posix.ts";
import { quotePath } from "../base/quote.ts";

const openMax = 256;
/** What `openBeneath` is given at once: under the kernel's 4,096. */
const stepBytesMax = 3500;
const flags: number = openFlags.read | openFlags.directory | openFlags.nonBlock;

export function latin(name: string): Buffer {
  return Buffer.from(name, "latin1");
}

/** The path of a name in a directory; the root's path is "". */
export function below(directory: string, name: string): string {
  return directory === "" ? name : `${directory}/${name}`;
}

/** Opens a folder's root. Symlinks in its own path are the user's and followed. @throws OuroError "not-found", "permission" and its like. */
export function openRoot(path: PathLike): number {
  const bytes = typeof path === "string" ? Buffer.from(path) : path;
  try {
    return openAt(-100, Buffer.concat([bytes, Buffer.from("/.")]), flags);
  } catch (thrown) {
    throw ioError(`Cannot read the folder ${quotePath(bytes)}`, thrown);
  }
}

/**
 * Opens a directory below the root by its path, one character a byte, of any length.
 * @throws Error with `code`: ELOOP when a part is a symlink, ENOTDIR, ENOENT, EACCES.
 */
export function openDirectory(root: number, path: string): number {
  if (path === "") return openBeneath(root, ".", flags);
  if (path.length <= stepBytesMax) return openBeneath(root, latin(path), flags);
  let fd = openBeneath(root, ".", flags);
  for (let rest = path; rest !== ""; ) {
    let end = rest.length;
    if (end > stepBytesMax) end = rest.lastIndexOf("/", stepBytesMax);
    const from = fd;
    try {
      fd = openBeneath(from, latin(rest.slice(0, end)), flags);
    } finally {
      close(from);
    }
    rest = rest.slice(end + 1);
  }
  return fd;
}

export class FolderWalk implements Disposable {
  readonly #root: number;
  readonly #names: string[] = [];
  /** Of the root and each name; -1 when closed for the time being. */
  readonly #fds: number[];
  /** How long the path to each is. */
  readonly #lengths: number[] = [0];

  /** @param root Stays the caller's. */
  constructor(root: number) {
    this.#root = root;
    this.#fds = [root];
  }

  get depth(): number {
    return this.#names.length;
  }

  /** The directory at hand. Not for closing; valid until the next `enter` or `leave`. */
  get fd(): number {
    const last = this.#fds.length - 1;
    let fd = this.#fds[last] as number;
    if (fd < 0) {
      fd = openDirectory(this.#root, this.path);
      this.#fds[last] = fd;
    }
    return fd;
  }

  /** From the root, one character a byte. */
  get path(): string {
    return this.#names.join("/");
  }

  /** Of the directory at hand; "" for the root. */
  get name(): string {
    return this.#names.at(-1) ?? "";
  }

  get pathLength(): number {
    return this.#lengths.at(-1) as number;
  }

  /** Goes into a directory. @throws Error with `code`, and stays where it is. */
  enter(name: string): void {
    const fd = openAt(this.fd, latin(name), flags);
    const old = this.#fds.length - openMax;
    if (old > 0 && (this.#fds[old] as number) >= 0) {
      close(this.#fds[old] as number);
      this.#fds[old] = -1;
    }
    this.#lengths.push(this.pathLength + name.length + (this.#names.length === 0 ? 0 : 1));
    this.#names.push(name);
    this.#fds.push(fd);
  }

  leave(): void {
    const fd = this.#fds.pop() as number;
    if (fd >= 0) close(fd);
    this.#names.pop();
    this.#lengths.pop();
  }

  [Symbol.dispose](): void {
    while (this.#fds.length > 1) this.leave();
  }
}
