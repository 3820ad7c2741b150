#!/bin/sh
# Fetches Debian's arm64 builds of the libraries that Pollux uses and unpacks them into a sysroot for tools/arm64.cmake, without
# installing anything: their -dev packages conflict with the host's. Usage: tools/arm64-sysroot.sh [folder], by default build/arm64-sysroot.
# Needs: dpkg --add-architecture arm64 && apt-get update, once; g++-aarch64-linux-gnu and qemu-user-static to build and run.
set -eu

root=$(cd "$(dirname "$0")/.." && pwd)
sysroot=${1:-$root/build/arm64-sysroot}
packages="libasmjit-dev:arm64 libgtest-dev:arm64 libgmock-dev:arm64 libfmt-dev:arm64 libfmt9:arm64 libzydis-dev:arm64 libzydis4.0:arm64
    libzycore-dev:arm64 libzycore1.4:arm64 libbenchmark-dev:arm64 libbenchmark1debian:arm64 nlohmann-json3-dev libcli11-dev"

if [ -e "$sysroot/complete" ]; then
    echo "$sysroot is there already"
    exit 0
fi
if ! dpkg --print-foreign-architectures | grep -qx arm64; then
    echo "arm64 is not a foreign architecture here: run 'dpkg --add-architecture arm64 && apt-get update' as root first" >&2
    exit 1
fi
mkdir -p "$sysroot"
downloads=$(mktemp -d)
trap 'rm -rf "$downloads"' EXIT
for package in $packages; do
    # What a release does not have under this name (a library's soname changed) is skipped: find_library names what is missing.
    (cd "$downloads" && apt-get download -q "$package") || echo "no package $package" >&2
done
for archive in "$downloads"/*.deb; do
    dpkg -x "$archive" "$sysroot"
done
touch "$sysroot/complete"
echo "unpacked into $sysroot"
