/** What is said of a mount that is in use. */
import { OuroError } from "../base/errors.ts";
import { mountsIn, mountUsers } from "./mount-users.ts";

/** The failure of an unmount, with who is in the way. */
export function busyMount(directory: string, cause: OuroError): OuroError {
  const processes = mountUsers(directory).map(({ pid, command, how }) => `${command} (${pid}: ${how})`);
  const users = [...processes, ...mountsIn(directory).map((each) => `the mount on ${each}`)];
  const by = users.length === 0 ? "by a process that cannot be seen from here" : `by ${users.join(", ")}`;
  return new OuroError("locked", `Cannot unmount ${directory}: it is in use ${by}`, {
    subject: directory,
    hint: "End what uses it, or run `ourobox umount --lazy`: it is then out of sight at once, and ends with its last user.",
    cause,
  });
}
