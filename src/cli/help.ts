/** The text of `ourobox help` and of each command's `--help`, all made from what the commands declare. */
import type { Command, Loader } from "./command.ts";
import { commandGroups } from "./command-groups.ts";
import { alignColumns } from "./format.ts";
import { globalOptions } from "./globals.ts";
import { type OptionSpec, type OptionSpecs, placeholder, variableOf } from "./options.ts";

const helpColumns = 80;

/** Everything `ourobox COMMAND --help` prints. */
export function commandHelp(command: Command): string {
  const flags = describeOptions(command.options);
  const usage = command.usage.split("\n").map((line, index) => `${index === 0 ? "Usage: " : "       "}ourobox ${line}`);
  const [example] = Object.entries(command.options).map(([name, spec]) => variableOf(name, spec, command.name));
  const variables = example === undefined ? "" : ` Each flag above has a variable too, such as ${example}.`;
  const more = `Every command also takes -C, --dry-run, -q, -v, --json, --no-progress, --color and -y: see \`ourobox help flags\`.${variables}`;
  return [
    `${command.summary}\n`,
    `${usage.join("\n")}\n`,
    `${wrapText(command.description, helpColumns)}\n`,
    ...(flags.length === 0 ? [] : [`Flags:\n${flags.join("\n")}\n`]),
    `${wrapText(more, helpColumns)}\n`,
  ].join("\n");
}

/** Paragraphs, which empty lines separate, with their lines broken anew. A paragraph of indented lines stays as it is. */
export function wrapText(text: string, columns: number): string {
  const paragraphs = text.trim().split(/\n\n+/);
  return paragraphs.map((each) => (each.startsWith("  ") ? each : wrapParagraph(each, columns))).join("\n\n");
}

function wrapParagraph(text: string, columns: number): string {
  const lines: string[] = [];
  let line = "";
  for (const word of text.split(/\s+/)) {
    if (line !== "" && line.length + 1 + word.length > columns) {
      lines.push(line);
      line = word;
    } else line = line === "" ? word : `${line} ${word}`;
  }
  return [...lines, line].join("\n");
}

/** The list of commands. */
export async function overviewHelp(commands: ReadonlyMap<string, Loader>): Promise<string> {
  const parts = [
    "Usage: ourobox [FLAGS] COMMAND [FLAGS] [ARGUMENTS]",
    "A box is a folder whose every committed state you can go back to, and carry elsewhere.",
    "",
  ];
  for (const { title, names } of commandGroups) {
    parts.push(title);
    for (const name of names) {
      const loaded = await commands.get(name)?.();
      if (loaded !== undefined) parts.push(`  ${name.padEnd(9)} ${loaded.command.summary}`);
    }
    parts.push("");
  }
  parts.push(
    "`ourobox help COMMAND` tells more of one; also `help flags`, `help exit-status`, `help environment`.",
    "",
  );
  return parts.join("\n");
}

export function flagsHelp(): string {
  const lines = describeOptions(globalOptions);
  return [
    "Flags of every command, before or after its name:\n",
    lines.join("\n"),
    "\nA flag without a value has a --no- form. What begins with a dash and is no flag goes after `--`.",
    "A value comes from the flag, else its variable, else the box's config, else the user's config.",
    "",
  ].join("\n");
}

export const environmentHelp = `\
Variables

  OUROBOX_<COMMAND>_<FLAG>    Sets a flag: OUROBOX_LOG_ONELINE=true, OUROBOX_COMMIT_MESSAGE=nightly.
                              \`ourobox COMMAND --help\` names them. The flag itself wins.
  OUROBOX_<SETTING>           Sets what \`ourobox config\` does: OUROBOX_USER_NAME for user.name.
  OUROBOX_PASSPHRASE          The passphrase (or recovery key) of a sealed remote,
  OUROBOX_PASSPHRASE_FILE       or a file that holds it (its first line),
  OUROBOX_PASSPHRASE_COMMAND    or a shell command that prints it. Else a person is asked.
  OUROBOX_NEW_PASSPHRASE, …   What \`key add\` and \`key passwd\` make, likewise with _FILE and _COMMAND.
  OUROBOX_SSH                 What to start instead of \`ssh\` for sftp:// remotes, with its first arguments.
  OUROBOX_RCLONE              What to start instead of \`rclone\` for rclone: remotes.
  AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY, AWS_PROFILE, AWS_REGION, AWS_ENDPOINT_URL, …
                              Keys and place of s3:// remotes, as for AWS's own programs.
  HTTPS_PROXY, NO_PROXY       For s3:// and https:// remotes.
  OUROBOX_NO_PROGRESS         As --no-progress.
  NO_COLOR                    No colour, unless it is empty, or --color or OUROBOX_COLOR asks for it.
  XDG_CONFIG_HOME             Where ourobox/config and this device's key are (default ~/.config).
  TZ                          The time zone of dates.
`;

/** Lines of flags and what they do, aligned. */
export function describeOptions(specs: OptionSpecs): string[] {
  return alignColumns(Object.entries(specs).map(([name, spec]) => [`  ${flagText(name, spec)}`, flagHelp(spec)]));
}

/** "-n, --limit N" */
export function flagText(name: string, spec: OptionSpec): string {
  const long = spec.kind === "flag" && spec.negative === true ? `--no-${name}` : `--${name}`;
  const text = placeholder(spec);
  const value = spec.kind === "text" && spec.bare !== undefined ? `[=${text}]` : text === "" ? "" : ` ${text}`;
  return `${spec.short === undefined ? "    " : `-${spec.short}, `}${long}${value}`;
}

/** What a flag does, with its default and the config key that sets it. */
export function flagHelp(spec: OptionSpec): string {
  const notes = [
    ...(spec.kind === "flag" || spec.default === undefined || spec.default === "" ? [] : [`default ${spec.default}`]),
    ...(spec.setting === undefined ? [] : [`config ${spec.setting}`]),
  ];
  return notes.length === 0 ? spec.help : `${spec.help} (${notes.join(", ")})`;
}
