/**
 * Which remotes have a commit: those where a head was seen that has taken it in. A head is believed when all that it needs was found there, or
 * was brought there by this box; what a remote has lost since is for `remote check` to find.
 */
import { isKind } from "../base/errors.ts";
import type { NamedCommit } from "../format/mod.ts";
import { hasAllOf } from "./guard.ts";
import type { OpenBox } from "./open-box.ts";
import { isWebServer, remotesOf } from "./remote-list.ts";

export class CommitPlaces {
  /** What the heads of each remote say, by its name. */
  readonly #heads: ReadonlyMap<string, readonly NamedCommit[]>;

  /** As was last seen. */
  constructor(box: OpenBox) {
    this.#heads = new Map(remotesOf(box).map(({ name }) => [name, headsOn(box, name)]));
  }

  has(remote: string, commit: NamedCommit): boolean {
    return this.#heads.get(remote)?.some((head) => hasAllOf(head, commit)) === true;
  }
}

/** What is gone here, or damaged, proves nothing. */
function headsOn({ state, commits }: OpenBox, remote: string): NamedCommit[] {
  return state.remoteHeads(remote).flatMap(({ commit }) => {
    try {
      return [commits.read(commit)];
    } catch (thrown) {
      if (isKind(thrown, "not-found") || isKind(thrown, "corrupt")) return [];
      throw thrown;
    }
  });
}

/** The remotes that hold a copy of their own, each place once: a web server gives out what another one holds. */
export function holdersOf(box: OpenBox): { readonly name: string; readonly url: string }[] {
  const rows = remotesOf(box).filter((row) => !isWebServer(row));
  return [...new Map(rows.map((row) => [row.url, row])).values()];
}
