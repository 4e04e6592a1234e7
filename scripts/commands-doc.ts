/**
 * Writes doc/commands.md from what the commands declare about themselves. test/commands-doc.test.ts fails while the file is not
 * what this makes: `node scripts/commands-doc.ts` brings it up to date.
 */
import { writeFileSync } from "node:fs";
import { settingTable, variableOfSetting } from "../src/app/mod.ts";
import type { Command } from "../src/cli/command.ts";
import { commandGroups } from "../src/cli/command-groups.ts";
import { globalOptions } from "../src/cli/globals.ts";
import { environmentHelp, flagHelp, flagText, wrapText } from "../src/cli/help.ts";
import { type OptionSpecs, variableOf } from "../src/cli/options.ts";
import { commands } from "../src/cli/registry.ts";
import { exitStatusHelp } from "../src/cli/status.ts";

export const commandsDocPath: string = `${import.meta.dirname}/../doc/commands.md`;
const columns = 120;

/** The whole text of doc/commands.md. */
export async function commandsDoc(): Promise<string> {
  const groups: string[] = [];
  for (const { title, names } of commandGroups) {
    groups.push(`## ${title}`);
    for (const name of names) {
      const loaded = await commands.get(name)?.();
      if (loaded !== undefined) groups.push(commandSection(loaded.command));
    }
  }
  return `${[intro, ...groups, flagsSection(), settingsSection(), block("Exit statuses", exitStatusHelp), block("Variables", environmentHelp)].join("\n\n")}\n`;
}

const intro = `# Commands

Made from the commands' own help by \`scripts/commands-doc.ts\`. \`ourobox help COMMAND\` shows the same. What \`--json\` prints is in
[json.md](json.md).

A commit is named \`HEAD\`, \`HEAD~2\`, \`HEAD^\`, \`@{yesterday}\`, \`@{3 days ago}\`, \`@{2026-11-01 10:00}\`, by the first digits of its id (four or
more) or by a tag.`;

function commandSection(command: Command): string {
  const usage = command.usage.split("\n").map((line) => `    ourobox ${line}`);
  const parts = [
    `### ${command.name}`,
    `${command.summary}.`,
    usage.join("\n"),
    escapeMarkdown(wrapText(command.description, columns)),
  ];
  if (Object.keys(command.options).length > 0) parts.push(flagTable(command.options, command.name));
  if (command.dryRun === "says") parts.push("With `--dry-run` it only says what it would do.");
  return parts.join("\n\n");
}

function flagTable(specs: OptionSpecs, command: string): string {
  const rows = Object.entries(specs).map(([name, spec]) => {
    const flag = flagText(name, spec).trim().replaceAll("|", "\\|");
    return `| \`${flag}\` | ${escapeMarkdown(flagHelp(spec))} | \`${variableOf(name, spec, command)}\` |`;
  });
  return ["| flag | what it does | variable |", "|---|---|---|", ...rows].join("\n");
}

function flagsSection(): string {
  return `## Flags of every command\n\nBefore or after the command's name. A flag without a value has a \`--no-\` form. What begins with a dash and is no flag goes
after \`--\`. A value comes from the flag, else its variable, else the box's config, else the user's config, else the default.\n\n${flagTable(globalOptions, "")}`;
}

function settingsSection(): string {
  const rows = Object.entries(settingTable).map(
    ([key, { help, default: value }]) =>
      `| \`${key}\` | ${escapeMarkdown(help)} | ${value === undefined ? "" : `\`${value}\``} | \`${variableOfSetting(key)}\` |`,
  );
  return [
    "## Settings",
    "Read and written by `ourobox config`.",
    ["| key | what it does | default | variable |", "|---|---|---|---|", ...rows].join("\n"),
  ].join("\n\n");
}

function block(title: string, text: string): string {
  const lines = text.trimEnd().split("\n").slice(1);
  return `## ${title}\n\n${lines
    .join("\n")
    .replace(/^\n+/, "")
    .replaceAll(/^(?=.)/gm, "    ")}`;
}

/** Text of the help as Markdown: what would be taken for markup is not. */
function escapeMarkdown(text: string): string {
  return text.replaceAll("|", "\\|").replaceAll("<", "&lt;");
}

if (import.meta.main) writeFileSync(commandsDocPath, await commandsDoc());
