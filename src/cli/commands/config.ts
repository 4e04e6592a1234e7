/** `ourobox config`: read and write settings. */
import type { SettingRow, SettingScope, Settings } from "../../app/mod.ts";
import { OuroError } from "../../base/errors.ts";
import { type Command, type CommandContext, defineCommand } from "../command.ts";
import { refuseMountedCommit } from "../open.ts";
import { checkCount, textOf } from "../paths.ts";
import { quoteText } from "../quote.ts";
import { exitStatus } from "../status.ts";
import { suggest, unknownWord } from "../suggest.ts";

const usageText =
  "config [list] [--show-origin]\nconfig [--user] KEY [VALUE]\nconfig get [--show-origin] KEY\nconfig set [--user] KEY VALUE\nconfig unset [--user] KEY";

/** How many arguments each action takes. */
const counts: ReadonlyMap<string, number> = new Map([
  ["list", 0],
  ["get", 1],
  ["set", 2],
  ["unset", 1],
]);

export const command: Command = defineCommand({
  name: "config",
  summary: "Read and write settings",
  usage: usageText,
  description: `
A setting comes from its variable (OUROBOX_USER_NAME for user.name), else the box's file .ourobox/config, else the user's file
~/.config/ourobox/config (below XDG_CONFIG_HOME if that is set), else its default. Both files are lines of "key = value", made to be
edited by hand; a line that begins with # is a comment.

\`config list\` shows every setting that has a value. \`config set\` writes to the box's file, with --user to the user's. \`config KEY\` is
\`config get KEY\`, and \`config KEY VALUE\` is \`config set KEY VALUE\`.`,
  options: {
    "show-origin": { kind: "flag", help: "Say where each value comes from" },
    user: { kind: "flag", help: "The user's file instead of the box's" },
  },
  dryRun: "refused",

  async run(context, values, operands) {
    const given = operands.map((operand) => textOf(operand, "a setting"));
    const { findSetting, Settings, settingTable } = await import("../../app/mod.ts");
    const [action = "list", ...words] =
      given[0] !== undefined && findSetting(given[0]) !== undefined
        ? [given.length === 1 ? "get" : "set", ...given]
        : given;
    const count = counts.get(action);
    if (count === undefined) {
      throw unknownWord(`Cannot do "${action}" with settings: there is no such action`, action, {
        words: [...counts.keys()],
        hint: (near) =>
          near === undefined ? "Run `ourobox config --help`." : `Did you mean \`ourobox config ${near}\`?`,
      });
    }
    checkCount(operands.slice(given.length - words.length), count, count, usageText);
    const { world } = context;
    const settings = Settings.load({ disk: world.disk, env: world.env, cwd: context.cwd });
    const settingNames = Object.keys(settingTable);
    const [key = "", value] = words;
    if (action === "list")
      for (const row of settings.list()) show(context, row, { withKey: true, withOrigin: values["show-origin"] });
    else if (action === "get")
      show(context, get(settings, key, settingNames), { withKey: false, withOrigin: values["show-origin"] });
    else {
      const scope: SettingScope = values.user ? "user" : "box";
      if (scope === "box") refuseMountedCommit(context);
      settings.set(key, action === "set" ? value : undefined, { scope, random: (length) => world.random(length) });
    }
    return exitStatus.ok;
  },
});

function get(settings: Settings, key: string, words: readonly string[]): SettingRow {
  const row = settings.findRow(key);
  if (row !== undefined) return row;
  const near = suggest(key, [...words, ...settings.list().map((each) => each.key)]);
  throw new OuroError("not-found", `Cannot get ${key}: it is not set`, {
    hint: near === undefined ? "Run `ourobox config list` for what is." : `Did you mean ${near}?`,
  });
}

function show(
  { out, json }: CommandContext,
  row: SettingRow,
  options: { withKey: boolean; withOrigin: boolean },
): void {
  const { key, value, origin, place } = row;
  if (json) {
    out.json({ key, value, origin, ...(place === undefined ? {} : { place }) });
    return;
  }
  const from = options.withOrigin ? `${origin}${place === undefined ? "" : ` ${place}`}\t` : "";
  out.line(`${from}${options.withKey ? `${key} = ${quoteText(value)}` : value}`);
}
