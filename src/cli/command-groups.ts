/** The commands by what people want, in the order of `ourobox help` and doc/commands.md. */
export const commandGroups: readonly { readonly title: string; readonly names: readonly string[] }[] = [
  { title: "Make a box", names: ["init", "clone"] },
  { title: "Keep what you have", names: ["status", "add", "commit", "tag"] },
  { title: "Look back", names: ["log", "show", "diff", "ls", "cat", "du", "mount", "umount"] },
  { title: "Go back", names: ["undo", "op", "restore"] },
  { title: "Work together", names: ["conflicts", "resolve", "branch", "switch", "merge"] },
  { title: "Other places", names: ["sync", "remote", "fetch", "pull", "push", "whereis", "wait", "key"] },
  { title: "What is here", names: ["realize", "unrealize", "mark", "cache"] },
  { title: "Look after a box", names: ["check", "forget", "gc", "config"] },
  { title: "About Ourobox", names: ["help", "version"] },
];
