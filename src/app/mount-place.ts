/** Where a box may be mounted: not in its own folder, whose next commit would take what is shown there for a part of it. */
import { realpathSync } from "node:fs";
import { OuroError } from "../base/errors.ts";
import { layoutOf, rootOf } from "./layout.ts";
import type { OpenBox } from "./open-box.ts";

/** @param directory Absolute and without symlinks. @throws OuroError "usage". */
export function requireOutside(box: OpenBox, directory: string): void {
  const folders = [box.root, rootOf(layoutOf(box.layout.top), box.settings)];
  if (!folders.some((folder) => folder !== undefined && isIn(directory, realpathSync(folder)))) return;
  throw new OuroError("usage", `Cannot mount on ${directory}: it is in the folder of the box itself`, {
    subject: directory,
    hint: "Choose an empty folder elsewhere.",
  });
}

function isIn(directory: string, folder: string): boolean {
  return directory === folder || directory.startsWith(folder === "/" ? folder : `${folder}/`);
}
