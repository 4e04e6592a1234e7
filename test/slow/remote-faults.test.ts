/**
 * What networks and servers do to requests, done on purpose by a proxy before a real server: every kind of request is cut, slowed down, refused, or
 * answered wrongly. Each time it is counted that this has happened. The command ends well all the same, or with an error that says what and where;
 * what is on the server then is whole as far as its heads say; and the same command, run again without the fault, ends well and loses nothing.
 */
import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import { cpSync, existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { runCli, type Seen } from "../support/cli.ts";
import { type FaultPlan, HttpFaultProxy, TcpFaultProxy } from "../support/fault-proxy.ts";
import { type RunningServer, skipWithoutServer, startNginx } from "../support/real-servers.ts";
import { type RunningS3rver, startS3rver } from "../support/s3rver.ts";
import { skipWithoutSshd, TestSshd } from "../support/sshd.ts";

const top = mkdtempSync(join(tmpdir(), "ouro-remote-faults-"));
let server: RunningS3rver;
let proxy: HttpFaultProxy;
let scenes = 0;

before(async () => {
  server = await startS3rver();
  proxy = await HttpFaultProxy.start(server.env["AWS_ENDPOINT_URL"] ?? "");
});
after(async () => {
  await proxy[Symbol.asyncDispose]();
  await server[Symbol.asyncDispose]();
  rmSync(top, { recursive: true, force: true });
});

/** Two machines with a box each, which know a remote through the proxy; and who looks at it without. */
class Scene {
  readonly folder: string = mkdtempSync(join(top, "scene-"));
  readonly url: string;
  readonly directUrl: string;
  readonly #env: Readonly<Record<string, string>>;
  readonly #directEnv: Readonly<Record<string, string>>;
  #nowMs: number;

  constructor(
    { url, env }: { readonly url: string; readonly env: Readonly<Record<string, string>> },
    direct: { readonly url: string; readonly env: Readonly<Record<string, string>> },
    clockMs = 0,
  ) {
    this.#nowMs = Date.now() + clockMs;
    const own = {
      OUROBOX_USER_NAME: "Ada",
      OUROBOX_PASSPHRASE: "secret",
      HOME: this.folder,
      PATH: process.env["PATH"] ?? "",
    };
    this.url = url;
    this.directUrl = direct.url;
    this.#env = { ...own, ...env, XDG_CONFIG_HOME: join(this.folder, "c") };
    this.#directEnv = { ...own, ...direct.env, XDG_CONFIG_HOME: join(this.folder, "d") };
  }

  run(machine: string, ...args: string[]): Promise<Seen> {
    this.#nowMs += 1000;
    const env = machine === "direct" ? this.#directEnv : this.#env;
    return runCli(args, { cwd: join(this.folder, machine), nowMs: this.#nowMs, env });
  }

  async ok(machine: string, ...args: string[]): Promise<Seen> {
    const seen = await this.run(machine, ...args);
    assert.equal(seen.status, 0, `${args.join(" ")}: ${seen.err}`);
    return seen;
  }

  write(path: string, bytes: string | Uint8Array): void {
    writeFileSync(join(this.folder, path), bytes);
  }

  /** A box on machine a, with a commit that is not pushed. */
  async begin(...flags: string[]): Promise<void> {
    await this.ok("", "init", ...flags, "a");
    this.write("a/one", randomBytes(300_000));
    this.write("a/two", "two");
    await this.ok("a", "commit", "-m", "First");
    await this.ok("a", "remote", "add", "origin", this.url);
  }

  async change(machine: string, name: string): Promise<void> {
    this.write(`${machine}/${name}`, randomBytes(50_000));
    await this.ok(machine, "commit", "-m", name);
  }

  /** What is there is whole, looked at without the proxy; nothing there yet is whole, too. */
  async requireNothingDangling(): Promise<void> {
    const looker = join(this.folder, "direct");
    rmSync(looker, { recursive: true, force: true });
    cpSync(join(this.folder, "a"), looker, { recursive: true });
    await this.ok("direct", "remote", "set-url", "origin", this.directUrl);
    const { status, err, out } = await this.run("direct", "remote", "check", "origin", "--read-data");
    if (!/there is no box|there is no such bucket|not there/i.test(err)) assert.equal(status, 0, out + err);
  }

  /** Without faults all comes together: the remote is whole, and another machine has the same files. */
  async requireWhole(): Promise<void> {
    await this.ok("a", "sync");
    assert.equal((await this.ok("a", "check", "--read-data")).out, "");
    await this.requireNothingDangling();
    rmSync(join(this.folder, "z"), { recursive: true, force: true });
    await this.ok("", "clone", this.url, "z");
    assert.equal((await this.ok("z", "check", "--read-data")).out, "");
    const names = ["one", "two", "three", "there"].filter((name) => existsSync(join(this.folder, "a", name)));
    for (const name of names)
      assert.deepEqual(readFileSync(join(this.folder, "z", name)), readFileSync(join(this.folder, "a", name)), name);
  }
}

/** @param clockMs How far the machines' clocks are ahead. */
function s3Scene(clockMs = 0): Scene {
  scenes += 1;
  const url = `s3://ourobucket/${scenes}`;
  const through = { url, env: { ...server.env, AWS_ENDPOINT_URL: proxy.url } };
  return new Scene(through, { url, env: server.env }, clockMs);
}

/** All that two machines do with a remote: the first push, one that adds, a clone, a push from there, a pull. */
const steps: readonly { readonly name: string; run(scene: Scene): Promise<Seen> }[] = [
  { name: "the first push", run: (scene) => scene.run("a", "push") },
  {
    name: "another push",
    async run(scene) {
      await scene.change("a", "three");
      return await scene.run("a", "push");
    },
  },
  { name: "a clone", run: (scene) => scene.run("", "clone", scene.url, "b") },
  {
    name: "a pull",
    async run(scene) {
      await scene.change("b", "there");
      const pushed = await scene.run("b", "push");
      return pushed.status === 0 ? await scene.run("a", "pull") : pushed;
    },
  },
  { name: "a look at it", run: (scene) => scene.run("a", "remote", "check", "origin", "--read-data") },
];

/** Each kind of request that there is without faults, in order. */
async function kindsOf(): Promise<string[]> {
  const scene = s3Scene();
  await scene.begin("--plain");
  proxy.plan(undefined);
  for (const { name, run } of steps) {
    const { status, err } = await run(scene);
    assert.equal(status, 0, `${name}: ${err}`);
  }
  return [...new Set(proxy.kinds)];
}

/** Does everything with one fault in it. */
async function playWith(plan: FaultPlan): Promise<void> {
  const scene = s3Scene();
  await scene.begin("--plain");
  proxy.plan(plan);
  for (const { name, run } of steps) {
    const { status, err } = await run(scene);
    assert.equal(status, 0, `${name}: ${err}`);
  }
  const { count } = proxy;
  proxy.plan(undefined);
  await scene.requireWhole();
  assert.equal(count, plan.times, "the fault has happened");
}

test("every kind of request is cut: before it, within it, after it, within its answer", async (t) => {
  const kinds = await kindsOf();
  t.diagnostic(kinds.join(", "));
  for (const part of [
    "PUT packs",
    "PUT index",
    "PUT heads",
    "PUT config",
    "GET packs",
    "GET heads",
    "GET index",
    "GET list packs",
  ])
    assert(kinds.includes(part), `${part}: ${kinds}`);
  let cuts = 0;
  for (const kind of kinds) {
    const isPut = kind.startsWith("PUT");
    for (const fault of ["cut-before", isPut ? "cut-request" : "cut-body", "cut-answer"] as const) {
      await t.test(`${kind}: ${fault}`, async () => {
        await playWith({ fault, on: (each) => each === kind, times: 1 });
        cuts += 1;
      });
    }
  }
  t.diagnostic(`${cuts} cuts`);
});

for (const status of [500, 503, 429]) {
  test(`a server that answers ${status} to one in four requests, and says when to come back, is waited for`, async () => {
    const scene = s3Scene();
    await scene.begin();
    let asked = 0;
    proxy.plan({
      fault: { status, code: "SlowDown", headers: { "retry-after": "1" } },
      on() {
        asked += 1;
        return asked % 4 === 0;
      },
    });
    const begin = performance.now();
    for (const { name, run } of steps) {
      const { status: ended, err } = await run(scene);
      assert.equal(ended, 0, `${name}: ${err}`);
    }
    const { count } = proxy;
    assert(count >= 5, `${count}`);
    assert(performance.now() - begin >= 1000, "it was waited");
    proxy.plan(undefined);
    await scene.requireWhole();
  });
}

test("a server that goes on refusing ends the command with an error that names it; then the same command goes on", async () => {
  const scene = s3Scene();
  await scene.begin();
  proxy.plan({ fault: { status: 503, code: "SlowDown" }, on: (kind) => kind === "PUT index" });
  const { status, err } = await scene.run("a", "push");
  assert.equal(status, 1, err);
  assert.match(err, /Cannot .* \(127\.0\.0\.1:\d+\): 503 SlowDown.*\n.*run the command again/is);
  assert(proxy.count >= 6, `${proxy.count}`);
  proxy.plan(undefined);
  await scene.requireNothingDangling();
  const before = proxy.kinds.length;
  await scene.ok("a", "push");
  assert(!proxy.kinds.slice(before).includes("PUT packs"), "what was sent is not sent again");
  await scene.requireWhole();
});

test("a line that lets through drop by drop is no dead one", () =>
  playWith({ fault: "trickle", on: (kind) => kind.startsWith("GET"), times: 12 }));

for (const fault of ["flip", "truncate"] as const) {
  for (const kind of ["GET packs", "GET index", "GET heads"]) {
    test(`${kind}: an answer that was ${fault === "flip" ? "changed" : "cut short"} on its way is never believed`, async () => {
      const scene = s3Scene();
      await scene.begin();
      await scene.ok("a", "push");
      proxy.plan({ fault, on: (each) => each === kind, times: 1 });
      const { status, err } = await scene.run("", "clone", scene.url, "b");
      assert.equal(proxy.count, 1);
      if (status !== 0) assert.match(err, /Cannot|could not be|was not taken in/, err);
      proxy.plan(undefined);
      await scene.ok("", "clone", scene.url, "b").catch(() => scene.ok("b", "pull"));
      assert.deepEqual(readFileSync(join(scene.folder, "b/one")), readFileSync(join(scene.folder, "a/one")));
      assert.equal((await scene.ok("b", "check", "--read-data")).out, "");
      await scene.requireWhole();
    });
  }
}

test("listings that are old lead to no loss, and to nothing that dangles", async () => {
  const scene = s3Scene();
  await scene.begin();
  await scene.ok("a", "push");
  await scene.ok("", "clone", scene.url, "b");
  await scene.change("b", "there");
  await scene.ok("b", "push");
  // What was listed before is listed again.
  proxy.plan({ fault: "stale", on: (kind) => kind.startsWith("GET list") });
  await scene.change("a", "three");
  for (const command of ["push", "fetch", "pull", "push"]) {
    const { status, err } = await scene.run("a", command);
    assert([0, 1, 3].includes(status), err);
  }
  assert(proxy.count > 0);
  await scene.requireNothingDangling();
  proxy.plan(undefined);
  await scene.ok("a", "pull");
  await scene.requireWhole();
  assert.deepEqual(readFileSync(join(scene.folder, "a/there")), readFileSync(join(scene.folder, "b/there")));
});

test("a clock that is wrong by hours is put right by the server's", async () => {
  const scene = s3Scene(-5 * 3600_000);
  await scene.begin();
  proxy.plan(undefined);
  for (const { name, run } of steps) {
    const { status, err } = await run(scene);
    assert.equal(status, 0, `${name}: ${err}`);
  }
  assert(proxy.refusals >= steps.length, `${proxy.refusals}`);
  await scene.requireWhole();
});

const refusals = [
  { name: "a remote that is full", status: 403, code: "QuotaExceeded", on: /^(PUT|POST)/, says: /free some space/i },
  { name: "a remote that is full (507)", status: 507, code: "", on: /^(PUT|POST)/, says: /free some space/i },
  {
    name: "a remote that can only be read",
    status: 403,
    code: "AccessDenied",
    on: /^(PUT|POST|DELETE)/,
    says: /check the keys/i,
  },
  { name: "keys that are revoked", status: 403, code: "InvalidAccessKeyId", on: /./, says: /check the keys/i },
  { name: "a session that has run out", status: 403, code: "ExpiredToken", on: /./, says: /get new ones/i },
];
for (const { name, status, code, on, says } of refusals) {
  for (const half of [0, 1, 2, 3]) {
    test(`${name}, after ${half} requests of the kind: the error says so, and nothing is lost`, async () => {
      const scene = s3Scene();
      await scene.begin("--plain");
      await scene.ok("a", "push");
      await scene.change("a", "three");
      let matching = 0;
      proxy.plan({ fault: { status, code }, on: (kind) => on.test(kind) && ++matching > half });
      const pushed = await scene.run("a", "push");
      const { count } = proxy;
      assert(count > 0, "it has happened");
      assert.equal(pushed.status, 1, pushed.err);
      assert.match(pushed.err, says);
      // Whoever can read can go on reading.
      const pulled = await scene.run("a", "pull");
      if (!on.test("GET list heads")) assert.equal(pulled.status, 0, pulled.err);
      proxy.plan(undefined);
      await scene.requireNothingDangling();
      await scene.requireWhole();
    });
  }
}

const noNginx = skipWithoutServer({ nginx: "nginx-light" });
test("nginx: a clone through a web server survives each of these", { skip: noNginx }, async (t) => {
  const served = mkdtempSync(join(top, "served-"));
  await using nginx: RunningServer = await startNginx(served);
  await using web = await HttpFaultProxy.start(nginx.url);
  const folder = join(served, "r");
  const scene = new Scene({ url: folder, env: {} }, { url: folder, env: {} });
  await scene.begin("--plain");
  await scene.ok("a", "push");
  await scene.ok("a", "remote", "publish", "origin");
  const url = `${web.url}/r`;
  await scene.ok("", "clone", url, "plain");
  const kinds = [...new Set(web.kinds)];
  t.diagnostic(kinds.join(", "));
  let faults = 0;
  for (const kind of kinds) {
    for (const fault of [
      "cut-before",
      "cut-body",
      "cut-answer",
      "trickle",
      "flip",
      "truncate",
      { status: 503 },
    ] as const) {
      rmSync(join(scene.folder, "b"), { recursive: true, force: true });
      web.plan({ fault, on: (each) => each === kind, times: 1 });
      const first = await scene.run("", "clone", url, "b");
      assert.equal(web.count, 1, `${kind} ${JSON.stringify(fault)}`);
      faults += 1;
      web.plan(undefined);
      if (first.status !== 0) {
        assert.match(first.err, /Cannot|could not be|was not taken in/);
        await scene.ok("", "clone", url, "b").catch(() => scene.ok("b", "pull"));
      }
      assert.deepEqual(readFileSync(join(scene.folder, "b/one")), readFileSync(join(scene.folder, "a/one")));
      assert.equal((await scene.ok("b", "check", "--read-data")).out, "");
    }
  }
  t.diagnostic(`${faults} faults`);
});

test("SFTP: connections that are cut anywhere, and a line that is slow", { skip: skipWithoutSshd() }, async (t) => {
  await using sshd = await TestSshd.start();
  await using tcp = await TcpFaultProxy.start(sshd.port);
  const place = mkdtempSync(join(top, "sftp-"));
  const ssh = [...sshd.command, "-o", `HostKeyAlias=[127.0.0.1]:${sshd.port}`, "-o", "ConnectionAttempts=1"].join(" ");
  const env = { OUROBOX_SSH: ssh };
  let cuts = 0;
  for (const cutAfter of [100, 2500, 3500, 4500, 6000, 9000, 50_000, 200_000]) {
    const url = `sftp://${sshd.user}@127.0.0.1:${tcp.port}${place}/${cutAfter}`;
    const scene = new Scene({ url, env }, { url: `${place}/${cutAfter}`, env: {} });
    mkdirSync(join(place, `${cutAfter}`));
    tcp.plan({});
    await scene.begin();
    tcp.plan({ cutAfter, times: 1 });
    for (const { name, run } of steps) {
      const { status, err } = await run(scene);
      assert.equal(status, 0, `${name}, cut after ${cutAfter}: ${err}`);
    }
    cuts += tcp.count;
    tcp.plan({});
    await scene.requireWhole();
  }
  t.diagnostic(`${cuts} cuts`);
  assert(cuts >= 6, `${cuts}`);
  tcp.plan({ bytesPerMs: 100 });
  const url = `sftp://${sshd.user}@127.0.0.1:${tcp.port}${place}/slow`;
  const scene = new Scene({ url, env }, { url: `${place}/slow`, env: {} });
  await scene.begin();
  for (const { name, run } of steps) assert.equal((await run(scene)).status, 0, name);
  assert(tcp.count > 0);
  await scene.requireWhole();
});
