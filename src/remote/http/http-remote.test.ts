import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import { existsSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, test } from "node:test";
import { PublishedRemote } from "../../../test/support/published-remote.ts";
import { StaticServer } from "../../../test/support/static-server.ts";
import { toText, utf8 } from "../../base/bytes.ts";
import { type ErrorKind, isKind } from "../../base/errors.ts";
import { nodeDisk } from "../../base/node-disk.ts";
import { DirRemote } from "../dir-remote.ts";
import { testRemote } from "../remote.suite.ts";
import { HttpRemote, parseHttpUrl } from "./http-remote.ts";
import { decodeListing, encodeListing, publishListing } from "./listing.ts";

const random = (length: number): Uint8Array => randomBytes(length);
const top = mkdtempSync(join(tmpdir(), "ouro-http-"));
const server = await StaticServer.start(top);
after(async () => {
  await server[Symbol.asyncDispose]();
  rmSync(top, { recursive: true });
});

function openHttp(url: string): HttpRemote {
  return new HttpRemote(parseHttpUrl(url), url, { disk: nodeDisk, env: {}, silenceMsMax: 2000 });
}

function newPlace(): { readonly dir: DirRemote; readonly url: string; readonly folder: string } {
  const folder = mkdtempSync(join(top, "place "));
  const url = `${server.url}${encodeURI(folder.slice(top.length))}`;
  return { folder, url, dir: new DirRemote(folder, folder, { disk: nodeDisk, random }) };
}

function rejects(promise: Promise<unknown>, kind: ErrorKind, says: RegExp): Promise<void> {
  return assert.rejects(promise, (thrown) => {
    assert.ok(isKind(thrown, kind), `not "${kind}": ${thrown}`);
    assert.match(`${thrown.message} ${thrown.hint}`, says);
    return true;
  });
}

testRemote("http", () => {
  const { dir, url } = newPlace();
  return { open: () => new PublishedRemote(dir, () => openHttp(url)), [Symbol.dispose]() {} };
});

test("http: what is not published is no remote; what is says its date; nothing can be written", async () => {
  const { dir, url } = newPlace();
  await dir.put("config", utf8("c"));
  await using early = openHttp(url);
  for (const attempt of [early.stat("config"), early.topNames(), early.get("packs/none")])
    await rejects(attempt, "unsupported", /has no listing.*remote publish/);
  assert.equal(await publishListing(dir, { nowMs: Date.UTC(2026, 1, 3, 4, 5) }), 1);
  await using remote = openHttp(url);
  assert.equal(await remote.note(), `${url} is as it was published at 2026-02-03 04:05 UTC`);
  await rejects(remote.put("packs/a", utf8("a")), "read-only", /can only be read.*publish/);
  await rejects(remote.remove("config"), "read-only", /can only be read/);
  await rejects(remote.get("packs/none"), "not-found", /no such blob/);
});

test("http: a server without ranges, with redirects, or with errors", async () => {
  const { dir, url, folder } = newPlace();
  await dir.put("packs/a", utf8("hello"));
  await publishListing(dir, { nowMs: 0 });
  try {
    await using remote = openHttp(url);
    server.mode = "whole";
    assert.equal(toText(await remote.get("packs/a", { range: { start: 1, end: 3 } })), "el");
    writeFileSync(join(folder, "down"), "he");
    assert.equal(await remote.download("packs/a", join(folder, "down"), { offset: 2 }), 5);
    server.mode = "redirect";
    assert.equal(toText(await remote.get("packs/a")), "hello");
    const answers: [number, ErrorKind][] = [
      [403, "permission"],
      [503, "offline"],
      [400, "io"],
    ];
    for (const [status, kind] of answers) {
      server.mode = status;
      await rejects(remote.get("packs/a"), kind, new RegExp(`answers ${status}`));
    }
    server.mode = "cut";
    await rejects(remote.get("packs/a"), "offline", /broke|ended|aborted/);
    await rejects(remote.download("packs/a", join(folder, "cut")), "offline", /broke|ended|aborted/);
    assert.ok(existsSync(join(folder, "cut")));
  } finally {
    server.mode = "right";
  }
});

test("http: a listing that is not whole, or holds what is no name, is refused", () => {
  const blobs = [
    { name: "packs/a", size: 5, tag: "t", modifiedMs: 7 },
    { name: "config", size: 1 },
  ];
  const whole = encodeListing({ madeMs: 8, blobs });
  assert.deepEqual(decodeListing(whole, "w"), { madeMs: 8, blobs });
  const text = toText(whole);
  const broken = [
    text.slice(0, -1),
    text.slice(0, text.indexOf("end")),
    text.replace("packs/a", "../a"),
    text.replace("5\t", "-5\t"),
    text.replace("end\t2", "end\t3"),
    text.replace("listing 1", "listing 2"),
    "<html>",
    "",
  ];
  for (const each of broken)
    assert.throws(
      () => decodeListing(utf8(each), "w"),
      (thrown) => isKind(thrown, "corrupt"),
      each,
    );
});
