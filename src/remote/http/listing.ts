/**
 * What a static web server has, written down: it gives files, but no list of them. `remote publish` writes the listing into
 * the remote beside everything else, and readers begin with it.
 *
 * A line for the format and date (UTC), a line for each blob (size, time, tag or "-", name, by tabs), and "end" with their number, without
 * which it is not whole. At most `listingBytesMax`.
 */
import { findText, utf8 } from "../../base/bytes.ts";
import { OuroError } from "../../base/errors.ts";
import { isBlobName } from "../checks.ts";
import type { BlobInfo, Remote, RemoteOptions } from "../remote.ts";

export const listingName = "listing";
export const listingBytesMax: number = 128 * 1024 * 1024;

const formatLine = "ourobox listing 1";
/** What a box keeps at the top of a remote, heads first: whatever they refer to was there before them. */
const folders = ["heads/", "condemned/", "index/", "packs/", "keys/"];

export interface Listing {
  readonly madeMs: number;
  readonly blobs: readonly BlobInfo[];
}

/**
 * Writes down what a remote has now, into it.
 * @returns How many blobs there are.
 * @throws OuroError as `list` and `put`; "too-large".
 */
export async function publishListing(
  remote: Remote,
  { nowMs, ...options }: RemoteOptions & { readonly nowMs: number },
): Promise<number> {
  const blobs: BlobInfo[] = [];
  const config = await remote.stat("config", options);
  if (config !== undefined) blobs.push(config);
  for (const folder of folders) for await (const blob of remote.list(folder, options)) blobs.push(blob);
  const bytes = encodeListing({ madeMs: nowMs, blobs });
  if (bytes.length > listingBytesMax)
    throw new OuroError("too-large", `Cannot publish ${remote.url}: it has ${blobs.length} files`);
  await remote.put(listingName, bytes, options);
  return blobs.length;
}

export function encodeListing({ madeMs, blobs }: Listing): Uint8Array {
  const lines = blobs.map(({ name, size, modifiedMs, tag }) =>
    [size, modifiedMs === undefined ? "-" : Math.floor(modifiedMs), plainTag(tag), name].join("\t"),
  );
  return utf8([`${formatLine}\t${new Date(madeMs).toISOString()}`, ...lines, `end\t${lines.length}`, ""].join("\n"));
}

function plainTag(tag: string | undefined): string {
  return tag !== undefined && /^[!-~]{1,200}$/.test(tag) && tag !== "-" ? tag : "-";
}

/** @param where Whose it is, for messages. @throws OuroError "corrupt". */
export function decodeListing(bytes: Uint8Array, where: string): Listing {
  const corrupt = (why: string): OuroError =>
    new OuroError("corrupt", `Cannot read the listing of ${where}: ${why}`, {
      subject: where,
      hint: "Have it published again: `ourobox remote publish` on a machine that can write there.",
    });
  const lines = findText(bytes)?.split("\n") ?? [];
  const [, date = ""] = lines[0]?.startsWith(`${formatLine}\t`) === true ? lines[0].split("\t") : [];
  const madeMs = Date.parse(date);
  if (Number.isNaN(madeMs)) throw corrupt("it does not begin as one");
  const rows = lines.slice(1, -2);
  if (lines.at(-1) !== "" || lines.at(-2) !== `end\t${rows.length}`) throw corrupt("it is not whole");
  const blobs = rows.map((row): BlobInfo => {
    const [size = "", modified = "", tag = "", name = "", more] = row.split("\t");
    const isRight =
      /^\d{1,15}$/.test(size) &&
      /^(\d{1,15}|-)$/.test(modified) &&
      tag !== "" &&
      tag.length <= 200 &&
      more === undefined;
    if (!isRight || !isBlobName(name)) throw corrupt(`a line of it is ${JSON.stringify(row.slice(0, 80))}`);
    return {
      name,
      size: Number(size),
      ...(modified === "-" ? {} : { modifiedMs: Number(modified) }),
      ...(tag === "-" ? {} : { tag }),
    };
  });
  return { madeMs, blobs };
}
