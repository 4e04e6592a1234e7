/** Checks the files of `.ourobox/heads/`. */
import { join } from "node:path";
import { toText } from "../base/bytes.ts";
import { isKind } from "../base/errors.ts";
import { decodeHead, headLimits, openBlob } from "../format/mod.ts";
import { verifySignature } from "../peer/mod.ts";
import type { Damage } from "../store/mod.ts";
import type { OpenBox } from "./open-box.ts";
import { findSmallFile } from "./small-files.ts";

export function* checkHeadFiles({ context, layout, secrets }: OpenBox): Generator<Damage> {
  for (const name of context.disk.list(layout.heads)) {
    const path = join(layout.heads, toText(name));
    if (!/^[0-9a-f]{16}$/.test(toText(name))) continue;
    try {
      const bytes = findSmallFile(context.disk, path, headLimits.bytes);
      if (bytes !== undefined) decodeHead(openBlob(secrets, "head", bytes, path), secrets.box, verifySignature, path);
    } catch (thrown) {
      if (!isKind(thrown)) throw thrown;
      const hint = "Nothing is lost while state.sqlite is whole: remove the file, and the next commit writes it again.";
      yield { file: `heads/${toText(name)}`, what: thrown.message, hint };
    }
  }
}
