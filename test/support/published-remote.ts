/** A remote that is written in a folder and read through a web server: it publishes before each read, so that the suite of all remotes holds for it. */
import type { DirRemote } from "../../src/remote/dir-remote.ts";
import type { HttpRemote } from "../../src/remote/http/http-remote.ts";
import { publishListing } from "../../src/remote/http/listing.ts";
import type {
  BlobInfo,
  BlobSource,
  DownloadOptions,
  GetOptions,
  PutCondition,
  Remote,
  RemoteOptions,
} from "../../src/remote/remote.ts";

export class PublishedRemote implements Remote {
  readonly url = "published";
  readonly conditions = "none";
  readonly #dir: DirRemote;
  readonly #open: () => HttpRemote;

  constructor(dir: DirRemote, open: () => HttpRemote) {
    this.#dir = dir;
    this.#open = open;
  }

  put(name: string, source: BlobSource, options?: RemoteOptions): Promise<void> {
    return this.#dir.put(name, source, options);
  }

  async putIf(name: string, bytes: Uint8Array, condition: PutCondition): Promise<string | undefined> {
    await using remote = this.#open();
    return await remote.putIf(name, bytes, condition);
  }

  remove(name: string, options?: RemoteOptions): Promise<void> {
    return this.#dir.remove(name, options);
  }

  get(name: string, options?: GetOptions): Promise<Uint8Array> {
    return this.#read((remote) => remote.get(name, options));
  }

  download(name: string, path: string, options?: DownloadOptions): Promise<number> {
    return this.#read((remote) => remote.download(name, path, options));
  }

  stat(name: string, options?: RemoteOptions): Promise<BlobInfo | undefined> {
    return this.#read((remote) => remote.stat(name, options));
  }

  async *list(prefix: string, options?: RemoteOptions): AsyncIterable<BlobInfo> {
    yield* await this.#read((remote) => Array.fromAsync(remote.list(prefix, options)));
  }

  topNames(options?: RemoteOptions): Promise<readonly string[]> {
    return this.#read(async (remote) => {
      // What other names there are a web server does not tell.
      const names = new Set([...(await remote.topNames(options)), ...(await this.#dir.topNames(options))]);
      names.delete("listing");
      return [...names];
    });
  }

  async [Symbol.asyncDispose](): Promise<void> {}

  async #read<T>(body: (remote: HttpRemote) => Promise<T>): Promise<T> {
    await publishListing(this.#dir, { nowMs: 0 });
    await using remote = this.#open();
    return await body(remote);
  }
}
