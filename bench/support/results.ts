/** The samples of a run, their medians, and how they are shown: Markdown tables and JSON. */
import type { Sample } from "./measure.ts";

const keys = ["wallS", "flushS", "cpuS", "memoryBytes", "storedBytes", "localBytes", "addedBytes", "extra"] as const;
type Key = (typeof keys)[number];

export type Median = { [K in Key]?: number };

export class Results {
  /** step -> tool -> samples, both in order of appearance. */
  readonly #samples = new Map<string, Map<string, Sample[]>>();
  readonly #failures = new Map<string, string>();
  /** Free remarks, shown below the tables. */
  readonly notes: string[] = [];

  add(step: string, tool: string, sample: Sample): void {
    const byTool = this.#samples.get(step) ?? new Map<string, Sample[]>();
    this.#samples.set(step, byTool);
    byTool.set(tool, [...(byTool.get(tool) ?? []), sample]);
  }

  addFailure(tool: string, problem: string): void {
    this.#failures.set(tool, problem);
  }

  hasFailed(tool: string): boolean {
    return this.#failures.has(tool);
  }

  /** The median of each figure on its own; undefined if there is no sample. */
  median(step: string, tool: string): Median | undefined {
    const samples = this.#samples.get(step)?.get(tool);
    if (samples === undefined || samples.length === 0) return undefined;
    const median: Median = {};
    for (const key of keys) {
      const values = samples.flatMap((sample) => sample[key] ?? []).sort((a, b) => a - b);
      if (values.length > 0) median[key] = middle(values);
    }
    return median;
  }

  /** The least median of a figure among some tools, with its tool. */
  best(
    step: string,
    tools: readonly string[],
    key: Key = "wallS",
  ): { readonly tool: string; readonly value: number } | undefined {
    const found = tools.flatMap((tool) => {
      const value = this.median(step, tool)?.[key];
      return value === undefined ? [] : [{ tool, value }];
    });
    return found.sort((a, b) => a.value - b.value)[0];
  }

  /** The greatest memory any step of a tool took. */
  peakMemory(tool: string): number | undefined {
    const peaks = [...this.#samples.keys()].flatMap((step) => this.median(step, tool)?.memoryBytes ?? []);
    return peaks.length === 0 ? undefined : Math.max(...peaks);
  }

  toMarkdown(extraHeading = "extra"): string {
    const tables = [...this.#samples].map(([step, byTool]) => this.#table(step, [...byTool.keys()], extraHeading));
    const failures = [...this.#failures].map(([tool, problem]) => `- **${tool} failed**: ${problem}`);
    const notes = this.notes.map((note) => `- ${note}`);
    return [...tables, [...failures, ...notes].join("\n")].filter((part) => part !== "").join("\n\n");
  }

  toJson(): unknown {
    return {
      samples: Object.fromEntries([...this.#samples].map(([step, byTool]) => [step, Object.fromEntries(byTool)])),
      failures: Object.fromEntries(this.#failures),
      notes: this.notes,
    };
  }

  #table(step: string, tools: readonly string[], extraHeading: string): string {
    const medians = tools.map((tool) => this.median(step, tool) ?? {});
    const runs = Math.max(...tools.map((tool) => this.#samples.get(step)?.get(tool)?.length ?? 0));
    const shown = keys.filter((key) => medians.some((median) => median[key] !== undefined));
    const headings: Record<Key, string> = {
      wallS: "wall s",
      flushS: "flush s",
      cpuS: "CPU s",
      memoryBytes: "peak MB",
      storedBytes: "stored MB",
      localBytes: "with caches MB",
      addedBytes: "added MB",
      extra: extraHeading,
    };
    const rows = tools.map((tool, index) => [
      tool,
      ...shown.map((key) => show(key, medians[index]?.[key])),
      ...(shown.includes("wallS") ? [this.#spread(step, tool)] : []),
    ]);
    const heading = [
      "tool",
      ...shown.map((key) => headings[key]),
      ...(shown.includes("wallS") ? ["wall, least - most"] : []),
    ];
    return `### ${step}\n\nMedians of ${runs} run${runs === 1 ? "" : "s"}.\n\n${markdownTable([heading, ...rows])}`;
  }

  #spread(step: string, tool: string): string {
    const walls = (this.#samples.get(step)?.get(tool) ?? []).flatMap((sample) => sample.wallS ?? []);
    return walls.length === 0 ? "" : `${show("wallS", Math.min(...walls))} - ${show("wallS", Math.max(...walls))}`;
  }
}

/** Columns lined up, so that it reads well in a terminal too. */
export function markdownTable(rows: readonly (readonly string[])[]): string {
  const widths = (rows[0] ?? []).map((_, column) => Math.max(3, ...rows.map((row) => (row[column] ?? "").length)));
  const line = (row: readonly string[]): string =>
    `| ${row.map((cell, column) => (column === 0 ? cell.padEnd(widths[column] ?? 0) : cell.padStart(widths[column] ?? 0))).join(" | ")} |`;
  const rule = `|${widths.map((width, column) => (column === 0 ? `${"-".repeat(width + 2)}` : `${"-".repeat(width + 1)}:`)).join("|")}|`;
  const [heading = [], ...body] = rows;
  return [line(heading), rule, ...body.map(line)].join("\n");
}

/** Seconds with three digits that count; bytes as MB (10^6). */
function show(key: Key, value: number | undefined): string {
  if (value === undefined) return "";
  if (key === "extra") return Number.isInteger(value) ? String(value) : value.toPrecision(4);
  if (key.endsWith("S")) return value >= 10 ? value.toFixed(1) : value.toFixed(value >= 1 ? 2 : 3);
  const megabytes = value / 1e6;
  return megabytes >= 10 ? megabytes.toFixed(0) : megabytes.toFixed(megabytes >= 0.1 ? 2 : 4);
}

function middle(sorted: readonly number[]): number {
  const half = sorted.length >>> 1;
  const upper = sorted[half] ?? 0;
  return sorted.length % 2 === 1 ? upper : ((sorted[half - 1] ?? 0) + upper) / 2;
}
