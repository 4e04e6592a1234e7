/** Asking a person at the terminal that the program runs in, whatever stdin and stdout are connected to. */
import { openSync, writeSync } from "node:fs";
import { ReadStream } from "node:tty";
import { OuroError } from "../base/errors.ts";

const answerCharactersMax = 4096;

/**
 * Prints the prompt and reads a line.
 * @param options.secret Nothing that is typed is shown.
 * @returns Without the line end; undefined when there is no terminal or it is closed.
 * @throws OuroError "aborted" on Ctrl-C.
 */
export async function askTerminal(
  prompt: string,
  options: { readonly secret: boolean; readonly signal: AbortSignal },
): Promise<string | undefined> {
  let fd: number;
  try {
    fd = openSync("/dev/tty", "r+");
  } catch {
    return undefined;
  }
  const input = new ReadStream(fd);
  writeSync(fd, prompt);
  if (options.secret) input.setRawMode(true);
  try {
    return await readAnswer(input, options.signal);
  } finally {
    if (options.secret) {
      input.setRawMode(false);
      writeSync(fd, "\n");
    }
    input.destroy();
  }
}

function readAnswer(input: ReadStream, signal: AbortSignal): Promise<string | undefined> {
  return new Promise((resolve, reject) => {
    let answer = "";
    input.setEncoding("utf8");
    input.on("data", (text: string | Buffer) => {
      for (const character of String(text)) {
        if (character === "\r" || character === "\n") return resolve(answer);
        if (character === "\x03") return reject(new OuroError("aborted", "Interrupted"));
        if (character === "\x04" && answer === "") return resolve(undefined);
        if (character === "\x7f" || character === "\b") answer = Array.from(answer).slice(0, -1).join("");
        else if (answer.length < answerCharactersMax && character >= " ") answer += character;
      }
    });
    input.on("end", () => resolve(undefined));
    input.on("error", reject);
    signal.addEventListener("abort", () => reject(signal.reason), { once: true });
  });
}
