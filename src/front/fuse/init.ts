/**
 * The first request of a connection: which version is spoken, and which of the kernel's abilities are used. Source: linux/fuse.h, "Version
 * negotiation", and fs/fuse/inode.c, process_init_reply.
 *
 * Minor versions from 31 on are spoken; what came later is a flag that an older kernel does not offer. Only what is offered is asked for.
 */
import { failure } from "./errno.ts";
import { initFlags, initFlags2, kernelVersion, pageBytes, structBytes } from "./kernel.ts";
import type { FuseBehaviour } from "./options.ts";
import type { StructReader } from "./struct-reader.ts";

/** The largest write, and the largest read: one request, one buffer. */
export const dataBytesMax: number = 1024 * 1024;

/** The kernel's own limit without max_pages: 32 pages. */
const dataBytesOld = 32 * pageBytes;
const stackDepth = 1;
const timeGranularityNs = 1;

export interface InitRequest {
  readonly major: number;
  readonly minor: number;
  readonly readAheadBytes: number;
  readonly flags: number;
  readonly flags2: number;
}

export interface Agreement {
  readonly minor: number;
  readonly flags: number;
  readonly flags2: number;
  readonly readAheadBytes: number;
  readonly writeBytesMax: number;
}

/** fuse_init_in. Its second half is there from 7.36 on. */
export function readInit(reader: StructReader): InitRequest {
  const [major, minor] = [reader.u32(), reader.u32()];
  if (major !== kernelVersion.major) return { major, minor, readAheadBytes: 0, flags: 0, flags2: 0 };
  const [readAheadBytes, flags] = [reader.u32(), reader.u32()];
  const hasMore = (flags & initFlags.initExtended) !== 0 && reader.left >= 4;
  return { major, minor, readAheadBytes, flags, flags2: hasMore ? reader.u32() : 0 };
}

/**
 * What both sides will do.
 * @returns Undefined when the kernel speaks a later major version: it asks again, with ours.
 * @throws EPROTO: too old.
 */
export function agree(init: InitRequest, behaviour: FuseBehaviour): Agreement | undefined {
  if (init.major > kernelVersion.major) return undefined;
  if (init.major < kernelVersion.major || init.minor < kernelVersion.minorMin) {
    throw failure("EPROTO", `this kernel's FUSE is ${init.major}.${init.minor} (7.${kernelVersion.minorMin} or later)`);
  }
  const hasMaxPages = (init.flags & initFlags.maxPages) !== 0;
  return {
    minor: Math.min(init.minor, kernelVersion.minor),
    flags: wantedFlags(behaviour) & init.flags,
    flags2: wantedFlags2(behaviour) & init.flags2,
    readAheadBytes: Math.min(init.readAheadBytes, behaviour.readAheadBytes),
    writeBytesMax: hasMaxPages ? dataBytesMax : dataBytesOld,
  };
}

function wantedFlags(behaviour: FuseBehaviour): number {
  const { asyncRead, atomicTruncate, exportSupport, bigWrites, dontMask, readdirplus, readdirplusAuto } = initFlags;
  const { asyncDirectIo, parallelDirectoryOps, abortError, maxPages, cacheSymlinks, handleKillPrivV2 } = initFlags;
  const { setxattrExtended, initExtended } = initFlags;
  let flags = asyncRead | exportSupport | bigWrites | dontMask | readdirplus | readdirplusAuto | asyncDirectIo;
  flags |=
    parallelDirectoryOps | abortError | maxPages | cacheSymlinks | handleKillPrivV2 | setxattrExtended | initExtended;
  // The kernel truncates by SETATTR where there is no OPEN to do it.
  if (behaviour.withoutOpens) flags |= initFlags.noOpenSupport | initFlags.noOpendirSupport;
  else flags |= atomicTruncate;
  if (behaviour.locks) flags |= initFlags.posixLocks | initFlags.flockLocks;
  if (behaviour.posixAcl) flags |= initFlags.posixAcl;
  if (behaviour.writebackCache) flags |= initFlags.writebackCache;
  return flags | (behaviour.tellsChanges ? initFlags.explicitInvalidateData : initFlags.autoInvalidateData);
}

function wantedFlags2(behaviour: FuseBehaviour): number {
  const { hasExpireOnly, directIoAllowMmap, passthrough } = initFlags2;
  const isDirect = behaviour.passthrough && !behaviour.writebackCache;
  return hasExpireOnly | directIoAllowMmap | (isDirect ? passthrough : 0);
}

/** fuse_init_out, 64 bytes. */
export function putInitOut(into: Buffer, at: number, agreement: Agreement, behaviour: FuseBehaviour): number {
  into.fill(0, at, at + structBytes.initOut);
  into.writeUInt32LE(kernelVersion.major, at);
  into.writeUInt32LE(kernelVersion.minor, at + 4);
  into.writeUInt32LE(agreement.readAheadBytes, at + 8);
  into.writeUInt32LE(agreement.flags >>> 0, at + 12);
  into.writeUInt16LE(behaviour.backgroundMax, at + 16);
  into.writeUInt16LE(Math.ceil((behaviour.backgroundMax * 3) / 4), at + 18);
  into.writeUInt32LE(agreement.writeBytesMax, at + 20);
  into.writeUInt32LE(timeGranularityNs, at + 24);
  into.writeUInt16LE(agreement.writeBytesMax / pageBytes, at + 28);
  into.writeUInt32LE(agreement.flags2 >>> 0, at + 32);
  into.writeUInt32LE((agreement.flags2 & initFlags2.passthrough) === 0 ? 0 : stackDepth, at + 36);
  return structBytes.initOut;
}

/** To a kernel of a later major version: only ours, and it asks again. */
export function putInitVersion(into: Buffer, at: number): number {
  into.fill(0, at, at + structBytes.initOut);
  into.writeUInt32LE(kernelVersion.major, at);
  into.writeUInt32LE(kernelVersion.minor, at + 4);
  return structBytes.initOut;
}
