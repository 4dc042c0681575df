//! Each defect of a native sandbox that is broken on purpose: a claim holds in the sound sandbox, and fails in the broken one. What is there
//! to be broken, and which claims fail then, is what `airtight prove` says.

use std::collections::BTreeSet;
use std::path::Path;
use std::process::Command;

use nix::unistd::Uid;
use serde_json::Value;

/// A breakage by its name, and a claim that must catch it.
const CAUGHT: &[(&str, &str)] = &[
    ("root: entered by chroot", "root: { outside: { root: / } }"),
    ("propagation: shared", "propagation: { inside: { mounts: { /: { propagation: private } } } }"),
    ("/proc: the host's", "proc: { inside: { processes: { count: 1 } } }"),
    ("first process: not waited for", ENDS),
    ("first process: does not reap", "reaps: { inside: { signals: { caught: [SIGCHLD] } } }"),
    ("host name: the host's", "host name: { inside: { hostname: airtight } }"),
    (
        "mount /proc: no flags",
        "proc flags: { inside: { mounts: { /proc: { options: { contains: nosuid } } } } }",
    ),
    ("mount /sys: no flags", "sys flags: { inside: { mounts: { /sys: { options: { contains: ro } } } } }"),
    (
        "mount /dev: no flags",
        "dev flags: { inside: { mounts: { /dev: { options: { contains: noexec } } } } }",
    ),
    (
        "mount /dev/pts: no flags",
        "pts flags: { inside: { mounts: { /dev/pts: { options: { contains: noexec } } } } }",
    ),
    (
        "mount /dev/shm: no flags",
        "shm flags: { inside: { mounts: { /dev/shm: { options: { contains: nodev } } } } }",
    ),
    (
        "mount /dev/mqueue: no flags",
        "mqueue flags: { inside: { mounts: { /dev/mqueue: { options: { contains: nodev } } } } }",
    ),
    ("seccomp add_key: allowed", "add_key: { inside: { attempts: { syscall: { add_key: denied } } } }"),
    ("seccomp clone3: allowed", "clone3: { inside: { attempts: { syscall: { clone3: denied } } } }"),
    ("leak: a directory of the host", "directory: { inside: { fds: { not: { has_key: \"98\" } } } }"),
    ("leak: a file of the host", "file: { inside: { fds: { not: { has_key: \"99\" } } } }"),
    ("leak: environment", "environment: { inside: { env: { not: { has_key: AIRTIGHT_SECRET } } } }"),
    ("leak: blocked signal", "blocked: { inside: { signals: { blocked: empty } } }"),
    ("leak: ignored signal", "ignored: { inside: { signals: { ignored: empty } } }"),
    ("leak: umask", "umask: { inside: { umask: \"0022\" } }"),
    ("leak: working directory", "cwd: { inside: { cwd: / } }"),
    ("leak: niceness", "nice: { inside: { nice: { at_most: 4 } } }"),
    ("leak: oom_score_adj", "oom: { inside: { oom_score_adj: { at_most: 499 } } }"),
    ("leak: personality", "personality: { inside: { personality: { flags: empty } } }"),
    (
        "leak: session keyring",
        "session: { with: { seccomp: none }, inside: { attempts: { find_key: { \"session {bait}\": out_of_reach } } } }",
    ),
    (
        "leak: user keyring",
        "user: { with: { seccomp: none }, inside: { attempts: { find_key: { \"user {bait}\": out_of_reach } } } }",
    ),
    ("leak: controlling terminal", "terminal: { inside: { tty: none } }"),
];

const ENDS: &str = "ends: { steps: [{ kill: { process: first, from: host, signal: SIGKILL } }, \
                    { within: 1s, outside: { state: ended } }] }";

#[test]
fn each_defect_is_caught_by_a_claim_that_holds_without_it() {
    let folder = tempfile::tempdir().unwrap();
    let spec = folder.path().join("sound.yaml");
    let claims: Vec<String> = CAUGHT.iter().map(|(_, claim)| format!("  {claim}\n")).collect();
    let claims = claims.concat();
    std::fs::write(&spec, format!("scenario: Sound\nsandbox: {{ image: base }}\nclaims:\n{claims}")).unwrap();
    let proof = prove(&spec);
    for (breakage, claim) in CAUGHT {
        let sentence = claim.split_once(':').unwrap().0;
        let caught = catchers(&proof, breakage);
        let expected = caught.iter().any(|name| name.contains(&format!("::{sentence} ")));
        assert!(
            expected || impossible(breakage),
            "{breakage} is caught by {caught:?}, not by `{sentence}`: {}",
            of_claim(&proof, sentence)
        );
    }
}

/// An ordinary user cannot mount anything on the host, which has to be the sandbox's peer.
fn impossible(breakage: &str) -> bool {
    breakage == "propagation: shared" && !Uid::effective().is_root()
}

fn prove(spec: &Path) -> Value {
    let mut command = Command::new(env!("CARGO_BIN_EXE_airtight"));
    let output = command.args(["prove", "--format", "json", "--deny", "nothing"]).arg(spec).output().unwrap();
    serde_json::from_slice(&output.stdout)
        .unwrap_or_else(|error| panic!("{error}: {}", String::from_utf8_lossy(&output.stderr)))
}

/// The names of the claims that a breakage turns red.
fn catchers(proof: &Value, breakage: &str) -> BTreeSet<String> {
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let all = proof["breakages"].as_array().unwrap_or_else(|| panic!("{proof:#}"));
    let of_it = all.iter().filter(|one| one["name"] == breakage);
    of_it.flat_map(|one| one["by"].as_array().into_iter().flatten()).map(text).collect()
}

/// What became of a claim in the sound sandbox.
fn of_claim(proof: &Value, sentence: &str) -> String {
    let claims = proof["claims"].as_array().into_iter().flatten();
    let of_it = claims
        .filter(|claim| claim["name"].as_str().is_some_and(|name| name.contains(&format!("::{sentence} "))));
    of_it.map(|claim| format!("{} {}", claim["sound"], claim["reason"])).collect::<Vec<_>>().join(", ")
}
