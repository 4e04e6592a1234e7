import assert from "node:assert/strict";
import { spawn, spawnSync } from "node:child_process";
import { randomBytes } from "node:crypto";
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, symlinkSync, utimesSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { after, test } from "node:test";
import { setTimeout } from "node:timers/promises";
import { runAsNobody } from "../../../test/support/as-nobody.ts";
import { findFreePort, skipWithoutSshd, TestSshd } from "../../../test/support/sshd.ts";
import { equalBytes, toText, utf8 } from "../../base/bytes.ts";
import { type ErrorKind, isKind } from "../../base/errors.ts";
import { nodeDisk } from "../../base/node-disk.ts";
import { Prng } from "../../base/prng.ts";
import { testRemote } from "../remote.suite.ts";
import type { Channel, ChannelEvents } from "./session.ts";
import { SftpRemote, type SftpRemoteOptions } from "./sftp-remote.ts";
import { parseSftpUrl } from "./sftp-url.ts";
import { openSsh, type SshOptions } from "./ssh-channel.ts";

const skip = skipWithoutSshd();

function optionsFor(url: string, ssh: Partial<SshOptions>): SftpRemoteOptions {
  const address = parseSftpUrl(url);
  return {
    disk: nodeDisk,
    random: (length) => randomBytes(length),
    openChannel: (events) => openSsh(address, { command: ["ssh"], env: process.env, mayAsk: false, ...ssh }, events),
    reconnectMs: 10,
  };
}

function openAt(url: string, ssh: Partial<SshOptions>, options: Partial<SftpRemoteOptions> = {}): SftpRemote {
  return new SftpRemote(parseSftpUrl(url), url, { ...optionsFor(url, ssh), ...options });
}

function rejects(promise: Promise<unknown>, kind: ErrorKind, says: RegExp): Promise<void> {
  return assert.rejects(promise, (thrown) => {
    assert.ok(isKind(thrown, kind), `not "${kind}": ${thrown}`);
    assert.match(`${thrown.message} ${thrown.hint}`, says);
    return true;
  });
}

/** A channel that dies when `bytesMax` have come in or gone out through it. */
function fragile(open: (events: ChannelEvents) => Channel, bytesMax: number): (events: ChannelEvents) => Channel {
  return (events) => {
    let left = bytesMax;
    const pass = (count: number): void => {
      left -= count;
      if (left < 0) channel.close().catch(() => {});
    };
    const channel = open({
      ...events,
      onData(bytes) {
        pass(bytes.length);
        if (left >= 0) events.onData(bytes);
      },
    });
    return {
      write(bytes) {
        channel.write(bytes);
        pass(bytes.length);
      },
      close: () => channel.close(),
    };
  };
}

if (skip !== false) test("sftp: a real server", { skip }, () => {});
else testOnServer();

async function testOnServer(): Promise<void> {
  const sshd = await TestSshd.start();
  after(() => sshd[Symbol.asyncDispose]());
  const alone = sshd.command;
  const newFolder = (): string => mkdtempSync(join(sshd.folder, "place-"));
  const open = (folder: string, options: Partial<SftpRemoteOptions> = {}): SftpRemote =>
    openAt(sshd.url(folder), { command: sshd.command }, options);
  await sshd.shareConnection();

  testRemote("sftp", () => {
    const folder = newFolder();
    return { open: () => open(folder), [Symbol.dispose]() {} };
  });

  test("sftp: the folder is made when asked for only", async () => {
    const folder = join(newFolder(), "a b/ü");
    await using remote = open(encodeURI(folder));
    await rejects(remote.put("packs/a", utf8("a")), "offline", /there is no folder/);
    await rejects(remote.get("packs/a"), "offline", /there is no folder/);
    await rejects(remote.stat("packs/a"), "offline", /there is no folder/);
    await rejects(remote.remove("packs/a"), "offline", /there is no folder/);
    await rejects(Array.fromAsync(remote.list("packs/")), "offline", /there is no folder/);
    await rejects(remote.topNames(), "offline", /there is no folder/);
    await using maker = open(encodeURI(folder), { create: true });
    await maker.put("packs/a", utf8("a"));
    assert.equal(toText(await remote.get("packs/a")), "a");
    assert.deepEqual(readdirSync(join(folder, ".tmp")), []);
  });

  test("sftp: symlinks, folders and other names are no blobs", async () => {
    const folder = newFolder();
    mkdirSync(join(folder, "packs/a"), { recursive: true });
    writeFileSync(join(folder, "secret"), "secret");
    symlinkSync("../secret", join(folder, "packs/b"));
    writeFileSync(join(folder, "packs/Upper"), "");
    await using remote = open(folder);
    for (const name of ["packs/a", "packs/b"]) {
      await rejects(remote.get(name), "not-found", /no such blob/);
      assert.equal(await remote.stat(name), undefined);
    }
    assert.deepEqual(await Array.fromAsync(remote.list("packs/")), []);
  });

  test("sftp: what a killed process left is removed a day later", async () => {
    const folder = newFolder();
    mkdirSync(join(folder, ".tmp"));
    writeFileSync(join(folder, ".tmp/old"), "");
    writeFileSync(join(folder, ".tmp/young"), "");
    const twoDaysAgo = Date.now() / 1000 - 2 * 24 * 3600;
    utimesSync(join(folder, ".tmp/old"), twoDaysAgo, twoDaysAgo);
    await using remote = open(folder);
    await remote.put("packs/a", utf8("a"));
    await remote.put("packs/b", utf8("b"));
    while (readdirSync(join(folder, ".tmp")).includes("old")) await setTimeout(5);
    assert.deepEqual(readdirSync(join(folder, ".tmp")), ["young"]);
  });

  test("sftp: a connection that dies anywhere is made again once, and everything ends right", async () => {
    const blob = new Prng(3).bytes(700_000);
    for (let bytesMax = 0; bytesMax < 800_000; bytesMax = bytesMax < 600 ? bytesMax + 37 : Math.ceil(bytesMax * 1.4)) {
      const folder = newFolder();
      const { openChannel } = optionsFor(sshd.url(folder), { command: sshd.command });
      let connections = 0;
      await using remote = open(folder, {
        openChannel(events) {
          connections += 1;
          return (connections % 2 === 1 ? fragile(openChannel, bytesMax) : openChannel)(events);
        },
      });
      let sent = 0;
      const onBytes = (count: number): void => {
        sent += count;
      };
      // Before both sides have agreed on the version, it is a connection that could not be made.
      if (bytesMax < 800 && (await remote.stat("config").catch(() => false)) === false) continue;
      await remote.put("packs/a", blob, { onBytes });
      assert.equal(sent, blob.length);
      assert.ok(await remote.putIf("config", utf8("mine"), { ifAbsent: true }), `${bytesMax}`);
      assert.equal(await remote.download("packs/a", join(folder, "down")), blob.length);
      assert.ok(equalBytes(readFileSync(join(folder, "down")), blob));
      assert.ok(equalBytes(await remote.get("packs/a"), blob));
      assert.ok(connections > 1, `${bytesMax}`);
      assert.deepEqual(readdirSync(join(folder, "packs")), ["a"]);
    }
  });

  test("sftp: a server that says nothing any more is offline, and stopping does not wait for it", async () => {
    const folder = newFolder();
    const { openChannel } = optionsFor(sshd.url(folder), { command: sshd.command });
    const mute = (after: number) => (events: ChannelEvents) => {
      let count = 0;
      return openChannel({
        ...events,
        onData(bytes) {
          count += 1;
          if (count <= after) events.onData(bytes);
        },
      });
    };
    await using silent = open(folder, { openChannel: mute(0), connectMsMax: 100 });
    await rejects(silent.stat("config"), "offline", /has not answered/);
    await using later = open(folder, { openChannel: mute(3), silenceMsMax: 100 });
    await rejects(later.put("packs/a", new Uint8Array(1_000_000)), "offline", /has not answered/);
    await using stopped = open(folder, { openChannel: mute(0) });
    await rejects(stopped.stat("config", { signal: AbortSignal.timeout(50) }), "aborted", /stopped/);
  });

  test("sftp: errors say which host, what ssh said and what to do", async () => {
    const folder = newFolder();
    const url = sshd.url(folder);
    const port = await findFreePort();
    const cases: [SftpRemote, ErrorKind, RegExp][] = [
      [openAt(url.replace(`${sshd.port}`, `${port}`), { command: alone }), "offline", /127.*refused.*`ssh -p/s],
      [openAt(url, { command: ["ssh", "-F", "/dev/null"] }), "permission", /host key.*run `ssh -p/is],
      [
        openAt(url, { command: [...alone, "-oPubkeyAuthentication=no", "-oControlPath=none"] }),
        "permission",
        /denied.*agent/s,
      ],
      [openAt(url, { command: ["/nonexistent/ssh"] }), "unsupported", /no program ssh.*apt install/s],
      [openAt(url, { command: ["sh", "-c", "echo Welcome; cat"] }), "unsupported", /"Welcome.*bashrc/s],
      [openAt(url, { command: ["sh", "-c", "exit 3"] }), "offline", /status 3/],
      [openAt(url, { command: ["sh", "-c", "echo subsystem request failed >&2; exit 1"] }), "unsupported", /no SFTP/],
    ];
    for (const [opened, kind, says] of cases) {
      await using remote = opened;
      await rejects(remote.stat("config"), kind, says);
    }
  });

  test("sftp: nothing is left of ssh when this program is killed or closes", async () => {
    const program = `
      import { SftpRemote } from ${JSON.stringify(import.meta.resolve("./sftp-remote.ts"))};
      import { openSsh } from ${JSON.stringify(import.meta.resolve("./ssh-channel.ts"))};
      import { parseSftpUrl } from ${JSON.stringify(import.meta.resolve("./sftp-url.ts"))};
      const address = parseSftpUrl(${JSON.stringify(sshd.url("/"))});
      const ssh = { command: ${JSON.stringify(sshd.command)}, env: process.env, mayAsk: false };
      const remote = new SftpRemote(address, "", {
        random: (length) => new Uint8Array(length), openChannel: (events) => openSsh(address, ssh, events) });
      await remote.stat("config");
      console.log("ready");
      setInterval(() => {}, 1000);`;
    const child = spawn(process.execPath, ["--input-type=module", "-e", program], { stdio: ["ignore", "pipe", 2] });
    await new Promise((resolve) => child.stdout?.once("data", resolve));
    const sshOf = (): string =>
      spawnSync("pgrep", ["-f", `^ssh -F ${sshd.folder}/ssh_config -oForward`], { encoding: "utf8" }).stdout;
    assert.notEqual(sshOf(), "");
    child.kill("SIGKILL");
    for (let tries = 0; sshOf() !== "" && tries < 200; tries += 1) await setTimeout(20);
    assert.equal(sshOf(), "");
    await using remote = open(newFolder());
    await remote.stat("config");
    assert.notEqual(sshOf(), "");
    await remote[Symbol.asyncDispose]();
    assert.equal(sshOf(), "");
  });

  const isRoot = process.geteuid?.() === 0;
  test("sftp: the same holds of an ordinary user", { skip: isRoot ? false : "it is one" }, (context) => {
    const run = runAsNobody(import.meta.filename, "^sftp: (a blob|large|many|of many|the folder)");
    if (run === undefined) context.skip("nobody may not read this checkout");
    else assert.equal(run.status, 0, run.output);
  });
}
