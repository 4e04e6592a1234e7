/**
 * Opening the store and the state of a box, as far as this process may.
 *
 * In a box that cannot be written (another user's, or mounted read-only) the databases are read as they are. Where that cannot be, since one is
 * missing, of an older version or left with changes by a killed process, it is made anew or copied in a temporary folder.
 */
import { accessSync, constants } from "node:fs";
import { join } from "node:path";
import type { Disk } from "../base/disk.ts";
import { errnoOf, ioError, isKind } from "../base/errors.ts";
import type { BoxIdentity, BoxSecrets } from "../format/mod.ts";
import { State } from "../history/mod.ts";
import { type IsRight, Store } from "../store/mod.ts";
import type { AppContext } from "./context.ts";
import type { DatabasePlaces } from "./databases.ts";
import type { Layout } from "./layout.ts";
import { openState } from "./recover-state.ts";
import { TemporaryFolder } from "./temporary-folder.ts";

export interface BoxToOpen {
  readonly context: AppContext;
  /** Its `state` is where that is. */
  readonly layout: Layout;
  readonly places: DatabasePlaces;
  readonly identity: BoxIdentity;
  readonly secrets: BoxSecrets;
  readonly isRight: IsRight;
  readonly isReadOnly: boolean;
}

/** Whether a box is only to be read by this process. */
export function isOnlyReadable({ box }: Layout): boolean {
  try {
    accessSync(box, constants.W_OK);
    return false;
  } catch (thrown) {
    return ["EACCES", "EPERM", "EROFS"].includes(errnoOf(thrown) ?? "");
  }
}

/** Databases that are made where there are none that can be read, all in one temporary folder. */
export class OpenedDatabases implements Disposable {
  readonly #box: BoxToOpen;
  #temporary: TemporaryFolder | undefined;
  #indexFolder: string;

  constructor(box: BoxToOpen) {
    this.#box = box;
    this.#indexFolder = box.places.folder;
  }

  /** Where the index is, for who opens it again. */
  get indexFolder(): string {
    return this.#indexFolder;
  }

  [Symbol.dispose](): void {
    this.#temporary?.[Symbol.dispose]();
  }

  /** @throws OuroError as `Store.open`. */
  openStore(): Store {
    const { isReadOnly, places, layout } = this.#box;
    if (!isReadOnly) return this.#store({});
    if (places.folder !== layout.box) return this.#store({ readOnly: true, makesIndex: true });
    try {
      const store = this.#store({ readOnly: true });
      if (store.isInStep) return store;
      store[Symbol.dispose]();
    } catch (thrown) {
      if (!isKind(thrown)) throw thrown;
    }
    this.#indexFolder = this.#temporaryFolder();
    return this.#store({ readOnly: true, makesIndex: true });
  }

  #store(how: { readonly readOnly?: boolean; readonly makesIndex?: boolean }): Store {
    const { context, layout, secrets, identity, isRight } = this.#box;
    return Store.open({
      ...how,
      directory: layout.box,
      indexFolder: this.#indexFolder,
      secrets,
      chunk: identity.chunk,
      disk: context.disk,
      random: context.random,
      isRight,
      onNotice: (text) => context.notice(text),
    });
  }

  /** @throws OuroError as `openState`. */
  openState(): State {
    const { context, isReadOnly, layout, places, secrets } = this.#box;
    if (!isReadOnly || places.folder !== layout.box) return openState(context, layout, secrets);
    try {
      const state = State.open(layout.state, { readOnly: true });
      if (state.head() !== undefined) return state;
      state[Symbol.dispose]();
    } catch (thrown) {
      if (!isKind(thrown) || isKind(thrown, "newer-format")) throw thrown;
    }
    const copy = join(this.#temporaryFolder(), "state.sqlite");
    for (const ending of ["", "-wal"]) copyFile(context.disk, `${layout.state}${ending}`, `${copy}${ending}`);
    openState(context, { ...layout, state: copy }, secrets)[Symbol.dispose]();
    // What would be written to the copy would be lost.
    return State.open(copy, { readOnly: true });
  }

  #temporaryFolder(): string {
    const { context } = this.#box;
    this.#temporary ??= new TemporaryFolder(context.env["TMPDIR"] || "/tmp", context);
    return this.#temporary.path;
  }
}

/** Copies a file; nothing when there is none. */
function copyFile(disk: Disk, from: string, to: string): void {
  try {
    if (disk.stat(from) === undefined) return;
    const source = disk.open(from, "read");
    try {
      const target = disk.open(to, "create-new");
      try {
        const bytes = new Uint8Array(1024 * 1024);
        for (let at = 0, count = -1; count !== 0; at += count) {
          count = disk.read(source, bytes, at);
          disk.write(target, bytes.subarray(0, count), at);
        }
      } finally {
        disk.close(target);
      }
    } finally {
      disk.close(source);
    }
  } catch (thrown) {
    throw ioError(`Cannot read ${from}`, thrown, from);
  }
}
