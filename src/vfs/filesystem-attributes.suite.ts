/** The suite of filesystems, on attributes: modes, owners, times, extended attributes, ACLs. */
import assert from "node:assert/strict";
import { assertFails } from "../../test/support/assert-fails.ts";
import { writeAll } from "../../test/support/fs-client.ts";
import { encodeAcl } from "./acl.ts";
import type { FilesystemCase } from "./filesystem.suite.ts";

const noId = 0xffff_ffff;
/** An ACL that also names a user, with as much for each. */
function aclFor(
  user: number,
  bits: { owner: number; named: number; group: number; mask: number; other: number },
): Uint8Array {
  return encodeAcl([
    { tag: 0x01, bits: bits.owner, id: noId },
    { tag: 0x02, bits: bits.named, id: user },
    { tag: 0x04, bits: bits.group, id: noId },
    { tag: 0x10, bits: bits.mask, id: noId },
    { tag: 0x20, bits: bits.other, id: noId },
  ]);
}

export const attributeCases: readonly FilesystemCase[] = [
  {
    name: "new files get the mode asked for, less the umask",
    run: async (client) => {
      await client.mkdir("d", 0o777);
      const fd = await client.open("f", { write: true, create: true, mode: 0o666 });
      await client.close(fd);
      await client.mknod("p", { kind: "fifo", mode: 0o777 });
      const modes = await Promise.all(["d", "f", "p"].map(async (name) => (await client.stat(name)).mode));
      assert.deepEqual(modes, [0o755, 0o644, 0o755]);
    },
  },
  {
    name: "all twelve bits of a mode are kept",
    run: async (client) => {
      await writeAll(client, "f", "x");
      await client.mkdir("d");
      for (const mode of [0, 0o7777, 0o4755, 0o2755, 0o1644, 0o123]) {
        await client.chmod("f", mode);
        await client.chmod("d", mode | 0o700);
        assert.deepEqual([(await client.stat("f")).mode, (await client.stat("d")).mode], [mode, mode | 0o700]);
      }
    },
  },
  {
    name: "owners change, one or both, and setuid bits go with it",
    asRoot: true,
    run: async (client) => {
      await writeAll(client, "f", "x");
      await client.chown("f", 1001, 1002);
      assert.deepEqual([(await client.stat("f")).uid, (await client.stat("f")).gid], [1001, 1002]);
      await client.chmod("f", 0o6755);
      await client.chown("f", 1003, 1002);
      assert.deepEqual([(await client.stat("f")).uid, (await client.stat("f")).mode], [1003, 0o755]);
      await client.symlink("f", "s");
      await client.chown("s", 5, 6);
      assert.deepEqual([(await client.stat("s")).uid, (await client.stat("f")).uid], [5, 1003]);
      await client.mkdir("d");
      await client.chmod("d", 0o2775);
      await client.chown("d", 7, 8);
      assert.equal((await client.stat("d")).mode, 0o2775);
    },
  },
  {
    name: "a change of owner that names nobody clears setuid bits, too, of all but directories",
    run: async (client) => {
      await writeAll(client, "f", "x");
      await client.mknod("p", { kind: "fifo", mode: 0o644 });
      await client.mkdir("d");
      for (const name of ["f", "p", "d"]) {
        await client.chmod(name, 0o6755);
        await client.chown(name, noId, noId);
        assert.equal((await client.stat(name)).mode, name === "d" ? 0o6755 : 0o755, name);
      }
    },
  },
  {
    name: "what is made in a setgid directory has its group, directories the bit too",
    asRoot: true,
    run: async (client) => {
      await client.mkdir("d");
      await client.chown("d", 0, 4242);
      await client.chmod("d", 0o2755);
      await writeAll(client, "d/f", "x");
      await client.mkdir("d/sub");
      const [file, sub] = [await client.stat("d/f"), await client.stat("d/sub")];
      assert.deepEqual([file.gid, file.mode, sub.gid, sub.mode], [4242, 0o644, 4242, 0o2755]);
    },
  },
  {
    name: "times are kept to the nanosecond, before 1970 and far ahead",
    run: async (client) => {
      await writeAll(client, "f", "x");
      await client.symlink("f", "s");
      for (const ns of [0n, 1n, -1n, -5_000_000_001n, 1_700_000_000_123_456_789n, 8_000_000_000_999_999_999n]) {
        for (const path of ["f", "s", ""]) {
          await client.setTime(path, ns);
          const { mtimeNs, atimeNs } = await client.stat(path);
          assert.deepEqual([mtimeNs, atimeNs], [ns, ns]);
        }
      }
    },
  },
  {
    name: "ctime tells of every change",
    run: async (client) => {
      await writeAll(client, "f", "x");
      const changes = [
        () => client.chmod("f", 0o600),
        () => client.link("f", "g"),
        () => client.unlink("g"),
        () => client.setTime("f", 5n),
        () => client.setxattr("f", "user.a", Buffer.from("x")),
        () => client.removexattr("f", "user.a"),
        () => client.rename("f", "h").then(() => client.rename("h", "f")),
      ];
      for (const change of changes) {
        const before = (await client.stat("f")).ctimeNs;
        await new Promise((resolve) => setTimeout(resolve, 12));
        await change();
        assert.ok((await client.stat("f")).ctimeNs > before, change.toString());
      }
    },
  },
  {
    name: "extended attributes are kept, replaced, listed and removed",
    run: async (client) => {
      await writeAll(client, "f", "x");
      await client.mkdir("d");
      for (const path of ["f", "d"]) {
        await assertFails("ENODATA", client.getxattr(path, "user.no"));
        await client.setxattr(path, "user.a", Buffer.from("one"));
        await client.setxattr(path, "user.empty", Buffer.alloc(0));
        await client.setxattr(path, "user.big", Buffer.alloc(1500, 7));
        await client.setxattr(path, "user.a", Buffer.from("two"));
        assert.equal((await client.getxattr(path, "user.a")).toString(), "two");
        assert.equal((await client.getxattr(path, "user.empty")).length, 0);
        assert.ok((await client.getxattr(path, "user.big")).equals(Buffer.alloc(1500, 7)));
        assert.deepEqual((await client.listxattr(path)).sort(), ["user.a", "user.big", "user.empty"]);
        await client.removexattr(path, "user.big");
        await assertFails("ENODATA", client.removexattr(path, "user.big"));
        assert.deepEqual((await client.listxattr(path)).sort(), ["user.a", "user.empty"]);
      }
    },
  },
  {
    name: "extended attributes can be large",
    beyondExt4: true,
    run: async (client) => {
      await writeAll(client, "f", "x");
      await client.setxattr("f", "user.big", Buffer.alloc(60_000, 7));
      assert.ok((await client.getxattr("f", "user.big")).equals(Buffer.alloc(60_000, 7)));
    },
  },
  {
    name: "extended attributes can be made only new, or only over one",
    run: async (client) => {
      await writeAll(client, "f", "x");
      await assertFails("ENODATA", client.setxattr("f", "user.a", Buffer.from("x"), "replace"));
      await client.setxattr("f", "user.a", Buffer.from("x"), "create");
      await assertFails("EEXIST", client.setxattr("f", "user.a", Buffer.from("y"), "create"));
      await client.setxattr("f", "user.a", Buffer.from("z"), "replace");
      assert.equal((await client.getxattr("f", "user.a")).toString(), "z");
      await assertFails("EOPNOTSUPP", client.setxattr("f", "made-up.a", Buffer.from("x")).catch(asNotSupported));
    },
  },
  {
    name: "an access ACL and the mode follow each other",
    run: async (client) => {
      await writeAll(client, "f", "x");
      const acl = aclFor(1234, { owner: 6, named: 6, group: 4, mask: 6, other: 0 });
      await client.setxattr("f", "system.posix_acl_access", acl);
      assert.equal((await client.stat("f")).mode, 0o660);
      assert.ok((await client.getxattr("f", "system.posix_acl_access")).equals(Buffer.from(acl)));
      await client.chmod("f", 0o741);
      const changed = aclFor(1234, { owner: 7, named: 6, group: 4, mask: 4, other: 1 });
      assert.ok((await client.getxattr("f", "system.posix_acl_access")).equals(Buffer.from(changed)));
      await client.removexattr("f", "system.posix_acl_access");
      await assertFails("ENODATA", client.getxattr("f", "system.posix_acl_access"));
    },
  },
  {
    name: "a default ACL is inherited, and the umask then says nothing",
    run: async (client) => {
      await client.mkdir("d");
      const acl = aclFor(1234, { owner: 7, named: 6, group: 5, mask: 7, other: 0 });
      await client.setxattr("d", "system.posix_acl_default", acl);
      const fd = await client.open("d/f", { write: true, create: true, mode: 0o666 });
      await client.close(fd);
      await client.mkdir("d/sub", 0o777);
      assert.equal((await client.stat("d/f")).mode, 0o660);
      assert.equal((await client.stat("d/sub")).mode, 0o770);
      const inherited = aclFor(1234, { owner: 6, named: 6, group: 5, mask: 6, other: 0 });
      assert.ok((await client.getxattr("d/f", "system.posix_acl_access")).equals(Buffer.from(inherited)));
      assert.ok((await client.getxattr("d/sub", "system.posix_acl_default")).equals(Buffer.from(acl)));
      await assertFails("EACCES", client.setxattr("d/f", "system.posix_acl_default", acl));
    },
  },
];

/** Node's name for it, and the manual's other one. */
function asNotSupported(thrown: NodeJS.ErrnoException): never {
  throw Object.assign(thrown, { code: thrown.code === "ENOTSUP" ? "EOPNOTSUPP" : thrown.code });
}
