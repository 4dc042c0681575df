//! What airtight costs beside what the kernel itself takes: `cargo bench`. Each figure is a ratio to a floor that was measured
//! in the same run, side by side, so that a busy machine slows both.
//!
//! `--check` fails where a ratio is above its bound.
#![expect(clippy::expect_used, reason = "a benchmark ends with the first thing that goes wrong")]

#[path = "../figures/mod.rs"]
mod figures;
mod floor;

use std::collections::HashSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode, Stdio};
use std::time::{Duration, Instant};

use airtight::agent::protocol::Ask;
use airtight::fact::Query;
use airtight::image::Store;
use airtight::sandbox::{First, Nursery, Order, by_name};
use airtight::spec::Settings;
use figures::{median, milliseconds, seconds};
use serde_json::Value;

/// Sandboxes in each batch; batches of both kinds take turns.
const BATCH: usize = 20;
const BATCHES: usize = 15;

/// Claims that each need a sandbox of their own.
const CLAIMS: usize = 1000;

/// The folder of specs that this program is to run as tests.
const AS_TESTS: &str = "AIRTIGHT_BENCH_SPECS";

fn main() -> ExitCode {
    let words: Vec<String> = std::env::args().skip(1).collect();
    match words.iter().map(String::as_str).collect::<Vec<_>>().as_slice() {
        ["floor", image, stage, count] => {
            let took = floor::run(Path::new(image), Path::new(stage), count.parse().expect("a count"));
            for took in took {
                println!("{}", took.as_nanos());
            }
            ExitCode::SUCCESS
        }
        // As a test program, with libtest's options on its command line.
        _ if std::env::var_os(AS_TESTS).is_some() => {
            airtight::harness::run(std::env::var(AS_TESTS).expect("UTF-8"))
        }
        _ => airtight::role::enter().unwrap_or_else(|| measure(words.iter().any(|word| word == "--check"))),
    }
}

/// One row of the table.
struct Row {
    what: &'static str,
    floor: String,
    airtight: String,
    ratio: Option<f64>,
    bound: &'static str,
    held: bool,
}

fn measure(check: bool) -> ExitCode {
    let nursery = Nursery::start().expect("the nursery starts");
    let place = tempfile::tempdir().expect("a temporary folder");
    floor::image(&place.path().join("image")).expect("the floor's image");
    fs::create_dir(place.path().join("stage")).expect("the floor's stage");
    write_specs(&place.path().join("specs"));
    println!("| what | floor | airtight | ratio | bound |\n| --- | ---: | ---: | ---: | ---: |");
    let held = [
        show(&one_sandbox(&nursery, place.path())),
        show(&many_sandboxes(place.path())),
        show(&memory(place.path())),
        show(&exact(place.path())),
        show(&bundled()),
        show(&sandboxes_per_scenario()),
        show(&proof()),
    ];
    ExitCode::from(u8::from(check && held.contains(&false)))
}

fn show(row: &Row) -> bool {
    let ratio = row.ratio.map_or(String::from("–"), |ratio| format!("{ratio:.2}"));
    println!("| {} | {} | {} | {ratio} | {} |", row.what, row.floor, row.airtight, row.bound);
    row.held
}

fn one_sandbox(nursery: &Nursery, place: &Path) -> Row {
    let image = Store::open().expect("the store").rootfs("base", Path::new(".")).expect("the image base");
    let (mut floor, mut ours) = (Vec::new(), Vec::new());
    for _ in 0..BATCHES {
        floor.extend(floor_batch(place, BATCH));
        ours.extend((0..BATCH).map(|_| one(nursery, &image.path)));
    }
    let (floor, ours) = (median(floor), median(ours));
    let ratio = ours.as_secs_f64() / floor.as_secs_f64();
    Row {
        what: "a sandbox made, one fact observed, torn down (median)",
        floor: milliseconds(floor),
        airtight: milliseconds(ours),
        ratio: Some(ratio),
        bound: "≤ 1.3",
        held: ratio <= 1.3,
    }
}

fn one(nursery: &Nursery, image: &Path) -> Duration {
    let began = Instant::now();
    let settings = Settings::default();
    let deadline = began + Duration::from_secs(10);
    let order = Order {
        settings: &settings,
        image,
        directory: Path::new("."),
        first: First::Agent,
        deadline,
        kept: false,
        breakage: None,
    };
    let mut sandbox = by_name("native").expect("native").start(nursery, &order).expect("a sandbox");
    let query = Query { fact: String::from("pid"), argument: String::new() };
    let answers =
        sandbox.agent().expect("the agent").ask(&Ask::Observe(vec![query]), deadline).expect("an answer");
    assert_eq!(answers[0].as_ref().expect("a reading").value, 1);
    drop(sandbox);
    began.elapsed()
}

fn floor_batch(place: &Path, count: usize) -> Vec<Duration> {
    let output = floor_command(place, count).output().expect("the floor runs");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let text = String::from_utf8(output.stdout).expect("numbers");
    text.lines().map(|line| Duration::from_nanos(line.parse().expect("a number"))).collect()
}

fn floor_command(place: &Path, count: usize) -> Command {
    let mut command = Command::new(std::env::current_exe().expect("this program"));
    command.arg("floor").arg(place.join("image")).arg(place.join("stage")).arg(count.to_string());
    command.stdout(Stdio::piped()).stderr(Stdio::piped());
    command
}

fn many_sandboxes(place: &Path) -> Row {
    let jobs = std::thread::available_parallelism().map_or(1, usize::from);
    let rounds: Vec<(Duration, Duration)> =
        (0..3).map(|_| (floors(place, jobs), run_specs(place, jobs))).collect();
    let floor = median(rounds.iter().map(|round| round.0).collect());
    let ours = median(rounds.iter().map(|round| round.1).collect());
    let ratio = ours.as_secs_f64() / floor.as_secs_f64();
    Row {
        what: "1,000 claims with a sandbox each, as many at once as there are CPUs",
        floor: seconds(floor),
        airtight: seconds(ours),
        ratio: Some(ratio),
        bound: "≤ 1.3",
        held: ratio <= 1.3,
    }
}

fn floors(place: &Path, jobs: usize) -> Duration {
    let began = Instant::now();
    let running: Vec<_> =
        (0..jobs).map(|_| floor_command(place, CLAIMS / jobs).spawn().expect("the floor")).collect();
    for child in running {
        assert!(child.wait_with_output().expect("the floor ends").status.success());
    }
    began.elapsed()
}

fn run_specs(place: &Path, jobs: usize) -> Duration {
    let began = Instant::now();
    let mut command = airtight();
    command.args(["run", "--apart", "-j", &jobs.to_string()]).arg(place.join("specs"));
    let output = command.output().expect("airtight runs");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stdout));
    began.elapsed()
}

fn airtight() -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_airtight"));
    command.stdin(Stdio::null());
    command
}

/// A thousand specs of one claim each.
fn write_specs(folder: &Path) {
    fs::create_dir(folder).expect("the folder of specs");
    for number in 0..CLAIMS {
        let text = format!(
            "scenario: Sandbox {number}\nsandbox: {{ image: base }}\nclaims:\n  is PID 1:\n    inside: {{ pid: 1 }}\n"
        );
        fs::write(folder.join(format!("spec-{number:04}.yaml")), text).expect("a spec");
    }
}

/// The peak of the runner's memory over a thousand claims, beside that over a hundred.
fn memory(place: &Path) -> Row {
    let few = place.join("few");
    fs::create_dir(&few).expect("a folder");
    for number in 0..CLAIMS / 10 {
        let name = format!("spec-{number:04}.yaml");
        fs::copy(place.join("specs").join(&name), few.join(&name)).expect("a copy");
    }
    let (few, many) = (peak(&few), peak(&place.join("specs")));
    let ratio = f64::from(many) / f64::from(few);
    Row {
        what: "peak memory of the runner, 1,000 claims beside 100",
        floor: format!("{few} KiB"),
        airtight: format!("{many} KiB"),
        ratio: Some(ratio),
        bound: "≤ 1.3",
        held: ratio <= 1.3,
    }
}

/// `VmHWM` of the runner, read by a shell that waits for it (GNU time is not everywhere).
fn peak(specs: &Path) -> u32 {
    let mut child =
        airtight().args(["run", "--apart"]).arg(specs).stdout(Stdio::null()).spawn().expect("airtight runs");
    let status = PathBuf::from(format!("/proc/{}/status", child.id()));
    let mut peak = 0;
    while child.try_wait().expect("wait").is_none() {
        let text = fs::read_to_string(&status).unwrap_or_default();
        let line = text.lines().find(|line| line.starts_with("VmHWM:")).unwrap_or_default();
        let kib: u32 = line.split_ascii_whitespace().nth(1).and_then(|word| word.parse().ok()).unwrap_or(0);
        peak = peak.max(kib);
        std::thread::yield_now();
    }
    peak
}

/// From the start of the test program to its end, which is more than to the start of the sandbox.
fn exact(place: &Path) -> Row {
    let name = "spec-0500::Sandbox 500::is PID 1 [native]";
    let times = (0..20).map(|_| {
        let began = Instant::now();
        let mut command = Command::new(std::env::current_exe().expect("this program"));
        command.env(AS_TESTS, place.join("specs")).args(["--exact", name]);
        let output = command.output().expect("the harness runs");
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stdout));
        began.elapsed()
    });
    let took = median(times.collect());
    Row {
        what: "`--exact` on one of 1,000 specs, the whole process",
        floor: String::from("–"),
        airtight: milliseconds(took),
        ratio: None,
        bound: "< 20 ms",
        held: took < Duration::from_millis(20),
    }
}

fn bundled() -> Row {
    let run = || {
        let began = Instant::now();
        let output =
            airtight().arg("run").arg(specs()).args(["--runtime", "native"]).output().expect("airtight runs");
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stdout));
        began.elapsed()
    };
    // The first run may have to build images.
    run();
    let took = median((0..3).map(|_| run()).collect());
    Row {
        what: "`airtight run` over the bundled specs on native, images built",
        floor: String::from("–"),
        airtight: seconds(took),
        ratio: None,
        bound: "< 5 s",
        held: took < Duration::from_secs(5),
    }
}

/// How well claims share sandboxes, and controls.
fn sandboxes_per_scenario() -> Row {
    let run = airtight().args(["run", "--runtime", "native", "--format", "json"]).arg(specs()).output();
    let output = String::from_utf8(run.expect("airtight runs").stdout).expect("UTF-8");
    let lines: Vec<Value> =
        output.lines().map(|line| serde_json::from_str(line).expect("a line of JSON")).collect();
    let names = lines.iter().filter_map(|line| line["name"].as_str()?.rsplit_once("::"));
    let scenarios: HashSet<&str> = names.map(|(scenario, _)| scenario).collect();
    let summary = lines.last().expect("a summary");
    let of_each = |what: &str| {
        let all = summary[what].as_f64().expect("a number");
        all / f64::from(u32::try_from(scenarios.len()).expect("some scenarios"))
    };
    let controls = of_each("controls");
    let all = of_each("sandboxes");
    Row {
        what: "sandboxes for each of the bundled scenarios, and controls",
        floor: String::from("–"),
        airtight: format!("{:.1} + {controls:.1}", all - controls),
        ratio: None,
        bound: "< 3 in all",
        held: all < 3.0,
    }
}

fn proof() -> Row {
    let began = Instant::now();
    let output = airtight().arg("prove").arg(specs()).output().expect("airtight proves");
    let took = began.elapsed();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stdout));
    Row {
        what: "`airtight prove` over the bundled specs",
        floor: String::from("–"),
        airtight: seconds(took),
        ratio: None,
        bound: "< 120 s",
        held: took < Duration::from_mins(2),
    }
}

fn specs() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("specs")
}
