/** How much of the line transfers may take, and how many there are at once: `transfers.*` in the settings. */
import { OuroError } from "../base/errors.ts";
import type { Limits } from "../remote/mod.ts";
import type { AppContext } from "./context.ts";
import { Settings } from "./settings.ts";
import { mustBeAtOnce, mustBeRate, parseAtOnce, parseRate } from "./transfer-values.ts";

export interface TransferSettings {
  readonly limits: Limits;
  /** Packs on their way at once; absent for the default. */
  readonly transfers?: number;
}

/**
 * As the environment and the config files say now.
 * @throws OuroError "usage" about a value that does not fit.
 */
export function readTransferSettings({ disk, env, cwd }: Pick<AppContext, "disk" | "env" | "cwd">): TransferSettings {
  const settings = Settings.load({ disk, env, cwd });
  const read = (key: string, parse: (text: string) => number | undefined, must: string): number | undefined => {
    const text = settings.find(key);
    if (text === undefined) return undefined;
    const value = parse(text);
    if (value === undefined)
      throw new OuroError("usage", `Cannot use ${key} = ${JSON.stringify(text.slice(0, 80))}: ${must}`);
    return value;
  };
  const upload = read("transfers.upload", parseRate, mustBeRate);
  const download = read("transfers.download", parseRate, mustBeRate);
  const transfers = read("transfers.at-once", parseAtOnce, mustBeAtOnce);
  return {
    limits: { ...(upload === undefined ? {} : { upload }), ...(download === undefined ? {} : { download }) },
    ...(transfers === undefined ? {} : { transfers }),
  };
}
