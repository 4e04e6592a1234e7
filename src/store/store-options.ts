/** What it takes to open a store. */
import type { Disk } from "../base/disk.ts";
import type { BoxSecrets, ChunkSizes } from "../format/mod.ts";
import type { IsRight } from "./object-name.ts";

export interface StoreOptions {
  /** The box's `.ourobox` folder. */
  readonly directory: string;
  /** Where index.sqlite is; `directory` by default. */
  readonly indexFolder?: string;
  readonly secrets: BoxSecrets;
  readonly chunk: ChunkSizes;
  readonly disk: Disk;
  /** What a name does not say of an object; every commit is right without it. */
  readonly isRight?: IsRight;
  /** Unpredictable bytes. */
  readonly random: (count: number) => Uint8Array;
  /** Opens without looking after anything: cheap enough for a worker thread. Needs an index that is there. */
  readonly readOnly?: boolean;
  /** With `readOnly`: makes the index where there is none, and keeps it in step with the packs. Its folder can be written, the box's cannot. */
  readonly makesIndex?: boolean;
  /** Each chunk's bytes are used before the next is asked for: the memory of frames is used again, and few are kept. */
  readonly usesChunksAtOnce?: boolean;
  /** Told what was found wrong and mended while opening, one sentence each. */
  readonly onNotice?: (text: string) => void;
}
