/** In how many other places packs are: remotes are asked what they have now, as what is remembered of them may be long ago. */
import { isKind } from "../base/errors.ts";
import { verifySignature } from "../peer/mod.ts";
import { presentPacks } from "../sync/mod.ts";
import { openBoxRemote } from "./box-remotes.ts";
import { holdersOf } from "./commit-places.ts";
import type { OpenBox } from "./open-box.ts";
import { isWebServer, remotesOf } from "./remote-list.ts";

export interface PackCopies {
  /** In how many places a pack is. @param pack Its name in hex. */
  readonly count: (pack: string) => number;
  /** Which places could not be asked, and why. */
  readonly silent: readonly string[];
}

/** How many there are to be of everything. */
export function copiesWanted({ settings }: Pick<OpenBox, "settings">): number {
  return Number(settings.findRow("copies")?.value ?? 1);
}

/**
 * @param options.countsWebServers What a web server gives out counts as one copy where no other place is known to have it.
 * @throws OuroError "aborted".
 */
export async function askCopies(
  box: OpenBox,
  { countsWebServers = false }: { readonly countsWebServers?: boolean } = {},
): Promise<PackCopies> {
  const { context, secrets, state, store } = box;
  const holders: ReadonlySet<string>[] = [];
  const webServers: ReadonlySet<string>[] = [];
  const silent: string[] = [];
  const rows = remotesOf(box);
  const places = [...holdersOf(box), ...(countsWebServers ? rows.filter(isWebServer) : [])];
  for (const { name, url } of places) {
    const row = rows.find((each) => each.name === name) ?? { name, url };
    try {
      await using remote = openBoxRemote(box, row, { create: false });
      const options = { remote, secrets, state, store, verify: verifySignature, signal: context.signal };
      const present = await presentPacks(options);
      (isWebServer(row) ? webServers : holders).push(present);
    } catch (thrown) {
      if (!isKind(thrown) || thrown.kind === "aborted") throw thrown;
      silent.push(`${name}: ${thrown.message}`);
    }
  }
  const count = (pack: string): number => {
    const held = holders.filter((present) => present.has(pack)).length;
    return held > 0 || !webServers.some((present) => present.has(pack)) ? held : 1;
  };
  return { count, silent };
}
