/** The flags that every command takes. */
import type { ColorWish } from "./color.ts";
import { type OptionSpecs, resolveValues, type ValueSources } from "./options.ts";

const specs = {
  directory: {
    kind: "text",
    short: "C",
    value: "DIR",
    isFolder: true,
    help: "Work as if started in DIR",
    env: "OUROBOX_DIRECTORY",
  },
  "dry-run": {
    kind: "flag",
    help: "Only say what would be done; what cannot tell beforehand refuses it",
    env: "OUROBOX_DRY_RUN",
  },
  quiet: {
    kind: "flag",
    short: "q",
    help: "No notices and no progress; warnings and errors stay",
    env: "OUROBOX_QUIET",
  },
  verbose: {
    kind: "flag",
    short: "v",
    help: "More details; every warning; where a bug happened",
    env: "OUROBOX_VERBOSE",
  },
  json: { kind: "flag", help: "One JSON object a line, for scripts (doc/json.md)", env: "OUROBOX_JSON" },
  progress: {
    kind: "flag",
    default: true,
    negative: true,
    help: "Do not show how far it is",
    setting: "ui.progress",
    env: "OUROBOX_PROGRESS",
  },
  color: {
    kind: "choice",
    choices: ["auto", "always", "never"],
    default: "auto",
    help: "Colour; auto is on a terminal, without NO_COLOR",
    setting: "ui.color",
    env: "OUROBOX_COLOR",
  },
  yes: { kind: "flag", short: "y", help: "Answer yes to every question", env: "OUROBOX_YES" },
  help: { kind: "flag", short: "h", help: "Show the command's help", env: "OUROBOX_HELP" },
} as const satisfies OptionSpecs;

export const globalOptions: OptionSpecs = specs;

export interface GlobalValues {
  readonly directory: string | undefined;
  readonly dryRun: boolean;
  readonly quiet: boolean;
  readonly verbose: boolean;
  readonly json: boolean;
  readonly progress: boolean;
  readonly color: ColorWish;
  readonly yes: boolean;
  readonly help: boolean;
}

/** NO_COLOR counts as the environment: it wins over the config, and --color and OUROBOX_COLOR over it. @throws OuroError "usage" for a value that does not fit. */
export function resolveGlobals(given: ReadonlyMap<string, string>, sources: ValueSources): GlobalValues {
  const { "dry-run": dryRun, ...values } = resolveValues(specs, given, { command: "", sources });
  const { NO_COLOR: refused = "", OUROBOX_COLOR: wish = "" } = sources.env;
  const color = refused !== "" && wish === "" && !given.has("color") ? "never" : values.color;
  return { ...values, color, dryRun };
}
