/**
 * History that grows by itself thins out by itself. A live mount commits after each quiet time and `sync` whenever it runs, which may be thousands of commits a day. Once an
 * hour, after such a commit, the older of them are forgotten, but for one of an hour, and after a day for one of a day, as by `forget --policy auto`. What a person has
 * committed stays. The setting `history.automatic` says whether.
 *
 * Space is given back once a day at most: packs that are made anew here may have to be sent once more.
 */
import { isKind } from "../base/errors.ts";
import { gcBox } from "./box-upkeep.ts";
import { forgetCommits } from "./forget.ts";
import type { OpenBox } from "./open-box.ts";

const hourMs = 3_600_000;
const forgetting = { stateKey: "thinned", intervalMs: hourMs };
const collecting = { stateKey: "thinned space", intervalMs: 24 * hourMs };

/** Does nothing when it was done less than an hour ago. What goes wrong is warned of: the next hour may do. @throws OuroError "aborted". */
export async function thinHistory(box: OpenBox): Promise<void> {
  if (box.settings.find("history.automatic") === "keep" || !isDue(box, forgetting)) return;
  noteNow(box, forgetting);
  try {
    const { forgotten } = await forgetCommits(box, { policy: { thinsAutomatic: true }, tags: "all", dryRun: false });
    if (forgotten.length === 0 || !isDue(box, collecting)) return;
    noteNow(box, collecting);
    await gcBox(box, { dryRun: false });
  } catch (thrown) {
    if (!isKind(thrown) || thrown.kind === "aborted") throw thrown;
    box.context.warn(`What was committed automatically was not thinned out: ${thrown.message}`);
  }
}

/** Also when the clock was set back. */
function isDue({ state, context }: OpenBox, { stateKey, intervalMs }: typeof forgetting): boolean {
  const noted = state.value(stateKey);
  if (noted?.length !== 8) return true;
  const agoMs = context.clock.nowMs() - Number(new DataView(noted.buffer, noted.byteOffset).getBigUint64(0));
  return agoMs < 0 || agoMs >= intervalMs;
}

function noteNow({ state, context }: OpenBox, { stateKey }: typeof forgetting): void {
  const note = new Uint8Array(8);
  new DataView(note.buffer).setBigUint64(0, BigInt(Math.max(0, Math.trunc(context.clock.nowMs()))));
  state.setValue(stateKey, note);
}
