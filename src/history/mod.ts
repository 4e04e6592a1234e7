/** History: trees, their differences, commits, and the state of a working copy. */

export {
  type CommitKeys,
  CommitReader,
  type EventDraft,
  type EventOptions,
  type MadeCommit,
  makeEventCommit,
  nextEvent,
  putCommit,
  readCommit,
  type Sign,
  type Verify,
} from "./commits.ts";
export { distinctValues, equalValues, listConflicts, withValue } from "./conflicts.ts";
export { type Births, copySubtree } from "./copy-subtree.ts";
export { type Change, type DiffOptions, diffTrees, isShown } from "./diff.ts";
export { DirectoryBuilder, putRoot } from "./directory-builder.ts";
export { type DirectoryEdit, editDirectory } from "./edit-directory.ts";
export { editTree, type TreeEdit, withDirectory } from "./edit-tree.ts";
export { type Difference, entryDifferences, equalContents, equalXattrs } from "./entry-difference.ts";
export { type ChainLink, type Fork, type ForkOptions, findForks, renameBranch } from "./fork.ts";
export { HashSet } from "./hash-set.ts";
export { type JoinedTrees, type JoinOptions, type JoinState, joinAll, joinTrees } from "./join.ts";
export { type JoinCommitsOptions, type JoinDraft, type JoinedCommits, joinCommits } from "./join-commits.ts";
export { isUnit } from "./join-registers.ts";
export { type JoinRules, joinRules } from "./join-rules.ts";
export { type IsForgotten, keptParents } from "./kept-parents.ts";
export { findCommon, followPaths, type PathCommit, type WalkOptions, walkLog } from "./log.ts";
export type { Mend, MendKind } from "./mend-event.ts";
export { mergeBytesMax, mergeTexts } from "./merge-text.ts";
export {
  checkHistory,
  type HistoryDamage,
  type LiveObjects,
  markLive,
  markLiveInTurns,
  type ObjectWalkOptions,
} from "./object-walk.ts";
export { OverlayMeta } from "./overlay-meta.ts";
export { comparePaths, isWithin, joinPath, keysAbove, PathFilter, pathKey, splitLast, splitPath } from "./paths.ts";
export { forgetAlso, forgottenCommit, keepsAll, loadRetention, RetentionView, saveRetention } from "./retention.ts";
export { chooseKept, isDuration, type RetentionCounts, type RetentionPolicy, timeOf } from "./retention-policy.ts";
export { redated, revertTree } from "./revert-tree.ts";
export { type RevisionContext, resolveRevision } from "./revision.ts";
export { type Operation, type OwnHead, type ParkedBranch, type RemoteHead, State } from "./state.ts";
export type { StateDamage } from "./state-damage.ts";
export type { StateTable } from "./state-schema.ts";
export { parseTime } from "./time.ts";
export { type EntryPlace, entryAt, findPlace, type Leaf, placesFrom } from "./tree-place.ts";
export { directoryOf, TreeReader } from "./tree-reader.ts";
export { differingEntries, type EntryPair, type PlacedEntry, walkEntries } from "./tree-walk.ts";
export { forkedWriters, joinForked } from "./unfork.ts";
export { eventKeyOf, findBase, findEvents } from "./values.ts";
