/**
 * A real OpenSSH server on loopback, for the tests of SFTP: its own host key, one user key, a free port, and a client
 * configuration that knows both. It lets in the user that runs the tests.
 */
import { type ChildProcess, spawn, spawnSync } from "node:child_process";
import { appendFileSync, existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { createServer } from "node:net";
import { tmpdir, userInfo } from "node:os";
import { join } from "node:path";
import { setTimeout } from "node:timers/promises";

const sshdPath = "/usr/sbin/sshd";

/** @returns False when there is a server to be had; else why not. */
export function skipWithoutSshd(): string | false {
  if (!existsSync(sshdPath)) return "sshd is not installed (Debian: apt install openssh-server)";
  return spawnSync("ssh", ["-V"], { stdio: "ignore" }).error === undefined
    ? false
    : "ssh is not installed (Debian: apt install openssh-client)";
}

/** A port that nobody listens on at the moment. */
export async function findFreePort(): Promise<number> {
  const server = createServer();
  const { promise, resolve } = Promise.withResolvers<number>();
  server.listen(0, "127.0.0.1", () => {
    const address = server.address();
    const port = typeof address === "object" && address !== null ? address.port : 0;
    server.close(() => resolve(port));
  });
  return await promise;
}

export class TestSshd implements AsyncDisposable {
  /** Temporary; the served folders may be in it. */
  readonly folder: string;
  readonly port: number;
  readonly user: string = userInfo().username;
  #child: ChildProcess | undefined;
  #master: ChildProcess | undefined;

  private constructor(folder: string, port: number) {
    this.folder = folder;
    this.port = port;
  }

  static async start(): Promise<TestSshd> {
    const folder = mkdtempSync(join(tmpdir(), "ouro-sshd-"));
    const sshd = new TestSshd(folder, await findFreePort());
    sshd.#writeFiles();
    await sshd.restart();
    return sshd;
  }

  /** What to start instead of `ssh`. */
  get command(): string[] {
    return ["ssh", "-F", join(this.folder, "ssh_config")];
  }

  /** Of a folder given by its path there. */
  url(path: string): string {
    return `sftp://${this.user}@127.0.0.1:${this.port}${path}`;
  }

  /** What the server has said so far. */
  get log(): string {
    return readFileSync(join(this.folder, "log"), "utf8");
  }

  /** From now on connections are channels of one (ControlMaster), which take 10 ms to open instead of 200. */
  async shareConnection(): Promise<void> {
    const socket = join(this.folder, `master-${this.user}-${this.port}`);
    appendFileSync(join(this.folder, "ssh_config"), `ControlPath ${join(this.folder, "master-%r-%p")}\n`);
    this.#master = spawn("ssh", [...this.command.slice(1), "-MN", "-p", `${this.port}`, "127.0.0.1"], {
      stdio: "ignore",
    });
    for (let tries = 0; tries < 500 && !existsSync(socket); tries += 1) await setTimeout(20);
  }

  /** Ends the server and all its connections. */
  async stop(): Promise<void> {
    for (const child of [this.#master, this.#child]) {
      if (child?.pid === undefined || child.exitCode !== null || child.signalCode !== null) continue;
      const { promise, resolve } = Promise.withResolvers<void>();
      child.once("exit", () => resolve());
      // Those that serve a connection are in the server's process group.
      process.kill(child === this.#child ? -child.pid : child.pid, "SIGKILL");
      await promise;
    }
  }

  async restart(): Promise<void> {
    await this.stop();
    const child = spawn(sshdPath, ["-D", "-f", join(this.folder, "sshd_config"), "-E", join(this.folder, "log")], {
      stdio: "ignore",
      detached: true,
    });
    this.#child = child;
    for (let tries = 0; tries < 200; tries += 1) {
      if (existsSync(join(this.folder, "log")) && this.log.includes("Server listening on")) return;
      if (child.exitCode !== null) break;
      await setTimeout(20);
    }
    throw new Error(`sshd does not start: ${existsSync(join(this.folder, "log")) ? this.log : "it says nothing"}`);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.stop();
    rmSync(this.folder, { recursive: true });
  }

  #writeFiles(): void {
    const { folder, port } = this;
    for (const name of ["host_key", "user_key"])
      spawnSync("ssh-keygen", ["-q", "-t", "ed25519", "-N", "", "-f", join(folder, name)]);
    const hostKey = readFileSync(join(folder, "host_key.pub"), "utf8");
    writeFileSync(join(folder, "known_hosts"), `[127.0.0.1]:${port} ${hostKey}`);
    writeFileSync(join(folder, "authorized_keys"), readFileSync(join(folder, "user_key.pub")));
    const isRoot = process.geteuid?.() === 0;
    if (isRoot) mkdirSync("/run/sshd", { recursive: true });
    const server = [
      "ListenAddress 127.0.0.1",
      `Port ${port}`,
      `HostKey ${join(folder, "host_key")}`,
      `AuthorizedKeysFile ${join(folder, "authorized_keys")}`,
      "PidFile none",
      "StrictModes no",
      `UsePAM ${isRoot ? "no" : "yes"}`,
      "PasswordAuthentication no",
      "KbdInteractiveAuthentication no",
      "PermitRootLogin prohibit-password",
      "MaxStartups 100",
      "Subsystem sftp internal-sftp",
    ];
    writeFileSync(join(folder, "sshd_config"), `${server.join("\n")}\n`);
    const client = [
      `IdentityFile ${join(folder, "user_key")}`,
      "IdentitiesOnly yes",
      `UserKnownHostsFile ${join(folder, "known_hosts")}`,
      "GlobalKnownHostsFile /dev/null",
      "StrictHostKeyChecking yes",
    ];
    writeFileSync(join(folder, "ssh_config"), `${client.join("\n")}\n`);
  }
}
