/** What the kernel is told of the ACLs of what is not in the folder: an error other than that there is none would be the answer to whoever goes there. */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { TestWorld } from "../../test/support/app-world.ts";
import { assertFails } from "../../test/support/assert-fails.ts";
import { DirectClient } from "../../test/support/fs-client-direct.ts";
import { UnrealPair } from "../../test/support/unreal-pair.ts";
import { openLiveFilesystem } from "./live-filesystem.ts";

test("live filesystem: unreal things of a tree without attributes have no ACLs, which is no error", async () => {
  const world = new TestWorld(mkdtempSync(join(tmpdir(), "ouro-live-acl-")));
  {
    await using pair = await UnrealPair.make(world, { "d/f": "f\n" });
    await using live = openLiveFilesystem(pair.b, { settle: async () => {}, onChange: () => {}, directory: "/mnt" });
    const client = new DirectClient(live.filesystem);
    for (const path of ["d", "d/f"])
      for (const name of ["system.posix_acl_access", "system.posix_acl_default", "security.selinux"])
        await assertFails("ENODATA", client.getxattr(path, name));
  }
  rmSync(world.folder, { recursive: true });
});
