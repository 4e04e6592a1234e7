/** `remote copy`: from one remote to another through this machine, which need not have the box. */
import { tmpdir } from "node:os";
import { equalBytes } from "../base/bytes.ts";
import { OuroError } from "../base/errors.ts";
import { verifySignature } from "../peer/mod.ts";
import { type CopyRemoteResult, copyRemote, readRemoteKeys, unlockRemote } from "../sync/mod.ts";
import { openBoxRemote } from "./box-remotes.ts";
import type { AppContext } from "./context.ts";
import type { OpenBox } from "./open-box.ts";
import { type RemoteRow, remotesOf } from "./remote-list.ts";
import { TemporaryFolder } from "./temporary-folder.ts";
import { readTransferSettings } from "./transfer-limits.ts";

export interface CopyRequest {
  /** Each the name of a remote of the box, or a URL. */
  readonly from: string;
  readonly to: string;
  /** Copies a sealed box as a plain one. */
  readonly plain: boolean;
}

/**
 * @param box The one that the command is in, if any: it knows remotes by name, and may have the key.
 * @throws OuroError "not-found" (no such remote, or no box there), "usage" (nothing to unseal, or a place to itself), "wrong-key", and as `copyRemote`.
 */
export async function copyRemotes(
  context: AppContext,
  box: OpenBox | undefined,
  { from, to, plain }: CopyRequest,
): Promise<CopyRemoteResult> {
  const [source, target] = [placeOf(box, from), placeOf(box, to)];
  if (source.url === target.url)
    throw new OuroError("usage", `Cannot copy ${from} to ${to}: they are the same place`, { subject: from });
  const { signal, disk, random, progress } = context;
  await using opened = openBoxRemote({ context }, source, { create: false });
  const { identity, keys } = await readRemoteKeys(opened, { signal });
  if (plain && identity.suite === "plain")
    throw new OuroError("usage", `Cannot copy ${from} with --plain: it is plain`, { hint: "Leave out --plain." });
  const isOwn =
    box !== undefined && equalBytes(box.identity.box, identity.box) && box.identity.suite === identity.suite;
  const ask = (): Promise<string> => context.askPassphrase(`Passphrase or recovery key of ${source.url}`);
  const secrets = isOwn ? box.secrets : await unlockRemote(opened, ask, { signal });
  using folder = new TemporaryFolder(context.env["TMPDIR"] ?? tmpdir(), context);
  await using written = openBoxRemote({ context }, target, { create: true });
  const { transfers } = readTransferSettings(context);
  const result = await copyRemote({
    from: opened,
    to: written,
    identity: identity.suite === "plain" ? identity : { ...identity, keys },
    secrets,
    plain,
    disk,
    temporaryFolder: folder.path,
    random: (length) => random(length),
    verify: verifySignature,
    signal,
    progress,
    ...(transfers === undefined ? {} : { transfers }),
  });
  progress.done();
  return result;
}

/** @throws OuroError "not-found". */
function placeOf(box: OpenBox | undefined, text: string): Pick<RemoteRow, "url" | "verdict"> {
  const row = box === undefined ? undefined : remotesOf(box).find(({ name }) => name === text);
  if (row !== undefined) return row;
  if (/[/:]/.test(text) || text === "." || text === "..") return { url: text };
  throw new OuroError("not-found", `Cannot find the remote ${text}`, {
    subject: text,
    hint: `A folder of that name is ./${text}. Run \`ourobox remote list\` for the remotes of this box.`,
  });
}
