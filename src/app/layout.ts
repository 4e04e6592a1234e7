/** Where things are inside `.ourobox/` (doc/format.md, section 9), and how a box is found from a folder within it. */
import { dirname, join, resolve } from "node:path";
import type { Disk } from "../base/disk.ts";
import { OuroError } from "../base/errors.ts";
import { findStat } from "./disk-folders.ts";

export const boxFolder = ".ourobox";

export interface Layout {
  /** The folder that holds `.ourobox`. */
  readonly top: string;
  readonly box: string;
  readonly identity: string;
  readonly key: string;
  readonly writer: string;
  readonly settings: string;
  readonly state: string;
  /** Where there is such a file, `state` and the index are elsewhere: databases.ts. */
  readonly databases: string;
  readonly heads: string;
  readonly tmp: string;
}

export function layoutOf(top: string): Layout {
  const box = join(top, boxFolder);
  return {
    top,
    box,
    identity: join(box, "box"),
    key: join(box, "keys"),
    writer: join(box, "writer"),
    settings: join(box, "config"),
    state: join(box, "state.sqlite"),
    databases: join(box, "databases"),
    heads: join(box, "heads"),
    tmp: join(box, "tmp"),
  };
}

/**
 * The box that holds `start` or a folder above it.
 * @throws OuroError "no-box".
 */
export function findBox(disk: Disk, start: string): Layout {
  for (let folder = resolve(start); ; folder = dirname(folder)) {
    const layout = layoutOf(folder);
    if (findStat(disk, layout.identity) !== undefined) return layout;
    if (folder === dirname(folder)) break;
  }
  throw new OuroError("no-box", `Cannot find a box: neither ${resolve(start)} nor a folder above it has ${boxFolder}`, {
    hint: "Run `ourobox init` to make one here, or `ourobox clone URL` to bring one.",
    subject: start,
  });
}
