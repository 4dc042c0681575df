//! What the claims on hostile images are worth: each is red on a runtime, a shell script, that has the hole, and nothing else is; all are
//! green on one that has none, and on one that refuses.

use std::collections::BTreeSet;
use std::fs;
use std::os::unix::fs::PermissionsExt as _;

use nix::unistd::Uid;

use crate::runs::{Told, run};

/// The claims.
const SPEC: &str = "specs/vulnerability/planted.yaml";

const FILE: &str = "runtime: careless
about: A runtime that follows the image's links.
program: PROGRAM
needs: [root]
patience: 5s
version: { run: ['{program}', version], matches: 'careless (\\S+)' }
rootfs: directory
run: ['{program}', run, '{rootfs}', '{settings}', --, '{command}']
settings:
  hostname: [--hostname, '{value}']
  cwd: [--cwd, '{value}']
  no_new_privs: { set: [--nnp, 'yes'], unset: [--nnp, 'no'] }
  user: [--user, '{uid}']
  seccomp: { none: [--seccomp, none] }
  mounts:
    - { type: bind, options: [ro], words: [--file, '{target}'] }
    - { type: tmpfs, options: [], words: [--directory, '{target}'] }
  mask: { file: [--mask, '{path}'], directory: [--mask, '{path}'] }
";

/// The start of its program. `sound` makes nothing by the host's paths, and leaves the mounts of the settings out; `go` is what becomes the
/// sandbox in a mount namespace of its own.
const SCRIPT: &str = r#"#!/bin/bash
[ "$1" = version ] && { echo careless 1.0; exit; }
rootfs=$2 cwd=/ uid=0 nnp=no; shift 2
while [ "$1" != -- ]; do
    case $1 in
    --cwd) cwd=$2 ;;
    --directory) directory=$2 ;;
    --file) file=$2 ;;
    --mask) mask=$2 ;;
    --user) uid=$2 ;;
    --nnp) nnp=$2 ;;
    esac
    shift 2
done
shift
exec 98<&- 99<&-
if [ "$nnp" = yes ]; then confined="setpriv --no-new-privs --"; fi
go() { exec unshare --mount --pid --fork --kill-child $confined chroot --userspec="$uid:$uid" "$rootfs" "$@"; }
"#;

/// What becomes of each claim on a runtime whose program goes on with `body`.
fn outcomes(body: &str) -> Vec<Told> {
    let place = tempfile::tempdir().unwrap();
    let program = place.path().join("careless");
    fs::write(&program, format!("{SCRIPT}{body}\n")).unwrap();
    fs::set_permissions(&program, fs::Permissions::from_mode(0o755)).unwrap();
    let file = place.path().join("careless.yaml");
    fs::write(&file, FILE.replace("PROGRAM", program.to_str().unwrap())).unwrap();
    run(&[SPEC, "--runtime", "careless", "--runtime-file", file.to_str().unwrap()])
}

/// The claims that came out so, by their sentence and row.
fn those(told: &[Told], outcome: &str) -> BTreeSet<String> {
    told.iter().filter(|told| told.outcome == outcome).map(name).collect()
}

fn name(told: &Told) -> String {
    let line: serde_json::Value = serde_json::from_str(&told.text).unwrap();
    let name = line["name"].as_str().unwrap();
    name.rsplit("::").next().unwrap().trim_end_matches(" [careless]").to_owned()
}

fn is_root() -> bool {
    let is_root = Uid::effective().is_root();
    if !is_root {
        eprintln!("not measured: without root there is no root filesystem for a runtime that is a directory");
    }
    is_root
}

/// Holds that exactly the claims that begin so fail.
fn check(body: &str, failing: &[&str]) {
    if !is_root() {
        return;
    }
    let told = outcomes(body);
    let failed = those(&told, "failed");
    let unexpected: Vec<_> =
        failed.iter().filter(|name| !failing.iter().any(|start| name.starts_with(start))).collect();
    assert!(unexpected.is_empty(), "{body}: {unexpected:?} fail as well");
    for start in failing {
        assert!(
            failed.iter().any(|name| name.starts_with(start)),
            "{body}: `{start}` does not fail: {told:#?}"
        );
    }
    assert_eq!(those(&told, "broken"), BTreeSet::new(), "{body}: {told:#?}");
}

#[test]
fn what_follows_no_link_passes() {
    check(r#"go "$@""#, &[]);
}

#[test]
fn what_refuses_passes_only_if_it_starts_what_is_not_hostile() {
    check(r#"[ -L "$rootfs/dev" ] && exit 1; go "$@""#, &[]);
    if is_root() {
        let told = outcomes("exit 1");
        assert_eq!(
            those(&told, "broken").len(),
            told.iter().filter(|told| told.outcome != "skipped").count()
        );
    }
    // Who refuses after it has done harm has done harm.
    let late = r#"[ -L "$rootfs/dev" ] && { touch "$rootfs/dev/null"; exit 1; }; go "$@""#;
    check(late, &["leave the host as it was (path=/dev)"]);
}

#[test]
fn devices_and_directories_of_the_host_are_found() {
    check(r#"mknod "$rootfs/dev/made" c 1 3; go "$@""#, &["leave the host as it was (path=/dev)"]);
    let places = ["proc", "sys", "run", "tmp", "var", "etc"];
    let claims = places.map(|path| format!("leave the host as it was (path=/{path})"));
    let makes = format!(
        r#"for path in {}; do [ -L "$rootfs/$path" ] && mkdir "$rootfs/$path/made"; done; go "$@""#,
        places.join(" ")
    );
    check(&makes, &claims.each_ref().map(String::as_str));
}

#[test]
fn targets_of_mounts_on_the_host_are_found() {
    check(
        r#"[ "$directory" ] && mkdir -p "$rootfs$directory"; go "$@""#,
        &["make no directory on the host", "make no directory on the host, however far up the target leads"],
    );
    check(
        r#"[ "$file" ] && touch "$rootfs$file"; go "$@""#,
        &["make no file on the host", "make nothing where a link dangles"],
    );
}

#[test]
fn files_that_are_written_through_are_found() {
    let names = ["hostname", "hosts", "resolv.conf", "passwd", "group"];
    let claims = |start: &str| names.map(|name| format!("{start} (path=/etc/{name})"));
    let claims = [claims("are not written through"), claims("are not made where they dangle")].concat();
    let writes = format!(
        r#"for name in {}; do [ -L "$rootfs/etc/$name" ] && echo x >"$rootfs/etc/$name"; done; go "$@""#,
        names.join(" ")
    );
    check(&writes, &claims.iter().map(String::as_str).collect::<Vec<_>>());
}

#[test]
fn a_working_directory_outside_is_found() {
    // CVE-2024-21626, as it was.
    let door = r#"exec 7</ 98</; mount -t proc proc "$rootfs/proc" 2>/dev/null
        case $cwd in /proc/self/fd/7 | /proc/self/fd/98 | /place) exec unshare --pid --fork --kill-child --root="$rootfs" --wd="$cwd" "$@" ;; esac
        exec 7<&- 98<&-; go "$@""#;
    let led_out =
        ["are not what the runtime has open (cwd=/proc/self/fd/7)", "are not what the launcher had open"];
    check(door, &led_out);
    check(r#"case $cwd in */made) mkdir -p "$rootfs$cwd" ;; esac; go "$@""#, &["are not made on the host"]);
}

#[test]
fn masks_that_follow_links_are_found() {
    let covers =
        r#"[ -f "$rootfs/etc/secret" ] && mount --bind "$rootfs/dev/null" "$rootfs/etc/secret"; go "$@""#;
    check(covers, &["bring in nothing of the host's"]);
    let makes = r#"[ "$mask" ] && touch "$rootfs$mask"; go "$@""#;
    check(makes, &["are made nowhere on the host"]);
}

#[test]
fn a_setuid_program_that_gains_is_found() {
    check(r#"confined=; go "$@""#, &["make nobody root"]);
}

/// The claims on archives, on an engine whose program is this script when it imports.
fn imported(import: &str) -> Vec<Told> {
    let place = tempfile::tempdir().unwrap();
    let program = place.path().join("careless");
    fs::write(&program, ENGINE.replace("IMPORT", import)).unwrap();
    fs::set_permissions(&program, fs::Permissions::from_mode(0o755)).unwrap();
    let file = place.path().join("careless.yaml");
    fs::write(&file, ENGINE_FILE.replace("PROGRAM", program.to_str().unwrap())).unwrap();
    let spec = fs::read_to_string("specs/vulnerability/import.yaml").unwrap();
    let own = spec.replace("runtimes: [docker, podman, ctr]\n", "");
    assert_ne!(spec, own);
    let path = place.path().join("import.yaml");
    fs::write(&path, own).unwrap();
    let told =
        run(&[path.to_str().unwrap(), "--runtime", "careless", "--runtime-file", file.to_str().unwrap()]);
    let kept: Vec<_> = fs::read_dir(place.path().join("images")).into_iter().flatten().flatten().collect();
    assert!(
        kept.iter().all(|image| !image.file_name().to_string_lossy().contains("planted")),
        "images are left: {kept:?}"
    );
    told
}

const ENGINE_FILE: &str = "runtime: careless
about: An engine that unpacks what it is given.
program: PROGRAM
needs: [root]
patience: 5s
version: { run: [echo, careless 1.0], matches: 'careless (\\S+)' }
rootfs: imported
image: { has: ['false'], import: ['{program}', import, '{image}'], list: ['true'], remove: ['{program}', remove, '{image}'] }
run: ['{program}', run, '{image}', '{agent}', '{command}']
";

const ENGINE: &str = r#"#!/bin/bash
root=$(dirname "$0")/images/$2
case $1 in
import) mkdir -p "$root" && cd "$root" && IMPORT ;;
remove) rm -rf --one-file-system "$root" ;;
run)
    agent=$3; shift 3
    mkdir -p "$root/.airtight"
    exec unshare --mount --pid --fork --kill-child bash -c \
        'mount --bind "$1" "$2/.airtight" && root=$2 && shift 2 && exec chroot "$root" "$@"' bash "$agent" "$root" "$@" ;;
esac
"#;

#[test]
fn entries_that_are_followed_out_of_the_image_are_found() {
    if !is_root() {
        return;
    }
    // Without -P, tar(1) refuses what leads out, or leaves it out.
    let sound = imported("tar -x");
    assert_eq!(those(&sound, "passed").len(), sound.len(), "{sound:#?}");
    let careless = imported("tar -x -P");
    assert_eq!(those(&careless, "failed").len(), careless.len(), "{careless:#?}");
    // What imports nothing at all has refused nothing.
    let idle = imported("cat >/dev/null && exit 1");
    assert_eq!(those(&idle, "broken").len(), idle.len(), "{idle:#?}");
}
