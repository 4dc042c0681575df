//! The host unharmed: however a run ends, nothing of it is left.

use std::os::unix::fs::{FileTypeExt as _, MetadataExt as _};

use nix::sys::signal::{Signal, kill};
use nix::unistd::{Pid, Uid};

use crate::watch::{Over, Place, Watched};

/// A way for a run to end.
#[derive(Debug, Clone, Copy)]
enum Ending {
    /// The claim holds.
    Held,
    /// It does not.
    Failed,
    /// Its time is up.
    Timeout,
    /// Nobody reads what is reported: standard output is a pipe without a reader.
    Deaf,
    /// A signal to the runner.
    Signal(Signal),
    /// SIGKILL to the nursery.
    NurseryKilled,
    /// The nursery is asked to end.
    NurseryEnded,
    /// The nursery is stopped, as a sandbox in its PID namespace could do, and then comes a signal to the runner.
    NurseryStopped(Signal),
    /// SIGKILL to both. Whoever runs next clears up.
    BothKilled,
}

/// (runtime, settings, the step's key): each leaves a daemon behind, of another session and another parent.
fn sandboxes() -> Vec<(&'static str, &'static str, &'static str)> {
    let by_anyone = [
        ("native", "new: all", "exec"),
        ("native", "new: all", "run"),
        ("native", "new: [user, mount]", "exec"),
        ("none", "new: all", "exec"),
        ("none", "new: all", "run"),
    ];
    let by_root = [
        ("native", "new: [mount], limits: { pids: 50 }", "exec"),
        ("native", "new: [mount]", "run"),
        ("unshare", "new: [mount, pid], flags: [--fork, --mount-proc]", "exec"),
        ("unshare", "new: [mount, pid], flags: [--fork, --mount-proc]", "run"),
        ("unshare", "new: [mount]", "exec"),
    ];
    let root = Uid::effective().is_root();
    by_anyone.into_iter().chain(by_root.into_iter().filter(|_| root)).collect()
}

fn check(ending: Ending) {
    let before = host();
    for (runtime, settings, key) in sandboxes() {
        let what = format!("{ending:?}: {runtime}, {{ {settings} }}, {key}");
        let place = Place::new();
        let spec = spec(ending, settings, key);
        let over = end(ending, &place, &spec, runtime, &what);
        place.assert_untouched(&over, &what);
    }
    assert_eq!(host(), before, "{ending:?}");
}

/// The sandbox is asked for twice, so that a third one has been made ahead when the run ends.
fn spec(ending: Ending, settings: &str, key: &str) -> String {
    let (last, timeout) = match ending {
        Ending::Held | Ending::Deaf => ("true", "60s"),
        Ending::Failed => ("exit 7", "60s"),
        Ending::Timeout => ("sleep MARK", "1s"),
        _ => ("sleep MARK", "100s"),
    };
    let daemon = "setsid -f sleep MARK <&- >&- 2>&-";
    format!(
        "scenario: Ends\nsandbox: {{ image: base, {settings} }}\nclaims:\n  is asked for before: {{ {key}: 'true' }}\n  ends:\n    timeout: {timeout}\n    {key}: {daemon}; {last}\n"
    )
}

fn end(ending: Ending, place: &Place, spec: &str, runtime: &str, what: &str) -> Over {
    match ending {
        Ending::Held => ended_itself(place, spec, runtime, 0, "2 passed", what),
        Ending::Failed => ended_itself(place, spec, runtime, 1, "expected 0, observed 7", what),
        Ending::Timeout => ended_itself(place, spec, runtime, 1, "had not ended when the time was up", what),
        Ending::Deaf => deaf(place, spec, runtime, what),
        Ending::Signal(signal) => {
            interrupted(place, spec, runtime, code(signal), what, |run| run.signal(signal))
        }
        Ending::NurseryStopped(signal) => interrupted(place, spec, runtime, code(signal), what, |run| {
            tell_nursery(run, Signal::SIGSTOP);
            run.signal(signal);
        }),
        Ending::NurseryKilled | Ending::NurseryEnded => {
            let signal =
                if matches!(ending, Ending::NurseryKilled) { Signal::SIGKILL } else { Signal::SIGTERM };
            let over = interrupted(place, spec, runtime, Some(4), what, |run| tell_nursery(run, signal));
            assert!(over.said.contains("the nursery process has gone"), "{what}: {}", over.said);
            over
        }
        Ending::BothKilled => {
            let mut nursery = 0;
            let over = interrupted(place, spec, runtime, None, what, |run| {
                run.signal(Signal::SIGSTOP);
                nursery = run.nursery();
                tell_nursery(run, Signal::SIGKILL);
                run.signal(Signal::SIGKILL);
            });
            over.wait_for(nursery);
            place.run("scenario: Next\nclaims:\n  is there:\n    inside: { alive: true }\n", runtime);
            over
        }
    }
}

/// What a runner exits with that gets this signal.
fn code(signal: Signal) -> Option<i32> {
    (signal != Signal::SIGKILL).then_some(130)
}

fn tell_nursery(run: &Watched<'_>, signal: Signal) {
    kill(Pid::from_raw(run.nursery()), signal).unwrap();
}

fn ended_itself(place: &Place, spec: &str, runtime: &str, code: i32, says: &str, what: &str) -> Over {
    let over = place.run(spec, runtime);
    assert!(over.said.contains(says) && over.code == Some(code), "{what}: {:?}, {}", over.code, over.said);
    over
}

fn deaf(place: &Place, spec: &str, runtime: &str, what: &str) -> Over {
    let (reader, writer) = std::io::pipe().unwrap();
    drop(reader);
    let over = place.watch(place.command(spec, runtime).stdout(writer)).end();
    assert_eq!(over.code, Some(0), "{what}: {}", over.said);
    over
}

fn interrupted(
    place: &Place,
    spec: &str,
    runtime: &str,
    code: Option<i32>,
    what: &str,
    interrupt: impl FnOnce(&Watched<'_>),
) -> Over {
    let mut run = place.start(spec, runtime);
    // The daemon, and the command itself.
    run.until_asleep(2, what);
    interrupt(&run);
    let over = run.end();
    assert_eq!(over.code, code, "{what}: {}", over.said);
    over
}

/// What a sandbox could change of the host: its name, and the devices that everything needs.
fn host() -> (String, Vec<(bool, u64, u32)>) {
    let name = nix::unistd::gethostname().unwrap().to_string_lossy().into_owned();
    let device = |name: &str| {
        let found = std::fs::metadata(format!("/dev/{name}")).unwrap();
        (found.file_type().is_char_device(), found.rdev(), found.mode())
    };
    (name, ["null", "zero", "full", "random", "urandom", "tty"].map(device).to_vec())
}

#[test]
fn a_run_that_holds_leaves_nothing() {
    check(Ending::Held);
}

#[test]
fn a_run_that_fails_leaves_nothing() {
    check(Ending::Failed);
}

#[test]
fn a_claim_that_times_out_leaves_nothing() {
    check(Ending::Timeout);
}

#[test]
fn a_run_whose_report_nobody_reads_leaves_nothing() {
    check(Ending::Deaf);
}

#[test]
fn ctrl_c_leaves_nothing() {
    check(Ending::Signal(Signal::SIGINT));
}

#[test]
fn sigterm_leaves_nothing() {
    check(Ending::Signal(Signal::SIGTERM));
}

#[test]
fn a_hangup_leaves_nothing() {
    check(Ending::Signal(Signal::SIGHUP));
}

#[test]
fn a_hangup_that_is_ignored_stays_ignored() {
    let place = Place::new();
    let command =
        place.command(&spec(Ending::Held, "new: all", "exec").replace("; true", "; sleep 0.5"), "native");
    let mut deaf = std::process::Command::new("sh");
    deaf.args(["-c", "trap '' HUP; exec \"$@\"", "sh"]).arg(command.get_program()).args(command.get_args());
    deaf.envs(command.get_envs().filter_map(|(name, value)| Some((name, value?))));
    let mut run = place.watch(deaf.current_dir(place.tmp()));
    run.until_asleep(1, "an ignored hangup");
    run.signal(Signal::SIGHUP);
    let over = run.end();
    assert_eq!(over.code, Some(0));
    place.assert_untouched(&over, "an ignored hangup");
}

#[test]
fn sigkill_to_the_runner_leaves_nothing() {
    check(Ending::Signal(Signal::SIGKILL));
}

#[test]
fn sigkill_to_the_nursery_leaves_nothing() {
    check(Ending::NurseryKilled);
}

#[test]
fn sigterm_to_the_nursery_leaves_nothing() {
    check(Ending::NurseryEnded);
}

#[test]
fn ctrl_c_with_a_stopped_nursery_leaves_nothing() {
    check(Ending::NurseryStopped(Signal::SIGINT));
}

#[test]
fn sigkill_with_a_stopped_nursery_leaves_nothing() {
    check(Ending::NurseryStopped(Signal::SIGKILL));
}

#[test]
fn sigkill_to_both_leaves_nothing_that_the_next_run_does_not_clear_up() {
    check(Ending::BothKilled);
}
