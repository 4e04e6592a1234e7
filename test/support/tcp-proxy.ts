/** A proxy of plain TCP on loopback: what goes through it between a client and a server is a subclass's to count, hold up and cut. */
import { type AddressInfo, connect, createServer, type Server, type Socket } from "node:net";

export abstract class TcpProxy implements AsyncDisposable {
  readonly #server: Server;
  readonly #sockets = new Set<Socket>();

  /** @param port The server's. */
  protected constructor(port: number) {
    this.#server = createServer((client) => this.#connect(client, port));
  }

  /** Where clients go. */
  get port(): number {
    return (this.#server.address() as AddressInfo).port;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const socket of this.#sockets) socket.destroy();
    await new Promise((resolve) => this.#server.close(resolve));
  }

  protected listen(): Promise<void> {
    return new Promise((resolve) => this.#server.listen(0, "127.0.0.1", resolve));
  }

  /** Hands on what comes from the one to the other. */
  protected abstract pass(client: Socket, server: Socket): void;

  /** When one of the two ends, so does the other. */
  #connect(client: Socket, port: number): void {
    const server = connect(port, "127.0.0.1");
    for (const socket of [client, server]) {
      this.#sockets.add(socket);
      socket
        .setNoDelay(true)
        .on("error", () => {})
        .once("close", () => {
          this.#sockets.delete(socket);
          client.destroy();
          server.destroy();
        });
    }
    this.pass(client, server);
  }
}
