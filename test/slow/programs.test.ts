/** Programs that people use, at work in a live mount: git, sqlite3, make, npm, rsync and tar find there what they find on ext4. */
import { programTest } from "../support/live-programs.ts";

/** A repository of this project's sources with some history, in `$OUTSIDE/origin`. */
const makeOrigin = `
  mkdir "$OUTSIDE/origin"; cd "$OUTSIDE/origin"
  git -c init.defaultBranch=main init -q
  cp -R "$CHECKOUT/src" "$CHECKOUT/doc" .
  for n in 1 2 3 4 5; do
    find src -name '*.ts' | head -n $((n * 40)) | while read -r file; do echo "// $n" >> "$file"; done
    git add .; git commit -qm "commit $n"
  done`;

programTest("git clones, commits, merges, moves between branches, packs and finds nothing damaged", {
  needs: ["git"],
  limitMs: 120_000,
  script: `
    (${makeOrigin})
    git clone -q --no-hardlinks "$OUTSIDE/origin" repository; cd repository
    clean() { test -z "$(git status --porcelain)"; }
    clean
    echo more >> src/new; git mv doc documents; git add .; git commit -qm moved; clean
    git checkout -q -b side HEAD~3; clean; echo side > side; git add side; git commit -qm side
    git checkout -q main; git merge -q -m merged side; clean
    git worktree add -q ../tree side; git -C ../tree status --porcelain
    echo stashed >> src/new; git stash -q; clean; git stash pop -q; git checkout -q -- .
    git gc -q --prune=now; git fsck --full --strict; clean
    git clone -q . ../again; git -C ../again fsck --full; diff -r --exclude=.git . ../again
    git push -q "$OUTSIDE/origin" main:pushed; test "$(git -C "$OUTSIDE/origin" rev-parse pushed)" = "$(git rev-parse HEAD)"
    git clean -qfdx; clean`,
});

programTest("sqlite3 writes a thousand transactions by two processes at once in WAL mode, and others with a journal", {
  needs: ["sqlite3"],
  script: `
    sqlite3 wal.db 'PRAGMA journal_mode=WAL; CREATE TABLE t(id INTEGER PRIMARY KEY, writer INT, bytes BLOB)' | grep -qx wal
    write() {
      {
        echo '.timeout 30000'
        for n in $(seq 500); do echo "BEGIN IMMEDIATE; INSERT INTO t(writer, bytes) VALUES($1, randomblob(300)); COMMIT;"; done
      } | sqlite3 -bail wal.db
    }
    write 1 & first=$!
    write 2
    wait $first
    test "$(sqlite3 wal.db 'SELECT writer, count(*) FROM t GROUP BY writer' | tr '\\n' ' ')" = '1|500 2|500 '
    sqlite3 wal.db 'PRAGMA wal_checkpoint(TRUNCATE)' | grep -q '^0|'
    sqlite3 wal.db 'PRAGMA integrity_check' | grep -qx ok
    for mode in DELETE TRUNCATE PERSIST; do
      sqlite3 $mode.db "PRAGMA journal_mode=$mode; CREATE TABLE t(bytes BLOB)" | grep -qix $mode
      for n in $(seq 100); do echo 'INSERT INTO t VALUES(randomblob(2000));'; done | sqlite3 -bail $mode.db
      sqlite3 $mode.db 'BEGIN; DELETE FROM t; ROLLBACK; VACUUM'
      test "$(sqlite3 $mode.db 'PRAGMA mmap_size=100000000; PRAGMA integrity_check; SELECT count(*) FROM t' | tail -n 2 | tr '\\n' ' ')" = 'ok 100 '
    done`,
});

const build = `
  mkdir build; cd build
  ../configure
  make -s -j2 check; make -q all
  touch ../table.sh
  if make -q all; then echo 'make has not seen what is newer'; exit 1; fi
  make -s check; make -s clean; make -s -j2 check; make -q all`;

programTest("a C project is configured, built beside its sources and tested, and make knows what is newer", {
  needs: ["cc", "ar", "make", "gencat"],
  script: `cp -R "$SUPPORT/c-project" project; cd project; ${build}`,
});

programTest("npm ci installs what a lock file says", {
  needs: ["npm"],
  limitMs: 200_000,
  script: `
    cp "$CHECKOUT/package.json" "$CHECKOUT/package-lock.json" .
    install() { timeout 90 npm ci --ignore-scripts --prefer-offline --no-audit --no-fund --loglevel=error --fetch-timeout=30000; }
    install || install
    npm ls --all > /dev/null
    node_modules/.bin/tsc --version; node_modules/.bin/biome --version`,
});

/** A tree of all kinds, all of it old: rsync leaves the times of what is of the same second as they are. */
const makeKinds = `
  mkdir "$OUTSIDE/kinds"; cd "$OUTSIDE/kinds"
  mkdir -p a/b/c empty
  echo one > a/file; ln a/file a/b/hard; ln -s ../file a/b/link; ln -s /nowhere a/dangling; mkfifo a/fifo
  chmod 640 a/file; chmod 1777 a/b/c; chmod 500 empty
  printf x | dd of=a/holes bs=1 seek=500000 status=none; truncate -s 1000000 a/holes
  setfattr -n user.note -v text a/file a/b; setfacl -m u:1234:rw a/holes; setfacl -d -m u:77:rwx a/b/c
  printf x > "$(printf 'a/\\377\\376 \\n name')"
  if [ "$(id -u)" = 0 ]; then
    mknod a/device c 1 3; chown -h 12:13 a/dangling; chown 1000:1001 a/b a/holes; chmod 6755 a/holes
    setfattr -n trusted.note -v trusted a/file
  fi
  cp -R "$CHECKOUT/src" sources
  find . -exec touch -h -d '2002-02-02 02:02:02.123456789' {} +`;
const same = (one: string, two: string): string => `"$NODE" "$SUPPORT/compare-folders.ts" ${one} ${two}`;

programTest("rsync -aHAX brings a tree of all kinds in and out again, and tells no difference", {
  needs: ["rsync", "setfattr", "setfacl"],
  script: `
    (${makeKinds})
    rsync -aHAX "$OUTSIDE/kinds/" in/; ${same('"$OUTSIDE/kinds"', "in")}
    test -z "$(rsync -aHAXin --checksum --delete "$OUTSIDE/kinds/" in/)"
    rsync -aHAX in/ "$OUTSIDE/out/"; ${same('"$OUTSIDE/kinds"', '"$OUTSIDE/out"')}
    rsync -aHAX --sparse --delay-updates in/ other/; ${same('"$OUTSIDE/kinds"', "other")}
    for each in in other; do echo changed >> "$OUTSIDE/kinds/sources/app/mod.ts"; rm -f "$OUTSIDE/kinds/sources/cli/main.ts"
      touch -d 2003-03-03 "$OUTSIDE/kinds/sources/app/mod.ts" "$OUTSIDE/kinds/sources/cli"
      rsync -aHAX --inplace --no-whole-file --delete "$OUTSIDE/kinds/" $each/; ${same('"$OUTSIDE/kinds"', "$each")}
    done
    cp -a in copied; ${same("in", "copied")}
    mv copied moved; rm -r moved`,
});

programTest("tar packs and unpacks a tree of all kinds, in and out, and compares it equal", {
  needs: ["tar", "setfattr", "setfacl"],
  script: `
    (${makeKinds})
    tar() { command tar --xattrs --xattrs-include='*' --acls --numeric-owner --sparse "$@"; }
    tar -cpf "$OUTSIDE/in.tar" --format=posix -C "$OUTSIDE/kinds" .
    mkdir in; tar -xpf "$OUTSIDE/in.tar" -C in; ${same('"$OUTSIDE/kinds"', "in")}
    tar -df "$OUTSIDE/in.tar" -C in
    tar -cpf out.tar --format=posix -C in .
    mkdir "$OUTSIDE/out"; tar -xpf out.tar -C "$OUTSIDE/out"; ${same('"$OUTSIDE/kinds"', '"$OUTSIDE/out"')}`,
});

programTest("of what only the metadata is here, git, make, sqlite3 and rsync see no difference", {
  needs: ["git", "cc", "ar", "make", "gencat", "sqlite3", "rsync"],
  isUnreal: true,
  limitMs: 120_000,
  prepare: `
    (${makeOrigin})
    cp -a "$OUTSIDE/origin" repository; cp -R "$SUPPORT/c-project" project; cp -R "$CHECKOUT/src" sources; cp -a sources "$OUTSIDE/sources"
    sqlite3 wal.db 'PRAGMA journal_mode=WAL; CREATE TABLE t(bytes BLOB); INSERT INTO t SELECT randomblob(3000) FROM generate_series(1, 300)'`,
  script: `
    cd repository; test -z "$(git status --porcelain)"
    # Longer than the kernel believes what it has seen: who is in a directory stays there when it has become real.
    sleep 1.2; test "$(/bin/pwd)" = "$PWD"
    git fsck --full --strict; cd ..
    (cd project; ${build})
    echo "PRAGMA integrity_check; UPDATE t SET bytes = 'x' WHERE rowid % 2 = 0; DELETE FROM t WHERE rowid % 3 = 0; VACUUM; PRAGMA integrity_check; SELECT count(*) FROM t" |
      sqlite3 -bail wal.db | tr '\\n' ' ' | grep -qx 'ok ok 200 '
    test -z "$(rsync -ain --checksum --delete "$OUTSIDE/sources/" sources/)"
    (cd repository; mv doc documents; echo changed >> documents/mount.md; git add .; git commit -qm moved; git gc -q; git fsck --full --strict)
    mv sources moved; rm moved/app/mod.ts; echo changed > moved/cli/main.ts; cp -a moved copied; diff -r moved copied; rm -r copied`,
});

programTest("who works in unreal directories while they are moved and committed stays in them", {
  needs: ["cc", "ar", "make", "gencat"],
  isUnreal: true,
  commitAfter: "200ms",
  limitMs: 120_000,
  prepare: `cp -R "$CHECKOUT/src" sources; mkdir d; cp -R "$SUPPORT/c-project" d/project`,
  script: `
    here() { test "$(/bin/pwd)" = "$TOP/$1"; }
    TOP=$(/bin/pwd); cd sources/vfs
    mkdir ../../new; mv ../app ../../new/app; sleep 1.2
    here sources/vfs; cmp ../../new/app/mod.ts "$CHECKOUT/src/app/mod.ts"; echo more >> ../../new/app/mod.ts
    mv ../vfs ../../new/vfs; sleep 1.2
    cd "$TOP/new/vfs"; sed -i s/the/The/ m*.ts; sleep 1.2; here new/vfs
    mv ../../d/project .; cd project; sleep 1.2; ./configure; make -s -j2 check; here new/vfs/project
    mv "$TOP/new/vfs/project" "$TOP/d/other"; sleep 1.2; cd "$TOP/d/other"; touch table.sh; ./configure; make -s check; here d/other
    cd "$TOP"; cp -a sources copied; rm -r sources; mv copied sources; diff -r sources/base "$CHECKOUT/src/base"`,
});
