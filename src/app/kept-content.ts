/**
 * Which content is to be here whatever becomes of the rest: what marks say is real, what says how the folder is to be read, and what was written here and is not in
 * enough other places yet.
 */
import { toHex } from "../base/bytes.ts";
import { isKind } from "../base/errors.ts";
import { Turns } from "../base/turns.ts";
import { type Content, contentItems, type Entry, type Hash, kinds, type NamedCommit } from "../format/mod.ts";
import { diffTrees, directoryOf, HashSet, joinPath } from "../history/mod.ts";
import { FolderRows } from "../workdir/mod.ts";
import { namedCommits } from "./box-upkeep.ts";
import { CommitPlaces, holdersOf } from "./commit-places.ts";
import { type Mark, MarkedTree, Marks } from "./marks.ts";
import type { OpenBox } from "./open-box.ts";
import { copiesWanted } from "./pack-copies.ts";
import { isRuleFile } from "./part-changes.ts";
import { type PartFolder, partFolders } from "./part-folders.ts";
import { isWebServer, remotesOf } from "./remote-list.ts";
import { existsIn, isUnreal } from "./unreal-setting.ts";

/** The commits of the own branches. */
function ownCommits({ state }: OpenBox): Hash[] {
  return [state.head(), ...state.branches()].flatMap((each) => each?.commit ?? []);
}

/** The chunks of what is real: in an unreal box in the commits of the own branches, in a real one in any that something names. */
export async function realChunks(box: OpenBox): Promise<HashSet> {
  const { reader } = box;
  const chunks = new HashSet();
  // Nothing is real without a mark: not to be walked for that.
  if (isUnreal(box) && !Marks.load(box).hasReal) return chunks;
  const seen = { real: new HashSet(), unreal: new HashSet() };
  const turns = new Turns(box.context.signal);
  for (const id of isUnreal(box) ? ownCommits(box) : namedCommits(box)) {
    const root = reader.root(box.commits.read(id).commit.tree);
    const marked = new MarkedTree(box, reader, root);
    const open: { readonly entry: Entry; readonly mark: Mark }[] = [{ entry: root, mark: marked.ofRoot }];
    for (let each = open.pop(); each !== undefined; each = open.pop()) {
      await turns.step();
      const { entry, mark } = each;
      for (const { value } of entry.data) {
        if (value.kind === kinds.file && mark === "real") addChunks(box, chunks, value.content);
        if (value.kind !== kinds.directory || value.top === undefined || !seen[mark].add(value.top)) continue;
        for (const inner of reader.entries(value)) open.push({ entry: inner, mark: marked.below(mark, inner) });
      }
    }
  }
  return chunks;
}

/** Adds the chunks of the files of rules in the directories that are in a folder: a commit must not need a remote. */
export async function addRuleChunks(box: OpenBox, chunks: HashSet): Promise<void> {
  for (const folder of partFolders(box)) await addRulesIn(box, folder, chunks);
}

async function addRulesIn(box: OpenBox, folder: PartFolder, chunks: HashSet): Promise<void> {
  const head = folder.state.head();
  if (head === undefined) return;
  const { reader, commits } = box;
  const { tree } = commits.read(head.commit).commit;
  const rows = new FolderRows(reader, folder.state, reader.root(tree), existsIn(folder));
  const open: { readonly path: Uint8Array; readonly entry: Entry }[] = [
    { path: new Uint8Array(), entry: reader.root(tree) },
  ];
  const turns = new Turns(box.context.signal);
  for (let each = open.pop(); each !== undefined; each = open.pop()) {
    const directory = directoryOf(each.entry);
    if (directory === undefined || !rows.has(each.path)) continue;
    for (const entry of reader.entries(directory)) {
      await turns.step();
      const { value } = entry.data[0];
      if (value.kind === kinds.directory) open.push({ path: joinPath(each.path, entry.name), entry });
      else if (value.kind === kinds.file && isRuleFile(entry.name)) addChunks(box, chunks, value.content);
    }
  }
}

/** Adds the chunks that commits of this box have brought, as far as fewer places than there should be are known to have those commits. */
export async function addUnpushedChunks(box: OpenBox, chunks: HashSet): Promise<void> {
  const places = new CommitPlaces(box);
  const holders = holdersOf(box);
  const webServers = remotesOf(box).filter(isWebServer);
  const wanted = copiesWanted(box);
  const isPushed = (commit: NamedCommit): boolean => {
    const isOn = ({ name }: { readonly name: string }): boolean => places.has(name, commit);
    return Math.max(holders.filter(isOn).length, webServers.some(isOn) ? 1 : 0) >= wanted;
  };
  const turns = new Turns(box.context.signal);
  const open = ownCommits(box);
  const seen = new Set(open.map(toHex));
  for (let id = open.pop(); id !== undefined; id = open.pop()) {
    const named = box.commits.read(id);
    if (isPushed(named)) continue;
    const parents = named.commit.parents.filter((parent) => !seen.has(toHex(parent)));
    for (const parent of parents) seen.add(toHex(parent));
    open.push(...parents);
    const [first] = named.commit.parents;
    for (const { after } of diffTrees(
      box.reader,
      first === undefined ? undefined : treeOf(box, first),
      named.commit.tree,
    )) {
      await turns.step();
      for (const { value } of after?.data ?? []) if (value.kind === kinds.file) addChunks(box, chunks, value.content);
    }
  }
}

/** Undefined for a commit that is not here any more: history was trimmed before it. */
function treeOf({ commits }: OpenBox, id: Hash): Hash | undefined {
  try {
    return commits.read(id).commit.tree;
  } catch (thrown) {
    if (isKind(thrown, "not-found")) return undefined;
    throw thrown;
  }
}

function addChunks({ store }: OpenBox, chunks: HashSet, content: Content): void {
  for (const item of contentItems(content, (hash) => store.getMeta(hash, "list")))
    if (item.form === "chunk") chunks.add(item.hash);
}
