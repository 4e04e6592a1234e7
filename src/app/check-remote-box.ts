/** `remote check`: whether a remote is whole, what to do about what is not, and doing it. */
import { toHex } from "../base/bytes.ts";
import { quotePath } from "../base/quote.ts";
import { type Hash, type WriterId, writerHex } from "../format/mod.ts";
import type { HistoryDamage } from "../history/mod.ts";
import {
  type CheckRemoteOptions,
  checkRemote,
  type MendResult,
  mendRemote,
  type RemoteFindings,
  type SyncOptions,
} from "../sync/mod.ts";
import { openBoxRemote, pushBox, syncOptions } from "./box-remotes.ts";
import type { OpenBox } from "./open-box.ts";
import { getRemote, type RemoteRow } from "./remote-list.ts";
import { noteSeen } from "./remote-seen.ts";

export interface RemoteCheckRequest {
  /** Which part of the bytes of packs is read: 0 to 1. */
  readonly share: number;
  /** Sends again what is damaged there and whole here. */
  readonly repairs: boolean;
}

export interface RemoteDamage {
  /** The file there, or "commit …" of what is in none. */
  readonly file: string;
  readonly what: string;
  readonly hint: string;
}

export interface RemoteCheckReport {
  readonly damages: readonly RemoteDamage[];
  /** How many there are, with those that are not listed. */
  readonly count: number;
  readonly heads: number;
  readonly packs: number;
  /** Packs that nothing lists: from pushes that were cut off. */
  readonly unlisted: number;
  readonly packsRead: number;
  readonly bytesRead: number;
  /** Heads whose commits are not here, so that it cannot be told what they need. */
  readonly unknownHeads: number;
  readonly mended?: MendResult & {
    /** What is still wrong. */
    readonly left: readonly RemoteDamage[];
  };
}

const mendRoundsMax = 3;

/** @throws OuroError as `checkRemote` and `mendRemote`. Damage is in the report. */
export async function checkRemoteOf(
  box: OpenBox,
  name: string,
  { share, repairs }: RemoteCheckRequest,
): Promise<RemoteCheckReport> {
  const row = getRemote(box, name);
  await using remote = openBoxRemote(box, row, { create: false });
  const options = checkOptions(box, syncOptions(box, row, remote), share);
  const found = await checkRemote(options);
  noteSeen(box, row.url, { isListed: false });
  const damages = describe(box, row, found);
  const isWhole = damages.length === 0;
  const mended = repairs && !isWhole ? { mended: await mend(box, row, { options, found }) } : {};
  box.context.progress.done();
  return {
    damages,
    count: damages.length + found.lackingCount - found.lacking.length,
    heads: found.heads.length + found.badHeads.size,
    packs: found.packs.size,
    unlisted: [...found.present.keys()].filter((pack) => !found.packs.has(pack)).length,
    packsRead: found.packsRead,
    bytesRead: found.bytesRead,
    unknownHeads: found.unknownHeads,
    ...mended,
  };
}

function checkOptions(box: OpenBox, options: SyncOptions, share: number): CheckRemoteOptions {
  return { ...options, share, findPack: (object) => findPack(box, object) };
}

/** The pack here that has an object. */
function findPack({ store }: OpenBox, { kind, object }: HistoryDamage): Hash | undefined {
  return kind === "chunk" ? store.findChunk(object)?.pack : store.findPackOfMeta(object, kind);
}

function ownWriters({ state }: OpenBox): WriterId[] {
  return [state.head(), ...state.branches()].flatMap((own) => (own === undefined ? [] : [own.writer]));
}

/**
 * Mends, and looks again, as long as that finds more: packs that only a damaged index file listed are looked into when another lists them.
 */
async function mend(
  box: OpenBox,
  row: RemoteRow,
  { options, found: first }: { readonly options: CheckRemoteOptions; readonly found: RemoteFindings },
): Promise<NonNullable<RemoteCheckReport["mended"]>> {
  let found = first;
  let total: MendResult = { packs: 0, bytes: 0, sent: [], removed: 0, damagedHere: [] };
  for (let round = 1; ; round += 1) {
    const result = await mendOnce(box, row, { options, found });
    total = {
      packs: total.packs + result.packs,
      bytes: total.bytes + result.bytes,
      sent: [...total.sent, ...result.sent],
      removed: total.removed + result.removed,
      damagedHere: [...new Set([...total.damagedHere, ...result.damagedHere])],
    };
    const isListedAnew = found.badIndexFiles.size > 0;
    const after = await checkRemote({ ...options, share: isListedAnew ? options.share : 0 });
    // What was found by reading bytes is not found without.
    const sent = new Set(total.sent);
    const unsent = [...found.badPacks].filter(([pack]) => !sent.has(pack) && after.packs.has(pack));
    const left = describe(box, row, { ...after, badPacks: new Map([...unsent, ...after.badPacks]) });
    const hasDone = result.packs + result.removed > 0;
    if (left.length === 0 || !hasDone || round === mendRoundsMax) return { ...total, left };
    found = after;
  }
}

async function mendOnce(
  box: OpenBox,
  row: RemoteRow,
  { options, found }: { readonly options: CheckRemoteOptions; readonly found: RemoteFindings },
): Promise<MendResult> {
  // No collection of garbage takes away meanwhile what is to be sent.
  box.store.beginWriting();
  let result: MendResult;
  try {
    result = await mendRemote(found, { ...options, own: ownWriters(box) });
  } finally {
    box.store.endWriting();
  }
  const hasOwn = ownWriters(box).some((writer) => found.badHeads.has(writerHex(writer)));
  if (hasOwn && box.head() !== undefined) await pushBox(box, row.name);
  return result;
}

function describe(box: OpenBox, { name }: RemoteRow, found: RemoteFindings): RemoteDamage[] {
  const repair = `\`ourobox remote check ${name} --repair\``;
  const whole = new Set(box.store.packs().flatMap((pack) => (pack.complete ? [toHex(pack.name)] : [])));
  const own = new Set(ownWriters(box).map(writerHex));
  const elsewhere = `It is not whole on this machine: run ${repair} on one that has it. A \`ourobox commit\` where its files are stores them again, and a push then sends them.`;
  const damages: RemoteDamage[] = [];
  for (const [writer, error] of found.badHeads) {
    const hint = own.has(writer)
      ? `Run ${repair}: it is written anew.`
      : `Run ${repair} on the machine whose head it is: it is written anew there.`;
    damages.push({ file: `heads/${writer}`, what: error.message, hint });
  }
  for (const [file, error] of found.badIndexFiles)
    damages.push({
      file: `index/${file}`,
      what: error.message,
      hint: `Run ${repair}: what is known of it is listed anew.`,
    });
  for (const [pack, error] of found.badPacks) {
    const hint = whole.has(pack) ? `Run ${repair}: it is whole on this machine, and is sent again.` : elsewhere;
    damages.push({ file: `packs/${pack}`, what: error.message, hint });
  }
  for (const damage of found.lacking) {
    const { kind, object, commit, path, error } = damage;
    const holder = findPack(box, damage);
    const isHere = holder !== undefined && whole.has(toHex(holder));
    const where = path === undefined || path.length === 0 ? "" : ` of ${quotePath(path)}`;
    damages.push({
      file: `commit ${toHex(commit).slice(0, 12)}`,
      what: `${kind} ${toHex(object).slice(0, 12)}${where}: ${error.message}`,
      hint: isHere ? `Run ${repair}: the pack here that has it is sent.` : elsewhere,
    });
  }
  return damages;
}
