/** `ourobox umount`: end a mount. */
import { resolve } from "node:path";
import { type Command, defineCommand } from "../command.ts";
import { checkCount, textOf } from "../paths.ts";
import { exitStatus } from "../status.ts";

const usageText = "umount [--lazy] DIR…";

export const command: Command = defineCommand({
  name: "umount",
  summary: "End a mount",
  usage: usageText,
  description: `
Take the mount on DIR away; the process that serves it ends. When somebody is in it, it stays, and the message says who: a working directory, an open
or mapped file. With --lazy it goes out of sight at once, and ends with its last user. \`fusermount3 -u DIR\` and, for root, \`umount DIR\` do the
same. Also for a mount whose process has died.

Of the box itself, what was written through it is committed then, unless --commit-after was off; \`ourobox umount\` returns after that.`,
  options: {
    lazy: { kind: "flag", help: "Out of sight now, gone when nobody uses it any more" },
  },
  dryRun: "refused",

  async run({ givenCwd, messages, world }, values, operands) {
    checkCount(operands, 1, Number.POSITIVE_INFINITY, usageText);
    const { unmountBox } = await import("../../daemon/mod.ts");
    for (const operand of operands) {
      const directory = resolve(givenCwd, textOf(operand, "a folder"));
      await unmountBox(directory, {
        uid: process.geteuid?.() ?? 0,
        lazy: values.lazy,
        disk: world.disk,
        signal: world.signal,
        onWait: () => messages.notice("Waiting for the last commit of what was written"),
      });
      messages.notice(`Unmounted ${directory}`);
    }
    return exitStatus.ok;
  },
});
