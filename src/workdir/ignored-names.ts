/** Names in a folder that belong to the program and are never taken in. */

/** What a file or directory is called while a checkout is making it: `.ourobox.` and 16 hex digits and `.tmp`. */
export function isTemporaryName(name: string): boolean {
  return name.length === 29 && /^\.ourobox\.[0-9a-f]{16}\.tmp$/.test(name);
}
