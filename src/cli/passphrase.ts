/**
 * Where a passphrase comes from: OUROBOX_PASSPHRASE, the first line of the file OUROBOX_PASSPHRASE_FILE, what the shell
 * command OUROBOX_PASSPHRASE_COMMAND prints, or a person. A variable that is set but of no use is an error: nobody is asked instead.
 * One that is to be beside or instead of another comes from OUROBOX_NEW_PASSPHRASE and its like. A person types twice what is to be a new one.
 */
import { execFile } from "node:child_process";
import { readFileSync } from "node:fs";
import { kill } from "node:process";
import { promisify } from "node:util";
import type { PassphrasePurpose } from "../app/mod.ts";
import { toText } from "../base/bytes.ts";
import { ioError, OuroError } from "../base/errors.ts";
import type { World } from "./command.ts";

const commandTimeoutMs = 120_000;
const passphraseBytesMax = 4096;

/** @throws OuroError "wrong-key" when there is none, it is empty or longer than 4 KiB, or was not typed twice alike. */
export async function getPassphrase(
  prompt: string,
  world: World,
  purpose: PassphrasePurpose = "open",
): Promise<string> {
  const name = purpose === "new" ? "OUROBOX_NEW_PASSPHRASE" : "OUROBOX_PASSPHRASE";
  const [text, file, command] = ["", "_FILE", "_COMMAND"].map((end) => world.env[`${name}${end}`]);
  if (text !== undefined) return checked(text, name);
  if (file !== undefined) return checked(readFirstLine(file, `${name}_FILE`, world), `${name}_FILE ${file}`);
  if (command !== undefined)
    return checked(await runForLine(command, `${name}_COMMAND`, world), `what ${name}_COMMAND prints`);
  const answer = await world.ask(`${prompt}: `, { secret: true });
  if (answer === undefined) throw noPassphrase("Cannot get the passphrase: there is no terminal to ask at", name);
  const passphrase = checked(answer, "the passphrase");
  if (purpose === "open" || passphrase === (await world.ask("Again: ", { secret: true }))) return passphrase;
  throw new OuroError("wrong-key", "Cannot use the passphrase: it was not typed twice alike", {
    hint: "Run the command again.",
  });
}

function checked(passphrase: string, source: string): string {
  if (passphrase === "") throw noPassphrase(`Cannot use ${source}: it is empty`);
  if (passphrase.length > passphraseBytesMax)
    throw noPassphrase(`Cannot use ${source}: it is longer than ${passphraseBytesMax} characters`);
  return passphrase;
}

function readFirstLine(path: string, name: string, { disk }: World): string {
  try {
    const fd = disk.open(path, "read");
    try {
      const bytes = new Uint8Array(passphraseBytesMax + 2);
      return firstLine(toText(bytes.subarray(0, disk.read(fd, bytes, 0))));
    } finally {
      disk.close(fd);
    }
  } catch (thrown) {
    throw noPassphrase(ioError(`Cannot read ${name} ${path}`, thrown).message);
  }
}

async function runForLine(command: string, name: string, { env, signal }: World): Promise<string> {
  try {
    signal.throwIfAborted();
    const options = { env: { ...env }, timeout: commandTimeoutMs, maxBuffer: passphraseBytesMax * 2 };
    const running = promisify(execFile)("/bin/sh", ["-c", command], options);
    const stop = (): void => endAll(running.child.pid);
    signal.addEventListener("abort", stop);
    try {
      return firstLine((await running).stdout);
    } finally {
      signal.removeEventListener("abort", stop);
    }
  } catch (thrown) {
    if (signal.aborted) throw signal.reason;
    const why = thrown instanceof Error && "code" in thrown ? `it ended with ${String(thrown.code)}` : "it failed";
    throw noPassphrase(`Cannot use ${name}: ${why}`);
  }
}

/** Ends a process and all that it has started: a shell that is ended leaves its commands behind. */
function endAll(pid: number | undefined): void {
  if (pid === undefined) return;
  const all = [pid];
  // It grows while it is gone through.
  for (const each of all) all.push(...childrenOf(each));
  for (const each of all) {
    try {
      kill(each, "SIGTERM");
    } catch {
      // It has ended by itself.
    }
  }
}

function childrenOf(pid: number): number[] {
  try {
    return (readFileSync(`/proc/${pid}/task/${pid}/children`, "latin1").match(/\d+/g) ?? []).map(Number);
  } catch {
    return [];
  }
}

function firstLine(text: string): string {
  return text.split(/\r?\n/, 1)[0] ?? "";
}

function noPassphrase(message: string, name = "OUROBOX_PASSPHRASE"): OuroError {
  const hint = `Set ${name}, ${name}_FILE or ${name}_COMMAND, or run it in a terminal.`;
  return new OuroError("wrong-key", message, { hint });
}
