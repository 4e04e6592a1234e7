/**
 * What every filesystem must do, as cases in terms of programs' calls: they run straight on a `Filesystem`, and through a kernel's mount of it. Each
 * case has a directory of its own. The parts: names, content, attributes, corners, and reading what was made before.
 */
import type { FsClient } from "../../test/support/fs-client.ts";
import { attributeCases } from "./filesystem-attributes.suite.ts";
import { contentCases } from "./filesystem-content.suite.ts";
import { cornerCases } from "./filesystem-corners.suite.ts";
import { nameCases } from "./filesystem-names.suite.ts";
import { readingCases } from "./filesystem-reading.suite.ts";

export interface FilesystemCase {
  /** A sentence that is true of the filesystem. */
  readonly name: string;
  /** Only root can do what it does. */
  readonly asRoot?: boolean;
  /** More than ext4 can, whose attributes of a file are a block: not asked of a filesystem that stands on it. */
  readonly beyondExt4?: boolean;
  readonly run: (client: FsClient) => Promise<void>;
}

export const filesystemCases: readonly FilesystemCase[] = [
  ...nameCases,
  ...contentCases,
  ...attributeCases,
  ...cornerCases,
  ...readingCases.map(({ make, read, ...rest }) => ({
    ...rest,
    run: async (client: FsClient): Promise<void> => {
      await make(client);
      await read(client);
    },
  })),
];
