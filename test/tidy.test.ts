/**
 * The rules of STYLE.md and ARCHITECTURE.md that a machine can check.
 *
 * `mayImport` is the architecture. Changing it changes the architecture: do it in a commit that says why.
 */
import assert from "node:assert/strict";
import { existsSync, globSync, readFileSync } from "node:fs";
import { basename, dirname, join, normalize } from "node:path/posix";
import { test } from "node:test";
import manifest from "../package.json" with { type: "json" };

process.chdir(`${import.meta.dirname}/..`);

const mayImport: Readonly<Record<string, readonly string[]>> = {
  base: [],
  format: ["base"],
  remote: ["base"],
  peer: ["base", "format"],
  store: ["base", "format"],
  history: ["base", "format", "store"],
  workdir: ["base", "format", "store", "history"],
  sync: ["base", "format", "store", "history", "remote", "peer"],
  vfs: ["base", "format", "store", "history", "workdir"],
  "front/fuse": ["base", "vfs"],
  "front/nfs": ["base", "vfs"],
  "front/s3": ["base", "vfs"],
  "front/web": ["base", "vfs"],
  app: ["base", "format", "store", "history", "workdir", "remote", "peer", "sync", "vfs"],
  daemon: ["base", "app", "vfs", "front/fuse", "front/nfs", "front/s3", "front/web"],
  cli: ["base", "app", "daemon"],
};

interface Ban {
  readonly pattern: RegExp;
  readonly instead: string;
  /** Where it is allowed all the same: paths within `src/`. */
  readonly except?: RegExp;
}

/** In the program's own code, without its comments. Tests may do what they must. */
const banned: readonly Ban[] = [
  { pattern: /\bconsole\./, instead: "write to context.out or context.err in cli; below it, return or throw" },
  { pattern: /\bprocess\.exit\(/, instead: "throw, or return a status", except: /^cli\/main\.ts$/ },
  {
    pattern: /\bprocess\.(stdout|stderr|stdin|env|argv|cwd|chdir|umask|exitCode|on|once)\b/,
    instead: "take it as an argument; only cli and app know the process",
    except: /^(cli|app)\//,
  },
  {
    pattern: /\b(Date\.now|Math\.random|performance\.now|process\.hrtime(\.bigint)?)\(|\bnew Date\(\)/,
    instead: "take a Clock or a Prng, so that tests can replay",
    except: /^(base|app)\//,
  },
  { pattern: /(\bas|:|<|\bsatisfies) any\b/, instead: "say unknown, and narrow it" },
  { pattern: /@ts-(ignore|nocheck)\b/, instead: "say @ts-expect-error, and why" },
  { pattern: /from "koffi"|import\("koffi"\)/, instead: "call base/posix.ts", except: /^base\/posix(-[a-z-]+)?\.ts$/ },
];

/** Used while developing or testing, and never by the program. */
const toolPackages = ["@biomejs/biome", "esbuild", "fast-check", "typescript", "playwright-core"];

/** These say nothing about what is inside. A folder's face is `mod.ts`. */
const emptyNames = /^(index|utils?|types|helpers?|common|misc)\.ts$/;

const fileLinesMax = 500;
/** Files allowed to be longer, each with its reason. This list only shrinks. */
const longFiles: Readonly<Record<string, string>> = {};

interface Import {
  /** Within `src/` for a relative one: "store/mod.ts". Else the specifier. */
  readonly target: string;
  readonly relative: boolean;
  readonly typeOnly: boolean;
}

interface Source {
  /** Within the project: "src/store/mod.ts". */
  readonly path: string;
  readonly text: string;
  /** The text with its comments blanked, line for line. */
  readonly code: string;
}

/** What is in `src/`, with its path there: "store/mod.ts". */
interface Part extends Source {
  readonly name: string;
  readonly imports: readonly Import[];
}

const isTest = (path: string): boolean => /\.(test|suite)\.ts$/.test(path);

function readSource(path: string): Source {
  const text = readFileSync(path, "utf8");
  const tokens = /"(?:\\.|[^"\\\n])*"|`(?:\\.|[^`\\])*`|\/\/.*|\/\*[\s\S]*?\*\//g;
  const blank = (token: string): string => (/^\/[/*]/.test(token) ? token.replace(/[^\n]+/g, " ") : token);
  return { path, text, code: text.replace(tokens, blank) };
}

function asPart(source: Source): Part {
  const name = source.path.slice("src/".length);
  const names = String.raw`(?:type\b)?[\w*{}\s,$]*`;
  const statements = new RegExp(`^(?:import|export)\\b${names}\\bfrom\\s*"([^"]+)"`, "gm");
  const others = /^import\s*"([^"]+)"|\bimport\(\s*"([^"]+)"\s*\)/gm;
  const found = [...source.code.matchAll(statements), ...source.code.matchAll(others)];
  const imports = found.map(([whole, first, second]): Import => {
    const specifier = first ?? second ?? "";
    const relative = specifier.startsWith(".");
    const target = relative ? normalize(join(dirname(name), specifier)) : specifier;
    return { target, relative, typeOnly: /^(import|export)\s+type\b/.test(whole) };
  });
  return { ...source, name, imports };
}

/** "front/fuse/errno.ts" is in layer "front/fuse"; "store/pack.ts" in "store". */
function layerOf(name: string): string {
  const [first = "", second = ""] = name.split("/");
  return first === "front" ? `${first}/${second}` : first;
}

/** What is wrong with this import, or undefined. */
function findImportProblem(name: string, { target, relative, typeOnly }: Import): string | undefined {
  if (!relative) return toolPackages.includes(target) ? `${target} is a tool, not part of the program` : undefined;
  if (target === "../package.json") return undefined;
  if (target.startsWith("../")) return `${target} is outside src`;
  if (!existsSync(`src/${target}`)) return `there is no src/${target}`;
  if (isTest(target)) return `${target} is a test`;
  if (target.endsWith(".worker.ts")) return "start a worker with workerEntry of base/worker-entry.ts";
  const [from, to] = [layerOf(name), layerOf(target)];
  if (from === to) return undefined;
  if (mayImport[from]?.includes(to) !== true) return `${from} may not import ${to}`;
  if (to !== "base" && target !== `${to}/mod.ts`) return `import ${to}/mod.ts, not ${target}`;
  if (from.startsWith("front/") && to === "vfs" && !typeOnly) return "fronts import vfs as types only";
  return undefined;
}

/** The first import cycle found, as a list of names, or undefined. */
function findCycle(parts: readonly Part[]): string[] | undefined {
  const importsOf = new Map(parts.map(({ name, imports }) => [name, imports]));
  const done = new Set<string>();
  function walk(name: string, trail: readonly string[]): string[] | undefined {
    if (trail.includes(name)) return [...trail.slice(trail.indexOf(name)), name];
    if (done.has(name)) return undefined;
    for (const { target } of importsOf.get(name) ?? []) {
      const cycle = walk(target, [...trail, name]);
      if (cycle !== undefined) return cycle;
    }
    done.add(name);
    return undefined;
  }
  for (const { name } of parts) {
    const cycle = walk(name, []);
    if (cycle !== undefined) return cycle;
  }
  return undefined;
}

/** Each line that matches, as "path:line: what". */
function findLines(path: string, text: string, pattern: RegExp, what: string): string[] {
  return text.split("\n").flatMap((line, index) => (pattern.test(line) ? [`${path}:${index + 1}: ${what}`] : []));
}

const sources = globSync("{src,test,bench,scripts}/**/*.ts").sort().map(readSource);
const parts = sources.filter(({ path }) => path.startsWith("src/")).map(asPart);
const program = parts.filter(({ path }) => !isTest(path));
const pages = globSync(["*.md", "{doc,examples,bench,test}/**/*.md"]).sort();

test("tidy: every folder of src is a layer of the architecture", () => {
  const unknown = parts.map(({ name }) => layerOf(name)).filter((layer) => mayImport[layer] === undefined);
  assert.deepEqual([...new Set(unknown)], []);
});

test("tidy: layers import downwards only, and each other through mod.ts", () => {
  const problems = program.flatMap(({ path, name, imports }) =>
    imports.flatMap((each) => findImportProblem(name, each) ?? []).map((problem) => `${path}: ${problem}`),
  );
  assert.deepEqual(problems, []);
});

test("tidy: nothing imports itself by way of others", () => {
  assert.equal(findCycle(program)?.join(" -> "), undefined);
});

test("tidy: workers are named as they are called", () => {
  const calls = program.flatMap(({ path, code }) =>
    [...code.matchAll(/\bworkerEntry\("([^"]*)"\)/g)].map(([, name]) => ({ path, file: `src/${name}.worker.ts` })),
  );
  const lost = calls.filter(({ file }) => !existsSync(file)).map(({ path, file }) => `${path}: there is no ${file}`);
  const workers = program.map(({ path }) => path).filter((path) => path.endsWith(".worker.ts"));
  const idle = workers.filter((worker) => !calls.some(({ file }) => file === worker));
  assert.deepEqual([...lost, ...idle.map((worker) => `${worker}: nothing starts it`)], []);
});

test("tidy: every file opens by saying what it is for", () => {
  const problems = sources.filter(({ path, text }) => !isTest(path) && !/^(#!.*\n)?\/\*\*/.test(text));
  assert.deepEqual(
    problems.map(({ path }) => `${path}: start with a /** … */ header`),
    [],
  );
});

test("tidy: file names are kebab-case and say something", () => {
  const problems = sources.filter(
    ({ path }) => !/^[a-z0-9]+(-[a-z0-9]+)*(\.[a-z]+)*\.ts$/.test(basename(path)) || emptyNames.test(basename(path)),
  );
  assert.deepEqual(
    problems.map(({ path }) => path),
    [],
  );
});

test("tidy: nothing banned is used", () => {
  const problems = program.flatMap(({ path, name, code }) =>
    banned
      .filter(({ except }) => except?.test(name) !== true)
      .flatMap(({ pattern, instead }) => findLines(path, code, pattern, instead)),
  );
  assert.deepEqual(problems, []);
});

test("tidy: nothing is left to be done later", () => {
  // Written so that this line does not find itself.
  const marks = new RegExp(`\\b(${"TO"}DO|${"FIX"}ME|${"XX"}X)\\b`);
  const problems = sources.flatMap(({ path, text }) => findLines(path, text, marks, "do it, or file an issue"));
  assert.deepEqual(problems, []);
});

test(`tidy: no file is longer than ${fileLinesMax} lines`, () => {
  const problems = sources
    .filter(({ path, text }) => text.split("\n").length - 1 > fileLinesMax && longFiles[path] === undefined)
    .map(({ path }) => `${path}: split it, or give the reason in longFiles`);
  const stale = Object.keys(longFiles).filter((path) => !existsSync(path));
  assert.deepEqual([...problems, ...stale], []);
});

test("tidy: every link in the documents leads somewhere", () => {
  const problems = pages.flatMap((page) => {
    const prose = readFileSync(page, "utf8")
      .replace(/^( *)```[\s\S]*?^\1```/gm, "")
      .replace(/`[^`\n]*`/g, "");
    const links = [...prose.matchAll(/\]\(<?([^)\s>]+)>?(?:\s+"[^"]*")?\)|^\[[^\]]+\]:\s+(\S+)/gm)];
    const targets = links.map(([, inline, reference]) => inline ?? reference ?? "");
    return targets
      .filter((target) => !/^([a-z]+:|#)/.test(target))
      .filter((target) => !existsSync(join(dirname(page), decodeURI(target.replace(/#.*$/, "")))))
      .map((target) => `${page}: ${target}`);
  });
  assert.deepEqual(problems, []);
});

test("tidy: every decision is listed, and every dependency was one", () => {
  const folder = "doc/decisions";
  const list = readFileSync(`${folder}/README.md`, "utf8");
  const decisions = globSync(`${folder}/*.md`).filter((path) => basename(path) !== "README.md");
  const unlisted = decisions.filter((path) => !list.includes(`](${basename(path)})`));
  const oddNames = decisions.filter((path) => !/^\d{4}-[a-z0-9-]+\.md$/.test(basename(path)));
  const prose = decisions.map((path) => readFileSync(path, "utf8")).join("\n");
  const packages = { ...manifest.dependencies, ...manifest.optionalDependencies, ...manifest.devDependencies };
  const undecided = Object.keys(packages).filter((name) => !prose.includes(`\`${name}\``));
  assert.deepEqual({ unlisted, oddNames, undecided }, { unlisted: [], oddNames: [], undecided: [] });
});
