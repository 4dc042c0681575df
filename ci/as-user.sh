#!/usr/bin/env bash
# ci/as-user.sh COMMAND…: runs a command as an ordinary user, in the folder where it is called.
#
# As root it makes the user (AIRTIGHT_USER, by default `airtight`) with subordinate ids, and gives it a home and a runtime folder of its own,
# and an environment with nothing of root's but where podman is configured. Where the folder lies below one that is closed to others (/root), a mount namespace of the
# command's own shows it this folder and nothing else of that place. Called by an ordinary user it just runs the command.
set -euo pipefail

user=${AIRTIGHT_USER:-airtight}
here=$PWD

main() {
    [ "$#" -gt 0 ] || { sed -n '2,6s/^# \{0,1\}//p' "$0"; exit 2; }
    [ "$(id -u)" = 0 ] || exec "$@"
    make_user
    closed=$(closed_folder)
    [ "$closed" != "$here" ] || { echo "error: $here itself is closed to $user: chmod o+rx" >&2; exit 2; }
    [ -z "$closed" ] || exec unshare --mount --propagation private "$0" --shown "$closed" "$@"
    become "$@"
}

make_user() {
    id "$user" >/dev/null 2>&1 || useradd --create-home --shell /bin/bash "$user"
    # useradd(8) gives the ranges only where login.defs(5) says so.
    touch /etc/subuid /etc/subgid
    grep -q "^$user:" /etc/subuid || usermod --add-subuids "$(free_range /etc/subuid)" "$user"
    grep -q "^$user:" /etc/subgid || usermod --add-subgids "$(free_range /etc/subgid)" "$user"
}

# Behind all that is given to others: who shares a range can kill the other's processes.
free_range() {
    awk -F: 'BEGIN { next_id = 100000 } $2 + $3 > next_id { next_id = $2 + $3 } END { print next_id "-" next_id + 65535 }' "$1"
}

# The topmost folder on the way here that the user cannot enter, if there is one.
closed_folder() {
    local folder=$here closed=
    while [ "$folder" != / ]; do
        as_user test -x "$folder" -a -r "$folder" || closed=$folder
        folder=$(dirname "$folder")
    done
    printf '%s' "$closed"
}

# In a mount namespace of our own: the closed folder is hidden under an open, empty one, in which only this folder is there.
show() {
    local closed=$1 held
    held=$(mktemp -d)
    mount --bind "$here" "$held"
    mount -t tmpfs -o mode=755 tmpfs "$closed"
    mkdir -p "$here"
    mount --bind "$held" "$here"
    umount "$held"
    rmdir "$held"
    cd "$here"
}

become() {
    local kept=() name
    for name in CI TERM NO_COLOR RUST_BACKTRACE CARGO_MANIFEST_DIR AIRTIGHT_REQUIRE CONTAINERS_CONF; do
        [ -z "${!name+set}" ] || kept+=("$name=${!name}")
    done
    home=$(getent passwd "$user" | cut -d: -f6)
    # Where a login would make one; without it podman leaves its own in /tmp.
    as_user mkdir -p -m 700 "$home/.run"
    exec setpriv --reuid="$user" --regid="$user" --init-groups --inh-caps=-all \
        env -i HOME="$home" XDG_RUNTIME_DIR="$home/.run" USER="$user" LOGNAME="$user" SHELL=/bin/bash LANG=C.UTF-8 \
        PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin "${kept[@]}" "$@"
}

as_user() {
    setpriv --reuid="$user" --regid="$user" --init-groups "$@"
}

if [ "${1:-}" = --shown ]; then
    show "$2"
    shift 2
    become "$@"
else
    main "$@"
fi
