//! Facts, observed by an agent in namespaces of its own.

use std::time::Instant;

use airtight::fact::{Peers, Subject, find};
use serde_json::{Value, json};

use crate::agent::{ROOT, Started, agent, soon};

fn start(script: &str) -> Started {
    let mut started = agent(&[ROOT, &["sh", "-c", script, "sh"]].concat());
    started.channel.hello(soon()).unwrap();
    started
}

#[test]
fn a_first_process_sees_its_own_namespaces() {
    let mut started = start("exec \"$@\"");
    let mut check = |fact: &str, expected: Value| assert_eq!(started.value(fact, ""), Ok(expected), "{fact}");
    check("pid", json!(1));
    check("ppid", json!(0));
    check("nspid", json!([1]));
    check("uid", json!(0));
    check("setgroups", json!("deny"));
    check("addresses", json!({ "lo": [] }));
    check("routes", json!([]));
    check("sockets", json!({ "abstract": [], "unix": [], "tcp": [], "udp": [] }));
    check("uid_map", json!([{ "inside": 0, "outside": nix::unistd::geteuid().as_raw(), "count": 1 }]));
    check_descriptors(&started.value("fds", "").unwrap());
    let mut namespaces = started.value("namespaces", "").unwrap();
    let host = (find("namespaces").unwrap().observe)(&Subject::oneself(), "").unwrap().value;
    (find("namespaces").unwrap().relate.unwrap())(&mut namespaces, &Peers::host(&host));
    assert_eq!(namespaces["own"], json!(["user", "mount", "pid", "net", "uts", "ipc"]));
    assert_eq!(namespaces["shared"], json!(["cgroup", "time"]));
    assert_eq!(started.end(), Some(0));
}

/// The standard streams, and what whoever started the tests left open for every program.
fn check_descriptors(fds: &Value) {
    let own = (find("fds").unwrap().observe)(&Subject::oneself(), "").unwrap().value;
    for (number, target) in fds.as_object().unwrap() {
        let standard = ["0", "1", "2"].contains(&number.as_str());
        assert!(
            standard || own.get(number) == Some(target),
            "{number} is {target}, which nobody gave to the agent"
        );
    }
    assert!(["0", "1", "2"].iter().all(|number| fds.get(number).is_some()), "{fds}");
}

#[test]
fn covers_of_runtimes_are_told() {
    let directory = tempfile::tempdir().unwrap();
    let path = |name: &str| directory.path().join(name).to_str().unwrap().to_owned();
    std::fs::create_dir(path("hidden")).unwrap();
    std::fs::create_dir(path("plain")).unwrap();
    std::fs::write(path("secret"), "secret").unwrap();
    std::fs::write(path("closed"), "").unwrap();
    let script = format!(
        "mount --bind /dev/null {} && mount -t tmpfs -o ro none {} && mount --bind {} {2} && \
         chmod 0 {3} && mount --bind {3} {3} && exec \"$@\"",
        path("secret"),
        path("hidden"),
        path("plain"),
        path("closed"),
    );
    let mut started = start(&script);
    let mut check = |name: &str, field: &str, expected: Value| {
        assert_eq!(started.value("paths", &path(name)).unwrap()[field], expected, "{name} {field}");
    };
    check("secret", "mask", json!("null_device"));
    check("secret", "mount_point", json!(true));
    check("hidden", "mask", json!("empty_directory"));
    check("hidden", "mounted_read_only", json!(true));
    check("hidden", "can_write", json!(false));
    check("closed", "mask", json!("inaccessible"));
    check("plain", "mask", json!("none"));
    check("plain", "mount_point", json!(true));
    assert_eq!(started.value("files", &path("secret")), Ok(json!("")));
    assert_eq!(started.end(), Some(0));
}

#[test]
fn a_sandbox_without_proc_still_tells_who_it_is() {
    let mut started = start("mount -t tmpfs none /proc && cd /usr && exec \"$@\"");
    let mut check = |fact: &str, expected: Value| assert_eq!(started.value(fact, ""), Ok(expected), "{fact}");
    check("pid", json!(1));
    check("ppid", json!(0));
    check("uid", json!(0));
    check("cwd", json!("/usr"));
    check("no_new_privs", json!(false));
    check(
        "interfaces",
        json!({ "lo": { "up": false, "running": false, "loopback": true, "promiscuous": false } }),
    );
    for fact in ["session", "groups", "capabilities", "limits", "uname", "hostname", "env", "addresses"] {
        assert!(started.value(fact, "").is_ok(), "{fact}");
    }
    for (fact, file) in
        [("namespaces", "ns/ipc"), ("seccomp", "status"), ("processes", "stat"), ("sockets", "net/unix")]
    {
        let reason = started.value(fact, "").unwrap_err();
        assert_eq!(reason, format!("cannot read /proc/self/{file}: ENOENT"));
    }
    assert_eq!(started.end(), Some(0));
}

#[test]
fn a_mount_point_need_not_be_utf8() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().to_str().unwrap();
    let script = format!(
        r#"d="{path}/$(printf 'a b\377')" && mkdir "$d" && mount -t tmpfs 'my source' "$d" && rmdir "{path}/none" 2>&-; exec "$@""#
    );
    let mut started = start(&script);
    let shown = format!("{path}/a b\\xff");
    let points = started.value("mount_points", "").unwrap();
    assert!(points.as_array().unwrap().contains(&json!(shown)), "{points}");
    let mount = started.value("mounts", &shown).unwrap();
    assert_eq!([&mount["type"], &mount["source"]], ["tmpfs", "my source"]);
    assert_eq!(started.end(), Some(0));
}

#[test]
fn the_first_process_reaps_orphans() {
    // One child dies before the agent is there, and one while it serves: both are children of the agent's own PID.
    let mut started = start("true & sleep 0.1 & exec \"$@\"");
    let deadline = soon();
    loop {
        let processes = started.value("processes", "").unwrap();
        if processes.as_array().unwrap().len() == 1 {
            break;
        }
        assert!(Instant::now() < deadline, "not reaped: {processes}");
    }
    assert_eq!(started.end(), Some(0));
}

#[test]
fn an_absolute_link_stays_in_the_sandboxes_root() {
    let directory = tempfile::tempdir().unwrap();
    let path = |name: &str| directory.path().join(name);
    std::fs::write(path("airtight-real"), "ID=inner\n").unwrap();
    std::os::unix::fs::symlink("/etc/airtight-real", path("os-release")).unwrap();
    std::os::unix::fs::symlink("../../../../etc/airtight-real", path("climbing")).unwrap();
    let started = start(&format!("mount --bind {} /etc && exec \"$@\"", directory.path().display()));
    let subject = Subject::other(only_child(&started), None);
    let outside =
        |fact: &str, argument: &str| (find(fact).unwrap().observe)(&subject, argument).unwrap().value;
    assert_eq!(outside("files", "/etc/os-release"), json!("ID=inner\n"));
    assert_eq!(outside("files", "/etc/climbing"), json!("ID=inner\n"));
    assert_eq!(outside("os_release", ""), json!({ "ID": "inner" }));
    assert_eq!(outside("paths", "/etc/os-release")["target"], json!("/etc/airtight-real"));
    assert_eq!(outside("paths", "/etc/passwd")["exists"], json!(false));
    assert_eq!(started.end(), Some(0));
}

/// The agent is the only child of unshare.
fn only_child(started: &Started) -> i32 {
    let children = format!("/proc/{0}/task/{0}/children", started.child.id());
    std::fs::read_to_string(children).unwrap().trim().parse().unwrap()
}

#[test]
fn a_process_is_seen_from_both_sides() {
    let mut started = start("exec \"$@\"");
    let pid = only_child(&started);
    let outside = |fact: &str, argument: &str| {
        (find(fact).unwrap().observe)(&Subject::other(pid, None), argument).unwrap().value
    };
    assert_eq!(outside("nspid", ""), json!([pid, 1]));
    assert_eq!(outside("processes", "").as_array().unwrap().len(), 1);
    for fact in ["capabilities", "namespaces", "limits", "mount_points", "cmdline", "seccomp", "umask", "fds"]
    {
        assert_eq!(outside(fact, ""), started.value(fact, "").unwrap(), "{fact}");
    }
    // The ids of another user namespace are shown as the reader's own: the same only where root is mapped to root.
    if nix::unistd::geteuid().is_root() {
        assert_eq!(outside("groups", ""), started.value("groups", "").unwrap());
    }
    for path in ["/proc/1/comm", "/proc/uptime"] {
        let inside = started.value("paths", path).unwrap();
        assert_eq!(outside("paths", path)["mode"], inside["mode"], "{path}");
    }
    assert_eq!(outside("alive", ""), json!(true));
    assert_eq!(started.end(), Some(0));
    assert_eq!(outside("alive", ""), json!(false));
    assert_eq!(outside("state", ""), json!("ended"));
}
