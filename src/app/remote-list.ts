/** Which remotes a box has: `remote.<name>.url` in its settings. */
import { OuroError } from "../base/errors.ts";
import { normalizeUrl } from "../remote/mod.ts";
import { forgetRemote } from "../sync/mod.ts";
import type { OpenBox } from "./open-box.ts";
import { Settings } from "./settings.ts";

export interface RemoteRow {
  readonly name: string;
  readonly url: string;
}

const keyOf = (name: string): string => `remote.${name}.url`;

/** By name. */
export function remotesOf(box: OpenBox): RemoteRow[] {
  const rows = settingsOf(box).list();
  return rows.flatMap(({ key, value }) => {
    const name = /^remote\.([^.]+)\.url$/.exec(key)?.[1];
    return name === undefined ? [] : [{ name, url: value }];
  });
}

/** The named one; without a name "origin", or the only one there is. @throws OuroError "not-found", "usage". */
export function getRemote(box: OpenBox, name: string | undefined): RemoteRow {
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
  write(box, name, normalizeUrl(url, box.context.cwd));
}

/** @throws OuroError "not-found". */
export function removeRemote(box: OpenBox, name: string): void {
  const { url } = requireRemote(box, name);
  write(box, name, undefined);
  box.state.deleteRemoteHeads(name);
  forgetRemote(box.state, url);
}

/** @throws OuroError "not-found", "exists". */
export function renameRemote(box: OpenBox, name: string, newName: string): void {
  const { url } = requireRemote(box, name);
  addRemote(box, newName, url);
  box.state.renameRemote(name, newName);
  write(box, name, undefined);
}

/** @throws OuroError "not-found". */
export function setRemoteUrl(box: OpenBox, name: string, url: string): void {
  requireRemote(box, name);
  write(box, name, normalizeUrl(url, box.context.cwd));
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

function write(box: OpenBox, name: string, url: string | undefined): void {
  settingsOf(box).set(keyOf(name), url, { scope: "box", random: box.context.random });
}

/** As the file is now: the box's own were read when it was opened. */
function settingsOf(box: OpenBox): Settings {
  return Settings.load({ disk: box.context.disk, env: box.context.env, cwd: box.layout.top });
}
