//! The bundled specs, with the causes of their claims removed: what stays green then checks nothing.
//!
//! Claims that only look are judged without any sandbox. Claims that act are not, because they would act on the host: they are judged in
//! a sandbox that lacks what they are about.

use std::collections::BTreeSet;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use airtight::plan::spec_files;
use airtight::spec::load;

use super::broken_catalogue::CATALOGUE;
use super::runs::{Told, run};

/// A spec with one cause removed, and the claims that must fail then.
pub(super) struct Breakage {
    /// The spec, below `specs/`.
    pub(super) spec: &'static str,
    /// What is replaced in its text by what. `TMP` stands for a folder of the host that anybody may write to.
    pub(super) changes: &'static [(&'static str, &'static str)],
    /// The sentences of claims that must fail.
    pub(super) red: &'static [&'static str],
}

/// All namespaces but the PID namespace. The user namespace stays, so that a `kill -9 1` that leaves the sandbox is refused: PID 1 is then
/// the machine's.
const NO_PID: (&str, &str) = ("image: base", "image: base\n  new: [user, mount, net, uts, ipc, cgroup]");

const NO_USER: (&str, &str) = ("image: base", "image: base\n  new: [pid, mount, net, uts, ipc, cgroup]");

const BREAKAGES: &[Breakage] = &[
    Breakage {
        spec: "identity/posture.yaml",
        changes: &[NO_PID],
        red: &[
            "is this and nothing besides",
            "is the same for a process that joins it later, but for its namespaces, which it has not made",
            "is the same for a program that is executed in it",
        ],
    },
    Breakage {
        spec: "identity/helpers.yaml",
        changes: &[("[--pid, --fork, --mount-proc]", "[--net]")],
        red: &[
            "is unshare itself, and nothing else",
            "is in the sandbox's mount namespace, and else in the host's",
            "has no descriptor that leads out",
            "is not restricted, as the process in the sandbox is not",
        ],
    },
    Breakage {
        spec: "pid/first-process.yaml",
        changes: &[("new: all", "new: [user, mount, net, uts, ipc, cgroup]")],
        red: &[
            "sees itself as PID 1, and no parent",
            "is another number on the host",
            "answers `echo $$` with 1",
            "sees no process but its own",
            "is alone in its ps",
            "sees what it starts, and nothing else",
        ],
    },
    Breakage {
        spec: "pid/unshare-fork.yaml",
        changes: &[("[--pid, --fork, --mount-proc]", "[--fork, --mount-proc]")],
        red: &[
            "sees itself as PID 1",
            "answers `echo $$` with 1",
            "is alone in its ps",
            "sees no process but its own",
            "is in a PID namespace of its own, and so will be its children",
            "is known to the host by another number",
            "shares everything that it did not ask for",
        ],
    },
    Breakage {
        spec: "pid/unshare-without-fork.yaml",
        changes: &[("[--pid]", "[--pid, --fork]")],
        red: &[
            "stays in the host's PID namespace",
            "does not answer `echo $$` with 1",
            "has a first child that is PID 1",
            "has children in another PID namespace than its own",
            "can make one child, and after its death no other",
            "has a shell that says so",
        ],
    },
    Breakage {
        spec: "pid/borrowed-proc.yaml",
        changes: &[
            ("[--pid, --fork]", "[--pid, --fork, --mount-proc]"),
            ("source: /proc, target: /proc", "target: /mnt, source: /mnt"),
        ],
        red: &[
            "shows the host's processes",
            "shows them in ps",
            "knows the process by both its numbers, as the host does",
        ],
    },
    Breakage {
        spec: "pid/borrowed-proc.yaml",
        changes: &[("[--pid, --fork]", "[--fork]")],
        red: &["is PID 1 all the same"],
    },
    Breakage {
        spec: "pid/two-pids.yaml",
        changes: &[NO_PID],
        red: &[
            "sees the one, and the host the other",
            "has two numbers in the host's /proc",
            "has a sibling that the host sees too",
        ],
    },
    Breakage {
        spec: "lifecycle/init-and-signals.yaml",
        changes: &[NO_PID],
        red: &[
            "does not die of its own namespace's `kill -9 1`",
            "does not die of a SIGTERM that it does not handle",
            "cannot stop itself, but the host can",
        ],
    },
    Breakage {
        spec: "lifecycle/init-and-signals.yaml",
        changes: &[("trap 'exit 7' TERM; ", "")],
        red: &["gets a signal that it handles, from inside", "gets a signal that it handles, from the host"],
    },
    Breakage {
        spec: "lifecycle/ends-together.yaml",
        // Not without a PID namespace: the runner itself ends what is left of a sandbox whose first process has ended.
        changes: &[("{ process: first, from: host", "{ process: sleeper, from: host")],
        red: &["takes everything in it along"],
    },
    Breakage {
        spec: "lifecycle/ends-together.yaml",
        changes: &[NO_PID],
        red: &["does not come with the death of another process"],
    },
    Breakage {
        spec: "sharing/namespaces.yaml",
        changes: &[("new: [pid, mount, uts, ipc, net]", "new: [mount]")],
        red: &["differ in all that it asked for", "are those of the first process for every further one"],
    },
    Breakage {
        spec: "user/root-inside.yaml",
        changes: &[NO_USER],
        red: &[
            "makes root of somebody who is not",
            "owns the files that root makes, and the host sees whose they are",
        ],
    },
    Breakage {
        spec: "seccomp/default-profile.yaml",
        changes: &[("seccomp: default", "seccomp: none")],
        red: &[
            "is on the process",
            "refuses namespaces within namespaces",
            "refuses what is not namespaced",
            "refuses programs, counters and rings in the kernel",
            "refuses clone3, whose flags it cannot see, as if there were none",
        ],
    },
    Breakage {
        spec: "capability/of-root.yaml",
        changes: &[
            ("seccomp: none", "seccomp: none\n  capabilities: { drop: [] }"),
            ("{ keep: [] }", "{ drop: [] }"),
            ("[sys_chroot] } }", "[] } }"),
        ],
        red: &[
            "are fewer than root's",
            "do not let it mount or change its root",
            "do not let it rename the machine",
            "can be none at all",
            "can be one more than none",
        ],
    },
    Breakage {
        spec: "capability/default-set.yaml",
        changes: &[
            ("image: base", "image: base\n  capabilities: { drop: [] }"),
            ("{ uid: 1000, gid: 1000 }", "{ uid: 0 }"),
        ],
        red: &[
            "are exactly fourteen",
            "are not to be exceeded by any program",
            "are the same to the host, and in a further process",
            "are nobody's but root's",
        ],
    },
    Breakage {
        spec: "capability/none-at-all.yaml",
        changes: &[(
            "profile: hardened",
            "profile: hardened\n  capabilities: { drop: [] }\n  no_new_privs: false\n  seccomp: none",
        )],
        red: &[
            "has none in any of its five sets",
            "shows none to the host",
            "has none in any further process",
            "gains none by executing a program as root",
            "can gain no privileges",
            "can gain no privileges in any further process",
            "does not rule the machine",
        ],
    },
    Breakage {
        spec: "capability/own-namespaces.yaml",
        changes: &[("profile: hardened", "profile: hardened\n  capabilities: { drop: [] }")],
        red: &["cannot mount, unmount, or change its root", "cannot restart even its own namespace"],
    },
    Breakage {
        spec: "capability/over-the-machine.yaml",
        changes: &[("{ keep: [] }", "{ drop: [] }")],
        red: &["cannot set the clock", "cannot read the kernel's log"],
    },
    Breakage {
        spec: "seccomp/refused-calls.yaml",
        changes: &[
            ("profile: hardened", "profile: hardened\n  seccomp: none"),
            ("{ drop: [] }", "{ drop: [] }\n  seccomp: none"),
        ],
        red: &[
            "refuses to make or change mounts and roots",
            "refuses to restart the machine",
            "refuses modules",
        ],
    },
    Breakage {
        spec: "seccomp/other-ways-in.yaml",
        changes: &[("profile: hardened", "profile: hardened\n  seccomp: none")],
        red: &["is not gone round by the numbers of x32", "refuses sockets to the hypervisor"],
    },
    Breakage {
        spec: "env/exactly-as-set.yaml",
        changes: &[
            ("profile: hardened\n\n", "profile: hardened\n  env: { PATH: /bin:/usr/bin, SECRET: told }\n\n"),
            ("env: { PATH: /usr/bin:/bin,", "env: { PATH: /bin:/usr/bin,"),
            ("with: { env: {} }", "with: { env: { SECRET: told } }"),
            ("with: { env: { ONLY: this } }", "with: { env: { ONLY: that } }"),
        ],
        red: &[
            "is a PATH, and nothing else",
            "is no other to the host",
            "is no other to its neighbours",
            "is what a program is executed with",
            "is that of every further program",
            "is that of every further process",
            "can be none at all",
            "can be none at all for a program",
            "is set in every byte",
            "reaches a program in its order",
            "replaces what would have been there without",
        ],
    },
    Breakage {
        spec: "tty/no-terminal.yaml",
        changes: &[
            (
                "profile: hardened\n\n",
                "profile: hardened\n  new: [user, mount, net, uts, ipc, cgroup]\n  mounts: [{ source: /dev/null, target: /dev/tty }, { source: /dev/null, target: /dev/ptmx }]\n\n",
            ),
            ("{ profile: default }", "{ profile: default, new: [mount, pid] }"),
        ],
        red: &[
            "has no controlling terminal, and leads a session of its own",
            "has further processes without one, in sessions of their own",
            "cannot open its terminal, nor type into it, for there is none",
            "has a /dev/pts of its own, and makes its terminals there",
            "cannot make a node of one",
        ],
    },
    Breakage {
        spec: "keyring/out-of-reach.yaml",
        changes: &[("profile: hardened\n\n", "profile: hardened\n  seccomp: none\n  mask: []\n\n")],
        red: &["cannot be asked for", "cannot be listed", "show in no further program"],
    },
    Breakage {
        spec: "device/minimal-dev.yaml",
        changes: &[NO_USER],
        red: &["does not reach a device by making its node"],
    },
    Breakage {
        spec: "mount/read-only-root.yaml",
        changes: &[("root: read_only", "root: writable"), ("[nosuid, nodev, noexec, size=1m]", "[ro]")],
        red: &[
            "is read-only as a whole",
            "refuses to write, to make and to remount",
            "leaves a place to write to",
        ],
    },
    Breakage {
        spec: "mount/own-root.yaml",
        changes: &[
            ("image: base", "image: base\n  mounts: [{ source: TMP, target: TMP }]"),
            ("/airtight-was-here", "TMP/airtight-was-here"),
            ("/left-behind", "TMP/left-behind"),
        ],
        red: &["keeps what is written from the host", "keeps what is written from the next container"],
    },
    Breakage {
        spec: "mount/unshare-chroot.yaml",
        changes: &[("runtimes: [unshare]", "runtimes: [none]")],
        red: &[
            "is not the host's",
            "does not have what only the host has",
            "is a directory to the host, and / to itself",
        ],
    },
    Breakage {
        spec: "cgroup/limits.yaml",
        changes: &[("{ pids: 8 }", "{ pids: 1000 }")],
        red: &["hold its processes down"],
    },
];

#[test]
fn what_holds_in_a_sandbox_fails_without_its_cause() {
    let held = bundled(&["specs"], |told| told.outcome == "passed");
    let mut caught = bundled(&["specs", "--runtime", "none"], |told| told.outcome == "failed");
    for breakage in BREAKAGES.iter().chain(CATALOGUE) {
        caught
            .extend(break_it(breakage).into_iter().map(|claim| (format!("specs/{}", breakage.spec), claim)));
    }
    let missed: Vec<_> =
        held.difference(&caught).filter(|claim| !holds_anywhere().contains(*claim)).collect();
    assert!(missed.is_empty(), "nothing turns these claims red, so that they check nothing: {missed:#?}");
}

/// Without a sandbox nothing holds but what says so; of a claim's rows one may, where the machine itself lacks what the row is about.
#[test]
fn without_a_sandbox_nothing_holds_but_what_does_anywhere() {
    let anywhere = holds_anywhere();
    let told = run(&["specs", "--runtime", "none"]);
    let failed: BTreeSet<_> =
        told.iter().filter(|told| told.outcome == "failed").map(|told| (&told.file, &told.claim)).collect();
    for told in &told {
        let expected: &[&str] = if anywhere.contains(&(told.file.clone(), told.claim.clone())) {
            &["passed", "skipped"]
        } else if failed.contains(&(&told.file, &told.claim)) {
            &["passed", "failed", "not_measured"]
        } else {
            &["skipped", "not_measured"]
        };
        assert!(expected.contains(&told.outcome.as_str()), "{}", told.text);
    }
}

/// Runs the broken copy of a spec, and gives the claims that failed. Where the machine lets the spec run at all, they are those that must.
fn break_it(breakage: &Breakage) -> BTreeSet<String> {
    let folder = tempfile::tempdir().unwrap();
    let shared = folder.path().join("shared");
    fs::create_dir(&shared).unwrap();
    fs::set_permissions(folder.path(), fs::Permissions::from_mode(0o755)).unwrap();
    fs::set_permissions(&shared, fs::Permissions::from_mode(0o777)).unwrap();
    let mut text = fs::read_to_string(Path::new("specs").join(breakage.spec)).unwrap();
    for (from, to) in breakage.changes {
        assert!(text.contains(from), "{} has no `{from}` to be broken", breakage.spec);
        text = text.replace(from, &to.replace("TMP", shared.to_str().unwrap()));
    }
    let copy = folder.path().join("broken.yaml");
    fs::write(&copy, text).unwrap();
    let told = run(&[copy.to_str().unwrap()]);
    for claim in breakage.red {
        let rows: Vec<&Told> = told.iter().filter(|told| told.claim == *claim).collect();
        let red = rows.iter().any(|told| told.outcome == "failed");
        let skipped = !rows.is_empty() && rows.iter().all(|told| told.outcome == "skipped");
        assert!(red || skipped, "{}, broken, still has `{claim}`: {rows:#?}", breakage.spec);
    }
    told.into_iter().filter(|told| told.outcome == "failed").map(|told| told.claim).collect()
}

fn bundled(arguments: &[&str], wanted: impl Fn(&Told) -> bool) -> BTreeSet<(String, String)> {
    run(arguments).into_iter().filter(wanted).map(|told| (told.file, told.claim)).collect()
}

/// The bundled claims that say that they hold anywhere, by file and sentence.
fn holds_anywhere() -> BTreeSet<(String, String)> {
    let mut found = BTreeSet::new();
    for (path, _) in spec_files(Path::new("specs")).unwrap() {
        let spec = load(&path).unwrap_or_else(|problems| panic!("{problems}"));
        let claims = spec.scenarios.iter().flat_map(|scenario| &scenario.claims);
        found.extend(
            claims
                .filter(|claim| claim.holds_anywhere)
                .map(|claim| (path.display().to_string(), claim.name.clone())),
        );
    }
    found
}
