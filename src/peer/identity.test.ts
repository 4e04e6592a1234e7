import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { randomBytes } from "node:crypto";
import { once } from "node:events";
import { chmodSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { test } from "node:test";
import { toHex } from "../base/bytes.ts";
import type { Disk } from "../base/disk.ts";
import { isKind } from "../base/errors.ts";
import { nodeDisk } from "../base/node-disk.ts";
import { openPeerIdentity } from "./identity.ts";

const options = { disk: nodeDisk, random: (length: number): Uint8Array => randomBytes(length) };

function withFolder(body: (path: string) => void | Promise<void>): () => Promise<void> {
  return async () => {
    const folder = mkdtempSync(join(tmpdir(), "ouro-peer-"));
    try {
      await body(join(folder, "config/ourobox/peer.key"));
    } finally {
      rmSync(folder, { recursive: true });
    }
  };
}

test(
  "peer: the key is made on first use, private, and stays",
  withFolder((path) => {
    const first = openPeerIdentity(path, options);
    assert.equal(statSync(path).mode & 0o777, 0o600);
    assert.equal(statSync(dirname(path)).mode & 0o777, 0o700);
    assert.match(readFileSync(path, "utf8"), /^[0-9a-f]{64}\n$/);
    assert.equal(toHex(openPeerIdentity(path, options).publicKey), toHex(first.publicKey));
    assert.deepEqual(readdirSync(dirname(path)), ["peer.key"]);
  }),
);

test(
  "peer: a key that others may read, or that is none, is refused and left alone",
  withFolder((path) => {
    openPeerIdentity(path, options);
    chmodSync(path, 0o644);
    assert.throws(
      () => openPeerIdentity(path, options),
      (thrown) => isKind(thrown, "permission") && thrown.hint !== undefined,
    );
    chmodSync(path, 0o600);
    for (const text of ["", "\n", "00", `${"0".repeat(63)}g\n`, "0".repeat(66), "x".repeat(10_000)]) {
      writeFileSync(path, text);
      assert.throws(
        () => openPeerIdentity(path, options),
        (thrown) => isKind(thrown, "corrupt") && thrown.hint !== undefined,
      );
      assert.equal(readFileSync(path, "utf8"), text);
    }
  }),
);

test(
  "peer: a process that lost the race goes on with the other's key",
  withFolder((path) => {
    let winner = "";
    const link: Disk["link"] = (from, to) => {
      winner = toHex(openPeerIdentity(path, options).publicKey);
      nodeDisk.link(from, to);
    };
    const loser = openPeerIdentity(path, { ...options, disk: { ...nodeDisk, link } });
    assert.equal(toHex(loser.publicKey), winner);
    assert.deepEqual(readdirSync(dirname(path)), ["peer.key"]);
  }),
);

test(
  "peer: processes that make the key at once agree on it",
  withFolder(async (path) => {
    const module = (name: string): string => JSON.stringify(new URL(name, import.meta.url).href);
    const program = `
      import { randomBytes } from "node:crypto";
      import { nodeDisk } from ${module("../base/node-disk.ts")};
      import { openPeerIdentity } from ${module("./identity.ts")};
      const key = openPeerIdentity(${JSON.stringify(path)}, { disk: nodeDisk, random: (length) => randomBytes(length) });
      process.stdout.write(Buffer.from(key.publicKey).toString("hex"));`;
    const run = async (): Promise<string> => {
      const child = spawn(process.execPath, ["--input-type=module-typescript", "-e", program], {
        stdio: ["ignore", "pipe", "inherit"],
      });
      let out = "";
      child.stdout.on("data", (data) => {
        out += data;
      });
      await once(child, "close");
      return out;
    };
    const keys = await Promise.all(Array.from({ length: 4 }, run));
    assert.match(keys[0] ?? "", /^[0-9a-f]{64}$/);
    assert.equal(new Set(keys).size, 1);
  }),
);
