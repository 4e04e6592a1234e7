/**
 * Small JSON files that notice damage: the object carries `sum`, the SHA-256 of its own text without `sum`, keys sorted at
 * every depth, no white space. Format: doc/format.md, section 9.
 */
import { hash } from "node:crypto";
import { OuroError } from "./errors.ts";

export type Json = null | boolean | number | string | readonly Json[] | { readonly [key: string]: Json };
export type JsonObject = { readonly [key: string]: Json };

/** The object's text with its sum, on one line with a line end. */
export function encodeSummed(object: JsonObject): string {
  return `${JSON.stringify({ ...(sorted(object) as JsonObject), sum: sumOf(object) })}\n`;
}

/**
 * Reads such a text; the sum is checked and left out.
 * @param options.hint What to do when it is damaged.
 * @throws OuroError "corrupt".
 */
export function decodeSummed(text: string, what: string, options: { readonly hint: string }): JsonObject {
  const damaged = (why: string): OuroError =>
    new OuroError("corrupt", `Cannot read ${what}: ${why}`, { subject: what, hint: options.hint });
  let parsed: Json;
  try {
    parsed = JSON.parse(text) as Json;
  } catch {
    throw damaged("it is not JSON");
  }
  if (parsed === null || typeof parsed !== "object" || Array.isArray(parsed)) throw damaged("it is not a JSON object");
  const { sum, ...body } = parsed as { readonly [key: string]: Json };
  if (sum !== sumOf(body)) throw damaged("its checksum does not match");
  return body;
}

function sumOf(object: JsonObject): string {
  return hash("sha256", JSON.stringify(sorted(object)), "hex");
}

function sorted(value: Json): Json {
  if (value === null || typeof value !== "object") return value;
  if (Array.isArray(value)) return value.map(sorted);
  const entries = Object.entries(value as JsonObject).sort(([a], [b]) => (a < b ? -1 : a > b ? 1 : 0));
  return Object.fromEntries(entries.map(([key, each]) => [key, sorted(each)]));
}
