/** From a command to the application: the box it works on, and the context it gives to whatever it calls. */
import type { AppContext, Box } from "../app/mod.ts";
import { OuroError } from "../base/errors.ts";
import type { CommandContext } from "./command.ts";
import { getPassphrase } from "./passphrase.ts";

/** What the application sees of this run. */
export function appContext({ world, messages, givenCwd }: CommandContext): AppContext {
  return {
    cwd: givenCwd,
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
  refuseMountedCommit(context);
  const { Box } = await import("../app/mod.ts");
  return Box.open(context.cwd, appContext(context));
}

/** A commit that is mounted is no box, and a box that it is mounted in is not meant. @throws OuroError "no-box". */
export function refuseMountedCommit({ mounted, givenCwd }: CommandContext): void {
  if (mounted?.commit === undefined) return;
  const { directory, box, commit } = mounted;
  const what = `commit ${commit} of the box ${box}, to be read`;
  throw new OuroError("no-box", `Cannot work in ${givenCwd}: ${directory} is a mount of ${what}`, {
    hint: `Work in the box: \`ourobox -C ${box} …\`. To write to it elsewhere, mount the box itself, or a branch: \`ourobox mount -c NAME DIR\`.`,
    subject: givenCwd,
  });
}
