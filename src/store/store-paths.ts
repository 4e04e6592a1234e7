/** Where the store's files are in a box's folder. Format: doc/format.md, section 9. */
import { fromHex, toHex, toText } from "../base/bytes.ts";
import type { Hash } from "../format/mod.ts";

/** Temporary packs begin so; what else is in `tmp/` belongs to others. */
export const temporaryPackPrefix = "pack-";

export class StorePaths {
  readonly packs: string;
  readonly temporary: string;
  readonly index: string;

  /** @param directory The box's `.ourobox` folder. */
  constructor({ directory, indexFolder = directory }: { readonly directory: string; readonly indexFolder?: string }) {
    this.packs = `${directory}/packs`;
    this.temporary = `${directory}/tmp`;
    this.index = `${indexFolder}/index.sqlite`;
  }

  pack(name: Hash): string {
    return `${this.packs}/${toHex(name)}`;
  }
}

/** The pack that a file in `packs/` is by its name, or undefined for a file that is none. */
export function packNameOf(file: Uint8Array): Hash | undefined {
  const text = toText(file);
  return /^[0-9a-f]{64}$/.test(text) ? fromHex(text, 32) : undefined;
}
