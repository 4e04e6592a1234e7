/** s3rver on loopback: a small S3 server that ignores the conditions of puts, and says that it has kept them. */
import { mkdtempSync, rmSync } from "node:fs";
import { createRequire } from "node:module";
import { tmpdir } from "node:os";
import { join } from "node:path";

interface S3rver {
  run(): Promise<{ readonly port: number }>;
  close(): Promise<void>;
}

export interface RunningS3rver extends AsyncDisposable {
  readonly env: Record<string, string>;
}

export async function startS3rver(): Promise<RunningS3rver> {
  const directory = mkdtempSync(join(tmpdir(), "ouro-s3rver-"));
  const Server = createRequire(import.meta.url)("s3rver") as new (options: object) => S3rver;
  const server = new Server({ port: 0, address: "127.0.0.1", silent: true, directory });
  const { port } = await server.run();
  return {
    env: {
      AWS_ENDPOINT_URL: `http://127.0.0.1:${port}`,
      AWS_ACCESS_KEY_ID: "S3RVER",
      AWS_SECRET_ACCESS_KEY: "S3RVER",
    },
    async [Symbol.asyncDispose]() {
      await server.close();
      rmSync(directory, { recursive: true });
    },
  };
}
