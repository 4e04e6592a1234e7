/** By what name commits of this machine are shown. */
import { hostname, userInfo } from "node:os";
import { toText, utf8 } from "../base/bytes.ts";
import type { OpenBox } from "./open-box.ts";

const nameBytesMax = 255;

/** The setting `user.name`, else "login@machine". */
export function peerName(box: OpenBox): string {
  const name = box.settings.find("user.name") ?? `${loginName(box.context.env)}@${hostname()}`;
  const printable = name.replaceAll(/\p{Cc}/gu, " ").toWellFormed();
  return utf8(printable).length <= nameBytesMax
    ? printable
    : toText(utf8(printable).subarray(0, nameBytesMax - 3)).replace(/\uFFFD+$/, "");
}

function loginName(env: Readonly<Record<string, string | undefined>>): string {
  try {
    return userInfo().username;
  } catch {
    return env["USER"] ?? "unknown";
  }
}
