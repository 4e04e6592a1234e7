/**
 * Which remotes a box has: `remote.<name>.url` in its settings, in `remote.<name>.conditions` what the place's conditional puts were
 * found to be, and in `remote.<name>.cost` what reading from it costs.
 */
import { isKind, OuroError } from "../base/errors.ts";
import { isVerdict, measureConditions, normalizeUrl, type S3Verdict } from "../remote/mod.ts";
import { forgetRemote } from "../sync/mod.ts";
import type { OpenBox } from "./open-box.ts";
import { forgetSeen } from "./remote-seen.ts";
import { Settings } from "./settings.ts";

export interface RemoteRow {
  readonly name: string;
  readonly url: string;
  /** Absent where it has not been measured, or need not be. */
  readonly verdict?: S3Verdict;
  /** What reading from it costs, as somebody has said: see `costOf`. */
  readonly cost?: number;
}

/** Where they are written: of a box that need not be open. */
export type RemoteSettings = Pick<OpenBox, "context" | "layout">;

/** What reading from a remote costs where nobody says: the least is read first. */
export const costs = { folder: 10, network: 100 } as const;

type Field = "url" | "conditions" | "cost";
const nothing: Readonly<Record<Field, undefined>> = { url: undefined, conditions: undefined, cost: undefined };
const keyOf = (name: string, field: Field): string => `remote.${name}.${field}`;

/** By name. */
export function remotesOf(box: RemoteSettings): RemoteRow[] {
  const rows = settingsOf(box).list();
  return rows.flatMap(({ key, value }) => {
    const name = /^remote\.([^.]+)\.url$/.exec(key)?.[1];
    if (name === undefined) return [];
    const find = (field: Field): string | undefined => rows.find((row) => row.key === keyOf(name, field))?.value;
    const [verdict, cost] = [find("conditions"), find("cost")];
    return [
      {
        name,
        url: value,
        ...(verdict !== undefined && isVerdict(verdict) ? { verdict } : {}),
        ...(cost === undefined ? {} : { cost: Number(cost) }),
      },
    ];
  });
}

/** What reading from a remote costs, to compare remotes by: as the settings say, or by what kind of place it is. */
export function costOf({ url, cost }: RemoteRow): number {
  return cost ?? (url.startsWith("/") || url.startsWith("file:") ? costs.folder : costs.network);
}

/** A web server gives out what is written elsewhere, most likely in another of the remotes. */
export function isWebServer({ url }: Pick<RemoteRow, "url">): boolean {
  return /^https?:/.test(url);
}

/** The named one; without a name "origin", or the only one there is. @throws OuroError "not-found", "usage". */
export function getRemote(box: RemoteSettings, name: string | undefined): RemoteRow {
  const rows = remotesOf(box);
  const found =
    name === undefined
      ? (rows.find((row) => row.name === "origin") ?? (rows.length === 1 ? rows[0] : undefined))
      : rows.find((row) => row.name === name);
  if (found !== undefined) return found;
  if (name !== undefined) throw unknownRemote(name);
  throw new OuroError(
    "usage",
    rows.length === 0 ? "Cannot reach a remote: this box has none" : "Cannot choose a remote: there are several",
    {
      hint:
        rows.length === 0
          ? "Add one with `ourobox remote add origin URL`."
          : `Say which: ${rows.map((row) => row.name).join(", ")}.`,
    },
  );
}

/** @throws OuroError "exists", "invalid". */
export function addRemote(box: OpenBox, name: string, url: string): void {
  if (!/^[A-Za-z0-9_-]{1,64}$/.test(name)) {
    throw new OuroError(
      "usage",
      `Cannot name a remote ${JSON.stringify(name)}: letters, digits, "-" and "_" only, at most 64`,
    );
  }
  if (remotesOf(box).some((row) => row.name === name)) {
    throw new OuroError("exists", `Cannot add the remote ${name}: there is one`, {
      hint: "Change where it is with `ourobox remote set-url`.",
    });
  }
  write(box, name, { url: normalizeUrl(url, box.context.cwd) });
}

/**
 * Finds out, where it is to be doubted, whether a remote keeps the conditions of puts, and remembers it. What prevents this is told and
 * otherwise left alone: without it conditions are not used.
 */
export async function measureRemote(box: OpenBox, name: string): Promise<void> {
  const { url } = requireRemote(box, name);
  const { cwd, disk, random, env, clock, signal } = box.context;
  try {
    const verdict = await measureConditions(url, { cwd, disk, random, env, clock, create: true, signal });
    write(box, name, { conditions: verdict });
  } catch (thrown) {
    if (!isKind(thrown) || thrown.kind === "aborted") throw thrown;
    const hint = thrown.hint === undefined ? "" : ` ${thrown.hint}`;
    box.context.warn(`The remote ${name} is added, but could not be tried: ${thrown.message}.${hint}`);
  }
}

/** @throws OuroError "not-found". */
export function removeRemote(box: OpenBox, name: string): void {
  const { url } = requireRemote(box, name);
  write(box, name, nothing);
  box.state.deleteRemoteHeads(name);
  forgetRemote(box.state, url);
  forgetSeen(box, url);
}

/** @throws OuroError "not-found", "exists". */
export function renameRemote(box: OpenBox, name: string, newName: string): void {
  const { url, verdict, cost } = requireRemote(box, name);
  addRemote(box, newName, url);
  write(box, newName, { conditions: verdict, cost: cost?.toString() });
  box.state.renameRemote(name, newName);
  write(box, name, nothing);
}

/** @throws OuroError "not-found". */
export function setRemoteUrl(box: OpenBox, name: string, url: string): void {
  requireRemote(box, name);
  write(box, name, { url: normalizeUrl(url, box.context.cwd), conditions: undefined });
  box.state.deleteRemoteHeads(name);
}

function requireRemote(box: OpenBox, name: string): RemoteRow {
  const found = remotesOf(box).find((row) => row.name === name);
  if (found === undefined) throw unknownRemote(name);
  return found;
}

function unknownRemote(name: string): OuroError {
  return new OuroError("not-found", `Cannot find the remote ${name}`, {
    subject: name,
    hint: "Run `ourobox remote list` for those there are.",
  });
}

function write(box: OpenBox, name: string, fields: Readonly<Partial<Record<Field, string | undefined>>>): void {
  const settings = settingsOf(box);
  const before = new Set(settings.list().map(({ key }) => key));
  for (const [field, value] of Object.entries(fields)) {
    const key = keyOf(name, field as Field);
    if (value !== undefined || before.has(key)) settings.set(key, value, { scope: "box", random: box.context.random });
  }
}

/** As the file is now: the box's own were read when it was opened. */
function settingsOf(box: RemoteSettings): Settings {
  return Settings.load({ disk: box.context.disk, env: box.context.env, cwd: box.layout.top });
}
