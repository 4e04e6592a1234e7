/** Hard links of a checkout: which file of a group is written, and which names are linked to it afterwards. */
import { dotKey, type Entry, kinds, summaryFlags } from "../format/mod.ts";
import { type Change, directoryOf, pathKey, type TreeReader, walkEntries } from "../history/mod.ts";
import { isSameFile } from "./checkout-same.ts";

interface Linked {
  readonly path: Uint8Array;
  readonly entry: Entry;
}

export class LinkGroups {
  readonly #reader: TreeReader;
  /** The new tree where the folder holds another already; undefined for a fresh folder. */
  readonly #tree: Entry | undefined;
  /** By group: files that are one each; several when their data differ. */
  readonly #primaries = new Map<string, Linked[]>();
  readonly #deferred: (Linked & { readonly primary: Linked })[] = [];
  #changed: ReadonlySet<string> = new Set();
  #isKnown = false;

  constructor(reader: TreeReader, tree: Entry | undefined) {
    this.#reader = reader;
    this.#tree = tree;
  }

  /** Paths that are about to be written: no others are linked to what stands there now. */
  setChanged(changes: readonly Change[]): void {
    this.#changed = new Set(changes.filter(({ after }) => after?.kind === kinds.file).map(({ path }) => pathKey(path)));
  }

  /** @returns Whether this name is to be linked later instead of being written. */
  defer(path: Uint8Array, entry: Entry): boolean {
    const { link } = entry.meta;
    if (link === undefined) return false;
    this.#findUnchanged();
    const group = dotKey(link);
    const primaries = this.#primaries.get(group) ?? [];
    const primary = primaries.find((each) => isSameFile(each.entry, entry));
    if (primary === undefined) this.#primaries.set(group, [...primaries, { path, entry }]);
    else this.#deferred.push({ path, entry, primary });
    return primary !== undefined;
  }

  deferred(): readonly (Linked & { readonly primary: Linked })[] {
    return this.#deferred;
  }

  /** Linked files that stay as they are, found once by walking the directories that have any. */
  #findUnchanged(): void {
    if (this.#isKnown || this.#tree === undefined) return;
    this.#isKnown = true;
    const top = directoryOf(this.#tree);
    if (top === undefined) return;
    const enters = ({ entry }: Linked): boolean =>
      ((directoryOf(entry)?.summary.flags ?? 0) & summaryFlags.links) !== 0;
    for (const { path, entry } of walkEntries(this.#reader, top, new Uint8Array(), { enters })) {
      if (entry.meta.link === undefined || this.#changed.has(pathKey(path))) continue;
      const group = dotKey(entry.meta.link);
      const primaries = this.#primaries.get(group) ?? [];
      if (!primaries.some((each) => isSameFile(each.entry, entry)))
        this.#primaries.set(group, [...primaries, { path, entry }]);
    }
  }
}
