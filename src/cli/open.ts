/** From a command to the application: the box it works on, and the context it gives to whatever it calls. */
import type { AppContext, Box } from "../app/mod.ts";
import type { CommandContext } from "./command.ts";
import { getPassphrase } from "./passphrase.ts";

/** What the application sees of this run. */
export function appContext({ world, messages, cwd }: CommandContext): AppContext {
  return {
    cwd,
    env: world.env,
    clock: world.clock,
    disk: world.disk,
    workers: world.workers,
    signal: world.signal,
    progress: messages.progress,
    random: (length) => world.random(length),
    warn: (message) => messages.warn(message),
    notice: (message) => messages.notice(message),
    askPassphrase: (prompt, purpose) => getPassphrase(prompt, world, purpose),
  };
}

/** The box that the command's folder is in, to be closed by `await using`. @throws OuroError "no-box". */
export async function openBox(context: CommandContext): Promise<Box> {
  const { Box } = await import("../app/mod.ts");
  return Box.open(context.cwd, appContext(context));
}
