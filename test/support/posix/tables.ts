/** All tables of conformance cases, by what they are about. */
import type { Table } from "./case.ts";
import { copyCases, readWriteCases, seekCases, sizeCases, spaceCases, writeTruncateCases } from "./data-cases.ts";
import { listingCases, mapCases, namelessCases, programCases } from "./life-cases.ts";
import { rangeLockCases, wholeLockCases } from "./lock-cases.ts";
import { linkCases, makeCases, symlinkCases } from "./make-cases.ts";
import { chmodCases, chownCases, rightCases } from "./mode-cases.ts";
import { groupCases, newModeCases, openFlagCases, temporaryFileCases } from "./open-cases.ts";
import { otherCases } from "./other-cases.ts";
import { deepCases, pathCases, pathEndCases, pathRightCases } from "./path-cases.ts";
import { removeCases, stickyCases } from "./remove-cases.ts";
import { renameEdgeCases, renameKindCases, renamePermissionCases } from "./rename-cases.ts";
import { markCases, setTimeCases } from "./time-cases.ts";
import { aclCases, xattrCases } from "./xattr-cases.ts";

export const tables: Readonly<Record<string, Table>> = {
  open: openFlagCases,
  "mode of what is new": newModeCases,
  "group of what is new": groupCases,
  "files without a name": temporaryFileCases,
  making: makeCases,
  symlink: symlinkCases,
  link: linkCases,
  removing: removeCases,
  sticky: stickyCases,
  "rename kinds": renameKindCases,
  rename: renameEdgeCases,
  "rename rights": renamePermissionCases,
  paths: pathCases,
  "ends of paths": pathEndCases,
  "rights on the way": pathRightCases,
  "deep paths": deepCases,
  rights: rightCases,
  chmod: chmodCases,
  chown: chownCases,
  "what marks which times": markCases,
  utimensat: setTimeCases,
  "read and write": readWriteCases,
  sizes: sizeCases,
  lseek: seekCases,
  fallocate: spaceCases,
  copy_file_range: copyCases,
  "extended attributes": xattrCases,
  "access control lists": aclCases,
  listing: listingCases,
  "without a name": namelessCases,
  mmap: mapCases,
  programs: programCases,
  "fcntl locks": rangeLockCases,
  flock: wholeLockCases,
  "other calls": otherCases,
  "O_TRUNC and others": writeTruncateCases,
};
