//! Faults on the way to a sandbox: strace(1) lets one system call after another fail, and each time the run says which, in time,
//! passes nothing that it did not see, and leaves nothing behind.

use std::collections::HashMap;
use std::fs::{self, File};
use std::process::{Command, Stdio};

use nix::unistd::Uid;

use crate::watch::{Over, Place};

/// A call as the kernel names it, and as the failure does: the words before its operands.
type Call = (&'static str, &'static [&'static str]);

/// What makes namespaces and the root.
const ROOT: &[Call] = &[
    ("clone3", &["clone3", "pthread_create"]),
    ("unshare", &["unshare"]),
    ("mount", &["mount"]),
    ("umount2", &["umount2"]),
    ("pivot_root", &["pivot_root"]),
    ("open_tree", &["open_tree"]),
    ("move_mount", &["move_mount"]),
    ("mount_setattr", &["mount_setattr"]),
    ("openat2", &["openat2"]),
    ("mkdir", &["mkdir"]),
    ("mkdirat", &["mkdir"]),
    ("symlinkat", &["symlink"]),
    ("statfs", &["statvfs"]),
    ("sethostname", &["sethostname"]),
    ("chdir", &["chdir"]),
    ("fchdir", &["fchdir"]),
];

/// What makes a root without a user namespace besides.
const DEVICES: &[Call] = &[("mknodat", &["mknod"]), ("fchmodat", &["chmod"])];

/// What makes and confines processes.
const PROCESSES: &[Call] = &[
    ("prctl", &["prctl", "PR_CAPBSET_DROP", "seccomp"]),
    ("setsid", &["setsid"]),
    ("setgroups", &["setgroups"]),
    ("setresgid", &["setresgid"]),
    ("setresuid", &["setresuid"]),
    ("capget", &["capget"]),
    ("capset", &["capset"]),
    ("prlimit64", &["setrlimit"]),
    ("seccomp", &["seccomp"]),
    ("setns", &["setns"]),
    ("pidfd_open", &["pidfd_open"]),
    ("dup2", &["dup2"]),
    ("dup3", &["dup3"]),
    ("close_range", &["close_range"]),
    ("socket", &["socket"]),
    ("ioctl", &["ioctl"]),
    ("umask", &["the agent closed its streams", "ended during its setup"]),
];

/// What carries messages.
const MESSAGES: &[Call] = &[
    ("socketpair", &["socketpair"]),
    ("pipe2", &["pipe2"]),
    ("sendmsg", &["sendmsg"]),
    ("recvmsg", &["recvmsg"]),
    ("recvfrom", &["recv"]),
    ("signalfd4", &["signalfd"]),
    ("flock", &["flock"]),
    ("poll", &["poll"]),
    ("write", &["write", "the report could not be written"]),
    ("pidfd_send_signal", &[]),
    ("shutdown", &[]),
    ("wait4", &[]),
    ("kill", &[]),
];

/// Calls whose failure may change nothing, with the reason.
const TOLERATED: &[(&str, &str)] = &[
    ("mount_setattr", "a file system that cannot be mounted with an id map is copied instead"),
    ("clone3", "a thread that cannot be had is not missed: the others do its work"),
    ("mkdir", "what the machine can do is tried before, and attempts make places of their own"),
    ("flock", "an image that cannot be held is looked up anew"),
    ("umount2", "an attempt's own undo, in a sandbox that is ended next"),
    ("prlimit64", "a program's loader asks for the stack's limit"),
    ("ioctl", "the streams are asked whether they are a terminal"),
    ("poll", "a look without waiting, which is taken again"),
    ("write", "the report goes on where a line of it could not be written"),
    ("sendmsg", "the end of a process is told twice: the report ends too"),
    ("pidfd_send_signal", "a process that does not end is killed again"),
    ("shutdown", "the nursery is ended by a signal instead"),
    ("wait4", "what has ended is waited for again"),
    ("kill", "it only wakes or hurries what ends anyway"),
];

/// A run that could not begin has no claims: its own error is the word.
const SPEC: &str = "scenario: Faults
sandbox: { image: base, hostname: box, root: read_only, mounts: [{ type: tmpfs, target: /mnt/x }], LIMITS }
claims:
  is first: { steps: [{ exec: [sleep, \"MARK\"], as: sleeper }, { inside: { pid: 1 } }] }
  starts: { run: [\"true\"] }
  is refused: { inside: { attempts: { mount: { tmpfs: denied } } } }
";

fn spec() -> String {
    // An ordinary user has no cgroups.
    let limits = if Uid::effective().is_root() { "nofile: 64, pids: 100" } else { "nofile: 64" };
    SPEC.replace("LIMITS", &format!("limits: {{ {limits} }}"))
}

#[test]
fn a_root_that_cannot_be_made_is_no_root() {
    check(ROOT, &spec());
}

#[test]
fn a_device_that_cannot_be_made_is_no_device() {
    // An ordinary user can do neither without a user namespace.
    if Uid::effective().is_root() {
        check(
            DEVICES,
            &spec().replace("image: base", "image: base, new: [mount, pid, uts, ipc, net, cgroup]"),
        );
    }
}

#[test]
fn a_process_that_cannot_be_confined_does_not_start() {
    check(PROCESSES, &spec());
}

#[test]
fn a_message_that_does_not_arrive_is_missed() {
    check(MESSAGES, &spec());
}

/// Lets the first, the second and the last of each call fail, as a sound run has them.
fn check(calls: &[Call], spec: &str) {
    if Command::new("strace").arg("-V").output().is_err() {
        return eprintln!("not measured: strace is not installed");
    }
    let place = Place::new();
    let Some(counts) = count(&place, calls, spec) else {
        return eprintln!(
            "not measured: newuidmap(1) gains no rights under an ordinary user's tracer (ptrace(2))"
        );
    };
    for call in calls {
        let last = counts.get(call.0).copied().unwrap_or(0);
        // The last looks of poll(2) come as often as the machine is slow.
        let last = if call.0 == "poll" { 3 } else { last };
        assert!(last > 0 || optional(call.0), "a sound run does not call {}", call.0);
        let mut numbers = vec![1, 2.min(last), last];
        numbers.dedup();
        numbers.iter().filter(|number| **number > 0).for_each(|number| fail(&place, call, *number, spec));
    }
}

/// What an ordinary user's sandbox does without: it has one id, and so no groups to set, nor an image to map.
fn optional(call: &str) -> bool {
    !Uid::effective().is_root() && ["open_tree", "move_mount", "mount_setattr", "setgroups"].contains(&call)
}

fn fail(place: &Place, call: &Call, number: usize, spec: &str) {
    let what = format!("{} number {number} fails", call.0);
    let (trace, inject) = (format!("trace={}", call.0), format!("inject={}:error=EIO:when={number}", call.0));
    let mut command = traced(place, spec, &["-D", "-e", &trace, "-e", &inject]);
    let output = File::create(place.path("output")).unwrap();
    let over = place.watch(command.stdout(output.try_clone().unwrap()).stderr(output)).end();
    judge(call, number, &over, &what);
    place.assert_untouched(&over, &what);
}

fn judge(call: &Call, number: usize, over: &Over, what: &str) {
    let said = &over.said;
    let told = |name: &&str| {
        if name.contains(' ') { said.contains(*name) } else { said.contains(&format!("{name}(")) }
    };
    let named = call.1.iter().any(told) && (said.contains("EIO") || call.0 == "umask" || call.0 == "write");
    let tolerated = TOLERATED.iter().any(|(name, _)| *name == call.0);
    // Of the end of a process that could not be told nobody knows, but that it is not told.
    let nameless = call.1.is_empty() || call.0 == "sendmsg" && said.contains("the nursery process has gone");
    match over.code {
        Some(4) => assert!(named || nameless, "{what}: nothing says so: {said}"),
        Some(0) => assert!(tolerated && said.contains("3 passed"), "{what}: {said}"),
        // Rust's runtime looks at its streams before main, and aborts.
        None => assert!(call.0 == "poll" && number == 1, "{what}: {said}"),
        code => panic!("{what}: {code:?}: {said}"),
    }
}

/// How often a process makes each call at most: strace counts for each process by itself. `None`: there is no sound run, because a
/// set-user-ID program that it needs gains no rights.
fn count(place: &Place, calls: &[Call], spec: &str) -> Option<HashMap<String, usize>> {
    let names: Vec<&str> = calls.iter().map(|(name, _)| *name).collect();
    let log = place.path("log");
    let trace = format!("trace={}", names.join(","));
    let output = traced(place, spec, &["-o", log.to_str().unwrap(), "-e", &trace]).output().unwrap();
    let said = String::from_utf8_lossy(&output.stdout);
    if !Uid::effective().is_root() && said.contains("newuidmap(") {
        return None;
    }
    assert!(
        output.status.success() && said.contains("3 passed"),
        "{said}{}",
        String::from_utf8_lossy(&output.stderr)
    );
    let mut by_process: HashMap<(String, String), usize> = HashMap::new();
    for line in fs::read_to_string(log).unwrap().lines() {
        let Some((pid, call)) = line.split_once(' ').filter(|(_, rest)| rest.contains('(')) else { continue };
        let name = call.trim_start().split('(').next().unwrap_or_default();
        *by_process.entry((pid.to_owned(), name.to_owned())).or_default() += 1;
    }
    let mut most = HashMap::new();
    for ((_, name), count) in by_process {
        let known: &mut usize = most.entry(name).or_default();
        *known = count.max(*known);
    }
    Some(most)
}

/// The run under strace, which stops its processes only at the calls that are named (`--seccomp-bpf`).
fn traced(place: &Place, spec: &str, options: &[&str]) -> Command {
    let run = place.command(spec, "native");
    let mut command = Command::new("strace");
    command.args(["-f", "--seccomp-bpf", "-qq"]).args(options);
    if !options.contains(&"-o") {
        command.args(["-o", "/dev/null"]);
    }
    command.arg(run.get_program()).args(run.get_args()).args(["--jobs", "1"]);
    for (name, value) in run.get_envs() {
        match value {
            Some(value) => command.env(name, value),
            None => command.env_remove(name),
        };
    }
    command.current_dir(run.get_current_dir().unwrap()).stdin(Stdio::null());
    command
}
