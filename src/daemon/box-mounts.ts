/**
 * The mounts of boxes on this machine, as the kernel tells: each has its box and commit, or "live" and maybe a branch, in the name of its source, so that nobody
 * needs to touch it.
 */
import { listMounts, type MountedAt } from "../front/fuse/mod.ts";

export const mountSubtype = "ourobox";
const idDigits = 12;
const live = "live";

export interface ListedMount {
  /** One character a byte. */
  readonly directory: string;
  /** The folder that holds the box. */
  readonly box: string;
  /** The beginning of its id; undefined of a live mount. */
  readonly commit: string | undefined;
  /** Of a live mount of a branch that is not at hand in the box's folder. */
  readonly branch: string | undefined;
  /** Whose mount it is. */
  readonly uid: number | undefined;
}

/**
 * What `mount` and `df` show as the device: "ourobox:/home/me/box@3f9a1b2c3d4e", "ourobox:/home/me/box@live", "ourobox:/home/me/box@live:BRANCH". Odd characters
 * are percent-encoded.
 */
export function mountSource(box: string, shown: { readonly commit?: string; readonly branch?: string }): string {
  const { commit, branch } = shown;
  const what = commit?.slice(0, idDigits) ?? (branch === undefined ? live : `${live}:${encode(branch)}`);
  return `${mountSubtype}:${encode(box)}@${what}`;
}

function encode(text: string): string {
  return text.replaceAll(/[^\w/.+-]/gu, (odd) => encodeURIComponent(odd).replaceAll(/[!'()*~]/g, percent));
}

function percent(character: string): string {
  return `%${character.charCodeAt(0).toString(16)}`;
}

export function listBoxMounts(): ListedMount[] {
  return listMounts().flatMap((mount) => boxMountOf(mount) ?? []);
}

/** Undefined when something else is mounted there. */
export function boxMountOf({ directory, type, source, uid }: MountedAt): ListedMount | undefined {
  if (type !== `fuse.${mountSubtype}`) return undefined;
  const [, path = "", commit = "", branch] = /^ourobox:(.*)@([0-9a-f]*|live)(?::(.*))?$/.exec(source) ?? [];
  const shown = {
    commit: commit === live ? undefined : commit,
    branch: branch === undefined ? undefined : decode(branch),
  };
  return { directory, box: decode(path), ...shown, uid };
}

function decode(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}
