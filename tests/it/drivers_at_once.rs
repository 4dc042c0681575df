//! Real runtimes, all that are here, at once: however the run ends, nothing of it is left.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use crate::watch::{Place, alone_with_podman, eventually, processes};

/// Those that CI installs.
const RUNTIMES: [&str; 12] = [
    "bwrap",
    "runc",
    "crun",
    "youki",
    "unshare",
    "systemd-nspawn",
    "lxc",
    "firejail",
    "hakoniwa",
    "docker",
    "podman",
    "ctr",
];

/// What is done in each sandbox goes on until the run is ended.
const SPEC: &str = "scenario: At once
sandbox: { image: base, profile: default }
claims:
  sleeps: { timeout: 100s, run: \"setsid -f sleep MARK <&- >&- 2>&-; exec sleep MARK\" }
";

/// What the next run does is of no account.
const NEXT: &str = "scenario: Next\nsandbox: { image: base }\nclaims:\n  is there: { inside: { uid: 0 } }\n";

/// Those that can be used here, as the program itself measures it.
fn usable() -> Vec<&'static str> {
    let listed = Command::new(env!("CARGO_BIN_EXE_airtight")).args(["runtime", "ls"]).output().unwrap();
    let said = String::from_utf8_lossy(&listed.stdout).into_owned();
    let line = |name: &str| {
        let found = said.lines().find(|line| line.split_whitespace().next() == Some(name));
        found.map_or_else(|| name.to_owned(), str::to_owned)
    };
    let (here, missing): (Vec<_>, Vec<_>) =
        RUNTIMES.into_iter().partition(|name| line(name).contains(" usable, a sandbox in "));
    for name in &missing {
        eprintln!("not measured: {}", line(name));
    }
    here
}

/// What a runtime could leave on the host that is nobody's in particular.
#[derive(Debug, PartialEq, Eq)]
struct Host {
    mounts: BTreeSet<String>,
    interfaces: BTreeSet<String>,
}

impl Host {
    fn now() -> Self {
        let mounts = fs::read_to_string("/proc/self/mountinfo").unwrap();
        // Another run's come and go meanwhile, and so do those of an engine's containers.
        let place = |line: &str| line.split(' ').nth(4).unwrap().to_owned();
        let engines = folders_of_engines();
        let is_engines = |place: &String| engines.iter().any(|folder| Path::new(place).starts_with(folder));
        let interfaces = fs::read_dir("/sys/class/net").unwrap().flatten();
        Self {
            mounts: mounts
                .lines()
                .map(place)
                .filter(|place| !is_engines(place) || place.contains("firejail"))
                .collect(),
            interfaces: interfaces.map(|entry| entry.file_name().to_string_lossy().into_owned()).collect(),
        }
    }
}

/// Where engines mount the roots of their containers: the system's own, and the folder in which dockerd was told to keep its data.
fn folders_of_engines() -> Vec<PathBuf> {
    let asked = Command::new("docker").args(["info", "--format", "{{.DockerRootDir}}"]).output();
    let said =
        asked.map(|output| String::from_utf8_lossy(&output.stdout).trim().to_owned()).unwrap_or_default();
    let told = Path::new(&said).parent().filter(|folder| folder.parent().is_some());
    ["/var/lib", "/run"].map(PathBuf::from).into_iter().chain(told.map(Path::to_owned)).collect()
}

/// The containers that engines keep of the run of this PID.
fn kept(pid: i32) -> Vec<String> {
    let asked: [&[&str]; 3] = [
        &["docker", "ps", "--all", "--format", "{{.Names}}"],
        &["podman", "ps", "--all", "--format", "{{.Names}}"],
        &["ctr", "--connect-timeout", "1s", "--namespace", "airtight", "containers", "ls", "--quiet"],
    ];
    let mark = format!("{pid}-asked");
    let ask = |words: &&[&str]| Command::new(words[0]).args(&words[1..]).env("AIRTIGHT_ID", &mark).output();
    let lists: Vec<String> = asked
        .iter()
        .filter_map(|words| ask(words).ok())
        .map(|output| String::from_utf8_lossy(&output.stdout).into_owned())
        .collect();
    for process in marked(pid) {
        // It may have ended.
        let _ = kill(Pid::from_raw(process), Signal::SIGKILL);
    }
    let ours = format!("airtight-{pid}-");
    lists
        .iter()
        .flat_map(|list| list.lines())
        .filter(|name| name.contains(&ours))
        .map(str::to_owned)
        .collect()
}

/// The processes that carry the mark of the run of this PID. To ask podman is what makes an ordinary user's, which outlives the question.
fn marked(pid: i32) -> Vec<i32> {
    let begins = format!("AIRTIGHT_ID={pid}-").into_bytes();
    let carries = |process: &i32| {
        let entries = fs::read(format!("/proc/{process}/environ")).unwrap_or_default();
        entries.split(|byte| *byte == 0).any(|entry| entry.starts_with(&begins))
    };
    processes().into_iter().filter(carries).collect()
}

fn check(signal: Signal, code: Option<i32>) {
    let _alone = alone_with_podman();
    let runtimes = usable();
    assert!(runtimes.contains(&"unshare"), "{runtimes:?}");
    let before = Host::now();
    let place = Place::new();
    let mut command = place.command(SPEC, &runtimes.join(","));
    let mut run = place.begin(command.args(["--jobs", &runtimes.len().to_string()]));
    let what = format!("{signal:?} to a run on {}", runtimes.join(", "));
    run.until_started(2 * runtimes.len(), &what);
    let pid = run.pid();
    run.signal(signal);
    let over = run.end();
    assert_eq!(over.code, code, "{what}: {}", over.said);
    eventually(&format!("{what}: no process of it is left: {:?}", marked(pid)), || marked(pid).is_empty());
    if signal == Signal::SIGKILL {
        // What only a daemon keeps is for the next run.
        let engines: Vec<_> =
            ["docker", "podman", "ctr"].into_iter().filter(|name| runtimes.contains(name)).collect();
        if !engines.is_empty() {
            let next = Place::new();
            let over = next.run(NEXT, &engines.join(","));
            assert_eq!(over.code, Some(0), "{what}: {}", over.said);
        }
    }
    place.assert_untouched(&over, &what);
    eventually(&format!("{what}: no engine keeps anything: {:?}", kept(pid)), || kept(pid).is_empty());
    let after = Host::now();
    assert!(after.mounts.is_subset(&before.mounts), "{what}: {:?}", after.mounts.difference(&before.mounts));
    assert!(
        after.interfaces.is_subset(&before.interfaces),
        "{what}: {:?}",
        after.interfaces.difference(&before.interfaces)
    );
}

#[test]
fn sigkill_to_a_run_on_all_runtimes_leaves_nothing() {
    check(Signal::SIGKILL, None);
}

#[test]
fn sigterm_to_a_run_on_all_runtimes_leaves_nothing() {
    check(Signal::SIGTERM, Some(130));
}

#[test]
fn ctrl_c_on_all_runtimes_leaves_nothing() {
    check(Signal::SIGINT, Some(130));
}
