/** A web server for the files of a folder, on loopback: with ranges, and with faults when told so. */
import { readFileSync } from "node:fs";
import { createServer, type Server, type ServerResponse } from "node:http";
import { join } from "node:path";

/** "whole" knows no ranges; "redirect" sends on once; "cut" ends the connection within; a number is a status. */
export type ServerMode = "right" | "whole" | "redirect" | "cut" | number;

export class StaticServer implements AsyncDisposable {
  mode: ServerMode = "right";
  readonly #folder: string;
  readonly #server: Server;

  private constructor(folder: string) {
    this.#folder = folder;
    this.#server = createServer((request, response) =>
      this.#answer(request.url ?? "/", request.headers.range, response),
    );
  }

  static async start(folder: string): Promise<StaticServer> {
    const server = new StaticServer(folder);
    await new Promise<void>((resolve) => server.#server.listen(0, "127.0.0.1", resolve));
    return server;
  }

  get url(): string {
    const address = this.#server.address();
    return `http://127.0.0.1:${typeof address === "object" ? address?.port : ""}`;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#server.closeAllConnections();
    await new Promise((resolve) => this.#server.close(resolve));
  }

  #answer(url: string, range: string | undefined, response: ServerResponse): void {
    const { mode } = this;
    const path = decodeURIComponent(url.replace(/^\/to(?=\/)/, ""));
    if (typeof mode === "number") response.writeHead(mode).end();
    else if (mode === "redirect" && !url.startsWith("/to/")) response.writeHead(302, { location: `/to${url}` }).end();
    else {
      let bytes: Uint8Array;
      try {
        bytes = readFileSync(join(this.#folder, path));
      } catch {
        response.writeHead(404).end("Not found");
        return;
      }
      const { length } = bytes;
      const [, first, last] = /^bytes=(\d+)-(\d*)$/.exec(range ?? "") ?? [];
      if (mode === "cut") {
        response.writeHead(200, { "content-length": length });
        response.write(bytes.subarray(0, length >> 1), () => response.destroy());
      } else if (first === undefined || mode === "whole")
        response.writeHead(200, { "content-length": length }).end(bytes);
      else if (Number(first) >= length) response.writeHead(416, { "content-range": `bytes */${length}` }).end();
      else {
        const end = Math.min(length, last === "" ? length : Number(last) + 1);
        const headers = {
          "content-range": `bytes ${first}-${end - 1}/${length}`,
          "content-length": end - Number(first),
        };
        response.writeHead(206, headers).end(bytes.subarray(Number(first), end));
      }
    }
  }
}
