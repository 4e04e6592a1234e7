/** Remotes that are open, with the keys that open the box there: to look at, and to change them all alike. */
import { equalBytes } from "../base/bytes.ts";
import { isKind, OuroError } from "../base/errors.ts";
import type { WrappedKey } from "../format/mod.ts";
import { listingName, type Remote } from "../remote/mod.ts";
import { type ChangeOptions, changeRemoteKeys, type KeyChange, readRemoteKeys } from "../sync/mod.ts";
import { openBoxRemote } from "./box-remotes.ts";
import type { OpenBox } from "./open-box.ts";
import { getRemote, isWebServer, type RemoteRow, remotesOf } from "./remote-list.ts";

export interface Place {
  readonly row: RemoteRow;
  readonly remote: Remote;
  readonly keys: readonly WrappedKey[];
}

type Choose = (place: Place, keys: readonly WrappedKey[]) => Promise<KeyChange>;

export interface KeyReport {
  /** The remotes where it is done. */
  readonly remotes: readonly string[];
  /** Some have failed; each has been warned of. */
  readonly partial: boolean;
}

export class Places implements AsyncDisposable {
  all: readonly Place[] = [];
  /** Something has failed, and was warned of. */
  partial = false;
  readonly #box: OpenBox;
  readonly #tidies: boolean;
  readonly #opened: AsyncDisposableStack = new AsyncDisposableStack();

  private constructor(box: OpenBox, tidies: boolean) {
    this.#box = box;
    this.#tidies = tidies;
  }

  /**
   * Those that are named, or all that hold the box; of the latter, what fails is warned of.
   * @param options.tidies What a change that was cut off has left of removed keys is removed.
   * @throws OuroError "unsupported" for a plain box, "usage" when there is no remote, what a named one throws, and what the first threw where
   * none is left.
   */
  static async open(box: OpenBox, names: readonly string[], { tidies }: { readonly tidies: boolean }): Promise<Places> {
    if (box.secrets.key === undefined) {
      throw new OuroError("unsupported", "Cannot look for keys: this box is plain, and needs none", {
        hint: "`ourobox init` without --plain makes a box that is encrypted.",
      });
    }
    const rows = names.length > 0 ? [...new Set(names)].map((name) => getRemote(box, name)) : remotesOf(box);
    if (rows.length === 0) getRemote(box, undefined);
    const places = new Places(box, tidies);
    try {
      await places.#open(rows, names.length > 0);
      return places;
    } catch (thrown) {
      await places[Symbol.asyncDispose]();
      throw thrown;
    }
  }

  async #open(rows: readonly RemoteRow[], areNamed: boolean): Promise<void> {
    const failed: OuroError[] = [];
    const opened: Place[] = [];
    for (const row of rows) {
      try {
        opened.push(await this.#openOne(row));
      } catch (thrown) {
        if (areNamed || !isFailure(thrown)) throw thrown;
        failed.push(thrown);
      }
    }
    this.all = opened;
    if (opened.length === 0) throw failed[0];
    for (const error of failed) {
      // What was never pushed to has no keys.
      if (error.kind === "not-found") this.#box.context.notice(error.message);
      else this.#warn(error, "The keys there are left as they are");
    }
  }

  async #openOne(row: RemoteRow): Promise<Place> {
    const { context, identity, secrets } = this.#box;
    const remote = this.#opened.use(openBoxRemote(this.#box, row, { create: false }));
    const found = await readRemoteKeys(remote, { signal: context.signal });
    if (!equalBytes(found.identity.box, identity.box))
      throw new OuroError("invalid", `Cannot use ${row.url}: it holds another box`, { subject: row.url });
    for (const error of found.damaged) context.warn(error.message);
    if (found.isClean || !this.#tidies) return { row, remote, keys: found.keys };
    return { row, remote, keys: await changeRemoteKeys(remote, secrets, async () => ({}), this.#options()) };
  }

  keepOnly(isKept: (place: Place) => boolean): void {
    this.all = this.all.filter(isKept);
  }

  /**
   * Changes the keys of all; what fails is warned of.
   * @param choose What is to be done to one, whose keys may have changed since it was opened.
   * @throws What the first threw where none was changed.
   */
  async change(choose: Choose): Promise<KeyReport> {
    const failed: OuroError[] = [];
    const done: string[] = [];
    // What a web server gives out is written elsewhere, most likely in one of the others.
    const elsewhere = this.all.filter(({ row }) => !isWebServer(row));
    for (const place of elsewhere.length > 0 ? elsewhere : this.all) {
      try {
        await this.#changeOne(place, choose);
        done.push(place.row.name);
      } catch (thrown) {
        if (!isFailure(thrown)) throw thrown;
        failed.push(thrown);
      }
    }
    if (done.length === 0 && failed[0] !== undefined) throw failed[0];
    for (const error of failed) this.#warn(error, "The keys there may be as they were: look with `ourobox key list`");
    return { remotes: done, partial: this.partial };
  }

  async #changeOne(place: Place, choose: Choose): Promise<void> {
    const { context, secrets } = this.#box;
    const { row, remote } = place;
    await changeRemoteKeys(remote, secrets, (keys) => choose(place, keys), this.#options());
    if (!(await remote.topNames({ signal: context.signal })).includes(listingName)) return;
    context.notice(
      `Run \`ourobox remote publish ${row.name}\`, so that who reads there through a web server sees its new keys`,
    );
  }

  #options(): ChangeOptions {
    const { context } = this.#box;
    return { signal: context.signal, random: (length) => context.random(length) };
  }

  #warn({ message, hint }: OuroError, what: string): void {
    this.partial = true;
    this.#box.context.warn(`${message}.${hint === undefined ? "" : ` ${hint}`} ${what}.`);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#opened.disposeAsync();
  }
}

function isFailure(thrown: unknown): thrown is OuroError {
  return isKind(thrown) && thrown.kind !== "aborted";
}
