#!/usr/bin/env bash
# Builds the least kernel that airtight is held against, from Debian's source: some minutes, once for each ci/small-kernel.config. It wants a C
# compiler, make, flex, bison, bc and libelf-dev.
#
#   ci/small-kernel.sh [FOLDER]   builds it if it is missing, and prints its path [folder: ~/.cache/airtight-kernels]
set -euo pipefail
cd "$(dirname "$0")"
folder=${1:-${XDG_CACHE_HOME:-$HOME/.cache}/airtight-kernels}
own=$folder/small-$(sha256sum small-kernel.config | cut -c1-8)

if [ ! -e "$own/bzImage" ]; then
    source=$(./kernels.sh "$folder" bookworm linux-source-6.1)
    rm -rf "$own"
    mkdir -p "$own/build"
    dpkg-deb --fsys-tarfile "$source" | tar -x -O ./usr/src/linux-source-6.1.tar.xz | tar -xJ -C "$own/build" --strip-components 1
    {
        make -s -C "$own/build" tinyconfig
        cat small-kernel.config >>"$own/build/.config"
        make -s -C "$own/build" olddefconfig
        make -s -C "$own/build" -j"$(nproc)" bzImage
    } >"$own/log" 2>&1 || { tail -20 "$own/log" >&2; exit 1; }
    ! grep -q '^CONFIG_NAMESPACES=y' "$own/build/.config"
    mv "$own/build/arch/x86/boot/bzImage" "$own/bzImage"
    rm -rf "$own/build" "$source"
fi
printf '%s\n' "$own/bzImage"
