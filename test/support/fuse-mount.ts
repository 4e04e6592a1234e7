/**
 * A mount for tests, served by a process of its own and used by others: whoever touches a mount may hang in it, so this process never does. Whatever
 * happens, its server is killed in the end (which ends every call that hangs in it) and the mount is taken away.
 */
import { type ChildProcess, fork, spawn, spawnSync } from "node:child_process";
import { once } from "node:events";
import { chmodSync, chownSync, existsSync, mkdtempSync, rmdirSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { findMount } from "../../src/front/fuse/mod.ts";
import type { Ask, Asked, FuseDaemonOptions, Told } from "./fuse-daemon.ts";

const startMsMax = 20_000;
const runMsMax = 60_000;
const endMsMax = 5_000;

export interface Ran {
  /** Null when it took too long. */
  readonly status: number | null;
  readonly out: string;
}

/** Who serves and uses a mount: root by mount(2), others by fusermount3. */
export interface MountUser {
  readonly uid: number;
  readonly gid: number;
}

export class TestMount {
  /** The directories of all mounts that this process has had. */
  static readonly directories: string[] = [];
  readonly directory: string;
  readonly #server: ChildProcess;
  readonly #user: MountUser;
  readonly #told: Told[] = [];
  #listener: () => void = () => {};
  #asks = 0;

  private constructor(directory: string, server: ChildProcess, user: MountUser) {
    this.directory = directory;
    this.#server = server;
    this.#user = user;
    server.on("message", (told: Told) => {
      this.#told.push(told);
      this.#listener();
    });
    server.on("exit", () => this.#listener());
  }

  /** @returns A mount, or why there can be none here. */
  static async start(
    options: Partial<FuseDaemonOptions> = {},
    user: MountUser = { uid: process.getuid?.() ?? 0, gid: process.getgid?.() ?? 0 },
  ): Promise<TestMount | string> {
    const directory = mkdtempSync(join(tmpdir(), "ourobox-mount-"));
    chmodSync(directory, 0o755);
    TestMount.directories.push(directory);
    if (user.uid !== process.getuid?.()) chownSync(directory, user.uid, user.gid);
    const argument = JSON.stringify({ ...user, ...options, directory });
    const server = fork(join(import.meta.dirname, "fuse-daemon.ts"), [argument], { ...user, execArgv: [] });
    const mount = new TestMount(directory, server, user);
    const told = await mount.#hear(startMsMax, ({ kind }) => kind === "mounted" || kind === "refused");
    if (told?.kind === "mounted") return mount;
    await mount[Symbol.asyncDispose]();
    return told?.kind === "refused" ? told.why : "the server did not start";
  }

  get isMounted(): boolean {
    return findMount(this.directory) !== undefined;
  }

  /** @returns Its answer; undefined when there was none. */
  async ask(ask: Ask): Promise<unknown> {
    this.#asks += 1;
    const number = this.#asks;
    this.#server.send({ number, ask } satisfies Asked);
    const told = await this.#hear(runMsMax, (each) => each.kind === "answer" && each.to === number);
    return told?.kind === "answer" ? told.value : undefined;
  }

  /** Whether the server says, in time, that the mount has ended. */
  async ended(): Promise<boolean> {
    return (await this.#hear(endMsMax, ({ kind }) => kind === "ended")) !== undefined;
  }

  killServer(): void {
    this.#server.kill("SIGKILL");
  }

  /** Runs a shell command in the mount, as its user or another. */
  async run(command: string, user: MountUser = this.#user): Promise<Ran> {
    return this.#run("sh", ["-c", `umask 022; cd '${this.directory}' || exit 1; ${command}`], user);
  }

  /** Runs a program of Node's, a file in test/support, in the mount. */
  async runProgram(name: string, ...args: readonly string[]): Promise<Ran> {
    return this.runProgramAs(this.#user, name, ...args);
  }

  async runProgramAs(user: MountUser, name: string, ...args: readonly string[]): Promise<Ran> {
    return this.#run(process.execPath, [join(import.meta.dirname, name), this.directory, ...args], user);
  }

  async #run(program: string, args: readonly string[], user: MountUser): Promise<Ran> {
    const child = spawn(program, args, { ...user, stdio: ["ignore", "pipe", "pipe"] });
    let out = "";
    for (const stream of [child.stdout, child.stderr]) {
      stream.setEncoding("utf8").on("data", (text: string) => {
        out += text;
      });
    }
    // Only the end of the server frees a process that hangs in its mount.
    const timer = setTimeout(() => {
      this.killServer();
      child.kill("SIGKILL");
    }, runMsMax);
    const [status] = (await once(child, "close")) as [number | null];
    clearTimeout(timer);
    return { status, out };
  }

  async #hear(msMax: number, isIt: (told: Told) => boolean): Promise<Told | undefined> {
    const late = AbortSignal.timeout(msMax);
    for (;;) {
      const at = this.#told.findIndex(isIt);
      if (at >= 0) return this.#told.splice(at, 1)[0];
      if (late.aborted || this.#isGone) return undefined;
      await new Promise<void>((resolve) => {
        this.#listener = resolve;
        late.addEventListener("abort", () => resolve(), { once: true });
      });
    }
  }

  get #isGone(): boolean {
    return this.#server.exitCode !== null || this.#server.signalCode !== null;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (!this.#isGone) {
      const gone = once(this.#server, "exit");
      this.killServer();
      await gone;
    }
    for (let tries = 0; tries < 3 && this.isMounted; tries += 1) {
      spawnSync("umount", ["-l", this.directory], { timeout: endMsMax });
      if (this.isMounted) spawnSync("fusermount3", ["-u", "-z", this.directory], { ...this.#user, timeout: endMsMax });
    }
    if (!this.isMounted) rmdirSync(this.directory);
  }
}

/** Why no test here can mount, or undefined. */
export async function fuseProblem(): Promise<string | undefined> {
  if (!existsSync("/dev/fuse")) return "there is no /dev/fuse";
  const mount = await TestMount.start();
  if (typeof mount === "string") return mount;
  await mount[Symbol.asyncDispose]();
  return undefined;
}
