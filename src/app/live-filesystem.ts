/**
 * A box as it is worked on, as a filesystem: its folder, what is not in the folder, and `.ourobox` with other commits, conflicts, status and log. For
 * live-mount.ts, which says for how long and who may.
 */
import { toHex } from "../base/bytes.ts";
import type { NamedCommit } from "../format/mod.ts";
import {
  CommitFilesystem,
  type Filesystem,
  FolderFilesystem,
  LiveFilesystem,
  shownNumbersFrom,
  TreeNode,
} from "../vfs/mod.ts";
import { LazySource } from "./content-here.ts";
import { LiveLayer, type LiveLayerOptions } from "./live-layer.ts";
import { HiddenFolder } from "./mount-hidden.ts";
import { MountLog } from "./mount-log.ts";
import { mountPatience } from "./mount-patience.ts";
import type { OpenBox } from "./open-box.ts";

export interface LiveFilesystemRequest extends LiveLayerOptions {
  /** Where it is shown, for `status`. */
  readonly directory: string;
  /** How long calls wait for content that cannot be had now, in milliseconds. */
  readonly waitMs?: number;
  /** Told of each failure, beside the log. */
  readonly onFailure?: (text: string) => void;
}

export interface OpenLiveFilesystem extends AsyncDisposable {
  readonly filesystem: Filesystem;
  readonly folder: FolderFilesystem;
  readonly log: MountLog;
  /** Tells the folder's scan of what was deleted without having been there: before a commit. */
  flush(): void;
  /** As of `LazySource`. */
  prepare(): Promise<void>;
}

/** @throws OuroError "usage": a bare box; of the folder, as `FolderFilesystem`. */
export function openLiveFilesystem(box: OpenBox, request: LiveFilesystemRequest): OpenLiveFilesystem {
  const { directory, onFailure, onChange, waitMs = 0 } = request;
  const path = box.requireRoot("mount it");
  const opened = new AsyncDisposableStack();
  const layer = opened.use(new LiveLayer(box, request));
  const folder = new FolderFilesystem({ path, onChange, numberOf: layer.numberOfFile });
  opened.defer(() => folder.close());
  const source = opened.use(new LazySource(box, "serving"));
  const log = new MountLog(box.context.clock, onFailure);
  const patience = opened.use(mountPatience(log, waitMs));
  const hidden = new HiddenOfHead(box, { directory, log });
  const filesystem = new LiveFilesystem({
    folder,
    layer,
    log: patience.log,
    show: (tree) =>
      new CommitFilesystem({
        store: box.store,
        tree,
        numbersFrom: shownNumbersFrom,
        numberOf: (node) =>
          node instanceof TreeNode && node.view.name === "" && node.parent !== undefined
            ? layer.numberOfNode(node.entry)
            : undefined,
        source,
        changeOf: (id) => layer.staged.find(id),
        log: patience.log,
        hidden: (root) => hidden.open().open(root),
      }),
  });
  return {
    filesystem: patience.with(filesystem),
    folder,
    log,
    flush: () => layer.flush(),
    prepare: () => source.prepare(),
    [Symbol.asyncDispose]: () => opened.disposeAsync(),
  };
}

/** `.ourobox` of whatever was committed last. */
class HiddenOfHead {
  readonly #box: OpenBox;
  readonly #options: { readonly directory: string; readonly log: MountLog };
  readonly #sinceMs: number;
  #last: { readonly folder: HiddenFolder; readonly of: string } | undefined;

  constructor(box: OpenBox, options: { readonly directory: string; readonly log: MountLog }) {
    this.#box = box;
    this.#options = options;
    this.#sinceMs = box.context.clock.nowMs();
  }

  open(): HiddenFolder {
    const mounted = this.#box.headCommit() as NamedCommit;
    const of = toHex(mounted.id);
    if (this.#last?.of !== of) this.#last = { folder: this.#make(mounted), of };
    return this.#last.folder;
  }

  #make(mounted: NamedCommit): HiddenFolder {
    const { directory, log } = this.#options;
    return new HiddenFolder(this.#box, {
      log,
      mounted,
      status: () => {
        const facts: [string, string][] = [
          ["commit", toHex(mounted.id)],
          ["box", this.#box.layout.top],
          ["directory", directory],
          ["mode", "live"],
          ["branch", this.#box.branch],
          ["since", new Date(this.#sinceMs).toISOString()],
          ["process", `${process.pid}`],
          ["failures", `${log.size}`],
        ];
        return facts.map(([name, value]) => `${name.padEnd(10)} ${value}\n`).join("");
      },
      uid: process.geteuid?.() ?? 0,
      gid: process.getegid?.() ?? 0,
      timeNs: BigInt(this.#sinceMs) * 1_000_000n,
    });
  }
}
