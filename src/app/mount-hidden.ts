/**
 * `.ourobox` in a mount's root, which is found and not listed: `history/` with trees of other commits, `conflicts/` with all values of each conflict of the tree
 * that is mounted, `status`, and `log`.
 *
 * Trees are directories by their ids in `history/by-commit/`; times and tags are symlinks to them. So many are listed; others are found by name: any
 * beginning of an id, any time that `@{…}` understands.
 */
import { toHex, toText, utf8 } from "../base/bytes.ts";
import { isKind } from "../base/errors.ts";
import { type Entry, type Hash, type NamedCommit, rootId, writerHex } from "../format/mod.ts";
import { distinctValues, listConflicts, splitPath, walkLog } from "../history/mod.ts";
import {
  hiddenName,
  type MadeContents,
  MadeDirectory,
  MadeFile,
  MadeLink,
  type MadeOptions,
  type ShownNode,
  TreeNode,
  type TreeView,
} from "../vfs/mod.ts";
import { resolveIn } from "./box-history.ts";
import { forgottenIn } from "./forgotten.ts";
import type { MountLog } from "./mount-log.ts";
import type { OpenBox } from "./open-box.ts";
import { tagsOf } from "./tags.ts";

/** Commits that are listed, the newest. */
const listedMax = 2000;
const conflictsMax = 2000;
/** The last moment that has a text. */
const timeMsMax = 8.64e15;
/** Trees of other commits that keep what they have counted. */
const viewsMax = 8;

export interface HiddenOptions {
  readonly log: MountLog;
  readonly mounted: NamedCommit;
  /** What `status` says, anew each time. */
  readonly status: () => string;
  readonly uid: number;
  readonly gid: number;
  readonly timeNs: bigint;
}

type Shown = readonly [name: string, node: ShownNode];

export class HiddenFolder {
  readonly #box: OpenBox;
  readonly #options: HiddenOptions;
  readonly #views = new Map<string, TreeView>();
  #places: Place | undefined;

  constructor(box: OpenBox, options: HiddenOptions) {
    this.#box = box;
    this.#options = options;
  }

  /** The folder as it is now. */
  open(root: TreeNode): ShownNode {
    const list = (folder: ShownNode): Shown[] => [
      ["conflicts", this.#conflicts(folder, root)],
      ["history", this.#history(folder, root)],
      ["log", new MadeFile(this.#named("log", folder), this.#options.log.toString())],
      ["status", new MadeFile(this.#named("status", folder), this.#options.status())],
    ];
    return new MadeDirectory(this.#named(hiddenName, root), { list, changes: true });
  }

  #named(name: string, parent: ShownNode): MadeOptions {
    const { uid, gid, timeNs } = this.#options;
    return { name, parent, uid, gid, timeNs };
  }

  #history(parent: ShownNode, root: TreeNode): ShownNode {
    const head = this.#box.head()?.commit;
    const tags = tagsOf(this.#box);
    const heads = [head, this.#options.mounted.id].map((id) => (id === undefined ? "" : toHex(id))).join(" ");
    const tagged = tags.map(({ name, commit }) => `${name} ${toHex(commit)}`).join("\n");
    const folder = (name: string, above: ShownNode, contents: MadeContents, says: string): Shown => [
      name,
      new MadeDirectory(this.#named(name, above), contents, says),
    ];
    const list = (history: ShownNode): Shown[] => [
      folder("by-commit", history, this.#byCommit(root), heads),
      folder("by-tag", history, { list: (above) => tags.map((tag) => this.#tag(above, tag)) }, tagged),
      folder("by-time", history, this.#byTime(), heads),
    ];
    return new MadeDirectory(this.#named("history", parent), { list }, `${heads}\n${tagged}`);
  }

  #byCommit(root: TreeNode): MadeContents {
    return {
      list: (above) => this.#commits().map(({ id }) => [toHex(id), this.#tree(above, id, root)]),
      find: (above, name) => {
        if (!/^[0-9a-f]{4,64}$/.test(name)) return undefined;
        const id = this.#resolve(name);
        if (id === undefined) return undefined;
        return toHex(id) === name ? this.#tree(above, id, root) : new MadeLink(this.#named(name, above), toHex(id));
      },
    };
  }

  #byTime(): MadeContents {
    const link = (above: ShownNode, name: string, id: Hash): ShownNode =>
      new MadeLink(this.#named(name, above), `../by-commit/${toHex(id)}`);
    return {
      list: (above) =>
        this.#commits().flatMap(({ id, commit }): Shown[] => {
          if (commit.type !== "event") return [];
          const name = timeName(commit.timeMs, id);
          return [[name, link(above, name, id)]];
        }),
      find: (above, name) => {
        const listed = /^\d{4}-\d\d-\d\dT[\d.]+Z-([0-9a-f]{12})$/.exec(name)?.[1];
        const id = this.#resolve(listed ?? `@{${name}}`);
        return id === undefined ? undefined : link(above, name, id);
      },
    };
  }

  #tag(above: ShownNode, { name, commit }: { readonly name: string; readonly commit: Hash }): Shown {
    const shown = name.replaceAll("/", "%2F");
    return [shown, new MadeLink(this.#named(shown, above), `../by-commit/${toHex(commit)}`)];
  }

  /** The newest ones, of the box's head and of what is mounted. */
  #commits(): NamedCommit[] {
    const head = this.#box.head()?.commit;
    const from = [...(head === undefined ? [] : [head]), this.#options.mounted.id];
    const isForgotten = forgottenIn(this.#box);
    const found: NamedCommit[] = [];
    for (const named of walkLog(this.#box.commits, from, { onMissing() {}, isForgotten })) {
      if (found.length === listedMax) break;
      found.push(named);
    }
    return found;
  }

  #resolve(text: string): Hash | undefined {
    try {
      return resolveIn(this.#box, text);
    } catch (thrown) {
      if (isKind(thrown, "not-found") || isKind(thrown, "invalid")) return undefined;
      throw thrown;
    }
  }

  #tree(above: ShownNode, id: Hash, root: TreeNode): ShownNode {
    const name = toHex(id);
    let view = this.#views.get(name);
    if (view === undefined) {
      const { tree } = this.#box.commits.read(id).commit;
      view = root.view.beside(`commit ${name}`, root.view.reader.root(tree));
      this.#views.set(name, view);
      const [oldest] = this.#views.size > viewsMax ? this.#views.keys() : [];
      if (oldest !== undefined) this.#views.delete(oldest);
    }
    return TreeNode.root(view, above, utf8(name));
  }

  #conflicts(parent: ShownNode, root: TreeNode): ShownNode {
    const list = (folder: ShownNode): Shown[] => {
      this.#places ??= findConflicts(root, this.#options.mounted.commit.tree);
      return this.#place(folder, root, this.#places);
    };
    return new MadeDirectory(this.#named("conflicts", parent), { list });
  }

  /** A directory for each directory with conflicts, and for each conflict one with a file for each value, the one that is shown first. */
  #place(folder: ShownNode, root: TreeNode, { entry, below }: Place): Shown[] {
    const inside = Array.from(below, ([name, place]): Shown => {
      const list = (at: ShownNode): Shown[] => this.#place(at, root, place);
      return [name, new MadeDirectory(this.#named(name, folder), { list })];
    });
    return entry === undefined ? inside : [...this.#values(folder, root, entry), ...inside];
  }

  #values(folder: ShownNode, root: TreeNode, entry: Entry): Shown[] {
    return distinctValues(entry).map((dated, index): Shown => {
      const name = `${index + 1}-${writerHex(dated.dot.writer)}`;
      const made: Entry = { ...entry, name: utf8(name), data: [dated] };
      const view = root.view.beside(`conflict ${folder.path} ${name}`, { ...root.view.root, id: rootId });
      return [name, TreeNode.made(view, folder, made)];
    });
  }
}

/** What is in conflict at a path and below it. */
class Place {
  readonly below: Map<string, Place> = new Map();
  entry: Entry | undefined;

  at(names: readonly Uint8Array[]): Place {
    let place: Place = this;
    for (const name of names) {
      const text = toText(name);
      const next = place.below.get(text) ?? new Place();
      place.below.set(text, next);
      place = next;
    }
    return place;
  }
}

function findConflicts(root: TreeNode, tree: Hash): Place {
  const places = new Place();
  let left = conflictsMax;
  for (const { path, entry } of listConflicts(root.view.reader, tree)) {
    if (left === 0) break;
    left -= 1;
    places.at(splitPath(path)).entry = entry;
  }
  return places;
}

/** Sorted by time, and one for each commit. */
function timeName(timeMs: number, id: Hash): string {
  return `${new Date(Math.min(timeMs, timeMsMax)).toISOString().replaceAll(":", ".")}-${toHex(id).slice(0, 12)}`;
}
