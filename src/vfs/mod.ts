/** The face of the layer vfs: the filesystem that doors open on. */
export { CommitFilesystem, type CommitFilesystemOptions, hiddenName } from "./commit-filesystem.ts";
export { ContentLists } from "./content-lists.ts";
export { type FailureLog, FilesystemFailure } from "./failure.ts";
export * from "./filesystem.ts";
export { FolderFilesystem, type FolderFilesystemOptions } from "./folder-filesystem.ts";
export { InodeNumbers, type Numbered, numberedFile, numberedNode } from "./inode-numbers.ts";
export { LiveFilesystem, type LiveFilesystemOptions } from "./live-filesystem.ts";
export { shownNumbersFrom } from "./live-trees.ts";
export { type MadeContents, MadeDirectory, MadeFile, MadeLink, type MadeOptions } from "./made-node.ts";
export { MemoryFilesystem, type MemoryFilesystemOptions } from "./memory-filesystem.ts";
export type { NodeNumber } from "./node-number.ts";
export { isLack, Patience } from "./patience.ts";
export type { ShownNode } from "./shown-node.ts";
export type { StagedFiles } from "./staged-files.ts";
export { TreeNode } from "./tree-node.ts";
export { type ShownOwners, TreeView } from "./tree-view.ts";
export type { FolderFile, LayerMark, RemovedFrom, UnrealChange, UnrealLayer } from "./unreal-layer.ts";
