/**
 * Bundles the program into `dist/`, for the published package: Node runs no TypeScript under node_modules.
 *
 * One flat folder: `main.js`, one `<folder>-<name>.worker.js` for each `src/<folder>/<name>.worker.ts`, what they
 * share, and what is only loaded when asked for (dynamic imports). Dependencies of package.json stay outside;
 * devDependencies that the program imports are bundled, and their licences collected in `LICENSES.txt`.
 */
import assert from "node:assert/strict";
import { globSync, mkdirSync, readdirSync, readFileSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { build, type Metafile } from "esbuild";
import manifest from "../package.json" with { type: "json" };

const root = `${import.meta.dirname}/..`;
process.chdir(root);

/** Made aside and then moved, so that two builds at once, or a killed one, leave no half of anything. */
const outDir = `node_modules/.cache/ourobox/dist-${process.pid}`;

function entryPoints(): { in: string; out: string }[] {
  const workers = globSync("src/**/*.worker.ts").sort();
  const outOf = (path: string): string => path.slice("src/".length, -".ts".length).replaceAll("/", "-");
  return [{ in: "src/cli/main.ts", out: "main" }, ...workers.map((path) => ({ in: path, out: outOf(path) }))];
}

/** The folder of each npm package that was bundled: "node_modules/ignore". */
function bundledPackages(metafile: Metafile): string[] {
  const folders = Object.keys(metafile.inputs).map((path) => /^.*node_modules\/(@[^/]+\/)?[^/]+/.exec(path)?.[0]);
  return [...new Set(folders.filter((folder) => folder !== undefined))].sort();
}

function licencesOf(folders: readonly string[]): string {
  const texts = folders.map((folder) => {
    const file = readdirSync(folder).find((name) => /^licen[cs]e/i.test(name));
    assert(file !== undefined, `Cannot bundle ${folder}: it has no licence file (look why, or make it a dependency)`);
    return `${folder.replace(/^.*node_modules\//, "")}\n\n${readFileSync(`${folder}/${file}`, "utf8").trim()}\n`;
  });
  return `Parts of these packages are in the files beside this one.\n\n${texts.join(`\n${"-".repeat(80)}\n\n`)}`;
}

mkdirSync(outDir, { recursive: true });
const { metafile, outputFiles } = await build({
  entryPoints: entryPoints(),
  outdir: outDir,
  bundle: true,
  splitting: true,
  format: "esm",
  platform: "node",
  target: "node26",
  external: Object.keys({ ...manifest.dependencies, ...manifest.optionalDependencies }),
  chunkNames: "[name]-[hash]",
  charset: "utf8",
  metafile: true,
  write: false,
  logLevel: "warning",
});
for (const { path, text, contents } of outputFiles) {
  // esbuild's stand-in for a require() it could not resolve: it would throw only when reached.
  assert(!text.includes('Dynamic require of "'), `Cannot bundle: ${path} has a CommonJS require of a built-in module`);
  writeFileSync(path, contents);
}
writeFileSync(`${outDir}/LICENSES.txt`, licencesOf(bundledPackages(metafile)));

rmSync("dist", { recursive: true, force: true });
renameSync(outDir, "dist");
const bytes = outputFiles.reduce((sum, { contents }) => sum + contents.length, 0);
process.stderr.write(`dist: ${outputFiles.length} files, ${Math.ceil(bytes / 1024)} KiB\n`);
