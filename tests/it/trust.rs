//! Whatever happens to the runner itself, it ends with the right exit code and a word, in time, and nothing passes that was not seen.

use std::fs::{self, File};
use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

use airtight::agent::protocol::Ask;
use nix::unistd::Uid;

use crate::agent::{query, soon, start};
use crate::watch::{Over, Place};

const SPEC: &str = "scenario: Trust
sandbox: { image: base }
claims:
  is first: { steps: [{ exec: [sleep, \"MARK\"], as: sleeper }, { inside: { pid: 1 } }] }
  runs: { exec: [\"true\"] }
";

/// Runs a command to its end, and holds that it leaves nothing behind.
fn run(place: &Place, command: &mut Command, what: &str) -> Over {
    let output = File::create(place.path("output")).unwrap();
    let over = place.watch(command.stdout(output.try_clone().unwrap()).stderr(output)).end();
    place.assert_untouched(&over, what);
    over
}

/// The run of a spec behind the words of another program, which executes what follows.
fn behind(place: &Place, words: &[&str], spec: &str) -> Command {
    let run = place.command(spec, "native");
    let mut command = Command::new(words[0]);
    command.args(&words[1..]).arg(run.get_program()).args(run.get_args());
    command.current_dir(run.get_current_dir().unwrap());
    command.env("TMPDIR", place.tmp()).env("XDG_STATE_HOME", place.path("state"));
    command.env_remove("AIRTIGHT_REQUIRE").env("RUST_BACKTRACE", "0");
    command
}

#[test]
fn a_name_that_stands_for_nothing_is_an_error() {
    let check = |changed: (&str, &str), arguments: &[&str], code: i32, says: &str| {
        let place = Place::new();
        let mut command = place.command(&SPEC.replace(changed.0, changed.1), "native");
        let over = run(&place, command.args(arguments), says);
        assert_eq!(over.code, Some(code), "{changed:?} {arguments:?}: {}", over.said);
        assert!(over.said.contains(says), "{changed:?} {arguments:?}: {}", over.said);
        assert!(!over.said.contains("passed  "), "{changed:?} {arguments:?}: {}", over.said);
    };
    let same = ("", "");
    check(same, &["no-such-spec.yaml"], 2, "cannot read specs from `no-such-spec.yaml`");
    check(same, &["--claim", "is frist"], 2, "no claim is chosen");
    check(same, &["--tag", "no-such-tag"], 2, "no claim is chosen");
    check(same, &["--runtime", "nativ"], 2, "unknown runtime `nativ`");
    check(same, &["--require", "programm"], 2, "nothing is required by `programm`");
    check(("image: base", "image: bsae"), &[], 3, "no image named `bsae`");
    check(("pid: 1", "pdi: 1"), &[], 2, "pdi");
    check(("image: base", "image: base, hostnam: x"), &[], 2, "hostnam");
    check(("sandbox:", "needs: [programm ip]\nsandbox:"), &[], 2, "programm");
    check(("sandbox:", "needs: [program no-such-program]\nsandbox:"), &[], 3, "no program `no-such-program`");
    check(("sandbox:", "runtimes: [nativ]\nsandbox:"), &[], 2, "nativ");
    check(("as: sleeper", "as: sleeper, form: host"), &[], 2, "form");
}

/// The stand-in says hello and gives these lines to each request, with `NONCE` for the request's own. What it says to the first
/// question and to the second is no answer in either case, or only once.
#[test]
fn an_agent_that_breaks_the_protocol_is_not_asked_again() {
    let check = |token: &str, lines: &str, first: &str, second: &str| {
        let script = format!(
            r#"echo '{{"token":"{token}","pid":7}}'; while read -r line; do nonce=${{line#*nonce\":\"}}; nonce=${{nonce%%\"*}}
            {lines}; done"#
        );
        let mut started = start(Command::new("sh").args(["-c", &script]));
        let mut ask = || {
            let asked = started.channel.ask(&Ask::Observe(vec![query("pid", "")]), soon());
            asked.map_or_else(|error| error.to_string(), |answers| format!("{} answer", answers.len()))
        };
        let (one, two) = (ask(), ask());
        assert!(one.starts_with(first), "{lines}: {one}");
        assert!(two.starts_with(second), "{lines}: {two}");
        started.end();
    };
    let answer = r#"printf '{"nonce":"%s","answers":[{"Ok":{"value":1,"raw":""}}]}\n' "$nonce""#;
    check("t0k", answer, "1 answer", "1 answer");
    // Twice: the second line is no answer to the second question.
    let twice = format!("{answer}; {answer}");
    check("t0k", &twice, "1 answer", "the agent answered another request: ");
    let other = r#"printf '{"nonce":"other","answers":[]}\n'"#;
    check(
        "t0k",
        other,
        "the agent answered another request: other",
        "the agent answered another request: other",
    );
    // An agent that came right afterwards would be as strange as before.
    check("wrong", answer, "another agent answered", "another agent answered");
    let cut = r#"printf '{"nonce":"%s"' "$nonce"; exit"#;
    check("t0k", cut, "the agent's answer was cut after ", "the agent's answer was cut after ");
    check("t0k", "exit", "the agent closed its streams", "the agent closed its streams");
    let late = format!("sleep 0.3; {answer}");
    check_late(&late);
}

/// An answer that comes after its time is none, and is not taken for the next one either.
fn check_late(lines: &str) {
    let script = format!(
        r#"echo '{{"token":"t0k","pid":7}}'; while read -r line; do nonce=${{line#*nonce\":\"}}; nonce=${{nonce%%\"*}}; {lines}; done"#
    );
    let mut started = start(Command::new("sh").args(["-c", &script]));
    started.channel.hello(soon()).unwrap();
    let ask = Ask::Observe(vec![query("pid", "")]);
    let deadline = Instant::now() + Duration::from_millis(20);
    let late = started.channel.ask(&ask, deadline).unwrap_err();
    assert_eq!(late.to_string(), "the agent did not answer in time");
    assert_eq!(started.channel.ask(&ask, soon()).unwrap_err(), late);
    started.end();
}

/// Clocks that are elsewhere change nothing; the one that can be set to another time decides nothing but `until` of a known issue.
#[test]
fn a_clock_that_jumps_is_not_looked_at() {
    let mut readers = Vec::new();
    sources(Path::new("src"), &mut |path, text| {
        let code = text.lines().filter(|line| !line.trim_start().starts_with("//"));
        readers.extend(code.filter(|line| line.contains("SystemTime::now")).map(|_| path.to_owned()));
    });
    readers.sort();
    // One is a fact, of when the machine was booted; the others are the clock that a restored VM is given, and when a cached file was last used.
    let known =
        ["src/engine/date.rs", "src/fact/machine.rs", "src/vm/fleet/snapshot.rs", "src/vm/fleet/sortie.rs"];
    assert_eq!(readers, known);
    if !Uid::effective().is_root() {
        return eprintln!(
            "not measured: only root can set the clocks of a time namespace without a user namespace"
        );
    }
    let place = Place::new();
    let words = ["unshare", "--time", "--monotonic=10000000", "--boottime=10000000", "--fork", "--"];
    let over = run(&place, &mut behind(&place, &words, SPEC), "clocks ahead by months");
    assert_eq!(over.code, Some(0), "{}", over.said);
}

fn sources(folder: &Path, see: &mut impl FnMut(&str, &str)) {
    let place = Path::new(env!("CARGO_MANIFEST_DIR")).join(folder);
    for entry in fs::read_dir(place).unwrap() {
        let name = folder.join(entry.unwrap().file_name());
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(&name);
        if path.is_dir() {
            sources(&name, see);
        } else if name.extension().is_some_and(|ending| ending == "rs") {
            see(name.to_str().unwrap(), &fs::read_to_string(path).unwrap());
        }
    }
}

/// (the variable that leads there, the file system's options, the spec's change, the exit code, what is said).
type Full = (&'static str, &'static str, (&'static str, &'static str), i32, &'static str);

const FULL: &[Full] = &[
    // What is red is red without its evidence.
    ("XDG_STATE_HOME", "size=4k,nr_inodes=3", ("pid: 1", "pid: 2"), 1, "expected 2, observed 1"),
    ("XDG_STATE_HOME", "size=4k,nr_inodes=3", ("", ""), 0, "2 passed"),
    ("AIRTIGHT_CACHE", "size=64k", ("", ""), 3, "failed: ENOSPC"),
    ("AIRTIGHT_CACHE", "nr_inodes=3", ("", ""), 4, "failed: ENOSPC"),
    ("TMPDIR", "nr_inodes=1", ("", ""), 4, "mkdir("),
    ("TMPDIR", "nr_inodes=2", ("", ""), 4, "mkdir("),
];

/// Each on a tmpfs in a mount namespace that ends with the run; only root can make that without another user namespace.
#[test]
fn a_full_disk_is_told() {
    if !Uid::effective().is_root() {
        return eprintln!("not measured: only root can mount a small file system");
    }
    for (variable, options, change, code, says) in FULL {
        let place = Place::new();
        fs::create_dir(place.path("full")).unwrap();
        let full = place.path("full").display().to_string();
        let script =
            format!("mount -t tmpfs -o {options} tmpfs {full} && export {variable}={full} && exec \"$@\"");
        let words = ["unshare", "--mount", "--propagation", "private", "sh", "-c", &script, "sh"];
        let what = format!("{variable} on a tmpfs with {options}");
        let over = run(&place, &mut behind(&place, &words, &SPEC.replace(change.0, change.1)), &what);
        assert_eq!(over.code, Some(*code), "{what}: {}", over.said);
        assert!(over.said.contains(says), "{what}: {}", over.said);
    }
}

#[test]
fn a_report_that_cannot_be_written_is_not_green() {
    let check = |format: &str, spec: &str, code: i32| {
        let place = Place::new();
        let mut command = place.command(spec, "native");
        command.args(["--format", format]).stdout(File::create("/dev/full").unwrap());
        let errors = File::create(place.path("output")).unwrap();
        let over = place.watch(command.stderr(errors)).end();
        place.assert_untouched(&over, format);
        assert_eq!(over.code, Some(code), "{format}: {}", over.said);
        assert!(over.said.contains("the report could not be written: "), "{format}: {}", over.said);
    };
    check("pretty", SPEC, 4);
    check("json", SPEC, 4);
    check("json", &SPEC.replace("pid: 1", "pid: 2"), 1);
}

/// As many of each resource as in no case, in some, and in all are enough: a word and an exit code, or all of it passes.
#[test]
fn what_is_used_up_is_told() {
    let check = |limit: &str, values: &[u64], says: &[&str]| {
        for value in values {
            let what = format!("{limit} {value}");
            let place = Place::new();
            let option = format!("--{limit}={value}:{value}");
            let over = run(&place, &mut behind(&place, &["prlimit", &option, "--"], SPEC), &what);
            let told = says.iter().any(|says| over.said.contains(says));
            match over.code {
                Some(0) => assert!(over.said.contains("2 passed"), "{what}: {}", over.said),
                Some(2..=4 | 127) => assert!(told, "{what}: {}", over.said),
                // An allocation that fails ends a Rust program.
                None if limit == "as" || limit == "data" => {}
                code => panic!("{what}: {code:?}: {}", over.said),
            }
        }
    };
    let open: Vec<u64> = (3..24).chain([32, 64]).collect();
    check("nofile", &open, &["EMFILE", "Too many open files", "error 24", "shared libraries"]);
    check("as", &[1 << 22, 6 << 20, 8 << 20, 12 << 20, 1 << 26], &["ENOMEM", "shared libraries", "memory"]);
    if !Uid::effective().is_root() {
        // The tests' own threads count among the user's, so that none is left.
        check("nproc", &[1], &["EAGAIN", "Resource temporarily unavailable"]);
    }
}

/// Of a user who has no other processes, so that each number is reached.
#[test]
fn a_user_without_processes_left_is_told() {
    if !Uid::effective().is_root() {
        return eprintln!("not measured: only root can become a user who has no other processes");
    }
    let folder = tempfile::Builder::new().permissions(open_to_all()).tempdir().unwrap();
    let program = folder.path().join("airtight");
    fs::copy(env!("CARGO_BIN_EXE_airtight"), &program).unwrap();
    fs::write(folder.path().join("spec.yaml"), SPEC.replace("MARK", "1")).unwrap();
    let home = folder.path().join("home");
    fs::create_dir(&home).unwrap();
    std::os::unix::fs::chown(&home, Some(NOBODY), Some(NOBODY)).unwrap();
    for processes in 1..=8_u32 {
        let (id, limit) = (NOBODY.to_string(), format!("--nproc={processes}:{processes}"));
        let output = Command::new("setpriv")
            .args(["--reuid", &id, "--regid", &id, "--clear-groups", "prlimit", &limit])
            .arg(&program)
            .args(["run", "spec.yaml"])
            .current_dir(folder.path())
            .env_remove("AIRTIGHT_REQUIRE")
            .envs([("HOME", &home), ("TMPDIR", &home), ("XDG_STATE_HOME", &home), ("XDG_CACHE_HOME", &home)])
            .output()
            .unwrap();
        let said = [output.stdout, output.stderr].concat();
        let said = String::from_utf8_lossy(&said);
        match output.status.code() {
            Some(0) => assert!(said.contains("2 passed"), "{processes}: {said}"),
            Some(3 | 4) => {
                assert!(said.contains("EAGAIN") || said.contains("os error 11"), "{processes}: {said}");
            }
            code => panic!("{processes}: {code:?}: {said}"),
        }
        let left: Vec<_> = fs::read_dir(&home).unwrap().flatten().map(|entry| entry.file_name()).collect();
        assert!(
            !left.iter().any(|name| name.to_string_lossy().starts_with("airtight-")),
            "{processes}: {left:?}"
        );
    }
}

/// An id that nobody has.
const NOBODY: u32 = 64_321;

fn open_to_all() -> fs::Permissions {
    std::os::unix::fs::PermissionsExt::from_mode(0o755)
}
