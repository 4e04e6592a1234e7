/**
 * Whether the key in `.ourobox/keys` is the box's own, before anything is sealed with it: a damaged key would make packs that nobody
 * else can open. The head's file tells, or, where there is none that opens, the newest packs.
 */
import { join } from "node:path";
import { toText } from "../base/bytes.ts";
import { isKind, OuroError } from "../base/errors.ts";
import { type BoxSecrets, headLimits, openBlob } from "../format/mod.ts";
import type { Store } from "../store/mod.ts";
import type { AppContext } from "./context.ts";
import { listNames } from "./disk-folders.ts";
import type { Layout } from "./layout.ts";
import { findSmallFile } from "./small-files.ts";

/** @throws OuroError "wrong-key". */
export function checkKey(
  context: AppContext,
  layout: Layout,
  { secrets, store }: { secrets: BoxSecrets; store: Store },
): void {
  if (secrets.key === undefined || opensHead(context, layout, secrets) || store.opensPacks() !== false) return;
  throw new OuroError("wrong-key", `Cannot open the box: the key in ${layout.key} is not its own, or is damaged`, {
    subject: layout.key,
    hint: "Copy that file from another machine of the same box. Or remove it, and run `ourobox fetch`, which brings it back from a remote with its passphrase.",
  });
}

function opensHead({ disk }: AppContext, { heads }: Layout, secrets: BoxSecrets): boolean {
  return listNames(disk, heads).some((name) => {
    if (!/^[0-9a-f]{16}$/.test(toText(name))) return false;
    const path = join(heads, toText(name));
    try {
      const bytes = findSmallFile(disk, path, headLimits.bytes);
      return bytes !== undefined && openBlob(secrets, "head", bytes, path).length > 0;
    } catch (thrown) {
      if (!isKind(thrown)) throw thrown;
      return false;
    }
  });
}
