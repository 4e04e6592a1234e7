/** Checks the small files of a box: heads, writer and settings. Its identity and key were needed to open it. */
import { join } from "node:path";
import { toText } from "../base/bytes.ts";
import { isKind } from "../base/errors.ts";
import { decodeHead, headLimits, openBlob } from "../format/mod.ts";
import { verifySignature } from "../peer/mod.ts";
import type { Damage } from "../store/mod.ts";
import { listNames } from "./disk-folders.ts";
import type { OpenBox } from "./open-box.ts";
import { findSmallFile } from "./small-files.ts";
import { checkWriterFile } from "./writer-file.ts";

export function* checkSmallFiles(box: OpenBox): Generator<Damage> {
  const { context, layout, settings } = box;
  yield* checkHeadFiles(box);
  yield* damageOf(
    "writer",
    "Run `ourobox check --repair`: the box then goes on with a new writer id and loses nothing.",
    () => checkWriterFile(context.disk, layout),
  );
  for (const problem of settings.problems) {
    if (problem.startsWith(layout.settings))
      yield { file: "config", what: problem, hint: "Correct that line, or remove it." };
  }
}

function* checkHeadFiles({ context, layout, secrets }: OpenBox): Generator<Damage> {
  const hint = "Nothing is lost while state.sqlite is whole: run `ourobox check --repair` to write it again.";
  for (const bytes of listNames(context.disk, layout.heads)) {
    const name = toText(bytes);
    if (!/^[0-9a-f]{16}$/.test(name)) continue;
    const path = join(layout.heads, name);
    yield* damageOf(`heads/${name}`, hint, () => {
      const found = findSmallFile(context.disk, path, headLimits.bytes);
      if (found !== undefined) decodeHead(openBlob(secrets, "head", found, path), secrets.box, verifySignature, path);
    });
  }
}

function* damageOf(file: string, hint: string, check: () => void): Generator<Damage> {
  try {
    check();
  } catch (thrown) {
    if (!isKind(thrown)) throw thrown;
    yield { file, what: thrown.message, hint };
  }
}
