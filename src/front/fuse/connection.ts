/**
 * What all handlers of a connection share: the filesystem, what was agreed on with the kernel, and the way answers go. An answer that reaches nobody is
 * undone: its lookup is forgotten, its handle released.
 */
import type { Answer, Attributes, Filesystem, Opened } from "../../vfs/mod.ts";
import type { Agreement } from "./init.ts";
import { initFlags, openReply } from "./kernel.ts";
import type { FuseBehaviour } from "./options.ts";
import { Passthrough } from "./passthrough.ts";
import { Replies } from "./replies.ts";
import type { Request } from "./request.ts";
import { putEntryOut, putOpenOut } from "./structs-out.ts";

export type Handler = (connection: Connection, request: Request) => Answer<void>;

export class Connection {
  readonly filesystem: Filesystem;
  readonly behaviour: FuseBehaviour;
  readonly replies: Replies;
  readonly passthrough: Passthrough;
  /** Undefined before INIT. */
  agreement: Agreement | undefined;

  /** @param fd Of /dev/fuse; stays the caller's. */
  constructor(filesystem: Filesystem, behaviour: FuseBehaviour, fd: number) {
    this.filesystem = filesystem;
    this.behaviour = behaviour;
    this.replies = new Replies(fd);
    this.passthrough = new Passthrough(fd);
  }

  /** Whether both sides want one of `initFlags`. */
  has(flag: keyof typeof initFlags): boolean {
    return ((this.agreement?.flags ?? 0) & initFlags[flag]) !== 0;
  }

  replyEntry({ unique }: Request, attributes: Attributes): void {
    const isHeard = this.replies.struct(unique, (into, at) => putEntryOut(into, at, attributes, this.behaviour));
    if (!isHeard) this.filesystem.forget(attributes.inode, 1);
  }

  /** @param created What was made in the same request: its entry goes before. */
  replyOpen(request: Request, inode: number, opened: Opened, created?: Attributes): void {
    const { flags, backing } = this.#howOpened(inode, opened);
    const isHeard = this.replies.struct(request.unique, (into, at) => {
      const bytes = created === undefined ? 0 : putEntryOut(into, at, created, this.behaviour);
      return bytes + putOpenOut(into, at + bytes, { handle: opened.handle, flags, backing });
    });
    if (isHeard) return;
    this.passthrough.released(opened.handle);
    ignoreFailure(() => this.filesystem.release(inode, opened.handle));
    if (created !== undefined) this.filesystem.forget(inode, 1);
  }

  replyOpendir({ unique, inode }: Request, handle: number): void {
    const { keepCache, cacheDir } = openReply;
    const flags = this.behaviour.tellsChanges ? keepCache | cacheDir : 0;
    const isHeard = this.replies.struct(unique, (into, at) => putOpenOut(into, at, { handle, flags, backing: 0 }));
    if (!isHeard) ignoreFailure(() => this.filesystem.releasedir(inode, handle));
  }

  #howOpened(inode: number, opened: Opened): { readonly flags: number; readonly backing: number } {
    const { behaviour } = this;
    const isDirect = behaviour.passthrough && !behaviour.writebackCache;
    const how = isDirect
      ? this.passthrough.opened(inode, opened)
      : { flags: opened.isVolatile === true ? openReply.directIo : 0, backing: 0 };
    let { flags } = how;
    if ((flags & openReply.directIo) !== 0) flags |= openReply.parallelDirectWrites;
    // The kernel refuses a passthrough that would keep a cache.
    else if (how.backing === 0 && opened.keepCache === true) flags |= openReply.keepCache;
    if (behaviour.withoutFlushes) flags |= openReply.noFlush;
    return { flags, backing: how.backing };
  }
}

/** Goes on with a value at once where it is there, so that what needs no waiting is answered in the same turn. */
export function whenAnswered<T>(answer: Answer<T>, use: (value: T) => Answer<void>): Answer<void> {
  return answer instanceof Promise ? answer.then(use) : use(answer);
}

/** For what nobody can be told of any more. */
export function ignoreFailure(act: () => Answer<void>): void {
  try {
    const answer = act();
    if (answer instanceof Promise) answer.catch(() => {});
  } catch {
    // As said.
  }
}
