/**
 * Installs the dependencies, unless node_modules already is what package-lock.json says.
 *
 * Everything else in the project runs under the Node 26 that this step installs, so this one file is plain
 * JavaScript for whatever Node is on the machine (20 or later). It is the first step of the scripts in
 * package.json and not a "pre" script of theirs: npm skips those for whoever sets `ignore-scripts=true`.
 *
 * No dependency's install script is run (`--ignore-scripts`): all of them carry prebuilt binaries.
 * Nothing is asked of the network, and little of the disk, when there is nothing to do: about 40 ms.
 */
import { spawnSync } from "node:child_process";
import { existsSync, readFileSync, rmSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

const root = join(dirname(fileURLToPath(import.meta.url)), "..");
/** What npm writes, last of all, about what it has put into node_modules. */
const installedPath = join(root, "node_modules/.package-lock.json");

/** Why the dependencies have to be installed, or undefined if they are there. */
function findReason() {
  const nodePath = join(root, `node_modules/node-linux-${process.arch}/bin/node`);
  if (!existsSync(installedPath) || !existsSync(nodePath)) return "nothing is installed yet";
  const wanted = readPackages(join(root, "package-lock.json"));
  const installed = readPackages(installedPath);
  const isThere = (path) => installed[path]?.integrity === wanted[path].integrity && existsSync(join(root, path));
  // A package for another platform is optional, and rightly not there.
  const missing = Object.keys(wanted).find((path) => !isThere(path) && !(wanted[path].optional && !installed[path]));
  if (missing !== undefined) return `${missing} is not what package-lock.json says`;
  const extra = Object.keys(installed).find((path) => wanted[path] === undefined);
  return extra === undefined ? undefined : `${extra} is not in package-lock.json`;
}

/** The packages of a lock file, by their path; without the project itself. */
function readPackages(path) {
  const { "": _project, ...packages } = JSON.parse(readFileSync(path, "utf8")).packages;
  return packages;
}

/** Runs a program in the project; what it prints goes to stderr, as stdout may be somebody's data (`npm pack --json`). */
function run(program, args) {
  const { status, error } = spawnSync(program, args, { cwd: root, stdio: ["ignore", 2, 2] });
  if (error !== undefined) throw error;
  return status ?? 1;
}

function install() {
  const args = ["ci", "--ignore-scripts", "--include=dev", "--include=optional", "--prefer-offline", "--no-progress"];
  // npm_execpath and npm_node_execpath are the npm that runs us, and its Node: not the one being replaced.
  const { npm_execpath: npmPath, npm_node_execpath: nodePath = process.execPath } = process.env;
  // A run killed half-way must not look complete the next time.
  rmSync(installedPath, { force: true });
  return npmPath?.endsWith(".js") ? run(nodePath, [npmPath, ...args]) : run("npm", args);
}

/**
 * Does all this again holding a lock on the project's folder, so that two at once do not delete each other's files.
 * The lock is the kernel's and passes on to npm: it lasts exactly as long as the last process of the installation.
 */
function installLocked() {
  try {
    return run("flock", [root, process.execPath, fileURLToPath(import.meta.url), "--locked"]);
  } catch (error) {
    if (error.code !== "ENOENT") throw error;
    return install(); // There is no flock (util-linux) here.
  }
}

if (process.platform !== "linux") {
  console.error(`Ourobox runs on Linux (x64 and arm64) so far; this is ${process.platform}-${process.arch}.`);
  process.exit(1);
}
const reason = findReason();
if (reason !== undefined && !process.argv.includes("--locked")) process.exit(installLocked());
if (reason !== undefined) {
  console.error(`Installing the dependencies: ${reason}`);
  const status = install();
  if (status !== 0) console.error("Cannot install the dependencies: npm ci failed, see above.");
  process.exit(status);
}
