import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, test } from "node:test";
import { setImmediate } from "node:timers/promises";
import { FakeS3, type FaultAction } from "../../../test/support/fake-s3.ts";
import { startS3rver } from "../../../test/support/s3rver.ts";
import { equalBytes, toText, utf8 } from "../../base/bytes.ts";
import { systemClock } from "../../base/clock.ts";
import { type ErrorKind, isKind } from "../../base/errors.ts";
import { nodeDisk } from "../../base/node-disk.ts";
import { Prng } from "../../base/prng.ts";
import { testRemote } from "../remote.suite.ts";
import type { Remote } from "../remote.ts";
import { RetryRemote } from "../retry-remote.ts";
import { probeConditions } from "./probe-conditions.ts";
import { S3Remote, type S3RemoteOptions, type S3Verdict } from "./s3-remote.ts";
import { parseS3Url } from "./s3-url.ts";

const random = (length: number): Uint8Array => randomBytes(length);
const policy = { triesMax: 4, firstWaitMs: 5, waitMsMax: 20 };
type Env = Record<string, string>;

function openS3(url: string, env: Env, options: Partial<S3RemoteOptions> = {}): S3Remote {
  return new S3Remote(parseS3Url(url), url, {
    disk: nodeDisk,
    random,
    clock: systemClock,
    env,
    create: true,
    ...options,
  });
}

function openRetried(url: string, env: Env, options: Partial<S3RemoteOptions> = {}): Remote {
  return new RetryRemote(openS3(url, env, options), { random, policy });
}

function rejects(promise: Promise<unknown>, kind: ErrorKind, says: RegExp): Promise<void> {
  return assert.rejects(promise, (thrown) => {
    assert.ok(isKind(thrown, kind), `not "${kind}": ${thrown}`);
    assert.match(`${thrown.message} ${thrown.hint}`, says);
    return true;
  });
}

async function probe(env: Env): Promise<S3Verdict> {
  const opened: S3Remote[] = [];
  try {
    return await probeConditions({
      random,
      open(verdict) {
        const remote = openS3("s3://probe/a", env, { verdict });
        opened.push(remote);
        return remote;
      },
    });
  } finally {
    for (const remote of opened) await remote[Symbol.asyncDispose]();
  }
}

const fake = await FakeS3.start();
after(() => fake[Symbol.asyncDispose]());
let places = 0;

testRemote("s3", () => {
  places += 1;
  const url = `s3://bucket/a b+ü/${places}`;
  return { open: () => openRetried(url, fake.env, { verdict: "cas" }), [Symbol.dispose]() {} };
});

const s3rver = await startS3rver();
after(() => s3rver[Symbol.asyncDispose]());

// It writes objects in place, and keeps what it has of one whose sender has gone: no client can help that.
testRemote(
  "s3rver",
  () => {
    places += 1;
    const url = `s3://bucket/${places}`;
    return { open: () => openRetried(url, s3rver.env), [Symbol.dispose]() {} };
  },
  { except: /readers beside a writer|a stopped put/ },
);

test("s3: conditions are believed of a server that keeps them, not of one that ignores or refuses them", async () => {
  assert.equal(await probe(fake.env), "cas");
  assert.equal(await probe(s3rver.env), "lying");
  await using refusing = await FakeS3.start();
  refusing.fault = ({ headers }) =>
    headers["if-none-match"] === undefined ? undefined : { kind: "status", status: 501, code: "NotImplemented" };
  assert.equal(await probe(refusing.env), "none");
  assert.equal(refusing.objects.size, 0);
  await using creating = await FakeS3.start();
  creating.fault = ({ headers }) =>
    headers["if-match"] === undefined ? undefined : { kind: "status", status: 501, code: "NotImplemented" };
  assert.equal(await probe(creating.env), "create-only");
  assert.equal(creating.objects.size, 0);
});

/** Runs on a server of its own, with a folder for files. */
function testFaulty(name: string, body: (server: FakeS3, folder: string) => Promise<void>): void {
  test(name, async () => {
    await using server = await FakeS3.start();
    server.buckets.add("bucket");
    const folder = mkdtempSync(join(tmpdir(), "ouro-s3-"));
    try {
      await body(server, folder);
    } finally {
      rmSync(folder, { recursive: true });
    }
  });
}

const url = "s3://bucket/a";

testFaulty("s3: large blobs go up in parts, and what fails of them leaves nothing", async (server, folder) => {
  const blob = new Prng(7).bytes(5_000_000);
  writeFileSync(join(folder, "up"), blob);
  const source = { path: join(folder, "up"), size: blob.length };
  await using remote = openS3(url, server.env, { partBytes: 1_000_000 });
  let sent = 0;
  const onBytes = (count: number): void => {
    sent += count;
  };
  server.fault = ({ url: path }, count) =>
    /partNumber=[24]/.test(path ?? "") && count % 2 === 0 ? { kind: "cut", when: "after" } : undefined;
  await remote.put("packs/a", source, { onBytes });
  assert.ok(server.faults > 0);
  assert.equal(sent, blob.length);
  assert.ok(equalBytes(await remote.get("packs/a"), blob));
  server.fault = ({ url: path }) =>
    /partNumber=3/.test(path ?? "") ? { kind: "status", status: 403, code: "AccessDenied" } : undefined;
  await rejects(remote.put("packs/b", source), "permission", /AccessDenied/);
  assert.equal(server.openUploads, 0);
  assert.deepEqual([...server.objects.keys()], ["a/packs/a"]);
});

const busy: FaultAction[] = [
  { kind: "status", status: 503, code: "SlowDown", headers: { "retry-after": "0" } },
  { kind: "status", status: 429, headers: { "retry-after": "0" } },
  { kind: "status", status: 500, code: "InternalError" },
  { kind: "cut", when: "before" },
  { kind: "cut", when: "after" },
  { kind: "cut", when: "within" },
];
for (const action of busy) {
  const what = action.kind === "status" ? `answer ${action.status}` : `cut ${"when" in action ? action.when : ""}`;
  testFaulty(`s3: everything ends right when every other request meets with ${what}`, async (server, folder) => {
    server.fault = (_request, count) => (count % 2 === 0 ? action : undefined);
    await using remote = openRetried(url, server.env, { verdict: "cas" });
    const blob = new Prng(8).bytes(700_000);
    await remote.put("packs/a", blob);
    assert.ok(await remote.putIf("config", utf8("mine"), { ifAbsent: true }));
    assert.equal(await remote.putIf("config", utf8("other"), { ifAbsent: true }), undefined);
    const tag = (await remote.stat("config"))?.tag ?? "";
    assert.ok(await remote.putIf("config", utf8("second"), { ifMatch: tag }));
    assert.equal(toText(await remote.get("config")), "second");
    for (let index = 0; index < 5; index += 1) await remote.put(`heads/${index}`, utf8("h"));
    server.pageKeys = 2;
    assert.equal((await Array.fromAsync(remote.list("heads/"))).length, 5);
    assert.equal(await remote.download("packs/a", join(folder, "down")), blob.length);
    assert.ok(equalBytes(readFileSync(join(folder, "down")), blob));
    await remote.remove("heads/0");
    assert.equal(await remote.stat("heads/0"), undefined);
    assert.ok(server.faults >= 8, `${server.faults}`);
  });
}

testFaulty("s3: a long upload waits for the line without piling up listeners", async (server) => {
  const warnings: Error[] = [];
  const warn = (warning: Error): void => void warnings.push(warning);
  process.on("warning", warn);
  try {
    await using remote = openS3(url, server.env);
    await remote.put("packs/a", new Uint8Array(30_000_000));
    await setImmediate();
    assert.deepEqual(warnings, []);
  } finally {
    process.off("warning", warn);
  }
});

testFaulty("s3: a server that does not answer is offline, and stopping does not wait for it", async (server) => {
  server.fault = () => ({ kind: "silence" });
  await using remote = openS3(url, server.env, { silenceMsMax: 50 });
  await rejects(remote.get("packs/a"), "offline", /127\.0\.0\.1:\d+: nothing has come/);
  await using patient = openS3(url, server.env);
  await rejects(patient.get("packs/a", { signal: AbortSignal.timeout(30) }), "aborted", /stopped/);
  const stop = new AbortController();
  const busyRemote = openRetried(url, server.env);
  server.fault = () => ({ kind: "status", status: 503, headers: { "retry-after": "50" } });
  const waiting = busyRemote.stat("config", { signal: stop.signal });
  while (server.faults < 3) await setImmediate();
  stop.abort();
  await rejects(waiting, "aborted", /stopped/);
});

testFaulty("s3: a wrong clock and a wrong region are put right by what the server says", async (server) => {
  server.skewMs = 3 * 3600 * 1000;
  server.region = "eu-north-1";
  await using remote = openS3(url, server.env);
  await remote.put("packs/a", utf8("a"));
  assert.equal(toText(await remote.get("packs/a")), "a");
  const before = server.requests.length;
  await remote.get("packs/a");
  assert.equal(server.requests.length, before + 1);
});

testFaulty("s3: with a wrong clock, too, a bucket that is not there is made", async (server) => {
  server.skewMs = -3 * 3600 * 1000;
  await using remote = openS3("s3://not-yet/a", server.env);
  await remote.put("packs/a", utf8("a"));
  assert.equal(toText(await remote.get("packs/a")), "a");
  assert(server.buckets.has("not-yet"));
});

testFaulty(
  "s3: a bucket that is there is not asked after, and one that is not is never an empty remote",
  async (server) => {
    await using remote = openS3(url, server.env, { create: false });
    const before = server.requests.length;
    await remote.put("packs/a", utf8("a"));
    assert.deepEqual(
      (await Array.fromAsync(remote.list("packs/"))).map(({ name }) => name),
      ["packs/a"],
    );
    assert.equal(server.requests.length, before + 2);
    await using none = openRetried("s3://none/a", server.env, { create: false, verdict: "cas" });
    for (const ask of [
      () => Array.fromAsync(none.list("packs/")),
      () => none.topNames(),
      () => none.stat("config"),
      () => none.get("config"),
      () => none.putIf("config", utf8("a"), { ifAbsent: true }),
    ])
      await rejects(ask(), "offline", /such bucket.*(make it|URL)/i);
    assert(server.requests.length <= before + 8, "none of them is tried again");
  },
);

testFaulty("s3: several requests at once all learn of a wrong clock and region", async (server) => {
  server.skewMs = 3 * 3600 * 1000;
  server.region = "eu-north-1";
  await using remote = openS3(url, server.env);
  const names = ["packs/a", "packs/b", "packs/c"];
  await Promise.all(names.map((name) => remote.put(name, utf8(name))));
  for (const name of names) assert.equal(toText(await remote.get(name)), name);
});

testFaulty("s3: errors say which server, what it said and what to do", async (server, folder) => {
  const cases: [Env, string, ErrorKind, RegExp][] = [
    [{ ...server.env, AWS_SECRET_ACCESS_KEY: "x" }, url, "permission", /127.*SignatureDoesNotMatch.*keys/],
    [{ HOME: folder }, url, "permission", /no keys in AWS_ACCESS_KEY_ID.*profile "default"/],
    [server.env, "s3://none/a", "offline", /no such bucket.*make it/i],
    [{ ...server.env, AWS_ENDPOINT_URL: "http://127.0.0.1:1" }, url, "offline", /127.0.0.1:1: nothing listens/],
    [{ ...server.env, AWS_ENDPOINT_URL: "http://no.host.invalid" }, url, "offline", /no\.host\.invalid/],
    [{ ...server.env, AWS_ENDPOINT_URL: "odd" }, url, "usage", /endpoint "odd"/],
  ];
  for (const [env, place, kind, says] of cases) {
    await using remote = openS3(place, env, { create: false });
    await rejects(remote.put("packs/a", utf8("a")), kind, says);
  }
  const answers: [FaultAction, ErrorKind][] = [
    [{ kind: "status", status: 403, code: "ExpiredToken" }, "permission"],
    [{ kind: "status", status: 507, code: "XMinioStorageFull" }, "no-space"],
    [{ kind: "status", status: 403, code: "QuotaExceeded" }, "no-space"],
    [{ kind: "status", status: 418, code: "Teapot" }, "io"],
    [{ kind: "status", status: 501, code: "NotImplemented" }, "unsupported"],
  ];
  for (const [action, kind] of answers) {
    server.fault = ({ method }) => (method === "PUT" ? action : undefined);
    await using remote = openS3(url, server.env);
    await rejects(remote.put("packs/a", utf8("a")), kind, /bucket \(127/);
  }
});

testFaulty("s3: keys, region and endpoint come from a profile as from variables", async (server, folder) => {
  const { AWS_ENDPOINT_URL: endpoint = "" } = server.env;
  server.region = "mars-1";
  writeFileSync(
    join(folder, "config"),
    `[default]\nregion = x\n[profile work]\nregion = mars-1\nendpoint_url = ${endpoint}\n`,
  );
  writeFileSync(join(folder, "credentials"), "[work]\naws_access_key_id = key\naws_secret_access_key = secret\n");
  const files = { AWS_CONFIG_FILE: join(folder, "config"), AWS_SHARED_CREDENTIALS_FILE: join(folder, "credentials") };
  await using byName = openS3(`${url}?profile=work`, {
    ...files,
    AWS_ACCESS_KEY_ID: "no",
    AWS_SECRET_ACCESS_KEY: "no",
  });
  await byName.put("packs/a", utf8("a"));
  await using byVariable = openS3(url, { ...files, AWS_PROFILE: "work" });
  assert.equal(toText(await byVariable.get("packs/a")), "a");
  await using byUrl = openS3(`${url}?endpoint=${endpoint}&region=mars-1&style=path`, {
    AWS_ACCESS_KEY_ID: "key",
    AWS_SECRET_ACCESS_KEY: "secret",
  });
  assert.equal(toText(await byUrl.get("packs/a")), "a");
});
