/**
 * Programs of this machine that merge files, as git's merge drivers do: `merge=NAME` of `.ouroboxattributes` names one, and only this machine's own config
 * says what it runs (`merge.NAME.command`): a tree that came from elsewhere can't start anything.
 *
 * The command is the shell's; in it `%O` is a file with what both began from, `%A` one with what is shown and `%B` one with the other value, `%P` the
 * path in the box, each quoted for the shell. It leaves the result in `%A` and ends with 0. It has ten minutes, and is ended with all it has started.
 */
import { spawn } from "node:child_process";
import { join } from "node:path";
import { toHex, toText } from "../base/bytes.ts";
import { OuroError } from "../base/errors.ts";
import { quotePath } from "../base/quote.ts";
import type { Path } from "./changes.ts";
import type { OpenBox } from "./open-box.ts";
import { writeSmallFile } from "./small-files.ts";

/** Of each version. */
export const driverBytesMax: number = 256 * 1024 * 1024;

const timeoutMs = 600_000;
const saidBytesMax = 4096;

export interface DriverInput {
  readonly name: string;
  readonly path: Path;
  readonly base: Uint8Array;
  readonly shown: Uint8Array;
  readonly other: Uint8Array;
}

/** What this machine runs for a driver; undefined when it has none of that name. */
export function findDriver({ settings }: OpenBox, name: string): string | undefined {
  return settings.find(`merge.${name}.command`);
}

/**
 * Runs a driver, and gives the file with its result, which is removed when that is done.
 * @throws OuroError "diverged" when the program does not merge these, "aborted".
 */
export async function withMerged<T>(
  box: OpenBox,
  command: string,
  input: DriverInput,
  use: (file: string) => Promise<T>,
): Promise<T> {
  const { disk, random, signal } = box.context;
  const files: string[] = [];
  const put = (letter: string, bytes: Uint8Array): string => {
    const file = join(box.layout.tmp, `merge-${process.pid}-${toHex(random(4))}-${letter}`);
    files.push(file);
    writeSmallFile(disk, file, bytes, { permissions: 0o600, random });
    return file;
  };
  try {
    const result = put("A", input.shown);
    const words: Readonly<Record<string, Uint8Array>> = {
      O: Buffer.from(put("O", input.base)),
      A: Buffer.from(result),
      B: Buffer.from(put("B", input.other)),
      P: input.path,
      "%": Buffer.from("%"),
    };
    await run(withWords(command, words), input, signal);
    return await use(result);
  } finally {
    for (const file of files) if (disk.stat(file) !== undefined) disk.unlink(file);
  }
}

/** The command with its placeholders replaced; other letters after `%` stay. */
function withWords(command: string, words: Readonly<Record<string, Uint8Array>>): string {
  return command.replaceAll(/%([OABP%])/g, (whole, letter: string) => {
    const word = words[letter];
    if (word === undefined || letter === "%") return letter === "%" ? "%" : whole;
    return `'${toText(word).replaceAll("'", "'\\''")}'`;
  });
}

async function run(command: string, { name, path }: DriverInput, signal: AbortSignal): Promise<void> {
  if (signal.aborted) throw new OuroError("aborted", "Interrupted");
  const child = spawn("/bin/sh", ["-c", command], { stdio: ["ignore", "ignore", "pipe"], detached: true });
  let said = "";
  child.stderr.on("data", (bytes: Uint8Array) => {
    said = (said + toText(bytes)).slice(-saidBytesMax);
  });
  const end = (): void => {
    try {
      if (child.pid !== undefined) process.kill(-child.pid, "SIGKILL");
    } catch {
      // It has ended by itself.
    }
  };
  const timer = setTimeout(end, timeoutMs);
  signal.addEventListener("abort", end);
  try {
    const { promise, resolve, reject } = Promise.withResolvers<number | null>();
    child.once("error", reject);
    child.once("close", resolve);
    const status = await promise;
    if (signal.aborted) throw new OuroError("aborted", "Interrupted");
    if (status === 0) return;
    const how = status === null ? "was ended" : `ended with ${status}`;
    const last = said.trim().split("\n").at(-1) ?? "";
    throw new OuroError(
      "diverged",
      `Cannot merge ${quotePath(path)}: the driver ${name} ${how}${last === "" ? "" : `: ${last}`}`,
      {
        hint: "Keep one of the values (--latest, --mine, --pick), both side by side (--both), or write what it should be (--file).",
      },
    );
  } finally {
    clearTimeout(timer);
    signal.removeEventListener("abort", end);
  }
}
