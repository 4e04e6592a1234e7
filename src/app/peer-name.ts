/** By what name commits of this machine are shown. */
import { hostname, userInfo } from "node:os";
import { toText, utf8 } from "../base/bytes.ts";
import type { OpenBox } from "./open-box.ts";

const nameBytesMax = 255;

/** The setting `user.name`, else "login@machine"; cut off where it is too long. @param bytesMax At most 255. */
export function peerName(box: OpenBox, bytesMax: number = nameBytesMax): string {
  const name = box.settings.find("user.name") ?? `${loginName(box.context.env)}@${hostname()}`;
  const printable = name.replaceAll(/\p{Cc}/gu, " ").toWellFormed();
  return utf8(printable).length <= bytesMax
    ? printable
    : toText(utf8(printable).subarray(0, bytesMax - 3)).replace(/\uFFFD+$/, "");
}

function loginName(env: Readonly<Record<string, string | undefined>>): string {
  try {
    return userInfo().username;
  } catch {
    return env["USER"] ?? "unknown";
  }
}
