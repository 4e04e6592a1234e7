/** What the application is given in tests: real files below one folder, no threads, nobody to ask. */
import { randomBytes } from "node:crypto";
import { join } from "node:path";
import { type AppContext, type InitOptions, silentProgress } from "../../src/app/mod.ts";
import { systemClock } from "../../src/base/clock.ts";
import type { Disk } from "../../src/base/disk.ts";
import { nodeDisk } from "../../src/base/node-disk.ts";
import { defaultChunkSizes } from "../../src/format/mod.ts";
import type { FolderWriter } from "../../src/workdir/mod.ts";

export class TestWorld {
  /** Everything is below it. */
  readonly folder: string;
  readonly initOptions: InitOptions = { hash: "blake3", chunk: defaultChunkSizes, bare: false, plain: false };
  /** What was said, warnings and notices. */
  readonly said: string[] = [];

  constructor(folder: string) {
    this.folder = folder;
  }

  context({
    disk = nodeDisk,
    folderWriter,
  }: {
    readonly disk?: Disk;
    readonly folderWriter?: FolderWriter;
  } = {}): AppContext {
    return {
      cwd: this.folder,
      env: { XDG_CONFIG_HOME: join(this.folder, "config"), HOME: this.folder },
      clock: systemClock,
      random: (length) => new Uint8Array(randomBytes(length)),
      disk,
      workers: 0,
      signal: new AbortController().signal,
      progress: silentProgress,
      warn: (message) => this.said.push(message),
      notice: (message) => this.said.push(message),
      askPassphrase: async () => "a passphrase of tests",
      ...(folderWriter === undefined ? {} : { folderWriter }),
    };
  }
}
