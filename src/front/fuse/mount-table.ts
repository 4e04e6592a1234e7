/** What is mounted where, from /proc/self/mountinfo: asking it touches no mount, so it does not hang where one does. */
import { readFileSync } from "node:fs";

export interface MountedAt {
  /** One character a byte. */
  readonly directory: string;
  /** "fuse.ourobox". */
  readonly type: string;
  readonly source: string;
  readonly isReadOnly: boolean;
  /** Whose mount it is, of a FUSE one; else undefined. */
  readonly uid: number | undefined;
  /** Of the device number; a FUSE connection is known by the minor one. */
  readonly deviceMajor: number;
  readonly deviceMinor: number;
}

/** All mounts that this process sees, the topmost last. */
export function listMounts(): MountedAt[] {
  return readFileSync("/proc/self/mountinfo", "latin1")
    .split("\n")
    .flatMap((line) => {
      // 36 35 98:0 /mnt1 /mnt2 rw,noatime master:1 - ext3 /dev/root rw,errors=continue
      const [before = "", after = ""] = line.split(" - ");
      const [, , device = "", , directory, flags = ""] = before.split(" ");
      const [type, source, more = ""] = after.split(" ");
      if (directory === undefined || type === undefined || source === undefined) return [];
      const [major = "", minor = ""] = device.split(":");
      const uid = /(?:^|,)user_id=(\d{1,10})(?:,|$)/.exec(more)?.[1];
      const isReadOnly = [...flags.split(","), ...more.split(",")].includes("ro");
      return [
        {
          directory: decodeOctal(directory),
          type,
          source: decodeOctal(source),
          isReadOnly,
          uid: uid === undefined ? undefined : Number(uid),
          deviceMajor: Number(major),
          deviceMinor: Number(minor),
        },
      ];
    });
}

/** The topmost mount on a directory. @param directory Absolute and without symlinks, one character a byte. */
export function findMount(directory: string): MountedAt | undefined {
  return listMounts().findLast((each) => each.directory === directory);
}

/** Spaces and the like are in octal there. */
function decodeOctal(text: string): string {
  return text.replace(/\\([0-7]{3})/g, (_, octal: string) => String.fromCharCode(Number.parseInt(octal, 8)));
}
