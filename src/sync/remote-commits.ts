/** Commits read from remotes, where there is no box here that has them. Which pack has a commit is found in the directories of the packs of metadata. */
import { toHex } from "../base/bytes.ts";
import { isKind, OuroError } from "../base/errors.ts";
import {
  type BoxSecrets,
  decodeFrame,
  directoryHash,
  type FrameMethod,
  getHasher,
  type Hash,
  metaKindCodes,
  type NamedCommit,
  type PackInfo,
  Seal,
  sealHeaderBytes,
  type Verify,
} from "../format/mod.ts";
import { readCommit } from "../history/mod.ts";
import type { Remote } from "../remote/mod.ts";
import { packName } from "./box-on-remote.ts";
import { readDirectoryThere } from "./pack-directory.ts";
import { isDamage } from "./remote-index.ts";

/** A remote, and the packs that are counted on. */
export interface CommitSource {
  readonly remote: Remote;
  readonly secrets: BoxSecrets;
  readonly packs: ReadonlyMap<string, PackInfo>;
}

interface CommitPlace {
  readonly source: CommitSource;
  readonly pack: PackInfo;
  readonly offset: number;
  readonly sealed: number;
  readonly method: FrameMethod;
  readonly decoded: number;
  readonly at: number;
  readonly length: number;
}

export class RemoteCommits {
  readonly #verify: Verify;
  readonly #sources: readonly CommitSource[];
  /** By id in hex, once it has been looked for. */
  #places: Map<string, CommitPlace> | undefined;

  constructor(verify: Verify, sources: readonly CommitSource[]) {
    this.#verify = verify;
    this.#sources = sources;
  }

  /** Undefined when no pack has it that can be read. @throws As `Remote.get`; "corrupt" for a commit that is not what its id says. */
  async find(id: Hash): Promise<NamedCommit | undefined> {
    this.#places ??= await this.#look();
    const place = this.#places.get(toHex(id));
    if (place === undefined) return undefined;
    const bytes = await readObject(place);
    const { box, hash } = place.source.secrets;
    return readCommit({ getMeta: () => bytes }, id, { hasher: getHasher(hash), box, verify: this.#verify });
  }

  async #look(): Promise<Map<string, CommitPlace>> {
    const places = new Map<string, CommitPlace>();
    for (const source of this.#sources) {
      for (const pack of source.packs.values()) if (pack.class === "meta") await note(source, pack, places);
    }
    return places;
  }
}

async function note(source: CommitSource, pack: PackInfo, places: Map<string, CommitPlace>): Promise<void> {
  try {
    const directory = await readDirectoryThere(source.remote, pack, source.secrets);
    for (let frame = 0; frame < directory.frames; frame += 1) {
      const end = directory.frameObjects[frame + 1] ?? 0;
      for (let object = directory.frameObjects[frame] ?? 0; object < end; object += 1) {
        if (directory.kinds[object] !== metaKindCodes.commit) continue;
        places.set(toHex(directoryHash(directory, object)), {
          source,
          pack,
          offset: directory.frameOffsets[frame] ?? 0,
          sealed: directory.frameSealed[frame] ?? 0,
          method: (directory.frameMethods[frame] ?? 0) as FrameMethod,
          decoded: directory.frameLengths[frame] ?? 0,
          at: directory.objectOffsets[object] ?? 0,
          length: directory.objectLengths[object] ?? 0,
        });
      }
    }
  } catch (thrown) {
    if (!isDamage(thrown) && !isKind(thrown, "not-found") && !isKind(thrown, "invalid")) throw thrown;
  }
}

async function readObject({
  source,
  pack,
  offset,
  sealed,
  method,
  decoded,
  at,
  length,
}: CommitPlace): Promise<Uint8Array> {
  const { remote, secrets } = source;
  const name = packName(pack.name);
  const what = `${name} of ${remote.url}`;
  const header = await remote.get(name, { range: { start: 0, end: sealHeaderBytes } });
  const bytes = await remote.get(name, { range: { start: offset, end: offset + sealed } });
  const payload = Seal.open(secrets, "pack", header, what).openPiece(offset, bytes, what);
  const frame = decodeFrame(method, payload, decoded, what);
  if (at + length > frame.length) throw new OuroError("corrupt", `Cannot read ${what}: a frame is too short`);
  return frame.subarray(at, at + length);
}
