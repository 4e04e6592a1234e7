/** `ourobox version`: which program this is. */
import manifest from "../../../package.json" with { type: "json" };
import { type Command, defineCommand } from "../command.ts";
import { checkCount } from "../paths.ts";
import { exitStatus } from "../status.ts";

const usage = "version";

export const command: Command = defineCommand({
  name: "version",
  summary: "Show the version",
  usage,
  description: `
Show the version of this program; with -v also what it runs on. \`ourobox --version\` is the same.`,
  options: {},
  dryRun: "reads",
  standalone: true,

  async run({ out, json, verbose }, _values, operands) {
    checkCount(operands, 0, 0, usage);
    const { version } = manifest;
    const { node = "", sqlite = "", zstd = "" } = verbose || json ? await runtimeVersions() : {};
    if (json) out.json({ version, node, sqlite, zstd });
    else out.line(`ourobox ${version}${verbose ? ` (Node.js ${node}, SQLite ${sqlite}, zstd ${zstd})` : ""}`);
    return exitStatus.ok;
  },
});

async function runtimeVersions(): Promise<Readonly<Record<string, string | undefined>>> {
  return (await import("node:process")).versions;
}
