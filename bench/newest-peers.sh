#!/bin/bash
# Unpacks the newest restic, desync and borg that Debian has (from sid) below $OUROBOX_BENCH_DIR/peers, where bench/run.ts finds
# them first. Nothing is installed and the system's package lists stay as they are. For amd64.
set -euo pipefail
base=${OUROBOX_BENCH_DIR:-${TMPDIR:-/tmp}/ourobox-bench}
mkdir -p "$base" && base=$(realpath "$base")/peers
mkdir -p "$base"/{bin,debs,restic,borg/usr/lib,borg/usr/lib64,borg/usr/bin} "$base"/apt/{lists,cache/archives}/partial
keys=/usr/share/keyrings/debian-archive-keyring.gpg
echo "deb [signed-by=$keys] http://deb.debian.org/debian sid main" > "$base/apt/sources.list"
options=(-o "Dir::Etc::sourcelist=$base/apt/sources.list" -o Dir::Etc::sourceparts=- -o "Dir::State::lists=$base/apt/lists"
  -o "Dir::Cache=$base/apt/cache" -o APT::Sandbox::User=root)
apt-get "${options[@]}" -q update
cd "$base/debs"

apt-get "${options[@]}" -q download restic desync
for package in restic desync; do # Go programs: they need no more than the system's libc.
  archive=$(ls -t ${package}_*.deb | head -n 1)
  dpkg-deb -x "$archive" "$base/restic"
  dpkg-deb -f "$archive" Version > "$base/bin/$package.version"
  ln -sf "../restic/usr/bin/$package" "$base/bin/$package"
done

# borg brings its Python and libc along.
borg=(borgbackup python3-msgpack python3-packaging libacl1 libbz2-1.0 libc6 libexpat1 libffi8 libgcc-s1 liblz4-1 liblzma5 libssl3t64
  libuuid1 libxxhash0 libzstd1 zlib1g)
# For `borg mount`.
borg+=(python3-pyfuse3 python3-trio python3-attr python3-idna python3-outcome python3-sniffio python3-sortedcontainers libfuse3-4)
python=$(apt-cache "${options[@]}" depends python3 | sed -n 's/.*Depends: \(python3\.[0-9]*\)$/\1/p' | head -n 1)
borg+=("$python" "$python-minimal" "lib$python-minimal" "lib$python-stdlib")
mkdir -p "$base/debs/borg" && cd "$base/debs/borg"
apt-get "${options[@]}" -q download "${borg[@]}"
ln -sfn usr/lib "$base/borg/lib"
ln -sfn usr/lib64 "$base/borg/lib64"
for package in *.deb; do dpkg-deb --fsys-tarfile "$package" | tar -x --keep-directory-symlink -C "$base/borg"; done
libraries=$base/borg/usr/lib/x86_64-linux-gnu
cat > "$base/bin/borg" <<END
#!/bin/sh
PYTHONHOME=$base/borg/usr PYTHONPATH=$base/borg/usr/lib/python3/dist-packages exec $libraries/ld-linux-x86-64.so.2 \\
  --library-path $libraries $base/borg/usr/bin/$python -s $base/borg/usr/bin/borg "\$@"
END
chmod +x "$base/bin/borg"
# What the package's installation would do; without it every start compiles 0.25 s of Python.
"$base/bin/borg" --version > /dev/null
PYTHONHOME=$base/borg/usr "$libraries/ld-linux-x86-64.so.2" --library-path "$libraries" "$base/borg/usr/bin/$python" -s \
  -m compileall -q -x 'test|lib2to3' "$base/borg/usr/lib/$python" "$base/borg/usr/lib/python3" || true
cd "$base"
rm -rf debs apt
"$base/bin/restic" version
"$base/bin/borg" --version
