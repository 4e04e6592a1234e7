/**
 * The keys that open a box on its remotes: passphrases and recovery keys, each a wrapping of the one box key. Adding and removing them never
 * changes the box key: who had it, or a copy of a remote and a passphrase of then, reads what he has for ever.
 *
 * A change goes to all remotes that are named, or all there are. What can be found out before is found out before anything is changed; a remote
 * that fails then is warned of, and the others are done.
 */
import { toHex } from "../base/bytes.ts";
import { OuroError } from "../base/errors.ts";
import {
  findNote,
  findOpened,
  type KeyKind,
  type KeyNote,
  keyLabelProblem,
  makeRecoveryKey,
  type WrappedKey,
  wrapKey,
  wrongPassphrase,
} from "../format/mod.ts";
import { noteKey } from "./key-note-here.ts";
import { type KeyReport, type Place, Places } from "./key-places.ts";
import type { OpenBox } from "./open-box.ts";

/** A key of a remote. */
export interface KeyRow {
  readonly remote: string;
  /** 16 hex digits; a key that was added to several remotes has one in all of them. */
  readonly id: string;
  /** Absent where nothing is known of it. */
  readonly note?: KeyNote;
}

export interface NewKey {
  /** Absent: its kind, with a number where there is one of that name. */
  readonly label?: string;
}

export interface ExportRequest extends NewKey {
  /**
   * Is given the key before a remote has it, to keep it; what it throws prevents the rest. Its result takes it back, where no remote
   * takes it.
   */
  readonly keep?: (key: string) => () => void;
}

/** @param names Of remotes; none: all. */
export async function listKeys(box: OpenBox, names: readonly string[]): Promise<{ rows: KeyRow[]; partial: boolean }> {
  await using places = await Places.open(box, names, { tidies: false });
  return { rows: rowsOf(box, places), partial: places.partial };
}

/** Asks for a further passphrase. @throws OuroError "exists" for a label that another key has, "usage" for one that cannot be. */
export async function addKey(box: OpenBox, names: readonly string[], { label }: NewKey): Promise<KeyReport> {
  return await addOfKind(box, names, {
    label,
    kind: "passphrase",
    passphrase: (where) => box.context.askPassphrase(`New passphrase of ${where}`, "new"),
  });
}

/** Makes a recovery key and adds it. @returns With the key, which is kept nowhere. @throws As `addKey`. */
export async function exportKey(
  box: OpenBox,
  names: readonly string[],
  { label, keep }: ExportRequest,
): Promise<KeyReport & { readonly key: string }> {
  const key = makeRecoveryKey((length) => box.context.random(length));
  let takeBack: (() => void) | undefined;
  const passphrase = async (): Promise<string> => {
    takeBack = keep?.(key);
    return key;
  };
  try {
    return { ...(await addOfKind(box, names, { label, kind: "recovery", passphrase })), key };
  } catch (thrown) {
    takeBack?.();
    throw thrown;
  }
}

interface Adding {
  readonly label: string | undefined;
  readonly kind: KeyKind;
  /** @param where Of which remotes, for people. */
  readonly passphrase: (where: string) => Promise<string>;
}

async function addOfKind(
  box: OpenBox,
  names: readonly string[],
  { label: wanted, kind, passphrase }: Adding,
): Promise<KeyReport> {
  if (wanted !== undefined) checkLabel(wanted);
  await using places = await Places.open(box, names, { tidies: true });
  const label = freeLabel(rowsOf(box, places), wanted, kind);
  const where = places.all.map(({ row }) => row.name).join(", ");
  const key = await makeKey(box, await passphrase(where), { label, kind });
  return await places.change(async () => ({ add: [key] }));
}

/**
 * Replaces one passphrase by another, under its label. Both are asked for, the new one when the old one has been found to open.
 * @throws OuroError "wrong-key" when it opens nothing, or does not open a remote that was named; "usage" for a recovery key.
 */
export async function changePassphrase(box: OpenBox, names: readonly string[]): Promise<KeyReport> {
  await using places = await Places.open(box, names, { tidies: true });
  const where = places.all.map(({ row }) => row.name).join(", ");
  const old = await box.context.askPassphrase(`Present passphrase of ${where}`);
  const opened = new Map<Place, WrappedKey>();
  for (const place of places.all) {
    const found = await findOpened(place.keys, box.identity.box, old);
    if (found !== undefined) opened.set(place, found.wrapped);
    else if (names.length > 0) throw wrongPassphrase(old, `the box at ${place.remote.url}`);
    else box.context.notice(`${place.row.name} does not open with it, and stays as it is`);
  }
  if (opened.size === 0)
    throw wrongPassphrase(old, `the box at ${places.all.map(({ remote }) => remote.url).join(", ")}`);
  const notes = new Map([...opened].map(([place, key]) => [place, findNote(box.secrets, key)]));
  if ([...notes.values()].some((note) => note?.kind === "recovery")) {
    throw new OuroError("usage", "Cannot change a recovery key", {
      hint: "Make another with `ourobox key export`, and remove this one with `ourobox key remove`.",
    });
  }
  const fresh = await makeKey(box, await box.context.askPassphrase(`New passphrase of ${where}`, "new"), {
    label: "passphrase",
    kind: "passphrase",
  });
  places.keepOnly((place) => opened.has(place));
  return await places.change(async (place) => {
    const [before, note] = [opened.get(place), notes.get(place)];
    const key = noteKey(box, fresh, { label: note?.label ?? "passphrase", kind: "passphrase" });
    return { add: [key], remove: before === undefined ? [] : [before.id] };
  });
}

/**
 * Removes a key from all remotes that have it.
 * @param which Its label or its id, or the beginning of that.
 * @throws OuroError "not-found", "usage" when several are meant, "invalid" when a remote would be left without any.
 */
export async function removeKey(box: OpenBox, names: readonly string[], which: string): Promise<KeyReport> {
  await using places = await Places.open(box, names, { tidies: true });
  const id = idOf(rowsOf(box, places), which);
  places.keepOnly(({ keys }) => keys.some((key) => toHex(key.id) === id));
  for (const { keys, row } of places.all) if (keys.length === 1) throw lastKey(row.name);
  return await places.change(async (_, keys) => ({
    remove: keys.filter((key) => toHex(key.id) === id).map((key) => key.id),
  }));
}

function rowsOf(box: OpenBox, { all }: Places): KeyRow[] {
  return all.flatMap(({ row, keys }) =>
    keys.map((key) => {
      const note = findNote(box.secrets, key);
      return { remote: row.name, id: toHex(key.id), ...(note === undefined ? {} : { note }) };
    }),
  );
}

async function makeKey(
  box: OpenBox,
  passphrase: string,
  { label, kind }: Pick<KeyNote, "label" | "kind">,
): Promise<WrappedKey> {
  const { secrets, identity, context } = box;
  if (secrets.key === undefined) throw new TypeError("a plain box has no key");
  const wrapped = await wrapKey(secrets.key, identity.box, passphrase, { random: (length) => context.random(length) });
  return noteKey(box, wrapped, { label, kind });
}

/** @throws OuroError "usage", "exists". */
function freeLabel(rows: readonly KeyRow[], wanted: string | undefined, kind: KeyKind): string {
  const isTaken = (label: string): boolean => rows.some(({ note }) => note?.label === label);
  if (wanted === undefined) {
    let label: string = kind;
    for (let count = 2; isTaken(label); count += 1) label = `${kind}-${count}`;
    return label;
  }
  if (!isTaken(wanted)) return wanted;
  throw new OuroError("exists", `Cannot label a key ${JSON.stringify(wanted)}: there is one`, {
    subject: wanted,
    hint: "Choose another label, or remove that one first: `ourobox key remove`.",
  });
}

function checkLabel(label: string): void {
  const problem = keyLabelProblem(label);
  if (problem !== undefined) throw new OuroError("usage", `Cannot label a key ${JSON.stringify(label)}: ${problem}`);
}

function idOf(rows: readonly KeyRow[], which: string): string {
  const isStart = /^[0-9a-f]{4,16}$/.test(which);
  const labelled = rows.filter(({ note }) => note?.label === which);
  const meant = labelled.length > 0 ? labelled : rows.filter(({ id }) => isStart && id.startsWith(which));
  const ids = [...new Set(meant.map(({ id }) => id))];
  const [id] = ids;
  const hint = "Run `ourobox key list`, and give the id.";
  if (id === undefined)
    throw new OuroError("not-found", `Cannot find a key ${JSON.stringify(which)}`, { subject: which, hint });
  if (ids.length === 1) return id;
  throw new OuroError("usage", `Cannot remove ${JSON.stringify(which)}: these are ${ids.join(", ")}`, { hint });
}

function lastKey(remote: string): OuroError {
  return new OuroError("invalid", `Cannot remove the last key of ${remote}: nothing would open the box there`, {
    subject: remote,
    hint: "Add another first: `ourobox key add`.",
  });
}
