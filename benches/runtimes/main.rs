//! What airtight costs beside what each runtime itself takes: `cargo bench --bench runtimes`, as root. A sandbox that is made, asked for a
//! fact and ended is held against the same runtime run by hand for `true` in the same root filesystem, turn by turn. `-- runc bwrap` measures these alone.
//!
//! A runtime that is not usable here is left out, with the reason on standard error.
#![expect(clippy::expect_used, reason = "a benchmark ends with the first thing that goes wrong")]

#[path = "../figures/mod.rs"]
mod figures;

use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode, Stdio};
use std::sync::mpsc;
use std::thread;
use std::time::{Duration, Instant};

use airtight::agent::protocol::Ask;
use airtight::fact::Query;
use airtight::image::Store;
use airtight::sandbox::{First, Nursery, Order, Runtime, by_name};
use airtight::spec::Settings;
use figures::{median, milliseconds, seconds};
use indexmap::IndexMap;
use nix::mount::{MsFlags, mount};
use nix::sched::{CloneFlags, unshare};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use serde::Deserialize;

const FLOORS: &str = include_str!("floors.yaml");

/// How often each is run; they take turns.
const TURNS: usize = 15;

/// Claims that only look, of which two sandboxes' time must be enough.
const CLAIMS: usize = 60;

/// How long one may take.
const PATIENCE: Duration = Duration::from_secs(20);

/// What airtight may add.
const SHARE: f64 = 0.15;
const LEAST: Duration = Duration::from_millis(5);

/// A runtime that is run by hand.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Floor {
    prepare: Option<String>,
    run: Vec<String>,
    clean: Option<String>,
}

fn main() -> ExitCode {
    airtight::role::enter().unwrap_or_else(|| {
        measure();
        ExitCode::SUCCESS
    })
}

fn measure() {
    // What is mounted for a floor goes with the benchmark.
    unshare(CloneFlags::CLONE_NEWNS).expect("a mount namespace: the benchmark needs root");
    mount(None::<&str>, "/", None::<&str>, MsFlags::MS_REC | MsFlags::MS_PRIVATE, None::<&str>)
        .expect("private");
    let nursery = Nursery::start().expect("the nursery starts");
    let image =
        Store::open().expect("the store").rootfs("base", Path::new(".")).expect("the image base").path;
    let floors: IndexMap<String, Floor> = serde_yaml::from_str(FLOORS).expect("the floors");
    println!(
        "| runtime | `true` by hand | airtight, one fact | added | bound | {CLAIMS} claims beside two by hand |"
    );
    println!("| --- | ---: | ---: | ---: | ---: | ---: |");
    // Words that are no options, which cargo adds its own to, name the runtimes.
    let words: Vec<String> = std::env::args().skip(1).filter(|word| !word.starts_with('-')).collect();
    for (name, floor) in floors.iter().filter(|(name, _)| words.is_empty() || words.contains(name)) {
        let runtime = by_name(name).expect("a runtime of the catalogue");
        match runtime.check(&Settings::default()) {
            Ok(()) => row(&nursery, &image, runtime, floor),
            Err(cannot) => eprintln!("not measured: {}", cannot.reason),
        }
    }
}

fn row(nursery: &Nursery, image: &Path, runtime: &'static dyn Runtime, floor: &Floor) {
    let by_hand = ByHand::prepare(runtime.name(), image, floor);
    // What is made once, and kept: the image in the engine's store, the agent's directory.
    by_hand.run(0);
    one(nursery, image, runtime);
    let turns = (1..=TURNS).map(|turn| (by_hand.run(turn), one(nursery, image, runtime)));
    let (floor, ours): (Vec<_>, Vec<_>) = turns.unzip();
    let (floor, ours) = (median(floor), median(ours));
    let many = median((0..3).map(|_| many(runtime.name())).collect());
    let added = ours.as_secs_f64() - floor.as_secs_f64();
    println!(
        "| {} | {} | {} | {:.2} ms ({:.0} %) | ≤ {} | {} beside {} |",
        runtime.name(),
        milliseconds(floor),
        milliseconds(ours),
        added * 1e3,
        100.0 * added / floor.as_secs_f64(),
        milliseconds(floor.mul_f64(SHARE).max(LEAST)),
        seconds(many),
        seconds(floor * 2),
    );
}

/// A runtime with what it needs to be run by hand.
struct ByHand<'a> {
    place: tempfile::TempDir,
    floor: &'a Floor,
}

impl<'a> ByHand<'a> {
    fn prepare(name: &str, image: &Path, floor: &'a Floor) -> Self {
        let place = tempfile::Builder::new().prefix(&format!("floor-{name}-")).tempdir().expect("a folder");
        let copied = Command::new("cp").arg("-a").arg(image).arg(place.path().join("rootfs")).status();
        assert!(copied.expect("cp").success(), "{name}: the image was not copied");
        for place in ["proc", "sys", "dev", "tmp"].map(|name| place.path().join("rootfs").join(name)) {
            std::fs::create_dir_all(place).expect("a directory");
        }
        let by_hand = Self { place, floor };
        by_hand.shell(floor.prepare.as_deref());
        by_hand
    }

    fn shell(&self, script: Option<&str>) {
        let Some(script) = script else { return };
        let output =
            Command::new("sh").args(["-c", script]).current_dir(self.place.path()).output().expect("sh");
        assert!(output.status.success(), "{script}: {}", String::from_utf8_lossy(&output.stderr));
    }

    /// Again where it does not end: youki 0.7 waits for ever for a program that has ended before it began to wait.
    fn run(&self, turn: usize) -> Duration {
        let mut times = (0..3).filter_map(|trial| self.try_run(&format!("floor-{turn}-{trial}")));
        times.next().expect("one of three times the runtime ends")
    }

    fn try_run(&self, id: &str) -> Option<Duration> {
        let words = self.words(id);
        let began = Instant::now();
        let mut command = Command::new(&words[0]);
        command.args(&words[1..]).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::piped());
        let child = command.spawn().expect("the runtime");
        let pid = Pid::from_raw(i32::try_from(child.id()).expect("a PID"));
        let (send, ended) = mpsc::channel();
        let waiting = thread::spawn(move || send.send((child.wait_with_output(), began.elapsed())));
        let ended = ended.recv_timeout(PATIENCE);
        if ended.is_err() {
            eprintln!("it did not end, and is run again: {words:?}");
            kill(pid, Signal::SIGKILL).expect("it is there");
        }
        waiting.join().expect("it is waited for").ok();
        let (output, took) = ended.ok()?;
        let output = output.expect("its output");
        assert!(output.status.success(), "{words:?}: {}", String::from_utf8_lossy(&output.stderr));
        Some(took)
    }

    fn words(&self, id: &str) -> Vec<String> {
        let place = self.place.path().to_str().expect("UTF-8");
        let fill = |word: &String| {
            let word = word.replace("$ROOTFS", &format!("{place}/rootfs"));
            word.replace("$PLACE", place).replace("$ID", id)
        };
        self.floor.run.iter().map(fill).collect()
    }
}

impl Drop for ByHand<'_> {
    fn drop(&mut self) {
        self.shell(self.floor.clean.as_deref());
    }
}

fn one(nursery: &Nursery, image: &Path, runtime: &dyn Runtime) -> Duration {
    let began = Instant::now();
    let (settings, directory, first) = (Settings::default(), Path::new("."), First::Agent);
    let deadline = began + Duration::from_secs(30);
    let order = Order { settings: &settings, image, directory, first, deadline, kept: false, breakage: None };
    let mut sandbox = runtime.start(nursery, &order).expect("a sandbox");
    let query = Query { fact: String::from("uid"), argument: String::new() };
    let answers =
        sandbox.agent().expect("the agent").ask(&Ask::Observe(vec![query]), deadline).expect("an answer");
    assert_eq!(answers[0].as_ref().expect("a reading").value, 0);
    drop(sandbox);
    began.elapsed()
}

/// A whole run of airtight over claims that only look.
fn many(runtime: &str) -> Duration {
    let folder = tempfile::tempdir().expect("a folder");
    let spec: PathBuf = folder.path().join("many.yaml");
    let claim = |number| format!("  is root, {number}: {{ inside: {{ uid: 0 }} }}");
    let claims = (0..CLAIMS).map(claim).collect::<Vec<_>>().join("\n");
    std::fs::write(&spec, format!("scenario: Many\nsandbox: {{ image: base }}\nclaims:\n{claims}\n"))
        .expect("a spec");
    let began = Instant::now();
    let output =
        Command::new(env!("CARGO_BIN_EXE_airtight")).args(["run", "--runtime", runtime]).arg(spec).output();
    let took = began.elapsed();
    let output = output.expect("airtight runs");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stdout));
    took
}
