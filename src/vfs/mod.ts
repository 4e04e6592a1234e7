/** The face of the layer vfs: the filesystem that doors open on. */
export { FilesystemFailure } from "./failure.ts";
export * from "./filesystem.ts";
export { MemoryFilesystem, type MemoryFilesystemOptions } from "./memory-filesystem.ts";
