/**
 * Names as people see them. A name is bytes: it may hold line ends, escape sequences or no UTF-8 at all, and none of that may reach a terminal.
 *
 * What is not plain is written as a shell's `$'…'` (bash, zsh, ksh, POSIX 2024), which can be pasted back into a command.
 */
import { asBuffer, findText, utf8 } from "./bytes.ts";

const dot = Uint8Array.of(0x2e);

/** Control and format characters, private use, unassigned, line separators. */
const unprintable = /[\p{C}\p{Zl}\p{Zp}]/u;
/** Reads differently from what it is: white space at an end, what looks like a quoted name, or like a rename. */
const misleading = /^[\s'"]|\s$|^\$'| -> /u;

/** @returns The text as it is when it is printable, else `$'…'`. */
export function quoteBytes(bytes: Uint8Array): string {
  const text = findText(bytes);
  if (text === "") return "''";
  if (text !== undefined && !unprintable.test(text) && !misleading.test(text)) return text;
  return ansiC(bytes);
}

/** A path from the box's root; the root itself is ".". */
export function quotePath(path: Uint8Array): string {
  return quoteBytes(path.length === 0 ? dot : path);
}

/** A message that may hold a name: printable as it is, with what is not shown as an escape, and on one line. */
export function quoteText(text: string): string {
  return Array.from(text, (each) => (unprintable.test(each) ? escapeControl(each) : each)).join("");
}

const escapes: Readonly<Record<string, string>> = { "\t": "\\t", "\n": "\\n", "\r": "\\r", "\\": "\\\\", "'": "\\'" };

function ansiC(bytes: Uint8Array): string {
  const text = findText(bytes);
  const inner =
    text === undefined
      ? Array.from(asBuffer(bytes).toString("latin1"), (each) =>
          each >= " " && each <= "~" ? escapePrintable(each) : octal(each),
        ).join("")
      : Array.from(text, (each) => (unprintable.test(each) ? escapeControl(each) : escapePrintable(each))).join("");
  return `$'${inner}'`;
}

function escapePrintable(character: string): string {
  return escapes[character] ?? character;
}

function escapeControl(character: string): string {
  return escapes[character] ?? Array.from(asBuffer(utf8(character)).toString("latin1"), octal).join("");
}

function octal(latin1: string): string {
  return `\\${(latin1.codePointAt(0) ?? 0).toString(8).padStart(3, "0")}`;
}
