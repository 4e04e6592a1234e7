/** How much the cache of a box may take now: `cache.size` and `cache.free` in the settings, and what the disk has. */
import { statfsSync } from "node:fs";
import { ioError, OuroError } from "../base/errors.ts";
import { mustBeCacheSize, mustBeShare, parseCacheSize, parseShare } from "./cache-values.ts";
import type { AppContext } from "./context.ts";
import type { OpenBox } from "./open-box.ts";
import { Settings } from "./settings.ts";

/** In bytes. */
export interface DiskSpace {
  readonly total: number;
  /** For whoever runs this. */
  readonly free: number;
}

/** In bytes. */
export interface CacheLimits {
  /** The quota. */
  readonly size: number;
  /** To be left free on the disk. */
  readonly free: number;
  readonly disk: DiskSpace;
}

/** As the environment, the config files and the disk say now. @throws OuroError "usage" about a value that does not fit; "io". */
export function readCacheLimits({ context, layout }: Pick<OpenBox, "context" | "layout">): CacheLimits {
  const settings = Settings.load({ disk: context.disk, env: context.env, cwd: layout.top });
  const read = <T>(key: string, parse: (text: string) => T | undefined, must: string): T => {
    const text = settings.findRow(key)?.value ?? "";
    const value = parse(text);
    if (value === undefined)
      throw new OuroError("usage", `Cannot use ${key} = ${JSON.stringify(text.slice(0, 80))}: ${must}`);
    return value;
  };
  const wish = read("cache.size", parseCacheSize, mustBeCacheSize);
  const share = read("cache.free", parseShare, mustBeShare);
  const disk = spaceOf(context, layout.box);
  return {
    size: wish.kind === "bytes" ? wish.bytes : Math.floor(disk.total * wish.share),
    free: Math.floor(disk.total * share),
    disk,
  };
}

function spaceOf({ diskSpace }: AppContext, path: string): DiskSpace {
  if (diskSpace !== undefined) return diskSpace(path);
  try {
    const { blocks, bavail, bsize } = statfsSync(path);
    return { total: blocks * bsize, free: bavail * bsize };
  } catch (thrown) {
    throw ioError("Cannot ask how much room the disk has", thrown, path);
  }
}
