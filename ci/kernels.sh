#!/usr/bin/env bash
# Fetches kernels of Debian into a cache, as packages: the newest of each line that airtight is held against. Nothing is installed, and the
# machine's own apt is left as it is. apt checks the signatures.
#
#   ci/kernels.sh [FOLDER]   fetches what is missing, prints the packages' paths, oldest first, and writes them into FOLDER/kernels.yaml,
#                            for `airtight run --kernels` [folder: ~/.cache/airtight-kernels]
#   ci/kernels.sh FOLDER SUITE PACKAGE   fetches this one package, and prints its path
set -euo pipefail
folder=${1:-${XDG_CACHE_HOME:-$HOME/.cache}/airtight-kernels}

# Suite and meta-package: what they depend on is the newest kernel of that line.
LINES=(
    "bullseye linux-image-amd64"
    "bookworm linux-image-cloud-amd64"
    "bookworm linux-image-amd64"
    "bookworm linux-image-rt-amd64"
    "trixie linux-image-amd64"
    "sid linux-image-amd64"
)

keyring=/usr/share/keyrings/debian-archive-keyring.gpg
mkdir -p "$folder/apt"
folder=$(cd "$folder" && pwd)

# An apt of its own for a suite: lists and settings below the folder.
own_apt() { # suite program arguments…
    local suite=$1 program=$2 root=$folder/apt/$1
    shift 2
    "$program" -qq -o Dir::Etc="$root/etc" -o Dir::State="$root/state" -o Dir::Cache="$root/cache" -o Dir::State::status="$root/status" \
        -o APT::Architecture=amd64 -o APT::Architectures::=amd64 -o APT::Sandbox::User=root -o Debug::NoLocking=true -o Acquire::Languages=none \
        -o Acquire::Check-Valid-Until=false "$@"
}

prepare() { # suite
    local root=$folder/apt/$1
    mkdir -p "$root/etc/sources.list.d" "$root/etc/preferences.d" "$root/state/lists/partial" "$root/cache/archives/partial"
    : >"$root/status"
    printf 'deb [signed-by=%s] http://deb.debian.org/debian %s main\n' "$keyring" "$1" >"$root/etc/sources.list"
    [ "$1" = sid ] || printf 'deb [signed-by=%s] http://deb.debian.org/debian-security %s-security main\n' "$keyring" "$1" \
        >>"$root/etc/sources.list"
    # Once a day is enough.
    [ -n "$(find "$root/fresh" -mtime -1 2>/dev/null)" ] || { own_apt "$1" apt-get update && touch "$root/fresh"; } >&2
}

# The package's file, fetched if it is missing.
fetched() { # suite package
    local file
    file=$(find "$folder" -maxdepth 1 -name "$2_*.deb" | sort -V | tail -1)
    if [ -z "$file" ]; then
        (cd "$folder" && own_apt "$1" apt-get download "$2") >&2
        file=$(find "$folder" -maxdepth 1 -name "$2_*.deb" | sort -V | tail -1)
    fi
    printf '%s\n' "$file"
}

# The first package of this kind that another depends on.
needed() { # suite package pattern
    own_apt "$1" apt-cache depends "$2" | awk -v wanted="$3" '$1 == "Depends:" && $2 ~ wanted { print $2; exit }'
}

if [ "$#" = 3 ]; then
    prepare "$2"
    fetched "$2" "$3"
    exit
fi

printf 'kernels:\n' >"$folder/kernels.new"
for line in "${LINES[@]}"; do
    read -r suite meta <<<"$line"
    prepare "$suite"
    package=$(needed "$suite" "$meta" '^linux-image-[0-9]')
    [ -n "$package" ] || { echo "$suite has no $meta" >&2; exit 1; }
    # Newer packages are split: the kernel itself, and beside it its modules, and its configuration with the list of what is built in.
    binary=$(needed "$suite" "$package" '^linux-binary-')
    if [ -n "$binary" ]; then
        fetched "$suite" "$(needed "$suite" "$package" '^linux-modules-')" >/dev/null
        fetched "$suite" "$(needed "$suite" "$package" '^linux-base-[0-9]')" >/dev/null
        package=$binary
    fi
    file=$(fetched "$suite" "$package")
    printf '  - path: %s\n' "$file" >>"$folder/kernels.new"
    printf '%s\n' "$file"
done
mv "$folder/kernels.new" "$folder/kernels.yaml"
