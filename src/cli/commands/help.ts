/** `ourobox help`: the commands, one of them, or a topic. */
import { type Command, defineCommand, type Loader } from "../command.ts";
import { checkCount } from "../paths.ts";
import { exitStatus, exitStatusHelp } from "../status.ts";
import { unknownWord } from "../suggest.ts";

const usageText = "help [COMMAND | flags | exit-status | environment]";
const topics = ["flags", "exit-status", "environment"];

export const command: Command = defineCommand({
  name: "help",
  summary: "Show the commands, or the help of one",
  usage: usageText,
  description: `
Without an argument, list the commands. With a command's name, show what \`--help\` shows.

The topics: the flags that every command takes, the exit statuses, the environment variables.`,
  options: {},
  dryRun: "reads",
  standalone: true,

  async run({ out, commands }, _values, operands) {
    checkCount(operands, 0, 1, usageText);
    out.write(await helpText(operands[0]?.text, commands));
    return exitStatus.ok;
  },
});

async function helpText(topic: string | undefined, commands: ReadonlyMap<string, Loader>): Promise<string> {
  const { commandHelp, environmentHelp, flagsHelp, overviewHelp } = await import("../help.ts");
  if (topic === undefined) return overviewHelp(commands);
  if (topic === "flags") return flagsHelp();
  if (topic === "exit-status") return exitStatusHelp;
  if (topic === "environment") return environmentHelp;
  const load = commands.get(topic);
  if (load !== undefined) return commandHelp((await load()).command);
  throw unknownWord(`Cannot show help of "${topic}": there is no such command`, topic, {
    words: [...commands.keys(), ...topics],
    hint: (near) => (near === undefined ? "Run `ourobox help` for the list." : `Did you mean ${near}?`),
  });
}
