//! The wall clock jumps while a run is on, forwards and backwards: a known issue is an excuse until its day is past, and no longer. That no other outcome
//! changes is tried where the clock really jumps, in a VM: `kernels/vm.rs`.
//!
//! libfaketime(1) in the runner and in all that it starts tells a time that is read from a file at each look; `host.run` of a claim writes that file. Only
//! `CLOCK_REALTIME` jumps, as it does for settimeofday(2), and `CLOCK_MONOTONIC` goes on. Nothing is killed meanwhile: the library has a lock for all processes, and
//! who dies with it leaves the others waiting.

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::watch::{Over, Place};

/// What is known not to hold.
const KNOWN: &str = "scenario: A known issue
sandbox: { image: base }
claims:
  is second:
    known_issue: { link: \"https://example.org/1\", because: it is not done, until: \"2031-05-06\" }
    steps:
      - host.run: JUMP
        inside: { pid: 2 }
";

/// A known issue is an excuse on the day that it names, in UTC, and not on the next; and the day is that on which the claim ended.
#[test]
fn a_known_issue_is_no_excuse_after_its_day() {
    let Some(library) = faketime() else { return eprintln!("not measured: faketime is not installed") };
    let check = |at: &str, jump_to: &str, code: i32, says: &str| {
        let place = Place::new();
        let over = run(&place, &library, &KNOWN.replace("JUMP", &jump(&place, &[jump_to])), at);
        assert_eq!(over.code, Some(code), "{at} {jump_to}: {}", over.said);
        assert!(over.said.contains(says), "{at} {jump_to}: {}", over.said);
    };
    let (excused, past) = ("it is not done", "the known issue was an excuse until 2031-05-06");
    check("2031-05-06 00:00:00", "2031-05-06 23:59:59", 3, excused);
    check("2031-05-06 00:00:00", "2031-05-07 00:00:00", 1, past);
    // Backwards as well: what the clock says in the end counts.
    check("2031-05-09 00:00:00", "2031-05-05 12:00:00", 3, excused);
    check("2031-05-06 12:00:00", "2099-01-01 00:00:00", 1, past);
}

/// A shell's words that set the clock to the next of these times; after the last comes the first again.
fn jump(place: &Place, times: &[&str]) -> String {
    let (clock, jumps) = (place.path("clock"), place.path("jumps"));
    let list: Vec<String> = times.iter().map(|time| format!("'{time}'")).collect();
    let script = format!(
        "set -- {}; echo >> {jumps}; n=$(( $(wc -l < {jumps}) % $# )); shift $n; echo \"$1\" > {clock}.new; mv {clock}.new {clock}",
        list.join(" "),
        jumps = jumps.display(),
        clock = clock.display(),
    );
    serde_json::to_string(&script).unwrap()
}

fn run(place: &Place, library: &Path, spec: &str, at: &str) -> Over {
    let clock = place.path("clock");
    fs::write(&clock, format!("{at}\n")).unwrap();
    let run = place.command(spec, "native");
    let mut command = Command::new("env");
    command.arg(format!("LD_PRELOAD={}", library.display())).arg(run.get_program()).args(run.get_args());
    command.args(["--jobs", "1"]);
    command.envs(run.get_envs().filter_map(|(name, value)| Some((name, value?))));
    command.env_remove("AIRTIGHT_REQUIRE").current_dir(run.get_current_dir().unwrap());
    command.env("FAKETIME_TIMESTAMP_FILE", clock).envs([
        ("FAKETIME_NO_CACHE", "1"),
        ("DONT_FAKE_MONOTONIC", "1"),
        ("TZ", "UTC"),
    ]);
    let output = File::create(place.path("output")).unwrap();
    place.watch(command.stdout(output.try_clone().unwrap()).stderr(output)).end()
}

/// Where Debian's faketime keeps its library for programs with threads.
fn faketime() -> Option<PathBuf> {
    let found = glob::glob("/usr/lib/*/faketime/libfaketimeMT.so.1").ok()?;
    found.flatten().next()
}
