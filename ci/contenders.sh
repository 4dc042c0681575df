#!/usr/bin/env bash
# What airtight is measured beside on kernels (`cargo bench --bench kernels`): virtme-ng and vmtest, which boot a kernel for one command.
#
#   ci/contenders.sh install                  installs them below FOLDER, with a root for their guests and a kernel that both can boot (root, Debian)
#   ci/contenders.sh has PROGRAM              whether it is there: vng or vmtest
#   ci/contenders.sh tree PACKAGE IMAGE TREE RELEASE   lays out the kernel with its package's modules below TREE, as they want to find it
#   ci/contenders.sh sealed TREE COMMAND…     runs a command where the host cannot be written to, has no KVM, and the guests' root is /mnt
#
# FOLDER is AIRTIGHT_CONTENDERS, or ~/.cache/airtight-contenders.
set -euo pipefail
folder=${AIRTIGHT_CONTENDERS:-${XDG_CACHE_HOME:-$HOME/.cache}/airtight-contenders}

VIRTME_NG=1.42
VMTEST=0.18.0
# virtme-ng asks `file` for a kernel's release, and modprobe for its modules.
PACKAGES=(busybox-static file kmod mmdebstrap python3-venv qemu-system-x86 util-linux)
# What their guests run: vmtest waits for qemu-guest-agent, virtme-ng finds its channels by udev's names and loads modules.
GUEST=busybox-static,iproute2,kmod,procps,qemu-guest-agent,udev

main() {
    case ${1:-} in
    install | has | tree | sealed | inside) "$@" ;;
    *)
        sed -n '2,9s/^# \{0,1\}//p' "$0"
        exit 2
        ;;
    esac
}

# Each is made beside its place and moved there, so that what is there is whole; and what is there is kept.
install() {
    packages
    mkdir -p "$folder"
    [ -x "$folder/virtme-ng-$VIRTME_NG/bin/vng" ] || from_pypi
    [ -x "$folder/vmtest-$VMTEST/bin/vmtest" ] || cargo install --quiet --locked --root "$folder/vmtest-$VMTEST" vmtest --version "$VMTEST"
    [ -d "$folder/root" ] || guest_root
    # They are known by names without versions.
    ln -sfn "virtme-ng-$VIRTME_NG" "$folder/virtme-ng"
    ln -sfn "vmtest-$VMTEST" "$folder/vmtest"
    "$(dirname "$0")/small-kernel.sh" "${AIRTIGHT_DEBIAN_KERNELS:-${XDG_CACHE_HOME:-$HOME/.cache}/airtight-kernels}" contenders
}

packages() {
    export DEBIAN_FRONTEND=noninteractive
    local missing=() name
    for name in "${PACKAGES[@]}"; do
        dpkg-query -W -f '${db:Status-Status}\n' "$name" 2>/dev/null | grep -qx installed || missing+=("$name")
    done
    [ "${#missing[@]}" = 0 ] && return
    apt-get update -q || { sleep 5; apt-get update -q; }
    apt-get install -q -y --no-install-recommends "${missing[@]}"
}

# Its programs name the interpreter by its path, so that the environment is made where it is to be.
from_pypi() {
    rm -rf "$folder/virtme-ng-$VIRTME_NG"
    /usr/bin/python3 -m venv "$folder/virtme-ng-$VIRTME_NG"
    "$folder/virtme-ng-$VIRTME_NG/bin/pip" install --quiet --disable-pip-version-check "virtme-ng==$VIRTME_NG"
}

guest_root() {
    rm -rf --one-file-system "$folder/root.new"
    mmdebstrap --quiet --variant=minbase --include="$GUEST" bookworm "$folder/root.new" http://deb.debian.org/debian
    mv "$folder/root.new" "$folder/root"
}

has() { [ -d "$folder/root" ] && { [ -x "$folder/virtme-ng/bin/$1" ] || [ -x "$folder/vmtest/bin/$1" ]; }; }

# The modules can be in a package beside that of the kernel. /lib is a link, as in the guests' root that the tree is laid over.
tree() { # package image tree release
    local package=$1 image=$2 tree=$3 release=$4
    mkdir -p "$tree/boot" "$tree/usr/lib/modules"
    [[ $package != *.deb ]] || dpkg-deb --extract "$package" "$tree"
    [[ $package != *linux-binary-* ]] || dpkg-deb --extract "${package/linux-binary-/linux-modules-}" "$tree"
    cp "$image" "$tree/boot/vmlinuz-$release"
    [ ! -d "$tree/lib/modules" ] || cp -al "$tree/lib/modules/." "$tree/usr/lib/modules"
    rm -rf "$tree/lib"
    ln -s usr/lib "$tree/lib"
    # As the package's own script does once it is installed.
    [ ! -d "$tree/lib/modules/$release" ] || depmod -b "$tree" "$release"
}

# Both give a guest the host's folders, vmtest even to write to. What they are given here is read-only, or in memory that ends with the command;
# so do their processes. The host's own root is read-only as well, for whatever is wrong with QEMU's protocol of shared folders.
sealed() { # tree command…
    exec unshare --mount --pid --fork --kill-child --mount-proc "$0" inside "$@"
}

inside() { # tree command…
    mount -t overlay -o "lowerdir=$1:$folder/root" overlay /mnt
    mount -t tmpfs tmpfs /mnt/tmp
    mount -t tmpfs tmpfs /tmp
    mount -o remount,bind,ro /
    few_devices
    mkdir /tmp/home /tmp/shared
    cd /tmp/shared
    shift
    exec env -i HOME=/tmp/home TMPDIR=/tmp PATH="$folder/virtme-ng/bin:$folder/vmtest/bin:/usr/sbin:/usr/bin:/sbin:/bin" LANG=C.UTF-8 "$@"
}

# Without /dev/kvm, which both take wherever it is, and which can be there and hang.
few_devices() {
    mount -t tmpfs -o mode=755 tmpfs /dev
    mknod -m 666 /dev/null c 1 3
    mknod -m 666 /dev/zero c 1 5
    mknod -m 666 /dev/random c 1 8
    mknod -m 666 /dev/urandom c 1 9
    ln -s /proc/self/fd /dev/fd
}

main "$@"
