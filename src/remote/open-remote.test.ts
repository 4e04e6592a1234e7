import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import { existsSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { utf8 } from "../base/bytes.ts";
import { isKind } from "../base/errors.ts";
import { nodeDisk } from "../base/node-disk.ts";
import { normalizeUrl, openRemote } from "./open-remote.ts";

const random = (length: number): Uint8Array => randomBytes(length);

test("open remote: a path and a file URL with percent signs are the same folder", async () => {
  const folder = mkdtempSync(join(tmpdir(), "ouro-open-"));
  try {
    const options = { disk: nodeDisk, random, cwd: folder };
    await using byPath = openRemote("a b/ü%", { ...options, create: true });
    await byPath.put("packs/a", utf8("a"));
    assert.ok(existsSync(join(folder, "a b/ü%/packs/a")));
    await using byUrl = openRemote(`file://${folder}/a%20b/%C3%BC%25`, options);
    assert.ok(await byUrl.stat("packs/a"));
    await using byLocalhost = openRemote(`FILE://localhost${folder}/a%20b/%c3%bc%25/`, options);
    assert.ok(await byLocalhost.stat("packs/a"));
  } finally {
    rmSync(folder, { recursive: true });
  }
});

test("open remote: relative paths are kept as absolute ones, URLs as written", () => {
  assert.equal(normalizeUrl("../backup", "/home/a"), "/home/backup");
  assert.equal(normalizeUrl("/x/../y", "/home/a"), "/y");
  for (const url of [
    "file:///a%20b",
    "sftp://host/a",
    "sftp://me@host:22/~/a%20b",
    "sftp://[::1%25eth0]/~",
    "s3://b-1/a%20b?region=x",
  ])
    assert.equal(normalizeUrl(url, "/home/a"), url);
});

const refusals = [
  { url: "ssh://me@host/box", kind: "usage", says: /ssh:/ },
  { url: "me@host:box", kind: "usage", says: /another machine/ },
  { url: "host:/box", kind: "usage", says: /another machine/ },
  { url: "sftp://host", kind: "usage", says: /no path/ },
  { url: "sftp:///box", kind: "usage", says: /no name or address/ },
  { url: "sftp://-oProxyCommand=x/box", kind: "usage", says: /no name or address/ },
  { url: "sftp://-l@host/box", kind: "usage", says: /no name of a user/ },
  { url: "sftp://a%60b%60@host/box", kind: "usage", says: /no name of a user/ },
  { url: "sftp://me@host:0/box", kind: "usage", says: /no port/ },
  { url: "sftp://me@[::g]/box", kind: "usage", says: /no name or address/ },
  { url: "sftp://me@host/a%00", kind: "usage", says: /NUL/ },
  { url: "sftp://me@host/a?b", kind: "usage", says: /form/ },
  { url: "s3:///prefix", kind: "usage", says: /no name of a bucket/ },
  { url: "s3://key@bucket/prefix", kind: "usage", says: /keys come from/ },
  { url: "s3://bucket/a/../b", kind: "usage", says: /part/ },
  { url: "s3://bucket/a?endpoint=host", kind: "usage", says: /https:..host:port/ },
  { url: "s3://bucket/a?endpoint=http://h/path", kind: "usage", says: /https:..host:port/ },
  { url: "s3://bucket/a?style=odd", kind: "usage", says: /path or virtual/ },
  { url: "s3://bucket/a?secret=odd", kind: "usage", says: /nothing is known/ },
  { url: "https://me:pw@host/box", kind: "usage", says: /name or password/ },
  { url: "https://host/box?x", kind: "usage", says: /%3F/ },
  { url: "https://", kind: "usage", says: /no URL/ },
  { url: "rclone:name", kind: "usage", says: /NAME:path/ },
  { url: "rclone::local:/a", kind: "usage", says: /NAME:path/ },
  { url: "rclone:-name:a", kind: "usage", says: /NAME:path/ },
  { url: "webdav://host/a", kind: "unsupported", says: /not available in this version/ },
  { url: "gopher://host", kind: "usage", says: /gopher/ },
  { url: "file://host/box", kind: "usage", says: /another machine/ },
  { url: "file://", kind: "usage", says: /absolute/ },
  { url: "file:///a?b", kind: "usage", says: /%3F/ },
  { url: "file:///a%zz", kind: "usage", says: /hex digits/ },
  { url: "file:///a%00b", kind: "usage", says: /NUL/ },
  { url: "file:///a%2fb", kind: "usage", says: /slash/ },
  { url: "file:///a%ff", kind: "usage", says: /UTF-8/ },
  { url: "", kind: "usage", says: /empty/ },
] as const;
for (const { url, kind, says } of refusals) {
  test(`open remote: "${url}" is refused as ${kind}`, () => {
    assert.throws(
      () => normalizeUrl(url, "/"),
      (thrown) => isKind(thrown, kind) && says.test(thrown.message),
    );
  });
}

test("open remote: the form of scp is told how to be written, and a colon in a folder's name, too", () => {
  const hintOf = (url: string): string | undefined => {
    try {
      normalizeUrl(url, "/");
    } catch (thrown) {
      if (isKind(thrown, "usage")) return thrown.hint;
    }
    return undefined;
  };
  assert.equal(hintOf("me@host:a/b"), "Write it as sftp://me@host/~/a/b; a folder of that name is ./me@host:a/b.");
  assert.equal(hintOf("host:/a"), "Write it as sftp://host/a; a folder of that name is ./host:/a.");
  assert.equal(normalizeUrl("./me@host:a", "/b"), "/b/me@host:a");
  assert.equal(normalizeUrl("a/b:c", "/d"), "/d/a/b:c");
});

test("open remote: a refusal does not show a password", () => {
  assert.throws(
    () => normalizeUrl("sftp://me:secret@host/box", "/"),
    (thrown) => isKind(thrown) && !thrown.message.includes("secret") && thrown.message.includes("me@host"),
  );
});
