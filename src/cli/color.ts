/** Colour, where it is wanted: SGR codes of ECMA-48, or nothing. https://no-color.org, https://bixense.com/clicolors */

export type ColorWish = "auto" | "always" | "never";

export interface Style {
  readonly red: (text: string) => string;
  readonly green: (text: string) => string;
  readonly yellow: (text: string) => string;
  readonly cyan: (text: string) => string;
  readonly bold: (text: string) => string;
  readonly dim: (text: string) => string;
}

const paint = (on: number, off: number) => (text: string) => `\x1b[${on}m${text}\x1b[${off}m`;
const plain = (text: string): string => text;

export const plainStyle: Style = { red: plain, green: plain, yellow: plain, cyan: plain, bold: plain, dim: plain };
const colorStyle: Style = {
  red: paint(31, 39),
  green: paint(32, 39),
  yellow: paint(33, 39),
  cyan: paint(36, 39),
  bold: paint(1, 22),
  dim: paint(2, 22),
};

/** Colour when asked for; by itself on a terminal, unless NO_COLOR is set to anything or TERM is "dumb". */
export function styleFor(
  wish: ColorWish,
  isTerminal: boolean,
  env: Readonly<Record<string, string | undefined>>,
): Style {
  if (wish !== "auto") return wish === "always" ? colorStyle : plainStyle;
  const refused = (env["NO_COLOR"] ?? "") !== "" || env["TERM"] === "dumb";
  return isTerminal && !refused ? colorStyle : plainStyle;
}
