/** Requests about names: what they lead to, making and removing them, listing directories. */
import { constants } from "node:os";
import { errnoOf, isKind } from "../../base/errors.ts";
import type { Answer, Created, DirectoryEntry, NewFile, OpenFlags } from "../../vfs/mod.ts";
import { type Connection, type Handler, whenAnswered } from "./connection.ts";
import { failure } from "./errno.ts";
import { opcodes } from "./kernel.ts";
import type { Request } from "./request.ts";
import { readForgets, readMknod, readName, readOpenFlags, readTarget, renameMode } from "./structs-in.ts";
import { direntBytes, putDirent, putNegativeEntryOut } from "./structs-out.ts";

const permissionBits = 0o7777;
const umaskBits = 0o777;
/** One answer to a listing; a larger one is asked for in pieces. */
const listingBytesMax = 128 * 1024;
const exclusiveFlag = 0o200;

function lookup(connection: Connection, request: Request): Answer<void> {
  const { filesystem, behaviour, replies } = connection;
  const name = readName(request.reader);
  return whenAnswered(filesystem.lookup(request.inode, name, request), (found) => {
    if (found !== undefined) connection.replyEntry(request, found.attributes);
    else if (behaviour.negativeMs === 0) replies.error(request.unique, constants.errno.ENOENT);
    else replies.struct(request.unique, (into, at) => putNegativeEntryOut(into, at, behaviour.negativeMs));
  });
}

function forget({ filesystem }: Connection, { inode, reader }: Request): void {
  filesystem.forget(inode, reader.u64());
}

function batchForget({ filesystem }: Connection, { reader }: Request): void {
  for (const { inode, lookups } of readForgets(reader)) filesystem.forget(inode, lookups);
}

function mknod(connection: Connection, request: Request): Answer<void> {
  const node = readMknod(request.reader);
  const name = readName(request.reader);
  const made = connection.filesystem.mknod(request.inode, name, node, request);
  return whenAnswered(made, ({ attributes }) => connection.replyEntry(request, attributes));
}

function mkdir(connection: Connection, request: Request): Answer<void> {
  const { reader } = request;
  const node = { mode: reader.u32() & permissionBits, umask: reader.u32() & umaskBits };
  const made = connection.filesystem.mkdir(request.inode, readName(reader), node, request);
  return whenAnswered(made, ({ attributes }) => connection.replyEntry(request, attributes));
}

function symlink(connection: Connection, request: Request): Answer<void> {
  const name = readName(request.reader);
  const target = readTarget(request.reader);
  const made = connection.filesystem.symlink(request.inode, name, target, request);
  return whenAnswered(made, ({ attributes }) => connection.replyEntry(request, attributes));
}

function link(connection: Connection, request: Request): Answer<void> {
  const inode = request.reader.u64();
  const made = connection.filesystem.link(inode, request.inode, readName(request.reader), request);
  return whenAnswered(made, ({ attributes }) => connection.replyEntry(request, attributes));
}

function unlink({ filesystem, replies }: Connection, request: Request): Answer<void> {
  const done = filesystem.unlink(request.inode, readName(request.reader), request);
  return whenAnswered(done, () => replies.done(request.unique));
}

function rmdir({ filesystem, replies }: Connection, request: Request): Answer<void> {
  const done = filesystem.rmdir(request.inode, readName(request.reader), request);
  return whenAnswered(done, () => replies.done(request.unique));
}

function rename({ filesystem, replies }: Connection, request: Request): Answer<void> {
  const { reader } = request;
  const parent = reader.u64();
  const flags = request.opcode === opcodes.rename2 ? reader.u32() : 0;
  if (request.opcode === opcodes.rename2) reader.skip(4);
  const mode = renameMode(flags);
  const from = { parent: request.inode, name: readName(reader) };
  const done = filesystem.rename(from, { parent, name: readName(reader) }, mode, request);
  return whenAnswered(done, () => replies.done(request.unique));
}

/** fuse_create_in. */
function readCreate({ reader }: Request): NewFile & OpenFlags & { readonly isExclusive: boolean } {
  const flags = reader.u32();
  const mode = reader.u32() & permissionBits;
  const umask = reader.u32() & umaskBits;
  return { mode, umask, isExclusive: (flags & exclusiveFlag) !== 0, ...readOpenFlags(flags, reader.u32()) };
}

function create(connection: Connection, request: Request): Answer<void> {
  const file = readCreate(request);
  const name = readName(request.reader);
  const reply = (made: Created): void => connection.replyOpen(request, made.attributes.inode, made, made.attributes);
  const openThere = (thrown: unknown): Answer<void> => {
    if (file.isExclusive || !(isKind(thrown, "exists") || errnoOf(thrown) === "EEXIST")) throw thrown;
    return whenAnswered(openExisting(connection, request, name, file), reply);
  };
  let made: Answer<Created>;
  try {
    made = connection.filesystem.create(request.inode, name, file, request);
  } catch (thrown) {
    return openThere(thrown);
  }
  return made instanceof Promise ? made.then(reply, openThere) : reply(made);
}

/** The kernel believed that there was none, and there is by now. */
async function openExisting(
  { filesystem }: Connection,
  request: Request,
  name: Uint8Array,
  flags: OpenFlags,
): Promise<Created> {
  const found = await filesystem.lookup(request.inode, name, request);
  if (found === undefined) throw failure("ENOENT", "a name comes and goes");
  try {
    return { ...found, ...(await filesystem.open(found.attributes.inode, flags, request)) };
  } catch (thrown) {
    filesystem.forget(found.attributes.inode, 1);
    throw thrown;
  }
}

function tmpfile(connection: Connection, request: Request): Answer<void> {
  const made = connection.filesystem.createTemporary(request.inode, readCreate(request), request);
  return whenAnswered(made, (each) => connection.replyOpen(request, each.attributes.inode, each, each.attributes));
}

function opendir(connection: Connection, request: Request): Answer<void> {
  const { filesystem, behaviour } = connection;
  if (behaviour.withoutOpens && connection.has("noOpendirSupport")) throw failure("ENOSYS", "no opens are wanted");
  const opened = filesystem.opendir(request.inode, request);
  return whenAnswered(opened, ({ handle }) => connection.replyOpendir(request, handle));
}

/** READDIR and READDIRPLUS. */
function readdir({ filesystem, behaviour, replies }: Connection, request: Request): Answer<void> {
  const { reader } = request;
  const [handle, after, size] = [reader.u64(), reader.u64(), reader.u32()];
  const plus = request.opcode === opcodes.readdirplus;
  const listing = Buffer.allocUnsafe(Math.min(size, listingBytesMax));
  let used = 0;
  const give = (entry: DirectoryEntry): boolean => {
    if (used + direntBytes(entry, plus) > listing.length) return false;
    used += putDirent(listing, used, entry, plus ? behaviour : undefined);
    return true;
  };
  const done = filesystem.readdir(request.inode, handle, { after, plus, give }, request);
  return whenAnswered(done, () => replies.data(request.unique, [listing.subarray(0, used)]));
}

function fsyncdir({ filesystem, replies }: Connection, request: Request): Answer<void> {
  const done = filesystem.fsyncdir(request.inode, request.reader.u64());
  return whenAnswered(done, () => replies.done(request.unique));
}

function releasedir({ filesystem, replies }: Connection, request: Request): Answer<void> {
  const done = filesystem.releasedir(request.inode, request.reader.u64());
  return whenAnswered(done, () => replies.done(request.unique));
}

export const nameHandlers: Readonly<Record<number, Handler>> = {
  [opcodes.lookup]: lookup,
  [opcodes.forget]: forget,
  [opcodes.batchForget]: batchForget,
  [opcodes.mknod]: mknod,
  [opcodes.mkdir]: mkdir,
  [opcodes.symlink]: symlink,
  [opcodes.link]: link,
  [opcodes.unlink]: unlink,
  [opcodes.rmdir]: rmdir,
  [opcodes.rename]: rename,
  [opcodes.rename2]: rename,
  [opcodes.create]: create,
  [opcodes.tmpfile]: tmpfile,
  [opcodes.opendir]: opendir,
  [opcodes.readdir]: readdir,
  [opcodes.readdirplus]: readdir,
  [opcodes.fsyncdir]: fsyncdir,
  [opcodes.releasedir]: releasedir,
};
