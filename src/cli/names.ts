/** What people call commits: HEAD, the branch, tags. */
import type { Box } from "../app/mod.ts";
import { toHex } from "../base/bytes.ts";

/** The names of each commit that has some, by its id in hex. */
export function namesByCommit(box: Box): ReadonlyMap<string, readonly string[]> {
  const names = new Map<string, string[]>();
  const add = (id: Uint8Array, name: string): void => {
    const key = toHex(id);
    names.set(key, [...(names.get(key) ?? []), name]);
  };
  const head = box.head();
  if (head !== undefined) add(head.commit, `HEAD, ${box.branch}`);
  for (const { name, commit } of box.tags()) add(commit, `tag ${name}`);
  return names;
}
