#!/usr/bin/env bash
# ci/runtimes.sh install          installs the runtimes that airtight can be tried on, from Debian and crates.io (root, Debian)
# ci/runtimes.sh with COMMAND…    runs a command with daemons of its own for docker and ctr: own sockets, own data, stopped after it
#
# The daemons have no network: containers of docker have what `--network none` gives.
set -euo pipefail

# uidmap is for podman as an ordinary user, who needs a range in /etc/subuid and /etc/subgid as well: ci/as-user.sh gives him one. Without
# fuse-overlayfs it keeps its images as plain folders, and without slirp4netns there is --network none.
PACKAGES=(bubblewrap containerd crun docker.io firejail lxc podman runc systemd-container uidmap)
# What youki is built with.
LIBRARIES=(libseccomp-dev pkg-config)

main() {
    case ${1:-} in
    install) install_all ;;
    with)
        shift
        with_daemons "$@"
        ;;
    *)
        sed -n '2,5s/^# \{0,1\}//p' "$0"
        exit 2
        ;;
    esac
}

install_all() {
    export DEBIAN_FRONTEND=noninteractive
    local missing=() name
    for name in "${PACKAGES[@]}" "${LIBRARIES[@]}"; do
        dpkg-query -W -f '${db:Status-Status}\n' "$name" 2>/dev/null | grep -qx installed || missing+=("$name")
    done
    if [ "${#missing[@]}" -gt 0 ]; then
        apt-get update -q || { sleep 5; apt-get update -q; }
        apt-get install -q -y --no-install-recommends "${missing[@]}"
    fi
    from_crates hakoniwa hakoniwa-cli --version 1.8.0
    from_crates youki youki --version 0.7.0 --no-default-features --features v1,v2,seccomp
}

# PROGRAM CRATE…: to where an ordinary user finds it too, which root's own folder of programs is not.
from_crates() {
    local program=$1 found
    shift
    [ ! -x "/usr/local/bin/$program" ] || return 0
    if found=$(command -v "$program"); then
        install -m 755 "$found" "/usr/local/bin/$program"
    else
        cargo install --quiet --locked --root /usr/local "$@"
    fi
}

with_daemons() {
    # Where containerd's shims have their sockets, whatever folder it is given.
    [ -e /run/containerd ] || shims=/run/containerd
    folder=$(mktemp -d "${TMPDIR:-/tmp}/runtimes.XXXXXX")
    trap stop EXIT
    # An ordinary user must get through to podman's configuration; the rest has modes of its own.
    chmod 711 "$folder"
    write_podman_configuration
    start_docker
    export DOCKER_HOST=unix://$folder/docker.sock CONTAINERD_ADDRESS=$folder/exec/containerd/containerd.sock
    export CONTAINERS_CONF=$folder/containers.conf
    "$@"
}

# What a machine without CAP_SYS_RESOURCE can give: podman would raise both limits, and has no network without its helpers.
write_podman_configuration() {
    cat >"$folder/containers.conf" <<'CONF'
[containers]
default_ulimits = ["nofile=1024:1024", "nproc=1000:1000"]
netns = "none"
[engine]
cgroup_manager = "cgroupfs"
runtime = "runc"
CONF
}

start_docker() {
    dockerd --host "unix://$folder/docker.sock" --data-root "$folder/data" --exec-root "$folder/exec" --pidfile "$folder/pid" \
        --iptables=false --bridge=none >"$folder/log" 2>&1 &
    daemon=$!
    local waited=0
    until docker --host "unix://$folder/docker.sock" version >/dev/null 2>&1; do
        kill -0 "$daemon" 2>/dev/null && [ "$waited" -lt 60 ] || { cat "$folder/log" >&2; echo "dockerd did not start" >&2; exit 1; }
        sleep 1
        waited=$((waited + 1))
    done
}

stop() {
    local status=$?
    if [ -n "${daemon:-}" ]; then
        kill -TERM "$daemon" 2>/dev/null || true
        wait "$daemon" 2>/dev/null || true
    fi
    # What a daemon left mounted below its folder; nothing is deleted across a mount.
    awk -v folder="$folder/" 'index($5, folder) == 1 { print $5 }' /proc/self/mountinfo | sort -r | while read -r mount; do
        umount --lazy "$mount" || true
    done
    rm -rf --one-file-system "$folder" ${shims:+"$shims"}
    exit "$status"
}

main "$@"
