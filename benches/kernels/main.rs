//! What a verdict on a kernel costs beside booting that kernel: `cargo bench --bench kernels [-- --all]`, on the kernels that `ci/kernels.sh` has
//! fetched or `AIRTIGHT_DEBIAN_KERNELS` names, and beside others that boot a kernel for one command, where `ci/contenders.sh` has installed them. `--all` also judges every
//! spec on each kernel, which takes minutes.
#![expect(clippy::expect_used, reason = "a benchmark ends with the first thing that goes wrong")]

mod contenders;
#[path = "../figures/mod.rs"]
mod figures;
mod floor;

use std::fs;
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode, Stdio};
use std::time::{Duration, Instant};

use airtight::vm::kernel::{Choice, Kernel, find};
use contenders::Contest;
use figures::{median, milliseconds, seconds};
use tempfile::TempDir;

/// How often each is measured; the kinds take turns.
const TIMES: usize = 5;

/// The last two columns are of others' programs, for `true`.
const HEAD: &str = "| kernel | bare boot | cold | ratio | from a snapshot | virtme-ng | vmtest |\n\
                    | --- | ---: | ---: | ---: | ---: | ---: | ---: |";

/// In seconds: nothing that is measured takes as long, not on a busy machine either.
const LIMIT: &str = "180";

/// One claim, so that the first verdict is the only one.
const SPEC: &str = "scenario: One\nsandbox: {}\nclaims:\n  is first: { inside: { pid: 1 } }\n";

fn main() -> ExitCode {
    let all = std::env::args().any(|word| word == "--all");
    airtight::role::enter().unwrap_or_else(|| measure(all))
}

fn measure(all: bool) -> ExitCode {
    let Some(packages) = packages() else {
        println!("no kernels: ci/kernels.sh fetches them");
        return ExitCode::SUCCESS;
    };
    println!("{HEAD}");
    let place = Place::new();
    for package in &packages {
        row(&place, package);
    }
    println!("\nBounds: cold ≤ 1.25 × a bare boot, 300 ms from a snapshot.");
    if all {
        everything(&place, &packages);
    }
    ExitCode::SUCCESS
}

/// A program that is killed after a while, with all of its group.
fn bounded(program: &str) -> Command {
    let mut command = Command::new("timeout");
    command.args(["--signal=KILL", LIMIT, program]);
    command
}

/// The packages with a kernel, oldest first, and before them the kernel that was built for the others.
fn packages() -> Option<Vec<PathBuf>> {
    let home = || std::env::var_os("HOME").map(|home| PathBuf::from(home).join(".cache/airtight-kernels"));
    let folder = std::env::var_os("AIRTIGHT_DEBIAN_KERNELS").map(PathBuf::from).or_else(home)?;
    let entries = fs::read_dir(folder).ok()?;
    let mut found: Vec<PathBuf> = entries.flatten().filter_map(|entry| kernel_in(entry.path())).collect();
    found.sort();
    (!found.is_empty()).then_some(found)
}

/// The package itself, or the image in a folder that `ci/contenders.sh` has made.
fn kernel_in(path: PathBuf) -> Option<PathBuf> {
    let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
    let named = name.starts_with("linux-image-") || name.starts_with("linux-binary-");
    let image = path.join("bzImage");
    let built = name.starts_with("contenders-") && image.is_file();
    if named && is_package(&path) { Some(path) } else { built.then_some(image) }
}

fn is_package(path: &Path) -> bool {
    path.extension().is_some_and(|ending| ending == "deb")
}

/// A cache of its own, so that it is known what is in it.
struct Place {
    cache: TempDir,
    spec: PathBuf,
}

impl Place {
    fn new() -> Self {
        let cache = tempfile::tempdir().expect("a temporary folder");
        let spec = cache.path().join("spec.yaml");
        fs::write(&spec, SPEC).expect("a spec");
        Self { cache, spec }
    }

    /// Forgets what was booted, and nothing else.
    fn cool(&self) {
        let _ = fs::remove_dir_all(self.cache.path().join("vm"));
    }

    fn airtight(&self, kernel: &Path) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_airtight"));
        command.args(["run", "--format", "json", "--kernel"]).arg(kernel);
        command.env("AIRTIGHT_CACHE", self.cache.path()).stdin(Stdio::null()).stderr(Stdio::null());
        command
    }
}

fn row(place: &Place, package: &Path) {
    let kernel = kernel(place, package);
    // What is unpacked and built once for all kernels and runs is there from now on.
    first_verdict(place, package);
    let mut contest = Contest::new(package, &kernel);
    let (mut bare, mut cold, mut warm) = (Vec::new(), Vec::new(), Vec::new());
    for _ in 0..TIMES {
        bare.push(floor::boot(&kernel, place.cache.path()));
        place.cool();
        cold.push(first_verdict(place, package));
        warm.push(first_verdict(place, package));
        contest.round();
    }
    let (bare, cold, warm) = (median(bare), median(cold), median(warm));
    let ratio = format!("{:.2}", cold.as_secs_f64() / bare.as_secs_f64());
    let own = [kernel.release, seconds(bare), seconds(cold), ratio, milliseconds(warm)];
    println!("| {} | {} |", own.join(" | "), contest.cells().join(" | "));
}

fn kernel(place: &Place, package: &Path) -> Kernel {
    let word = package.to_string_lossy().into_owned();
    let found = find(&[word], None, &place.cache.path().join("kernels")).expect("a kernel");
    found
        .into_iter()
        .find_map(|choice| match choice {
            Choice::Vm(kernel) => Some(*kernel),
            Choice::Host => None,
        })
        .expect("a kernel")
}

/// From the program's start until it has told what became of the claim.
fn first_verdict(place: &Place, package: &Path) -> Duration {
    let began = Instant::now();
    let mut process =
        place.airtight(package).arg(&place.spec).stdout(Stdio::piped()).spawn().expect("airtight");
    let mut line = String::new();
    BufReader::new(process.stdout.take().expect("its output")).read_line(&mut line).expect("a verdict");
    let took = began.elapsed();
    assert!(line.contains("\"outcome\":\"passed\""), "{}: {line}", package.display());
    process.wait().expect("its end");
    took
}

/// Every spec on each of Debian's kernels, with a VM for every scenario.
fn everything(place: &Place, packages: &[PathBuf]) {
    let packages: Vec<_> = packages.iter().filter(|path| is_package(path)).collect();
    let Some((first, others)) = packages.split_first() else { return };
    let mut command = place.airtight(first);
    for package in others {
        command.arg("--kernel").arg(package);
    }
    let began = Instant::now();
    let output = command.arg("specs").output().expect("airtight");
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    let tests = text.lines().filter(|line| line.starts_with("{\"type\":\"test\"")).count();
    println!("\n{tests} claims on {} kernels: {} (bound: 180 s)", packages.len(), seconds(began.elapsed()));
}
