//! What claims share, sandboxes that were only looked at and controls in which nothing was left, changes the outcome of none.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use airtight::fact::{ATTEMPTS, Attempt, find_attempt};
use airtight::spec::{Asked, load};
use nix::unistd::Uid;
use serde_json::Value;

/// The lines of `airtight run --format json`, the summary at the end.
fn run(arguments: &[&str]) -> Vec<Value> {
    let mut command = Command::new(env!("CARGO_BIN_EXE_airtight"));
    command.args(["run", "--format", "json"]).args(arguments).env_remove("AIRTIGHT_REQUIRE");
    let output = command.output().unwrap();
    let text = String::from_utf8_lossy(&output.stdout);
    let lines: Vec<Value> = text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let said = String::from_utf8_lossy(&output.stderr);
    assert_eq!(lines.last().map(|line| &line["type"]), Some(&Value::from("summary")), "{said}");
    lines
}

/// The outcome and the reason of each claim, by its name.
fn outcomes(lines: &[Value]) -> BTreeMap<String, String> {
    let ends = lines.iter().filter(|line| line["type"] == "test");
    ends.map(|line| (text(&line["name"]), format!("{} {} {}", line["outcome"], line["need"], line["reason"])))
        .collect()
}

fn text(value: &Value) -> String {
    value.as_str().unwrap().to_owned()
}

/// The areas of the catalogue. What is said of settings and of hostile images needs a sandbox for each, and what is said of other runtimes one
/// of theirs.
fn areas() -> Vec<String> {
    let folders = fs::read_dir("specs").unwrap().map(|entry| entry.unwrap().path());
    let apart = ["settings", "runtime", "vulnerability"];
    let folders = folders.filter(|path| !apart.iter().any(|area| path.ends_with(area)));
    let shared = folders.map(|path| path.to_str().unwrap().to_owned());
    shared.chain(["specs/vulnerability/reach.yaml".to_owned()]).collect()
}

/// The bundled specs, once as ever and once with nothing shared.
#[test]
fn claims_end_alike_together_and_apart() {
    let specs = areas();
    let specs: Vec<&str> = specs.iter().map(String::as_str).collect();
    let (together, apart) = (run(&specs), run(&[&specs[..], &["--apart"]].concat()));
    let (ours, others) = (outcomes(&together), outcomes(&apart));
    let differ: Vec<_> = ours.iter().filter(|(name, end)| others.get(*name) != Some(*end)).collect();
    assert!(differ.is_empty() && ours.len() == others.len(), "{differ:#?}");
    let scenarios: BTreeSet<&str> = ours.keys().filter_map(|name| Some(name.rsplit_once("::")?.0)).collect();
    let made = |lines: &[Value], what: &str| lines.last().unwrap()[what].as_u64().unwrap();
    let (few, many) = (made(&together, "sandboxes"), made(&apart, "sandboxes"));
    assert!(few < 3 * scenarios.len() as u64, "{few} sandboxes for {} scenarios", scenarios.len());
    assert!(many > 2 * few, "{many} apart, {few} together");
    assert!(made(&apart, "controls") > 2 * made(&together, "controls"));
}

/// A claim does something to the control that waits for others, between two claims that want it. `HARM` is done to the process `$p`.
const HARMED: &str = "scenario: A control that somebody reaches
sandbox: { image: base, root: read_only }
claims:
  comes first: { inside: { attempts: { syscall: { fsopen: denied } } } }
  does harm:
    host.run: \"n=$(ps -o ppid= -p $AIRTIGHT_PID | tr -d ' '); for p in $(cat /proc/$n/task/$n/children); do if grep -q '^airtight-agent' /proc/$p/cmdline
      && grep -q '^Seccomp:.0' /proc/$p/status; then HARM && echo $p >> FILE; fi; done; true\"
    inside: { pid: 1 }
  comes second: { inside: { attempts: { write: { /bin/new: denied } } } }
  is refused to everybody: { inside: { attempts: { syscall: { nfsservctl: denied } } } }
  is refused to nobody: { inside: { attempts: { open: { /bin: denied } } } }
";

/// A control that was killed or stopped, or in which the attempt does not succeed any more, is no control, and makes no other outcome.
#[test]
fn a_control_that_was_harmed_is_not_believed() {
    let remount = "nsenter -t $p -m mount -o remount,ro /";
    let harms = ["kill -KILL $p", "kill -STOP $p", remount];
    // What an ordinary user has to do for the third is another question.
    let harms = harms.into_iter().filter(|harm| *harm != remount || Uid::effective().is_root());
    for harm in harms {
        let folder = tempfile::tempdir().unwrap();
        let (path, harmed) = (folder.path().join("harmed.yaml"), folder.path().join("harmed"));
        fs::write(&path, HARMED.replace("HARM", harm).replace("FILE", harmed.to_str().unwrap())).unwrap();
        let lines = run(&[path.to_str().unwrap(), "--jobs", "1"]);
        assert!(harmed.exists(), "{harm}: there was nothing to harm: {lines:#?}");
        let ends: Vec<_> = lines[..lines.len() - 1].iter().map(|line| text(&line["outcome"])).collect();
        assert_eq!(ends, ["passed", "passed", "passed", "broken", "failed"], "{harm}: {lines:#?}");
    }
}

/// What can be seen of a sandbox, inside.
const SEEN: &str = "posture: { unchanged: true }, hostname: { unchanged: true }, personality: { unchanged: true }, signals: { unchanged: true }, nice: { unchanged: true }, keyrings: { session: { unchanged: true }, user: { unchanged: true } }, \
processes: { unchanged: true }, mount_points: { unchanged: true }, sockets: { unchanged: true }, interfaces: { unchanged: true }, sysctls: { kernel.ns_last_pid: { unchanged: true } }, \
entries: { /: { unchanged: true }, /dev: { unchanged: true }, /dev/shm: { unchanged: true }, /dev/pts: { unchanged: true }, /etc: { unchanged: true }, /tmp: { unchanged: true }, /run: { unchanged: true } }, \
files: { /proc/sysvipc/shm: { unchanged: true }, /proc/sysvipc/msg: { unchanged: true }, /proc/sysvipc/sem: { unchanged: true }, /proc/self/timers: { unchanged: true } }";

/// Tried in one sandbox without restrictions, one after another, no attempt that says that it leaves nothing leaves anything to be seen.
#[test]
fn what_leaves_nothing_leaves_nothing_to_be_seen() {
    let nothing = |(attempt, object): &(&Attempt, String)| attempt.leaves.nothing(object);
    let lines = run_attempts(&tried().into_iter().filter(nothing).collect::<Vec<_>>());
    let ends = outcomes(&lines);
    let red: Vec<_> = lines.iter().filter(|line| !line["trouble"].is_null()).collect();
    assert!(red.is_empty(), "{red:#?}");
    let passed = ends.values().filter(|end| end.starts_with("\"passed\"")).count();
    assert!(passed >= if Uid::effective().is_root() { 150 } else { 80 }, "{passed} of {}", ends.len());
}

/// Otherwise the test above would see nothing at all.
#[test]
fn what_leaves_something_is_seen() {
    let leaving = [
        ("make_ipc", "shm 4711"),
        ("make_ipc", "msg 4711"),
        ("listen", "tcp 127.0.0.1:4711"),
        ("fork", "probe"),
        ("syscall", "msgget"),
    ];
    let leaving = leaving.map(|(verb, object)| (find_attempt(verb).unwrap(), object.to_owned()));
    for (attempt, object) in &leaving {
        let ends = outcomes(&run_attempts(&[(attempt, object.clone())]));
        let failed = ends.values().all(|end| end.starts_with("\"failed\""));
        assert!(failed && !attempt.leaves.nothing(object), "{} {object}: {ends:?}", attempt.name);
    }
}

/// Whoever is in another place or under another id afterwards, even if it comes back, may see other things; and what ends or stops others does.
#[test]
fn nothing_that_moves_or_harms_is_said_to_leave_nothing() {
    const MOVES: [&str; 18] = [
        "mount",
        "umount",
        "chroot",
        "nested_mount",
        "setns",
        "unshare",
        "setuid",
        "setgid",
        "fork",
        "ptrace",
        "make_ipc",
        "listen",
        "rewrite",
        "chmod",
        "sethostname",
        "link",
        "raise_limit",
        "mkdir",
    ];
    for attempt in ATTEMPTS.iter().filter(|attempt| MOVES.contains(&attempt.name)) {
        let claimed = tried()
            .into_iter()
            .find(|(other, object)| other.name == attempt.name && other.leaves.nothing(object));
        assert!(claimed.is_none(), "{} {:?}", attempt.name, claimed.map(|(_, object)| object));
    }
    let check = |verb: &str, object: &str, expected: bool| {
        assert_eq!(find_attempt(verb).unwrap().leaves.nothing(object), expected, "{verb} {object}");
    };
    check("kill", "1", true);
    check("kill", "SIGKILL 1", false);
    check("syscall", "unshare", true);
    check("syscall", "unshare(0x20000)", false);
    check("syscall", "setuid(0)", false);
    check("syscall", "socket(1, 1, 0)", true);
    check("syscall", "msgget", false);
    check("write", "/proc/sysrq-trigger", true);
    check("write", "/etc/passwd", false);
    check("write", "/proc/../etc/passwd", false);
}

/// Each attempt with the object of its example, and with all those that the bundled claims name.
fn tried() -> Vec<(&'static Attempt, String)> {
    let mut all = BTreeMap::new();
    for path in specs(&Path::new(env!("CARGO_MANIFEST_DIR")).join("specs")) {
        let spec = load(&path).unwrap_or_else(|problems| panic!("{problems}"));
        for claim in spec.scenarios.iter().flat_map(|scenario| &scenario.claims) {
            let seen = claim.given.iter().chain(claim.steps.iter().flat_map(|step| &step.seen));
            for expected in seen.flat_map(|seen| &seen.facts) {
                if let Asked::Attempt(attempt) = expected.subject {
                    all.insert((attempt.name, expected.argument.clone()), attempt);
                }
            }
        }
    }
    all.into_iter().map(|((_, object), attempt)| (attempt, object)).collect()
}

fn specs(folder: &Path) -> Vec<PathBuf> {
    let below = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    let files = below.flat_map(|path| if path.is_dir() { specs(&path) } else { vec![path] });
    files.filter(|path| path.extension().is_some_and(|ending| ending == "yaml")).collect()
}

/// As controls are.
const FREE: &str = "image: base, new: [mount, pid, net, uts, ipc, cgroup, time], capabilities: { drop: [] }, no_new_privs: false, seccomp: none, \
root: writable, mask: [], read_only: [], mounts: [{ type: sysfs, target: /sys, options: [nosuid, nodev, noexec] }]";

/// A claim for each: where it succeeds in a sandbox without restrictions, nothing is changed by it.
fn run_attempts(attempts: &[(&Attempt, String)]) -> Vec<Value> {
    let mut spec = format!("scenario: What is left\nsandbox: {{ {FREE} }}\nclaims:\n");
    if !Uid::effective().is_root() {
        spec = spec.replace("new: [mount,", "new: [user, mount,");
    }
    for (number, (attempt, object)) in attempts.iter().enumerate() {
        let (verb, object) = (attempt.name, serde_json::to_string(object).unwrap());
        let given = format!("{{ inside: {{ attempts: {{ {verb}: {{ {object}: allowed }} }} }} }}");
        writeln!(spec, "  number {number}: {{ given: {given}, inside: {{ {SEEN} }} }}").unwrap();
    }
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("left.yaml");
    fs::write(&path, spec).unwrap();
    run(&[path.to_str().unwrap()])
}
