/**
 * Servers on loopback that tools save to, an OpenSSH server for SFTP and Ceph's gateway for S3, behind a proxy that counts: bytes each way, and requests where
 * they are HTTP.
 */
import { mkdirSync } from "node:fs";
import type { Socket } from "node:net";
import { join } from "node:path";
import { cephPrograms, skipWithoutServer, startCeph } from "../../test/support/real-servers.ts";
import { skipWithoutSshd, TestSshd } from "../../test/support/sshd.ts";
import { TcpProxy } from "../../test/support/tcp-proxy.ts";

type Env = Readonly<Record<string, string>>;

/** Where tools save to, and how each is told. */
export interface Served extends AsyncDisposable {
  readonly name: string;
  readonly proxy: CountingProxy;
  readonly url: string;
  /** Variables for all tools, and those for each. */
  readonly env: Env;
  readonly resticOptions: readonly string[];
  /** What rclone calls `bench:`. */
  readonly rclonePath: string;
}

export class CountingProxy extends TcpProxy {
  sent = 0;
  received = 0;
  /** Of HTTP. */
  requests = 0;

  static async start(port: number): Promise<CountingProxy> {
    const proxy = new CountingProxy(port);
    await proxy.listen();
    return proxy;
  }

  /** Counts from 0 again. */
  begin(): void {
    this.sent = 0;
    this.received = 0;
    this.requests = 0;
  }

  protected override pass(client: Socket, server: Socket): void {
    client.on("data", (bytes: Buffer) => {
      this.sent += bytes.length;
      // A request's first line begins what a client sends at once.
      if (/^(GET|HEAD|PUT|POST|DELETE) \S+ HTTP/.test(bytes.toString("latin1", 0, 2000))) this.requests += 1;
    });
    server.on("data", (bytes: Buffer) => {
      this.received += bytes.length;
    });
    client.pipe(server);
    server.pipe(client);
  }
}

/** @param folder For what is saved. @returns Undefined where it is not installed. */
export async function serveSftp(folder: string): Promise<Served | undefined> {
  if (skipWithoutSshd() !== false) return undefined;
  mkdirSync(folder, { recursive: true });
  const sshd = await TestSshd.start();
  const proxy = await CountingProxy.start(sshd.port);
  const host = `${sshd.user}@127.0.0.1`;
  const ssh = [...sshd.command, "-o", `HostKeyAlias=[127.0.0.1]:${sshd.port}`].join(" ");
  return {
    name: "SFTP",
    proxy,
    url: `sftp://${host}:${proxy.port}${folder}/ours`,
    env: {
      OUROBOX_SSH: ssh,
      RESTIC_REPOSITORY: `sftp:${host}:${folder}/restic`,
      BORG_RSH: ssh,
      BORG_REPO: `ssh://${host}:${proxy.port}${folder}/borg`,
      RCLONE_CONFIG_BENCH_TYPE: "sftp",
      RCLONE_CONFIG_BENCH_HOST: "127.0.0.1",
      RCLONE_CONFIG_BENCH_PORT: `${proxy.port}`,
      RCLONE_CONFIG_BENCH_USER: sshd.user,
      RCLONE_CONFIG_BENCH_KEY_FILE: join(sshd.folder, "user_key"),
    },
    resticOptions: ["-o", `sftp.command=${ssh} -p ${proxy.port} ${host} -s sftp`],
    rclonePath: `${folder}/tree.tar`,
    async [Symbol.asyncDispose]() {
      await proxy[Symbol.asyncDispose]();
      await sshd[Symbol.asyncDispose]();
    },
  };
}

/** @returns Undefined where it is not installed, or this is not root. */
export async function serveS3(): Promise<Served | undefined> {
  if (skipWithoutServer(cephPrograms) !== false) return undefined;
  const ceph = await startCeph();
  const proxy = await CountingProxy.start(Number(new URL(ceph.url).port));
  const endpoint = `http://127.0.0.1:${proxy.port}`;
  return {
    name: "S3",
    proxy,
    url: "s3://bench/ours",
    env: {
      ...ceph.env,
      AWS_ENDPOINT_URL: endpoint,
      RESTIC_REPOSITORY: `s3:${endpoint}/bench/restic`,
      RCLONE_CONFIG_BENCH_TYPE: "s3",
      RCLONE_CONFIG_BENCH_PROVIDER: "Ceph",
      RCLONE_CONFIG_BENCH_ENV_AUTH: "true",
      RCLONE_CONFIG_BENCH_ENDPOINT: endpoint,
    },
    resticOptions: [],
    rclonePath: "bench/tree.tar",
    async [Symbol.asyncDispose]() {
      await proxy[Symbol.asyncDispose]();
      await ceph[Symbol.asyncDispose]();
    },
  };
}
