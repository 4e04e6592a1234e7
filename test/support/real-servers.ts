/** Real servers from Debian's packages, on loopback, for slow tests: Ceph's S3 gateway, OpenStack Swift, nginx. Each ends with what it started. */
import { type SpawnSyncReturns, spawn, spawnSync } from "node:child_process";
import { existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout } from "node:timers/promises";
import { findFreePort } from "./sshd.ts";

const path = "/usr/sbin:/usr/bin:/sbin:/bin";

export interface RunningServer extends AsyncDisposable {
  /** Where it is and with which keys, as variables for S3; empty for others. */
  readonly env: Record<string, string>;
  readonly url: string;
  /** Of its process files and logs. */
  readonly folder: string;
}

/** What each needs, and the Debian packages that have it. */
export const cephPrograms: Readonly<Record<string, string>> = {
  "ceph-mon": "ceph-mon",
  "ceph-osd": "ceph-osd",
  radosgw: "radosgw",
  ceph: "ceph-common",
  uuidgen: "uuid-runtime",
  curl: "curl",
};
export const swiftPrograms: Readonly<Record<string, string>> = {
  "swift-ring-builder": "swift",
  "swift-proxy-server": "swift-proxy",
  "swift-account-server": "swift-account",
  "swift-container-server": "swift-container",
  "swift-object-server": "swift-object",
  memcached: "memcached",
  uuidgen: "uuid-runtime",
  curl: "curl",
};

/** @returns False when all programs are there and this is root; else why not. */
export function skipWithoutServer(programs: Readonly<Record<string, string>>): string | false {
  if (process.geteuid?.() !== 0) return "only root can start it";
  const found = (program: string): boolean => path.split(":").some((folder) => existsSync(join(folder, program)));
  const missing = Object.keys(programs).filter((program) => !found(program));
  if (missing.length === 0) return false;
  return `${missing.join(", ")} not installed (Debian: apt install ${missing.map((each) => programs[each]).join(" ")})`;
}

/** Three monitors' worth of Ceph: one monitor, three disks in memory, the gateway. Up in about 13 s. */
export async function startCeph(): Promise<RunningServer> {
  const [port, monitorPort] = [await findFreePort(), await findFreePort()];
  return await startScript("ceph-up.sh", ["3", `${port}`, "memstore", `${monitorPort}`], {
    url: `http://127.0.0.1:${port}`,
    keys: ["AKTEST", "SKTEST"],
  });
}

export async function startSwift(): Promise<RunningServer> {
  // It takes four ports more, above this one.
  const port = await findFreePort();
  return await startScript("swift-up.sh", [`${port}`], {
    url: `http://127.0.0.1:${port}`,
    keys: ["test:tester", "testing"],
  });
}

async function startScript(
  script: string,
  args: readonly string[],
  { url, keys: [key = "", secret = ""] }: { readonly url: string; readonly keys: readonly string[] },
): Promise<RunningServer> {
  const folder = mkdtempSync(join(tmpdir(), "ouro-server-"));
  const env = { PATH: path, HOME: folder, LANG: "C.UTF-8" };
  const run: SpawnSyncReturns<string> = spawnSync("bash", [join(import.meta.dirname, script), folder, ...args], {
    env,
    encoding: "utf8",
    timeout: 300_000,
    // Its daemons keep what they inherit, so output goes to files.
    stdio: ["ignore", "ignore", "ignore"],
  });
  const server = {
    url,
    folder,
    env: { AWS_ENDPOINT_URL: url, AWS_ACCESS_KEY_ID: key, AWS_SECRET_ACCESS_KEY: secret },
    [Symbol.asyncDispose]: () => stopServer(folder),
  };
  if (run.status === 0) return server;
  await server[Symbol.asyncDispose]();
  throw new Error(`${script} failed: status ${run.status}`);
}

/** Ends every process with a pid file in `run`. */
async function stopServer(folder: string): Promise<void> {
  const files = existsSync(join(folder, "run")) ? readdirSync(join(folder, "run")) : [];
  const pids = files
    .filter((file) => file.endsWith(".pid"))
    .map((file) => Number(readFileSync(join(folder, "run", file), "utf8")))
    .filter((pid) => pid > 1)
    // Workers outlive a server that is killed.
    .flatMap((pid) => [
      pid,
      ...spawnSync("pgrep", ["-P", `${pid}`], { encoding: "utf8" })
        .stdout.split("\n")
        .map(Number),
    ])
    .filter((pid) => pid > 1);
  for (const pid of pids) signal(pid, "SIGKILL");
  for (let tries = 0; tries < 100 && pids.some((pid) => signal(pid, 0)); tries += 1) await setTimeout(50);
  rmSync(folder, { recursive: true, force: true });
}

/** @returns Whether there was such a process. */
export function signal(pid: number, name: NodeJS.Signals | 0): boolean {
  try {
    process.kill(pid, name);
    return true;
  } catch {
    return false;
  }
}

/** nginx with the files of a folder. */
export async function startNginx(served: string): Promise<RunningServer> {
  const folder = mkdtempSync(join(tmpdir(), "ouro-nginx-"));
  mkdirSync(join(folder, "run"));
  const port = await findFreePort();
  const config = `daemon off; worker_processes 1; pid ${folder}/run/nginx.pid; error_log ${folder}/error.log; user root;
events {}
http {
  access_log off; client_body_temp_path ${folder}/1; proxy_temp_path ${folder}/2; fastcgi_temp_path ${folder}/3;
  uwsgi_temp_path ${folder}/4; scgi_temp_path ${folder}/5;
  server { listen 127.0.0.1:${port}; root ${JSON.stringify(served)}; }
}`;
  writeFileSync(join(folder, "nginx.conf"), config);
  const child = spawn("/usr/sbin/nginx", ["-c", join(folder, "nginx.conf"), "-e", join(folder, "error.log")], {
    stdio: "ignore",
  });
  for (let tries = 0; tries < 200 && !existsSync(join(folder, "run/nginx.pid")); tries += 1) await setTimeout(20);
  return {
    url: `http://127.0.0.1:${port}`,
    folder,
    env: {},
    async [Symbol.asyncDispose]() {
      const gone = new Promise((resolve) => child.once("exit", resolve));
      if (child.exitCode === null && child.kill("SIGTERM")) await gone;
      rmSync(folder, { recursive: true, force: true });
    },
  };
}
