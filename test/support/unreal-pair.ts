/** Two boxes with a remote between them: one with all files, and an unreal clone of it. */
import assert from "node:assert/strict";
import { mkdirSync, readdirSync, readFileSync, statSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { Box, cloneBox } from "../../src/app/mod.ts";
import type { TestWorld } from "./app-world.ts";

let count = 0;

export class UnrealPair implements AsyncDisposable {
  readonly a: Box;
  readonly b: Box;
  readonly pathA: string;
  readonly pathB: string;
  readonly remote: string;

  private constructor(a: Box, b: Box, paths: { pathA: string; pathB: string; remote: string }) {
    this.a = a;
    this.b = b;
    this.pathA = paths.pathA;
    this.pathB = paths.pathB;
    this.remote = paths.remote;
  }

  /** A box with files, and an unreal clone of it. */
  static async make(world: TestWorld, files: Readonly<Record<string, string>>): Promise<UnrealPair> {
    count += 1;
    const [pathA, pathB, remote] = ["a", "b", "remote"].map((name) => join(world.folder, `${name}${count}`)) as [
      string,
      string,
      string,
    ];
    // Deriving a key from a passphrase takes a second.
    const a = await Box.init(pathA, { ...world.initOptions, plain: count % 4 !== 1 }, world.context());
    await a.addRemote("origin", remote);
    writeAll(pathA, files);
    await a.commit({ message: "all", all: true });
    await a.push();
    await cloneBox(remote, pathB, { bare: false, unreal: true }, world.context());
    return new UnrealPair(a, await Box.open(pathB, world.context()), { pathA, pathB, remote });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.a[Symbol.asyncDispose]();
    await this.b[Symbol.asyncDispose]();
  }

  async pushA(): Promise<void> {
    await this.a.commit({ message: "a", all: true });
    await this.a.push();
  }

  async pushB(): Promise<void> {
    await this.b.commit({ message: "b", all: true });
    await this.b.push();
    await this.a.pull();
  }

  async makeReal(...paths: string[]): Promise<void> {
    const source = this.b.head()?.commit as Uint8Array;
    await this.b.restore({ source, paths: paths.map((path) => Buffer.from(path)), dryRun: false });
  }
}

export function writeAll(folder: string, files: Readonly<Record<string, string>>): void {
  for (const [name, text] of Object.entries(files)) {
    mkdirSync(dirname(join(folder, name)), { recursive: true });
    writeFileSync(join(folder, name), text);
  }
}

/** Files below a folder, with their bytes. */
export function filesIn(folder: string, below = ""): Record<string, string> {
  const found: Record<string, string> = {};
  for (const name of readdirSync(join(folder, below)).sort()) {
    if (name === ".ourobox") continue;
    const path = below === "" ? name : `${below}/${name}`;
    if (statSync(join(folder, path)).isDirectory()) Object.assign(found, filesIn(folder, path));
    else found[path] = readFileSync(join(folder, path), "utf8");
  }
  return found;
}

/** Files of the head. */
export function namesIn(box: Box): string[] {
  const head = box.head()?.commit as Uint8Array;
  const rows = [...box.list(head, new Uint8Array(), { recursive: true })];
  return rows.flatMap(({ path, entry }) => (entry.kind === 1 ? [Buffer.from(path).toString()] : [])).sort();
}

export async function changesIn(box: Box): Promise<string[]> {
  return (await box.status()).changes
    .filter(({ what }) => !(what.size === 1 && what.has("mtime")))
    .map(({ type, path }) => `${type} ${Buffer.from(path)}`);
}

export async function contentOf(box: Box, path: string): Promise<string> {
  const entry = box.find(box.head()?.commit as Uint8Array, Buffer.from(path));
  assert(entry !== undefined, path);
  const parts: Uint8Array[] = [];
  for await (const part of box.readFile(entry)) parts.push(Uint8Array.from(part));
  return Buffer.concat(parts).toString();
}
