#!/usr/bin/env bash
# ci/mutants.sh [--since COMMIT] [FILE…]: changes airtight's deciding code in one place after another, and runs the tests on each change. A
# change that no test notices has survived; each survivor must be explained in ci/mutants-explained.txt, or a test be written.
#
# Without files it takes all of what decides: src/expect, src/judge, and of src/fact what makes a reading of the bytes that were read. That
# takes an hour or two. With --since it changes only lines that are not as they were in that commit. It works on a copy of the project, below
# ${TMPDIR:-/tmp}, needs neither root nor user namespaces, and leaves its findings in target/mutants.out. AIRTIGHT_MUTANTS_JOBS says how many
# changes are tried at once (1).
set -euo pipefail
cd "$(dirname "$0")/.."

DECIDING=('src/expect/**/*.rs' 'src/judge/**/*.rs'
    src/fact/{bait,capabilities,cgroup,evidence,inherited,kind,limits,mounts,origin,peers,posture,reports,routes,sockets,status}.rs
    src/fact/attempt/outcome.rs)
# The unit tests of these rooms, and the integration tests that need no sandbox.
TESTS=(expect:: judge:: fact:: judging:: language:: tables:: wrong_specs::each_wrong_spec_gives_its_errors)
EXPLAINED=ci/mutants-explained.txt
FOUND=target/mutants.out

main() {
    [ "${1:-}" != --help ] || { sed -n '2,8s/^# \{0,1\}//p' "$0"; exit 0; }
    local since=
    if [ "${1:-}" = --since ]; then since=${2:?--since takes a commit}; shift 2; fi
    [ "$#" -gt 0 ] || set -- "${DECIDING[@]}"
    [ -z "$since" ] || only_since "$since"
    install_tool
    try "$@"
    judge
}

# Options of every round.
ONLY=()

only_since() {
    mkdir -p target
    git diff "$1" -- src >target/mutants.diff
    ONLY=(--in-diff target/mutants.diff)
}

install_tool() {
    cargo mutants --version 2>/dev/null && return
    # Without optimisation it is built in a third of the time; it only waits for cargo.
    CARGO_PROFILE_DEV_DEBUG=0 cargo install --quiet --locked --debug cargo-mutants
}

# First with the unit tests alone, which are built in a third of the time. What they do not notice is tried again with the others.
try() {
    rm -rf "$FOUND" "$FOUND.old"
    round --cargo-arg=--lib -- "$@"
    [ -s "$FOUND/missed.txt" ] || return 0
    round --iterate --cargo-arg=--lib --cargo-arg=--test=it -- "$@"
    local found
    for found in caught unviable; do cat "$FOUND.old/$found.txt" >>"$FOUND/$found.txt"; done
}

# round OPTION… -- FILE…
round() {
    local options=() files=() file status=0
    while [ "$1" != -- ]; do options+=("$1"); shift; done
    shift
    for file in "$@"; do files+=(--file "$file"); done
    mkdir -p target
    # Most of the time is the compiler's.
    export CARGO_PROFILE_DEV_OPT_LEVEL=0 CARGO_PROFILE_DEV_DEBUG=0
    cargo mutants --output target --jobs "${AIRTIGHT_MUTANTS_JOBS:-1}" --no-shuffle --colors never "${files[@]}" \
        --cargo-arg=--locked "${ONLY[@]}" "${options[@]}" -- -- "${TESTS[@]}" || status=$?
    # 2: some survived; 3: under some the tests did not end. All else means that nothing was tried.
    case $status in 0 | 2 | 3) ;; *) echo "cargo-mutants ended with $status: nothing was judged" >&2; exit "$status" ;; esac
}

# What changed where, without line and column, which move with every edit.
changes() { sed -E 's/^([^:]+):[0-9]+:[0-9]+: /\1: /' "$1" | sort -u; }

explained() { sed -E '/^[[:space:]]*(#|$)/d; s/[[:space:]]+#.*$//' "$EXPLAINED" | sort -u; }

judge() {
    local tried survived new
    tried=$(cat "$FOUND"/{caught,missed,timeout,unviable}.txt | wc -l)
    survived=$(wc -l <"$FOUND/missed.txt")
    new=$(comm -23 <(changes "$FOUND/missed.txt") <(explained))
    # An explanation whose change is caught wherever it can be made is none.
    comm -13 <(changes "$FOUND/missed.txt") <(explained) | comm -12 - <(changes "$FOUND/caught.txt") | sed 's/^/explained, and yet caught: /'
    [ -z "$new" ] || sed 's/^/not explained: /' <<<"$new"
    printf '%d changes tried: %d caught, %d without end, %d survived, %d do not compile\n' "$tried" \
        "$(wc -l <"$FOUND/caught.txt")" "$(wc -l <"$FOUND/timeout.txt")" "$survived" "$(wc -l <"$FOUND/unviable.txt")"
    # Where nothing was tried, nothing has been shown.
    [ "$tried" -gt 0 ] || { echo "no change was tried" >&2; return 1; }
    [ -z "$new" ]
}

main "$@"
