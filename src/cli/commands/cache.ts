/** `ourobox cache`: what is here only because somebody has read it, and how much of it there may be. */
import type { Box, CacheReport, ShrinkReport } from "../../app/mod.ts";
import { OuroError } from "../../base/errors.ts";
import { type Command, type CommandContext, defineCommand } from "../command.ts";
import { alignColumns, counted, formatSize } from "../format.ts";
import { openBox } from "../open.ts";
import { usage } from "../options.ts";
import { checkCount, textOf } from "../paths.ts";
import { exitStatus } from "../status.ts";
import { unknownWord } from "../suggest.ts";

const usageText = "cache [stat]\ncache clear\ncache shrink [SIZE]\ncache set [--free SHARE] [SIZE]";

/** How many arguments each action takes. */
const counts: ReadonlyMap<string, readonly [number, number]> = new Map([
  ["stat", [0, 0]],
  ["clear", [0, 0]],
  ["shrink", [0, 1]],
  ["set", [0, 1]],
]);

export const command: Command = defineCommand({
  name: "cache",
  summary: "Show and shrink what is kept of what was read",
  usage: usageText,
  description: `
Content that is not on this machine is brought when it is read, and kept as long as there is room: that is the cache. It is at most as large as \`cache.size\`
says (10% of the disk), and leaves \`cache.free\` of the disk free (5%). When it is full, what no commit needs goes first, then what was not read longest.
What is marked real, what was written here and is not yet in enough remotes (config copies), and what too few of them have now, never goes; what there is no room for is
read and not kept.

\`cache stat\` shows how large it is. \`cache clear\` gives up all of it that may go, \`cache shrink\` so much that SIZE is left (500M, 20G, or 5% of the disk), or
what the settings allow. \`cache set\` writes the settings of this box, and gives up what is too much.`,
  options: {
    // OUROBOX_CACHE_FREE is that of the setting.
    free: {
      kind: "text",
      value: "SHARE",
      help: "For set: the share of the disk to leave free, as 5%",
      env: "OUROBOX_CACHE_SET_FREE",
    },
  },
  dryRun: "says",

  async run(context, values, operands) {
    const [action = "stat", ...rest] = operands.map((operand) => textOf(operand, "an action or a size"));
    const count = counts.get(action);
    if (count === undefined)
      throw unknownWord(`Cannot do "${action}" with the cache: there is no such action`, action, {
        words: [...counts.keys()],
        hint: (near) =>
          near === undefined ? "Run `ourobox cache --help`." : `Did you mean \`ourobox cache ${near}\`?`,
      });
    checkCount(operands.slice(1), ...count, usageText);
    if (values.free !== undefined && action !== "set")
      throw usage(`Cannot use --free with \`cache ${action}\``, "Write `ourobox cache set --free 5%`.");
    if (action === "set") await set(context, rest[0], values.free);
    await using box = await openBox(context);
    if (action === "stat") showCache(context, await box.cache());
    else if (action === "set") return await shrink(context, box, undefined, { isQuiet: true });
    else return await shrink(context, box, await goalOf(box, action, rest[0]));
    return exitStatus.ok;
  },
});

/** In bytes; undefined: what the settings allow. */
async function goalOf(box: Box, action: string, text: string | undefined): Promise<number | undefined> {
  if (action === "clear") return 0;
  if (text === undefined) return undefined;
  const { mustBeCacheSize, parseCacheSize } = await import("../../app/mod.ts");
  const wish = parseCacheSize(text);
  if (wish === undefined) throw usage(`Cannot shrink the cache to "${text}": ${mustBeCacheSize}`);
  return wish.kind === "bytes" ? wish.bytes : Math.floor((await box.cache()).disk * wish.share);
}

/** Writes the settings: all or none. */
async function set(context: CommandContext, size: string | undefined, free: string | undefined): Promise<void> {
  if (size === undefined && free === undefined)
    throw usage(
      "Cannot set anything: no size is given",
      "Write `ourobox cache set 20G` or `ourobox cache set --free 5%`.",
    );
  const { findSetting, Settings } = await import("../../app/mod.ts");
  const { world, cwd, dryRun } = context;
  const wanted = [
    ["cache.size", size],
    ["cache.free", free],
  ] as const;
  for (const [key, value] of wanted) {
    const problem = value === undefined ? undefined : findSetting(key)?.check?.(value);
    if (problem !== undefined) throw new OuroError("usage", `Cannot set ${key} to "${value}": ${problem}`);
  }
  if (dryRun) return;
  const settings = Settings.load({ disk: world.disk, env: world.env, cwd });
  const options = { scope: "box", random: (length: number) => world.random(length) } as const;
  for (const [key, value] of wanted) if (value !== undefined) settings.set(key, value, options);
}

async function shrink(
  context: CommandContext,
  box: Box,
  to: number | undefined,
  { isQuiet = false }: { readonly isQuiet?: boolean } = {},
): Promise<number> {
  const { dryRun, json, out, messages } = context;
  const report = await box.shrinkCache({ dryRun, ...(to === undefined ? {} : { to }) });
  const { frames, bytes, left, partial } = report;
  if (json) out.json({ frames, bytes, left, partial, dryRun });
  else if (!isQuiet || bytes > 0)
    messages.notice(
      `${dryRun ? "Would give up" : "Gave up"} ${formatSize(bytes)} of content: ${counted(frames, "piece")}; ${formatSize(left)} ${dryRun ? "would be" : "are"} left`,
    );
  if (!partial) return exitStatus.ok;
  messages.warn(whyLeft(report));
  return exitStatus.partial;
}

function whyLeft({ left, uncopied, silent }: ShrinkReport): string {
  if (uncopied === 0) return `${formatSize(left)} cannot be given up now: another process uses it, or it is to be here`;
  const asked = silent.length === 0 ? "" : ` (${silent.join("; ")})`;
  return `${formatSize(left)} cannot be given up: too few other places are known to have ${counted(uncopied, "piece")} of it${asked}`;
}

function showCache({ json, out }: CommandContext, report: CacheReport): void {
  const { frames, bytes, quota, limit, free, disk, diskFree } = report;
  if (json) {
    out.json({ frames, bytes, quota, limit, free, disk, diskFree });
    return;
  }
  const rows = [
    ["in the cache", formatSize(bytes), counted(frames, "piece")],
    ["quota", formatSize(quota), "cache.size"],
    ["to be left free", formatSize(free), "cache.free"],
    ["free on the disk", formatSize(diskFree), `of ${formatSize(disk)}`],
    ["may be kept now", formatSize(limit), ""],
  ];
  for (const line of alignColumns(rows)) out.line(line);
}
