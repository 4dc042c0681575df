//! Runtimes other than the built-in one in VMs: their programs come with them, and all else is the guest's.

use std::fs;
use std::path::{Path, PathBuf};

use airtight::sandbox::find_program;

use super::vm::kernels;
use crate::runs::{Told, run};

/// A kernel, where there is any.
fn kernel() -> Option<String> {
    kernels().into_iter().find(|path| path.contains("cloud")).or_else(|| kernels().into_iter().next())
}

/// A spec in a folder.
fn spec(folder: &Path, text: &str) -> PathBuf {
    let path = folder.join("spec.yaml");
    fs::write(&path, text).unwrap();
    path
}

fn on(kernel: &str, spec: &Path, arguments: &[&str]) -> Vec<Told> {
    run(&[&["--kernel", kernel, spec.to_str().unwrap()], arguments].concat())
}

/// By claim and runtime.
fn outcomes(told: &[Told]) -> Vec<(&str, &str, &str)> {
    told.iter().map(|told| (told.claim.as_str(), told.runtime.as_str(), told.outcome.as_str())).collect()
}

const CLAIMS: &str = "scenario: A runtime
needs: [root]
sandbox: { image: base, new: [mount, pid, uts, ipc, net], hostname: sandbox }
claims:
  is first: { inside: { pid: 1, uname: { nodename: sandbox } } }
  has no second: { inside: { pid: 2 } }
";

/// What one holds and another not is judged on each of them, and what the host does not have is skipped as it is there.
#[test]
fn runtimes_come_with_their_programs() {
    let Some(kernel) = kernel() else { return };
    let folder = tempfile::tempdir().unwrap();
    let spec = spec(folder.path(), CLAIMS);
    for runtime in ["bwrap", "crun", "runc", "youki", "podman"] {
        let told = on(&kernel, &spec, &["--runtime", runtime]);
        let expected = if find_program(runtime).is_some() { ["passed", "failed"] } else { ["skipped"; 2] };
        let column = told[0].runtime.clone();
        let expected = [("is first", column.as_str(), expected[0]), ("has no second", &column, expected[1])];
        assert_eq!(outcomes(&told), expected, "{told:?}");
    }
}

/// What an ordinary user of the guest is to judge is judged by one, on runtimes that he may run.
#[test]
fn an_ordinary_user_of_the_guest_runs_them_too() {
    let (Some(kernel), Some(_)) = (kernel(), find_program("bwrap")) else { return };
    let folder = tempfile::tempdir().unwrap();
    let text = "scenario: A user
needs: [unprivileged]
sandbox: { image: base, new: [user, mount, pid] }
claims:
  is the user: { outside: { uid: 1000 } }
";
    let told = on(&kernel, &spec(folder.path(), text), &["--runtime", "bwrap,native"]);
    assert!(
        told.iter().any(|told| told.runtime.starts_with("bwrap") && told.outcome == "passed"),
        "{told:?}"
    );
}

/// A runtime of one's own, which is a script, comes with its file and with what runs it.
#[test]
fn a_runtime_of_ones_own_comes_with_its_file() {
    let Some(kernel) = kernel() else { return };
    let folder = tempfile::tempdir().unwrap();
    let script = folder.path().join("mine");
    fs::write(&script, "#!/bin/sh\n[ \"$1\" = --version ] && { echo mine 1; exit; }\nroot=$1; shift\n. /etc/mine.conf\nexec unshare --fork --pid --mount-proc=\"$root/proc\" chroot \"$root\" \"$@\"\n").unwrap();
    fs::set_permissions(&script, std::os::unix::fs::PermissionsExt::from_mode(0o755)).unwrap();
    let definition = format!(
        "runtime: mine
about: A script.
program: {}
version: {{ run: ['{{program}}', --version], matches: 'mine (\\S+)' }}
needs: [root]
rootfs: directory
run: ['{{program}}', '{{rootfs}}', '{{settings}}', '{{command}}']
vm: {{ files: {{ /etc/mine.conf: \"set -u\\n\" }} }}
settings: {{ new: {{ always: [mount, pid] }} }}
",
        script.display()
    );
    let file = folder.path().join("mine.yaml");
    fs::write(&file, definition).unwrap();
    let text = "scenario: A script\nneeds: [root]\nsandbox: { image: base, new: [mount, pid] }\nclaims:\n  is first: { inside: { pid: 1 } }\n";
    let spec = spec(folder.path(), text);
    let told = on(&kernel, &spec, &["--runtime-file", file.to_str().unwrap(), "--runtime", "mine"]);
    assert_eq!(outcomes(&told), [("is first", told[0].runtime.as_str(), "passed")], "{told:?}");
}

/// What a kernel's list says of its cgroups, its guest has.
#[test]
fn cgroups_are_as_they_are_asked_for() {
    let Some(kernel) = kernel() else { return };
    let folder = tempfile::tempdir().unwrap();
    let list = folder.path().join("kernels.yaml");
    let entry = |form: &str| format!("  - {{ name: {form}, path: '{kernel}', cgroups: {form} }}\n");
    fs::write(&list, format!("kernels:\n{}{}{}", entry("v2"), entry("v1"), entry("hybrid"))).unwrap();
    let claim = |form: &str, shell: &str| {
        format!("  is {form}:\n    steps: [{{ host.run: '{shell}', exit: 0 }}, {{ inside: {{ pid: 1 }} }}]\n")
    };
    let memory = "grep -q \"^[1-9].*:memory:\" /proc/self/cgroup";
    let text = format!(
        "scenario: Cgroups\nneeds: [root]\nsandbox: {{ image: base, limits: {{ pids: 50 }} }}\nclaims:\n{}{}{}",
        claim("v2", "[ -e /sys/fs/cgroup/cgroup.controllers ]"),
        claim("v1", &format!("{memory} && [ ! -e /sys/fs/cgroup/unified ]")),
        claim("hybrid", &format!("{memory} && [ -e /sys/fs/cgroup/unified/cgroup.procs ]")),
    );
    let spec = spec(folder.path(), &text);
    let told = run(&["--kernels", list.to_str().unwrap(), spec.to_str().unwrap()]);
    assert_eq!(told.len(), 9, "{told:?}");
    for told in &told {
        let own = told.text.contains(&format!("native on {}", &told.claim[3..]));
        let expected = if own { "passed" } else { "failed" };
        assert_eq!(told.outcome, expected, "{told:?}");
    }
}
