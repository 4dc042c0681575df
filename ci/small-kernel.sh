#!/usr/bin/env bash
# Builds a kernel from Debian's source, from `make tinyconfig` and a list of what it has beside that: some minutes, once for each list. It wants
# a C compiler, make, flex, bison, bc and libelf-dev.
#
#   ci/small-kernel.sh [FOLDER [LIST]]   builds it if it is missing, and prints its path [folder: ~/.cache/airtight-kernels]
#                                        [list: small, which is the least kernel that airtight is held against; contenders, which is the one
#                                        that airtight is measured on beside others, see ci/contenders.sh]
set -euo pipefail
cd "$(dirname "$0")"
folder=${1:-${XDG_CACHE_HOME:-$HOME/.cache}/airtight-kernels}
list=${2:-small}
config=$list-kernel.config
own=$folder/$list-$(sha256sum "$config" | cut -c1-8)

if [ ! -e "$own/bzImage" ]; then
    source=$(./kernels.sh "$folder" bookworm linux-source-6.1)
    rm -rf "$own"
    mkdir -p "$own/build"
    dpkg-deb --fsys-tarfile "$source" | tar -x -O ./usr/src/linux-source-6.1.tar.xz | tar -xJ -C "$own/build" --strip-components 1
    {
        make -s -C "$own/build" tinyconfig
        cat "$config" >>"$own/build/.config"
        make -s -C "$own/build" olddefconfig
        # What depends on something that is missing is left out without a word.
        if grep '=y$' "$config" | grep -vxFf "$own/build/.config"; then echo "the kernel would not have these" && exit 1; fi
        make -s -C "$own/build" -j"$(nproc)" bzImage
    } >"$own/log" 2>&1 || { tail -20 "$own/log" >&2; exit 1; }
    [ "$list" != small ] || ! grep '^CONFIG_NAMESPACES=y' "$own/build/.config" || exit 1
    mv "$own/build/arch/x86/boot/bzImage" "$own/bzImage"
    rm -rf "$own/build" "$source"
fi
printf '%s\n' "$own/bzImage"
