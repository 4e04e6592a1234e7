/**
 * A machine with a box, driven only through the real program, for tests that kill and starve it. It remembers every commit that the
 * program has told of, and can say whether the box is whole.
 */
import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { existsSync, mkdirSync, mkdtempSync, readdirSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { compareTrees } from "../../scripts/compare-trees.ts";
import { describeRan, jsonLines, Program, type Ran, type RunProgram } from "./program.ts";

/** A temporary folder for everything of one test, removed at the end of the block. */
export class SlowPlace implements Disposable {
  readonly top: string = mkdtempSync(join(tmpdir(), "ourobox-slow-"));

  path(name: string): string {
    return join(this.top, name);
  }

  machine(name: string): SlowMachine {
    return new SlowMachine(new Program(this.path(`home-${name}`)), this.path(name));
  }

  [Symbol.dispose](): void {
    rmSync(this.top, { recursive: true, force: true });
  }
}

export type RunOptions = Omit<RunProgram, "cwd"> & { readonly cwd?: string };

export class SlowMachine {
  readonly program: Program;
  /** The folder with the box. */
  readonly folder: string;
  /** Every commit that a command has printed, in full. */
  readonly told: Set<string> = new Set();

  constructor(program: Program, folder: string) {
    this.program = program;
    this.folder = folder;
  }

  /** Another folder of the same machine. */
  at(folder: string): SlowMachine {
    return new SlowMachine(this.program, folder);
  }

  get hasBox(): boolean {
    return existsSync(join(this.folder, ".ourobox/box"));
  }

  /** Runs a command in the folder, however it ends. */
  async run(args: readonly string[], options: RunOptions = {}): Promise<Ran> {
    const ran = await this.program.run([...args, "--json"], { cwd: this.folder, ...options });
    for (const { commit, saved } of args[0] === "commit" || args[0] === "restore" ? jsonLines(ran.out) : []) {
      for (const id of [commit, saved]) if (typeof id === "string") this.told.add(id);
    }
    return ran;
  }

  /** Runs a command that must succeed. @returns The object that it prints first. */
  async ok(args: readonly string[], options: RunOptions = {}): Promise<Record<string, unknown>> {
    const ran = await this.run(args, options);
    assert.equal(ran.status, 0, describeRan(ran));
    return jsonLines(ran.out)[0] ?? {};
  }

  /** As `ok`, in this process: for looking at what another has done. */
  async look(args: readonly string[], cwd: string = this.folder): Promise<Ran> {
    const ran = await this.program.runHere([...args, "--json"], { cwd });
    assert.equal(ran.status, 0, describeRan(ran));
    return ran;
  }

  /** The ids of all commits, newest first. */
  async log(): Promise<string[]> {
    const ran = await this.look(["log"]);
    return jsonLines(ran.out).map(({ commit }) => String(commit));
  }

  /** The box opens, every byte of it is whole, and every commit that was told of is there. */
  async requireSound(after: string): Promise<void> {
    const ran = await this.program.runHere(["check", "--read-data", "--json"], { cwd: this.folder });
    const found = { status: ran.status, said: jsonLines(ran.out) };
    assert.deepEqual(found, { status: 0, said: [{ damaged: 0 }] }, `${after}, then ${describeRan(ran)}`);
    assert.doesNotMatch(ran.err, /is gone|damaged/, after);
    await this.requireTold(after);
  }

  async requireTold(after: string): Promise<void> {
    // Others may commit meanwhile.
    const told = [...this.told];
    if (told.length === 0) return;
    const log = new Set(await this.log());
    const lost = told.filter((id) => !log.has(id));
    assert.deepEqual(lost, [], `${after}: the log lacks commits that were told of`);
  }

  /** The folder is what the head says, as the program sees it. */
  async requireClean(after: string): Promise<void> {
    const ran = await this.look(["status"]);
    const changes = jsonLines(ran.out).filter((line) => "path" in line);
    assert.deepEqual(changes, [], `${after}: the status is not clean`);
  }

  /** Nothing is left of commands that were killed. */
  requireTidy(after: string): void {
    for (const name of ["tmp", "moving"]) {
      const folder = join(this.folder, ".ourobox", name);
      assert.deepEqual(namesIn(folder), [], `${after}: .ourobox/${name}`);
    }
    const inTheMaking = namesIn(this.folder).filter((name) => name.startsWith(".ourobox."));
    assert.deepEqual(inTheMaking, [], `${after}: folders in the making`);
  }
}

/** Two folders are the same in every byte, mode, time and target. */
export function requireSame(a: string, b: string, after: string): void {
  const { differences } = compareTrees(a, b);
  assert.deepEqual(differences, [], after);
}

function namesIn(folder: string): string[] {
  return existsSync(folder) ? readdirSync(folder) : [];
}

/**
 * Makes a folder what another is; nothing, if that is not there or empty. `.ourobox` itself stays where it is, if it is in both: another one
 * in its place would be a copied box.
 */
export function copyFiles(from: string, to: string): void {
  const wanted = namesIn(from);
  if (wanted.length === 0) {
    rmSync(to, { recursive: true, force: true });
    return;
  }
  mkdirSync(to, { recursive: true });
  for (const name of namesIn(to)) {
    const inner = name === ".ourobox" && wanted.includes(name) ? namesIn(join(to, name)) : [undefined];
    for (const each of inner) rmSync(join(to, name, each ?? ""), { recursive: true });
  }
  execFileSync("cp", ["-a", `${from}/.`, to]);
}

/** Copies a folder as it is, times and all. */
export function copyFolder(from: string, to: string): void {
  rmSync(to, { recursive: true, force: true });
  execFileSync("cp", ["-a", from, to]);
}
