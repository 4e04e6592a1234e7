/** Where this device's key is: under the user's configuration, shared by all boxes. */
import { join } from "node:path";
import { OuroError } from "../base/errors.ts";
import type { AppContext } from "./context.ts";

/** @throws OuroError "usage" when there is no home. */
export function peerKeyPath({ env }: Pick<AppContext, "env">): string {
  const { XDG_CONFIG_HOME: config, HOME: home } = env;
  if (config?.startsWith("/") === true) return join(config, "ourobox", "peer.key");
  if (home !== undefined && home !== "") return join(home, ".config", "ourobox", "peer.key");
  throw new OuroError("usage", "Cannot find the place of this device's key: HOME is not set", {
    hint: "Set HOME, or XDG_CONFIG_HOME to an absolute path.",
  });
}
