/** A branch that is mounted to be written, for tests: as a mount has it, but for the kernel. */
import assert from "node:assert/strict";
import { type Box, type LiveMount, openLive } from "../../src/app/mod.ts";
import type { Hash } from "../../src/format/mod.ts";
import type { FsClient } from "./fs-client.ts";
import { DirectClient } from "./fs-client-direct.ts";

/** The folder of a branch, shown live. */
export class MountedBranch implements AsyncDisposable {
  /** Worked on in that folder, as by another process. */
  readonly box: Box;
  readonly client: FsClient;
  readonly files: string;
  readonly #shown: Box;
  readonly #live: LiveMount;

  private constructor(shown: Box, live: LiveMount) {
    this.box = shown.openBranch(shown.branch);
    this.#shown = shown;
    this.#live = live;
    this.client = new DirectClient(live.filesystem);
    this.files = shown.layout.files;
  }

  static async open(box: Box, name: string, create?: Hash, directory: string = `/mnt/${name}`): Promise<MountedBranch> {
    await box.beginBranch({ name, ...(create === undefined ? {} : { create }) });
    const own = box.openBranch(name);
    try {
      const options = { readOnly: false, onChange: () => {}, settle: async () => {} };
      return new MountedBranch(own, await openLive(own, { directory, ...options }));
    } catch (thrown) {
      await own[Symbol.asyncDispose]();
      throw thrown;
    }
  }

  /** There must be something to commit. */
  async commit(): Promise<Hash> {
    const id = await this.commitAll();
    assert(id !== undefined);
    return id;
  }

  async commitAll(): Promise<Hash | undefined> {
    this.#live.flush();
    const { id } = await this.box.commit({ message: "in the mount", all: true });
    return id === undefined ? undefined : Uint8Array.from(id);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#live[Symbol.asyncDispose]();
    await this.#shown[Symbol.asyncDispose]();
    await this.box[Symbol.asyncDispose]();
  }
}
