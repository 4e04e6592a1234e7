/**
 * The peers: what a user would pick instead. All optional; Debian packages of their own names. Each is used as its manual says, with its
 * default cache, compression on, and a fresh home.
 */
import { join } from "node:path";
import { shell, tryRun } from "./measure.ts";
import type { Place, Tool } from "./tool.ts";

function version(argv: readonly [string, ...string[]], pattern: RegExp): () => Promise<string | undefined> {
  return async () => {
    const printed = await tryRun(shell('"$@" 2>&1', argv));
    return printed === undefined ? undefined : (pattern.exec(printed)?.[0] ?? printed.split("\n")[0]);
  };
}

const homeOnly = (place: Place): Record<string, string> => ({
  HOME: place.home,
  XDG_CACHE_HOME: join(place.home, ".cache"),
  XDG_CONFIG_HOME: join(place.home, ".config"),
});

const restic: Tool = {
  name: "restic",
  findVersion: version(["restic", "version"], /\d+\.\d+\.\d+/),
  environment: (place) => ({ ...homeOnly(place), RESTIC_PASSWORD: "benchmark", RESTIC_REPOSITORY: place.repository }),
  init: () => ({ argv: ["restic", "init", "-q", "--repository-version", "2"] }),
  commit: (place) => ({ argv: ["restic", "backup", "-q", "--compression", "auto", "."], cwd: place.tree }),
  restore: (_place, target) => ({ argv: ["restic", "restore", "-q", "latest", "--target", target] }),
  repositoryOf: (place) => place.repository,
};

function borg(name: string, compression: string, encryption: string): Tool {
  return {
    name,
    findVersion: version(["borg", "--version"], /\d+\.\d+\.\d+/),
    environment: (place) => ({
      ...homeOnly(place),
      BORG_BASE_DIR: place.home,
      BORG_REPO: place.repository,
      BORG_PASSPHRASE: "benchmark",
      BORG_UNKNOWN_UNENCRYPTED_REPO_ACCESS_IS_OK: "yes",
      BORG_RELOCATED_REPO_ACCESS_IS_OK: "yes",
    }),
    init: () => ({ argv: ["borg", "init", "-e", encryption] }),
    commit: (place, label) => ({ argv: ["borg", "create", "-C", compression, `::${label}`, "."], cwd: place.tree }),
    restore: (_place, target) => shell('exec borg extract "::$(borg list --short --last 1)"', [], { cwd: target }),
    repositoryOf: (place) => place.repository,
  };
}

const tarRclone: Tool = {
  name: "tar+rclone",
  findVersion: version(["rclone", "version"], /\d+\.\d+\.\d+/),
  environment: (place) => ({ ...homeOnly(place), RCLONE_CONFIG: join(place.home, "rclone.conf") }),
  commit: (place) => shell('tar -C "$1" -cf - . | rclone rcat "$2/tree.tar"', [place.tree, place.repository]),
  forgetful: true,
  repositoryOf: (place) => place.repository,
};

/** A plain copy, by a program that can mount it; for benchmarks of reading. */
const rclone: Tool = {
  name: "rclone",
  findVersion: tarRclone.findVersion,
  environment: (place) => ({ ...homeOnly(place), RCLONE_CONFIG: join(place.home, "rclone.conf") }),
  commit: (place) => shell('rclone copy --links "$1" ":local:$2"', [place.tree, place.repository]),
  forgetful: true,
  repositoryOf: (place) => place.repository,
};

const casync: Tool = {
  name: "casync",
  findVersion: version(["casync", "--version"], /\d+/),
  environment: homeOnly,
  init: (place) => ({ argv: ["mkdir", "-p", place.repository] }),
  commit: (place) =>
    shell('exec casync make --store="$1/store" "$1/tree.caidx" "$2" > "$1/../casync.log"', [
      place.repository,
      place.tree,
    ]),
  restore: (place, target) =>
    shell('exec casync extract --store="$1/store" "$1/tree.caidx" "$2"', [place.repository, target]),
  repositoryOf: (place) => place.repository,
  image: {
    commit: (place, file, label) =>
      shell('exec casync make --store="$1/store" "$1/$3.caibx" "$2" > "$1/../casync.log"', [
        place.repository,
        file,
        label,
      ]),
  },
};

const desync: Tool = {
  name: "desync",
  findVersion: async () => {
    const found = await tryRun(
      shell('desync --help > /dev/null && cat "$(dirname "$(command -v desync)")/desync.version"'),
    );
    return found ?? (await tryRun(shell("desync --help > /dev/null && echo installed")));
  },
  environment: homeOnly,
  init: (place) => ({ argv: ["mkdir", "-p", join(place.repository, "store")] }),
  commit: (place) => shell('exec desync tar -i -s "$1/store" "$1/tree.caidx" "$2"', [place.repository, place.tree]),
  restore: (place, target) =>
    shell('exec desync untar -i -s "$1/store" "$1/tree.caidx" "$2"', [place.repository, target]),
  repositoryOf: (place) => place.repository,
  image: {
    commit: (place, file, label) =>
      shell('exec desync make -s "$1/store" "$1/$3.caibx" "$2"', [place.repository, file, label]),
  },
};

const bup: Tool = {
  name: "bup",
  findVersion: version(["bup", "--version"], /\d+\.\d+\.?\d*/),
  environment: (place) => ({ ...homeOnly(place), BUP_DIR: place.repository, GIT_AUTHOR_EMAIL: "bench@localhost" }),
  init: () => ({ argv: ["bup", "init"] }),
  commit: (place) => shell('bup -d "$BUP_DIR" index "$1" && exec bup save -q -n main --strip "$1"', [place.tree]),
  restore: (_place, target) => ({ argv: ["bup", "restore", "-q", "-C", target, "/main/latest/."] }),
  repositoryOf: (place) => place.repository,
  notStored: /^bupindex/,
};

const git: Tool = {
  name: "git",
  findVersion: version(["git", "--version"], /\d+\.\d+\.\d+/),
  environment: (place) => ({
    ...homeOnly(place),
    GIT_DIR: place.repository,
    GIT_AUTHOR_NAME: "bench",
    GIT_AUTHOR_EMAIL: "bench@localhost",
    GIT_COMMITTER_NAME: "bench",
    GIT_COMMITTER_EMAIL: "bench@localhost",
  }),
  init: () =>
    shell("git init -q && git config core.bare false && git config gc.auto 0 && git config core.autocrlf false"),
  commit: (place, label) =>
    shell(
      'git --work-tree="$1" add -A -f . && exec git --work-tree="$1" commit -q --allow-empty -m "$2"',
      [place.tree, label],
      {
        cwd: place.tree,
      },
    ),
  restore: (place, target) =>
    shell(
      'GIT_INDEX_FILE="$1/index.restored" exec git --work-tree="$2" checkout -q -f HEAD -- .',
      [place.scratch, target],
      {
        cwd: target,
      },
    ),
  repositoryOf: (place) => place.repository,
  notStored: /^index$/,
};

/** One compressed file that the kernel's tools can mount; for benchmarks of reading. */
const squashfuse: Tool = {
  name: "squashfuse",
  findVersion: async () =>
    tryRun(shell("command -v mksquashfs squashfuse > /dev/null; (squashfuse --version 2>&1 || true) | head -n 1")),
  environment: homeOnly,
  init: (place) => ({ argv: ["mkdir", "-p", place.repository] }),
  commit: (place) =>
    shell('exec mksquashfs "$2" "$1/tree.squashfs" -comp zstd -quiet -no-progress -noappend', [
      place.repository,
      place.tree,
    ]),
  repositoryOf: (place) => place.repository,
  forgetful: true,
};

const tarZstd: Tool = {
  name: "tar+zstd",
  findVersion: version(["zstd", "--version"], /\d+\.\d+\.\d+/),
  environment: homeOnly,
  init: (place) => ({ argv: ["mkdir", "-p", place.repository] }),
  commit: (place, label) =>
    shell('tar -C "$2" -cf - . | zstd -q -f -3 -T0 -o "$1/$3.tar.zst"', [place.repository, place.tree, label]),
  restore: (place, target) =>
    shell('zstd -q -dc "$(ls -t "$1"/*.tar.zst | head -n 1)" | tar -C "$2" -xpf -', [place.repository, target]),
  repositoryOf: (place) => place.repository,
  forgetful: true,
};

const rsync: Tool = {
  name: "rsync",
  findVersion: version(["rsync", "--version"], /\d+\.\d+\.\d+/),
  environment: homeOnly,
  init: (place) => ({ argv: ["mkdir", "-p", place.repository] }),
  commit: (place) => ({ argv: ["rsync", "-aSH", "--delete", `${place.tree}/`, `${place.repository}/`] }),
  restore: (place, target) => ({ argv: ["rsync", "-aSH", `${place.repository}/`, `${target}/`] }),
  repositoryOf: (place) => place.repository,
};

const cp: Tool = {
  name: "cp -a",
  findVersion: version(["cp", "--version"], /\d+\.\d+/),
  environment: homeOnly,
  init: (place) => ({ argv: ["mkdir", "-p", place.repository] }),
  commit: (place) => ({ argv: ["cp", "-a", `${place.tree}/.`, place.repository] }),
  restore: (place, target) => ({ argv: ["cp", "-a", `${place.repository}/.`, target] }),
  repositoryOf: (place) => place.repository,
  forgetful: true,
};

/** A plain copy that waits for the disk: the floor for large files. */
const dd: Tool = {
  name: "dd fsync",
  findVersion: version(["dd", "--version"], /\d+\.\d+/),
  environment: homeOnly,
  init: (place) => ({ argv: ["mkdir", "-p", place.repository] }),
  commit: (place) =>
    shell('for each in "$2"/*; do dd if="$each" of="$1/$(basename "$each")" bs=1M conv=fsync status=none; done', [
      place.repository,
      place.tree,
    ]),
  repositoryOf: (place) => place.repository,
  forgetful: true,
};

export const peerTools: readonly Tool[] = [
  restic,
  tarRclone,
  borg("borg-lz4", "lz4", "repokey"),
  borg("borg-zstd", "zstd", "repokey"),
  borg("borg-plain", "lz4", "none"),
  casync,
  desync,
  bup,
  git,
  squashfuse,
  rclone,
  tarZstd,
  rsync,
  cp,
  dd,
];
