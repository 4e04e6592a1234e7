/** A commit as a filesystem, for doors: held against `gc` while it is open, with `.ourobox` beside its files. */
import { toHex } from "../base/bytes.ts";
import type { Hash } from "../format/mod.ts";
import type { ContentSource } from "../store/mod.ts";
import { CommitFilesystem, type Filesystem, type ShownOwners } from "../vfs/mod.ts";
import { tellOfCache } from "./cache-quota.ts";
import { HiddenFolder } from "./mount-hidden.ts";
import { holdCommits } from "./mount-holds.ts";
import { MountLog } from "./mount-log.ts";
import { mountPatience } from "./mount-patience.ts";
import { requireOutside } from "./mount-place.ts";
import type { OpenBox } from "./open-box.ts";

export interface MountRequest {
  readonly commit: Hash;
  /** Where it is shown, absolute and without symlinks. */
  readonly directory: string;
  readonly owners: ShownOwners;
  /** Brings content that is not on this machine. */
  readonly source?: ContentSource;
  /** How long calls wait for content that cannot be had now, in milliseconds. */
  readonly waitMs?: number;
  /** Told of each failure, beside `.ourobox/log`. */
  readonly onFailure?: (text: string) => void;
}

export interface MountedCommit extends Disposable {
  readonly filesystem: Filesystem;
  /** Whether any file has attributes: else nobody needs to ask for ACLs. */
  readonly hasXattrs: boolean;
  readonly log: MountLog;
}

/** @throws OuroError as `requireOutside`; "not-found", "corrupt": the commit or its tree cannot be read; "permission", "no-space" of the hold. */
export function openMount(box: OpenBox, request: MountRequest): MountedCommit {
  const { commit: id, owners, directory, source, onFailure, waitMs = 0 } = request;
  const { clock } = box.context;
  requireOutside(box, directory);
  const hold = holdCommits(box, [id]);
  try {
    const mounted = box.commits.read(id);
    const log = new MountLog(clock, onFailure);
    tellOfCache(box, (text) => log.add(text));
    const sinceMs = clock.nowMs();
    const patience = mountPatience(log, waitMs);
    const filesystem: CommitFilesystem = new CommitFilesystem({
      store: box.store,
      tree: mounted.commit.tree,
      ...owners,
      ...(source === undefined ? {} : { source }),
      log: patience.log,
      hidden: (root) => hidden.open(root),
    });
    const { summary } = filesystem.root.view.directory;
    const status = (): string => {
      const facts: [string, string][] = [
        ["commit", toHex(id)],
        ["box", box.layout.top],
        ["directory", directory],
        ["since", new Date(sinceMs).toISOString()],
        ["process", `${process.pid}`],
        ["files", `${summary.entries}`],
        ["bytes", `${summary.bytes}`],
        ["failures", `${log.size}`],
      ];
      return facts.map(([name, value]) => `${name.padEnd(10)} ${value}\n`).join("");
    };
    const { meta } = filesystem.root.view.root;
    const hidden = new HiddenFolder(box, {
      log,
      mounted,
      status,
      uid: owners.uid ?? meta.uid,
      gid: owners.gid ?? meta.gid,
      timeNs: BigInt(sinceMs) * 1_000_000n,
    });
    return {
      filesystem: patience.with(filesystem),
      hasXattrs: filesystem.root.view.hasXattrs,
      log,
      [Symbol.dispose]: () => {
        patience[Symbol.dispose]();
        hold[Symbol.dispose]();
      },
    };
  } catch (thrown) {
    hold[Symbol.dispose]();
    throw thrown;
  }
}
