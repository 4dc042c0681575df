//! Attempts, tried by an agent in namespaces of its own: never in those of the machine.

use std::time::Instant;

use serde_json::{Value, json};

use crate::agent::{ROOT, Started, agent, soon};

/// An ordinary user in a user namespace: execve(2) has taken the capabilities.
const ORDINARY: &[&str] =
    &["unshare", "--user", "--map-user=1000", "--map-group=1000", "--uts", "--ipc", "--net", "--mount"];

fn start(launcher: &[&str]) -> Started {
    let mut started = agent(launcher);
    started.channel.hello(soon()).unwrap();
    started
}

fn failed(errno: &str) -> Value {
    json!({ "failed": errno })
}

/// Tries each object twice: what is undone gives the same outcome again.
fn check_all(started: &mut Started, expected: &[(&str, &str, Value)]) {
    for (verb, object, outcome) in expected {
        for time in ["first", "second"] {
            assert_eq!(
                started.attempt(verb, object).as_ref(),
                Ok(outcome),
                "{verb} {object}, the {time} time"
            );
        }
    }
}

#[test]
fn root_of_a_user_namespace_may_do_what_belongs_to_its_namespaces() {
    let mut started = start(ROOT);
    let before: Vec<Value> = OBSERVED.iter().map(|fact| started.value(fact, "").unwrap()).collect();
    check_all(
        &mut started,
        &[
            ("rewrite", "/proc/self/oom_score_adj", json!("allowed")),
            ("mount", "tmpfs", json!("allowed")),
            ("mount", "bind /usr", json!("allowed")),
            ("mount", "no-such-type", failed("ENODEV")),
            ("mount", "ext4", failed("EPERM")),
            ("umount", "/proc", json!("allowed")),
            ("umount", "/usr", failed("EINVAL")),
            ("umount", "/no/such", failed("ENOENT")),
            ("pivot_root", "probe", json!("allowed")),
            ("chroot", "/usr", json!("allowed")),
            ("chroot", "/no/such", failed("ENOENT")),
            ("kill", "1", json!("allowed")),
            ("kill", "SIGKILL 1", json!("allowed")),
            ("kill", "4194303", failed("ESRCH")),
            ("ptrace", "4194303", failed("ESRCH")),
            ("setns", "1 mount", json!("allowed")),
            ("setns", "1 uts", json!("allowed")),
            ("setns", "1 user", failed("EINVAL")),
            ("setns", "77 mount", failed("ENOENT")),
            ("unshare", "mount", json!("allowed")),
            ("unshare", "uts", json!("allowed")),
            ("unshare", "ipc", json!("allowed")),
            ("unshare", "net", json!("allowed")),
            ("unshare", "pid", json!("allowed")),
            ("connect", "tcp 127.0.0.1:1", failed("ENETUNREACH")),
            ("bind", "tcp 0.0.0.0:80", json!("allowed")),
            ("bind", "abstract airtight", json!("allowed")),
            ("sethostname", "probe", json!("allowed")),
            ("settimeofday", "probe", failed("EPERM")),
            ("reboot", "probe", json!("allowed")),
            ("mknod", "p", json!("allowed")),
            ("mknod", "c 1:3", failed("EPERM")),
            ("device", "c 1:3", failed("EPERM")),
            ("syscall", "getpid", json!("allowed")),
            ("syscall", "socket(1, 1, 0)", json!("allowed")),
            ("syscall", "fsync", json!("allowed")),
            ("syscall", "add_key", json!("allowed")),
            ("syscall", "acct", failed("EPERM")),
        ],
    );
    let after: Vec<Value> = OBSERVED.iter().map(|fact| started.value(fact, "").unwrap()).collect();
    assert_eq!(before, after, "an attempt was not undone");
    // There is no way back into the machine's own cgroup namespace.
    assert_eq!(started.attempt("unshare", "cgroup"), Ok(json!("allowed")));
    assert_eq!(started.end(), Some(0));
}

/// What attempts could have left changed.
const OBSERVED: &[&str] =
    &["namespaces", "hostname", "cwd", "root", "mount_points", "fds", "pid", "processes"];

#[test]
fn an_ordinary_user_is_refused() {
    let mut started = start(ORDINARY);
    check_all(
        &mut started,
        &[
            ("mount", "tmpfs", failed("EPERM")),
            ("umount", "/proc", failed("EPERM")),
            ("pivot_root", "probe", failed("EPERM")),
            ("chroot", "/", failed("EPERM")),
            ("setns", "1 mount", failed("EACCES")),
            ("unshare", "uts", failed("EPERM")),
            ("unshare", "time", failed("EPERM")),
            ("connect", "tcp 127.0.0.1:1", failed("ENETUNREACH")),
            ("bind", "tcp 0.0.0.0:80", failed("EACCES")),
            ("sethostname", "probe", failed("EPERM")),
            ("settimeofday", "probe", failed("EPERM")),
            ("reboot", "probe", failed("EPERM")),
            ("mknod", "p", json!("allowed")),
            ("mknod", "b 7:0", failed("EPERM")),
            ("syscall", "acct", failed("EPERM")),
            ("ptrace", "1", failed("EPERM")),
        ],
    );
    assert_eq!(started.attempt("unshare", "user"), Ok(json!("allowed")));
    assert_eq!(started.end(), Some(0));
}

#[test]
fn files_that_an_attempt_makes_are_gone_after() {
    let directory = tempfile::tempdir().unwrap();
    let path = |name: &str| directory.path().join(name).to_str().unwrap().to_owned();
    std::fs::write(path("file"), "kept").unwrap();
    let mut started = start(ROOT);
    check_all(
        &mut started,
        &[
            ("mkdir", &path("directory"), json!("allowed")),
            ("mkdir", &path("file"), failed("EEXIST")),
            ("write", &path("new"), json!("allowed")),
            ("write", &path("file"), json!("allowed")),
            ("write", &path("none/new"), failed("ENOENT")),
            ("write", &path(""), failed("EISDIR")),
            ("open", &path("file"), json!("allowed")),
            ("open", &path("new"), failed("ENOENT")),
            ("bind", &format!("unix {}", path("socket")), json!("allowed")),
        ],
    );
    assert_eq!(started.end(), Some(0));
    assert_eq!(std::fs::read(path("file")).unwrap(), b"kept");
    assert_eq!(std::fs::read_dir(directory.path()).unwrap().count(), 1);
}

#[test]
fn a_remount_is_taken_back() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().to_str().unwrap();
    let script = format!("mount -t tmpfs -o ro,nosuid,nodev none {path} && exec \"$@\"");
    let mut started = start(&[ROOT, &["sh", "-c", &script, "sh"]].concat());
    let before = started.value("mounts", path).unwrap();
    assert_eq!(before["options"], json!(["ro", "nosuid", "nodev", "relatime"]));
    check_all(
        &mut started,
        &[
            ("write", &format!("{path}/new"), failed("EROFS")),
            ("mount", &format!("remount {path}"), json!("allowed")),
            ("write", &format!("{path}/new"), failed("EROFS")),
        ],
    );
    assert_eq!(started.value("mounts", path).unwrap(), before);
    assert_eq!(started.end(), Some(0));
}

#[test]
fn coming_back_does_not_lead_out_of_a_chroot() {
    // The sandbox's root is /usr of the machine: entering its own mount namespace leads to the real root.
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().to_str().unwrap();
    let agent = env!("CARGO_BIN_EXE_airtight");
    let script = format!(
        "mount -t tmpfs none {path} && cd {path} && mkdir proc lib lib64 usr && mount -t proc proc proc \
         && mount --rbind /lib lib && {{ [ ! -d /lib64 ] || mount --rbind /lib64 lib64; }} && mount --rbind /usr usr \
         && cp {agent} agent && PATH=$PATH:/usr/sbin && exec chroot . /agent airtight-agent t0k"
    );
    let mut started = crate::agent::start(std::process::Command::new("unshare").args([
        "--user",
        "--map-root-user",
        "--mount",
        "--uts",
        "--pid",
        "--fork",
        "sh",
        "-c",
        &script,
    ]));
    started.channel.hello(soon()).unwrap();
    let inside = |started: &mut Started| started.value("paths", "/agent").unwrap()["exists"].clone();
    for object in ["1 mount", "1 uts"] {
        assert_eq!(started.attempt("setns", object), Ok(json!("allowed")), "{object}");
        assert_eq!(inside(&mut started), json!(true), "after setns {object}");
    }
    assert_eq!(started.attempt("unshare", "mount"), Ok(json!("allowed")));
    assert_eq!(inside(&mut started), json!(true), "after unshare mount");
    assert_eq!(started.end(), Some(0));
}

#[test]
fn a_traced_process_goes_on() {
    let script = "sleep 1000 & exec \"$@\"";
    let mut started = start(&[ROOT, &["sh", "-c", script, "sh"]].concat());
    wait_until_asleep(&mut started);
    for _ in 0..2 {
        assert_eq!(started.attempt("ptrace", "2"), Ok(json!("allowed")));
        wait_until_asleep(&mut started);
    }
    let reason = started.attempt("ptrace", "1").unwrap_err();
    assert_eq!(reason, "the process tried to trace itself, 1: no process can");
    // The end of a PID namespace's first process is the end of all in it.
    assert_eq!(started.end(), Some(0));
}

/// The shell's child becomes `sleep`, and sleeps; it wakes for a moment when it is let go.
fn wait_until_asleep(started: &mut Started) {
    let deadline = soon();
    loop {
        let process = started.value("processes", "").unwrap()[1].clone();
        if process["comm"] == "sleep" && process["state"] == "sleeping" {
            return;
        }
        assert!(Instant::now() < deadline, "{process}");
    }
}

#[test]
fn a_wrong_object_is_not_tried() {
    let mut started = start(ROOT);
    for (verb, object) in [("open", "etc/passwd"), ("syscall", "exit"), ("kill", "all"), ("unshare", "mnt")] {
        assert!(started.attempt(verb, object).is_err(), "{verb} {object}");
    }
    assert_eq!(started.end(), Some(0));
}
