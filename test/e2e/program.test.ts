/** The program as a process: what cannot be seen from inside of one. Signals, closed pipes, arguments that are no UTF-8. */
import assert from "node:assert/strict";
import { type ChildProcess, spawn, spawnSync } from "node:child_process";
import { closeSync, existsSync, mkdirSync, mkdtempSync, openSync, rmSync, watch, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, test } from "node:test";

const program = join(import.meta.dirname, "../../bin/ourobox.mjs");
let top = "";
let box = "";

before(() => {
  top = mkdtempSync(join(tmpdir(), "ourobox-program-"));
  box = join(top, "box");
  mkdirSync(box);
  writeFileSync(join(box, "a.txt"), "a\n");
  shell("$ourobox init -q && $ourobox commit -q -m First");
});
after(() => rmSync(top, { recursive: true, force: true }));

function environment(): NodeJS.ProcessEnv {
  return {
    PATH: process.env["PATH"],
    HOME: top,
    NODE_COMPILE_CACHE: process.env["NODE_COMPILE_CACHE"],
    ourobox: program,
  };
}

/** Runs a line of bash in the box. @returns Its stdout as latin1, a character a byte. */
function shell(line: string): { out: string; err: string; status: number | null } {
  const { stdout, stderr, status } = spawnSync("bash", ["-c", line], {
    cwd: box,
    env: environment(),
    encoding: "latin1",
  });
  return { out: stdout, err: stderr, status };
}

function ended(child: ChildProcess): Promise<number | null> {
  return new Promise((resolve) => child.on("close", (code) => resolve(code)));
}

/** Resolves when there is a file of that name in `top`. */
function appeared(name: string): Promise<void> {
  return new Promise((resolve) => {
    const watcher = watch(top, () => check());
    const check = (): void => {
      if (!existsSync(join(top, name))) return;
      watcher.close();
      resolve();
    };
    check();
  });
}

test("an argument that is not UTF-8 names the file with those bytes, and its name comes back as they are", () => {
  const { status, err } = shell(`printf x > $'caf\\351' && $ourobox add $'caf\\351' && $ourobox commit -q -m Odd`);
  assert.equal(status, 0, err);
  assert.equal(shell(`$ourobox cat $'caf\\351'`).out, "x");
  assert.equal(shell("$ourobox ls").out, "a.txt\n$'caf\\351'\n");
  assert.equal(shell(`rm $'caf\\351'; $ourobox status --porcelain -z`).out, " D caf\xe9\0");
  assert.match(shell("$ourobox status --json").out, /"pathBytes":"Y2Fm6Q=="/);
  assert.equal(shell(`$ourobox restore $'caf\\351' && cat $'caf\\351'`).out, "x");
});

test("a name with line ends and escape sequences cannot forge a line", () => {
  const { out } = shell(
    `printf x > $'evil\\n\\033[2J D a.txt' && $ourobox status --porcelain; rm $'evil\\n\\033[2J D a.txt'`,
  );
  assert.equal(out, " A $'evil\\n\\033[2J D a.txt'\n");
});

test("a reader that leaves early ends the command quietly, as SIGPIPE does", () => {
  const { out, err } = shell(`for i in $(seq 1 3); do mkdir -p deep/$i; printf %s {1..40000} > deep/$i/f; done
    $ourobox commit -q -m Deep && $ourobox show | head -c 5; echo " \${PIPESTATUS[0]}"`);
  assert.match(out, /commi 141\n$/);
  assert.equal(err, "");
});

test("Ctrl-C ends a command with 130, SIGTERM with 143, and what it started ends too", async () => {
  shell(`$ourobox remote add origin "$HOME/remote"`);
  for (const [signal, status] of [
    ["SIGINT", 130],
    ["SIGTERM", 143],
  ] as const) {
    const command = `echo $$ > "$HOME/started-${signal}"; exec sleep 100`;
    const env = { ...environment(), OUROBOX_PASSPHRASE_COMMAND: command };
    const child = spawn(program, ["push"], { cwd: box, env, stdio: "ignore" });
    const end = ended(child);
    await appeared(`started-${signal}`);
    child.kill(signal);
    assert.equal(await end, status);
  }
  assert.equal(
    shell(`sleep 0.1; for f in "$HOME"/started-*; do kill -0 $(cat $f) 2>/dev/null && echo alive; done`).out,
    "",
  );
  assert.equal(existsSync(join(top, "remote/config")), false);
});

test("what a passphrase's shell has started ends with it", async () => {
  const command = `sleep 100 & echo $! > "$HOME/child"; sleep 100; echo never`;
  const env = { ...environment(), OUROBOX_PASSPHRASE_COMMAND: command };
  shell(`$ourobox remote add shell "$HOME/shell"`);
  const child = spawn(program, ["push", "shell"], { cwd: box, env, stdio: "ignore" });
  const end = ended(child);
  await appeared("child");
  child.kill("SIGTERM");
  assert.equal(await end, 143);
  // Ended, it may wait as a zombie for whoever inherited it.
  assert.equal(shell(`sleep 0.1; grep '^State:.[RSD]' /proc/$(cat "$HOME/child")/status`).out, "");
});

test("without a terminal nobody is asked: a passphrase that nothing gives is a wrong key", () => {
  const { err, status } = shell(`$ourobox remote add away "$HOME/away"; setsid -w $ourobox push away < /dev/null`);
  assert.equal(status, 12);
  assert.match(err, /^ourobox: .*there is no terminal to ask at\nSet OUROBOX_PASSPHRASE/);
});

test("a command ends even when its stdout and stderr cannot be synced", () => {
  // fsync of a descriptor that is only a path fails, as of a file on a failing disk.
  const pathOnly = openSync(box, 0o10000000);
  try {
    for (const stdio of [["ignore", "pipe", pathOnly] as const, ["ignore", pathOnly, pathOnly] as const]) {
      const ran = spawnSync(program, ["status"], {
        cwd: box,
        env: environment(),
        stdio: [...stdio],
        encoding: "latin1",
        timeout: 20_000,
        killSignal: "SIGKILL",
      });
      assert.equal(ran.signal, null);
      if (stdio[1] === "pipe") assert.deepEqual([ran.status, ran.stdout.slice(0, 9)], [0, "On branch"]);
      else assert.equal(ran.status, 1);
    }
  } finally {
    closeSync(pathOnly);
  }
});

test("data goes to stdout, and messages to stderr", () => {
  const { out, err } = shell("printf b >> a.txt; $ourobox commit -m B");
  assert.match(out, /^[0-9a-f]{12}\n$/);
  assert.match(err, /^Committed everything changed: /);
  assert.equal(shell("$ourobox -q commit -m C").err, "");
});
