/**
 * What a question of the benchmarks is, and the bench it runs on: options, tools, datasets' source trees, places, and the results.
 *
 * Every trial gives one tool a place on a ground of its own, and takes it away afterwards. Trials of the tools come in turn (A B C A B C), so that a machine that
 * slows down slows all of them.
 */
import { rmSync } from "node:fs";
import { join } from "node:path";
import type { Dataset } from "./dataset.ts";
import { dropCaches, Ground, type GroundKind, warmMemory } from "./ground.ts";
import { type Command, measure, run, type Sample, shell } from "./measure.ts";
import { ourTools } from "./ours.ts";
import { peerTools } from "./peers.ts";
import type { Results } from "./results.ts";
import { countStored, type Place, type Tool } from "./tool.ts";

export interface Question {
  readonly title: string;
  /** What is asked and how it is measured, for the head of the results. */
  readonly about: string;
  /** Names of the tools that take part unless `--only` says otherwise. */
  readonly tools: readonly string[];
  readonly runs: number;
  /** The heading of the column of `Sample.extra`. */
  readonly extra?: string;
  prepare?(bench: Bench): Promise<void>;
  /** One run of one tool through all steps. */
  trial(bench: Bench, tool: Tool): Promise<void>;
  /** What the project is held to, from the medians. */
  goals?(results: Results): Goal[];
}

export interface Goal {
  readonly text: string;
  readonly measured: string;
  /** Undefined: cannot be said, as something was not measured. */
  readonly reached: boolean | undefined;
}

export interface Options {
  readonly directory: string;
  readonly runs: number;
  readonly scale: number;
  readonly ground: GroundKind;
  readonly warmGib: number;
  readonly cold: boolean;
  readonly verify: boolean;
}

export interface StepOptions {
  readonly place: Place & { readonly ground: Ground };
  /** Count what the repository grew by. */
  readonly counted?: boolean;
  /** The filesystem to write back afterwards. Default: the place's own. `null`: nothing was written. */
  readonly flushed?: Ground | null;
}

export const allTools: readonly Tool[] = [...ourTools, ...peerTools];

export class Bench implements AsyncDisposable {
  readonly options: Options;
  readonly results: Results;
  readonly groundKinds: Set<GroundKind> = new Set();
  /** Of this run, 0 first. */
  round = 0;
  dataset: Dataset | undefined;
  #source: Ground | undefined;

  constructor(options: Options, results: Results) {
    this.options = options;
    this.results = results;
  }

  async makeGround(): Promise<Ground> {
    const ground = await Ground.make(this.options.directory, this.options.ground);
    this.groundKinds.add(ground.kind);
    return ground;
  }

  /** Makes this dataset the one to save: a copy of it on a ground of its own, which edits may change and must restore. */
  async useDataset(dataset: Dataset): Promise<void> {
    await this.#source?.[Symbol.asyncDispose]();
    this.dataset = dataset;
    this.#source = await this.makeGround();
    await copyTree(dataset.path, join(this.#source.path, "tree"), this.#source);
  }

  /** A tool's place on a fresh ground, its repository made, its tree ready and in the page cache. */
  async openPlace(tool: Tool): Promise<Place & { readonly ground: Ground } & AsyncDisposable> {
    if (this.dataset === undefined || this.#source === undefined)
      throw new Error("Cannot open a place: no dataset is in use");
    const ground = await this.makeGround();
    try {
      const shared = join(this.#source.path, "tree");
      const tree = tool.inTree === true ? join(ground.path, "tree") : shared;
      if (tree !== shared) await copyTree(this.dataset.path, tree, ground);
      const [home, scratch] = [ground.folder("home"), ground.folder("scratch")];
      const place = { ground, tree, repository: join(ground.path, "repository"), home, scratch };
      if (tool.init !== undefined) await run(withEnvironment(tool, place, tool.init(place)));
      await run(shell('tar -C "$1" -cf - . | cat > /dev/null', [tree]));
      await ground.flush();
      return { ...place, [Symbol.asyncDispose]: () => ground[Symbol.asyncDispose]() };
    } catch (error) {
      await ground[Symbol.asyncDispose]();
      throw error;
    }
  }

  /** Runs a tool's command as one step, measured and recorded. Returns what it printed. */
  async step(name: string, tool: Tool, command: Command, options: StepOptions): Promise<string> {
    const { place, counted = false, flushed = place.ground } = options;
    const before = counted ? countStored(tool, place).stored : 0;
    await this.settle();
    const { output, ...sample } = await measure(withEnvironment(tool, place, command));
    const flushS = flushed === null ? undefined : await flushed.flush();
    const sizes = counted ? countStored(tool, place) : undefined;
    this.record(name, tool.name, {
      ...sample,
      ...(flushS === undefined ? {} : { flushS }),
      ...(sizes === undefined
        ? {}
        : { storedBytes: sizes.stored, localBytes: sizes.local, addedBytes: sizes.stored - before }),
    });
    return output;
  }

  /** Brings the machine into the state a measured command starts from. */
  async settle(): Promise<void> {
    await warmMemory(this.options.warmGib);
    if (this.options.cold) await dropCaches();
  }

  record(step: string, tool: string, sample: Sample): void {
    this.results.add(this.options.cold ? `${step} (cold)` : step, tool, sample);
  }

  /** Compares what a restore wrote with the tree, in the first round. @throws CommandFailed naming differences. */
  async verify(tree: string, target: string): Promise<void> {
    if (!this.options.verify || this.round > 0) return;
    await run({ argv: ["diff", "-rq", "--no-dereference", "--exclude=.ourobox", tree, target] });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#source?.[Symbol.asyncDispose]();
  }
}

/** A command with the tool's environment for a place. */
export function withEnvironment(tool: Tool, place: Place, command: Command): Command {
  return { ...command, environment: { ...tool.environment(place), ...command.environment } };
}

async function copyTree(from: string, to: string, ground: Ground): Promise<void> {
  rmSync(to, { recursive: true, force: true });
  await run({ argv: ["cp", "-a", "--sparse=auto", from, to] });
  await ground.flush();
}
