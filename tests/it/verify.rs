//! Judging what runs already: from outside, and without doing anything to it.

use std::process::{Child, Command, Output, Stdio};

/// What can be told from outside, what cannot, and what would do something.
const SPEC: &str = "scenario: What runs already
sandbox: { image: base, hostname: other }
claims:
  is told from outside: { outside: { pid: { more_than: 0 } } }
  is the same from outside: { inside: { seccomp_filters: { at_least: 0 }, namespaces: { own: { empty: true } } } }
  is otherwise: { inside: { namespaces: { own: [pid] } } }
  is told inside only: { inside: { hostname: other } }
  is tried inside only: { inside: { attempts: { mount: { tmpfs: denied } } } }
  runs something: { exec: \"true\" }
  signals it: { steps: [{ kill: { process: first, from: host, signal: SIGKILL } }, { outside: { alive: false } }] }
";

/// A process of the test's own, which ends with its standard input.
struct Target(Child);

impl Target {
    fn start() -> Self {
        Self(Command::new("cat").stdin(Stdio::piped()).stdout(Stdio::null()).spawn().unwrap())
    }
}

impl Drop for Target {
    fn drop(&mut self) {
        drop(self.0.stdin.take());
        self.0.wait().unwrap();
    }
}

fn verify(arguments: &[&str]) -> (Option<i32>, String) {
    let folder = tempfile::tempdir().unwrap();
    let spec = folder.path().join("spec.yaml");
    std::fs::write(&spec, SPEC).unwrap();
    let Output { status, stdout, stderr } = Command::new(env!("CARGO_BIN_EXE_airtight"))
        .arg("verify")
        .args(arguments)
        .arg(&spec)
        .current_dir(folder.path())
        .output()
        .unwrap();
    (status.code(), format!("{}{}", String::from_utf8_lossy(&stdout), String::from_utf8_lossy(&stderr)))
}

#[test]
fn what_can_be_seen_from_outside_is_judged_and_nothing_else_is_done() {
    let mut target = Target::start();
    let pid = target.0.id().to_string();
    let (code, told) = verify(&["--pid", &pid]);
    assert_eq!(code, Some(1), "{told}");
    for line in [
        "  passed       is told from outside [attached]",
        "  passed       is the same from outside [attached]",
        "  failed       is otherwise [attached]",
        "is told inside only [attached]: inside: `hostname` is told only by a process inside, and none is put there",
        "is tried inside only [attached]: inside: ",
        "runs something [attached]: inside: it does something, and what runs already is only looked at",
        "signals it [attached]: inside: it does something",
        &format!(" --pid {pid} --claim 'is otherwise'"),
    ] {
        assert!(told.contains(line), "{line:?} is not told: {told}");
    }
    assert_eq!(target.0.try_wait().unwrap(), None, "it has ended");
}

#[test]
fn who_is_not_there_is_told() {
    let check = |arguments: &[&str], code: i32, says: &str| {
        let (ended, told) = verify(arguments);
        assert_eq!(ended, Some(code), "{arguments:?}: {told}");
        assert!(told.contains(says), "{arguments:?}: {told}");
    };
    check(&["--pid", "2147483647"], 4, "stat(\"/proc/2147483647/status\") failed: ENOENT");
    check(&["--container", "web"], 2, "`web` names no container: write `RUNTIME:NAME`, as `docker:web`");
    check(&["--container", "dockr:web"], 2, "unknown runtime `dockr`");
    check(&["--container", "native:web"], 4, "native keeps no sandboxes that could be named");
    check(&[], 2, "--pid <PID>");
    check(&["--pid", "1", "--claim", "no such"], 2, "no claim is chosen");
}
