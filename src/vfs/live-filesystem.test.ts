import assert from "node:assert/strict";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import type { CommitFilesystem } from "./commit-filesystem.ts";
import { type ChangeListener, rootInode } from "./filesystem.ts";
import { FolderFilesystem } from "./folder-filesystem.ts";
import { LiveFilesystem } from "./live-filesystem.ts";
import type { UnrealLayer } from "./unreal-layer.ts";

test("live filesystem: who listens hears of what is shown also when the first commit comes later", () => {
  const path = mkdtempSync(join(tmpdir(), "ouro-live-listen-"));
  const folder = new FolderFilesystem({ path });
  try {
    const listeners = new Set<ChangeListener>();
    const shown = {
      root: undefined,
      listen: (listener: ChangeListener) => {
        listeners.add(listener);
        return () => listeners.delete(listener);
      },
    } as unknown as CommitFilesystem;
    let tree: Uint8Array | undefined;
    const layer = { tree: () => tree, isPart: () => false } as unknown as UnrealLayer;
    const live = new LiveFilesystem({ folder, layer, show: () => shown });
    const [gone, listener] = [{} as ChangeListener, {} as ChangeListener];
    live.listen(gone)();
    const end = live.listen(listener);
    tree = new Uint8Array(32);
    live.lookup(rootInode, Buffer.from("name"));
    assert.deepEqual([...listeners], [listener]);
    end();
    assert.equal(listeners.size, 0);
  } finally {
    folder.close();
    rmSync(path, { recursive: true });
  }
});
