/** `ourobox remote copy`: what it copies, and what it says of it. */
import type { Box } from "../app/mod.ts";
import { isKind } from "../base/errors.ts";
import type { CommandContext } from "./command.ts";
import { counted, formatSize } from "./format.ts";
import { appContext, openBox } from "./open.ts";
import { exitStatus } from "./status.ts";

/** @returns The exit status: 3 where heads were left as they are. */
export async function copyRemote(
  context: CommandContext,
  request: { readonly from: string; readonly to: string; readonly plain: boolean },
): Promise<number> {
  const { copyRemotes } = await import("../app/mod.ts");
  await using box = await findBox(context);
  const { packs, bytes, heads, left } = await copyRemotes(appContext(context), box, request);
  if (context.json) {
    context.out.json({ packs, bytes, heads, left: [...left].map(([writer, why]) => ({ writer, why })) });
  } else {
    const { messages } = context;
    messages.notice(
      packs + heads === 0
        ? "Nothing new"
        : `Copied ${counted(packs, "pack")}, ${formatSize(bytes)}, and ${counted(heads, "head")}`,
    );
    for (const [writer, why] of left) messages.warn(`The head of ${writer} is left as it is: ${why}`);
  }
  return left.size > 0 ? exitStatus.partial : exitStatus.ok;
}

/** Undefined where there is none: URLs are enough. */
async function findBox(context: CommandContext): Promise<Box | undefined> {
  try {
    return await openBox(context);
  } catch (thrown) {
    if (isKind(thrown, "no-box")) return undefined;
    throw thrown;
  }
}
