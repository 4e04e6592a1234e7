/**
 * The requests of SFTP that a remote needs, one function each, over a session. A server's "no" is thrown as `StatusError`, unless a
 * function says otherwise; paths go out as UTF-8.
 */
import type { SftpSession } from "./session.ts";
import { StatusError } from "./session.ts";
import {
  type Attributes,
  openFlag,
  type PacketWriter,
  packetType,
  statusCode,
  writeNoAttributes,
  writeTimes,
} from "./wire.ts";

/** What the server calls an open file or directory; at most 256 bytes. */
export type Handle = Uint8Array;

export interface DirectoryRow {
  readonly name: Uint8Array;
  readonly attributes: Attributes;
}

/** Of a file system; see statvfs(3). */
export interface SpaceLeft {
  readonly bytes: number;
  readonly isReadOnly: boolean;
}

const readOnlyFlag = 1;

export class SftpFiles {
  readonly session: SftpSession;

  constructor(session: SftpSession) {
    this.session = session;
  }

  openToRead(path: string): Promise<Handle> {
    return this.#open(path, openFlag.read);
  }

  /** A new file; fails where there is one. */
  openNew(path: string): Promise<Handle> {
    return this.#open(path, openFlag.write | openFlag.create | openFlag.exclusive);
  }

  async #open(path: string, flags: number): Promise<Handle> {
    const answer = await this.session.request(packetType.open, packetType.handle, (packet) =>
      writeNoAttributes(packet.string(path).u32(flags)),
    );
    return answer.string();
  }

  close(handle: Handle): Promise<void> {
    return this.#status(packetType.close, (packet) => packet.string(handle));
  }

  /** @returns A view of what was read: empty at the file's end, and perhaps less than `length` before. */
  async read(handle: Handle, position: number, length: number): Promise<Uint8Array> {
    try {
      const answer = await this.session.request(packetType.read, packetType.data, (packet) =>
        packet.string(handle).u64(position).u32(length),
      );
      return answer.string();
    } catch (thrown) {
      if (thrown instanceof StatusError && thrown.code === statusCode.eof) return new Uint8Array();
      throw thrown;
    }
  }

  async write(handle: Handle, position: number, bytes: Uint8Array): Promise<void> {
    await this.session.request(packetType.write, packetType.status, (packet) =>
      packet.string(handle).u64(position).string(bytes),
    );
  }

  /** Undefined when there is nothing. Does not follow a symlink. */
  lstat(path: string): Promise<Attributes | undefined> {
    return absent(this.#attributes(packetType.lstat, (packet) => packet.string(path)));
  }

  /** Undefined when there is nothing. */
  stat(path: string): Promise<Attributes | undefined> {
    return absent(this.#attributes(packetType.stat, (packet) => packet.string(path)));
  }

  fstat(handle: Handle): Promise<Attributes> {
    return this.#attributes(packetType.fstat, (packet) => packet.string(handle));
  }

  /** Sets an open file's times, in seconds since 1970. */
  setTimes(handle: Handle, atime: number, mtime: number): Promise<void> {
    return this.#status(packetType.fsetstat, (packet) => writeTimes(packet.string(handle), atime, mtime));
  }

  /** All names in a directory with what is known of them, some at a time. "." and ".." are left out. */
  async *list(path: string): AsyncIterable<DirectoryRow[]> {
    const answer = await this.session.request(packetType.opendir, packetType.handle, (packet) => packet.string(path));
    const handle = answer.string();
    try {
      for (;;) {
        const rows = await this.#readDirectory(handle);
        if (rows === undefined) return;
        yield rows;
      }
    } finally {
      this.close(handle).catch(() => {});
    }
  }

  async #readDirectory(handle: Handle): Promise<DirectoryRow[] | undefined> {
    try {
      const answer = await this.session.request(packetType.readdir, packetType.name, (packet) => packet.string(handle));
      const rows: DirectoryRow[] = [];
      for (let left = answer.u32(); left > 0; left -= 1) {
        const name = answer.string();
        answer.string();
        const attributes = answer.attributes();
        if (!isDots(name)) rows.push({ name, attributes });
      }
      return rows;
    } catch (thrown) {
      if (thrown instanceof StatusError && thrown.code === statusCode.eof) return undefined;
      throw thrown;
    }
  }

  remove(path: string): Promise<void> {
    return this.#status(packetType.remove, (packet) => packet.string(path));
  }

  makeDirectory(path: string): Promise<void> {
    return this.#status(packetType.mkdir, (packet) => writeNoAttributes(packet.string(path)));
  }

  get canReplace(): boolean {
    return this.session.has("posix-rename@openssh.com", "1");
  }

  /** As rename(2): replaces what is there. Only where `canReplace`. */
  rename(from: string, to: string): Promise<void> {
    return this.#extended("posix-rename@openssh.com", (packet) => packet.string(from).string(to));
  }

  get canLink(): boolean {
    return this.session.has("hardlink@openssh.com", "1");
  }

  /** As link(2). Only where `canLink`. */
  link(from: string, to: string): Promise<void> {
    return this.#extended("hardlink@openssh.com", (packet) => packet.string(from).string(to));
  }

  /** Makes an open file, or directory, durable; does nothing where the server has no such request. */
  async sync(handle: Handle): Promise<void> {
    if (this.session.has("fsync@openssh.com", "1"))
      await this.#extended("fsync@openssh.com", (packet) => packet.string(handle));
  }

  /** Undefined where the server does not tell. */
  async spaceLeft(path: string): Promise<SpaceLeft | undefined> {
    if (!this.session.has("statvfs@openssh.com", "2")) return undefined;
    const answer = await this.session.request(packetType.extended, packetType.extendedReply, (packet) =>
      packet.string("statvfs@openssh.com").string(path),
    );
    answer.u64();
    const blockBytes = answer.u64();
    answer.u64();
    answer.u64();
    const blocks = answer.u64();
    for (let skipped = 0; skipped < 4; skipped += 1) answer.u64();
    return { bytes: blocks * blockBytes, isReadOnly: (answer.u64() & readOnlyFlag) !== 0 };
  }

  async #attributes(type: number, fill: (packet: PacketWriter) => void): Promise<Attributes> {
    return (await this.session.request(type, packetType.attrs, fill)).attributes();
  }

  async #status(type: number, fill: (packet: PacketWriter) => void): Promise<void> {
    await this.session.request(type, packetType.status, fill);
  }

  #extended(name: string, fill: (packet: PacketWriter) => void): Promise<void> {
    return this.#status(packetType.extended, (packet) => fill(packet.string(name)));
  }
}

async function absent<T>(answer: Promise<T>): Promise<T | undefined> {
  try {
    return await answer;
  } catch (thrown) {
    if (thrown instanceof StatusError && thrown.code === statusCode.noSuchFile) return undefined;
    throw thrown;
  }
}

function isDots(name: Uint8Array): boolean {
  return name[0] === 0x2e && (name.length === 1 || (name.length === 2 && name[1] === 0x2e));
}

const typeMask = 0o170_000;

/** What kind of thing it is; a server that does not tell is taken at its word that it is a file. */
export function kindOf({ mode }: Attributes): "file" | "directory" | "other" {
  const type = (mode ?? 0o100_000) & typeMask;
  return type === 0o100_000 ? "file" : type === 0o040_000 ? "directory" : "other";
}
