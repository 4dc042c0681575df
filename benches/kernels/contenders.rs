//! The same kernel booted for one command by virtme-ng and by vmtest. `ci/contenders.sh` installs them, and seals them off from the host.

use std::path::Path;
use std::process::{Output, Stdio};
use std::time::{Duration, Instant};

use airtight::vm::kernel::Kernel;
use tempfile::TempDir;

use crate::bounded;
use crate::figures::{median, seconds};

const SCRIPT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/ci/contenders.sh");

/// How often each is measured on a kernel: it takes some ten times as long as all that it is beside.
const TIMES: usize = 3;

/// What a guest must have said before it is measured: no kernel's console has it, and a program that boots another kernel has not, either.
const QUESTION: &str = "echo it ran on $(uname -r)";

/// A program that boots a kernel for one command.
struct Contender {
    program: &'static str,
    /// The kernel's path and the command, as words for the script. One processor and 512 MB, as the others have.
    words: fn(&str, &str) -> Vec<String>,
}

const ALL: [Contender; 2] =
    [Contender { program: "vng", words: virtme_ng }, Contender { program: "vmtest", words: vmtest }];

/// Debian's virtiofsd is not the one that it takes, so that it is not looked for. `--verbose` has it tell what the kernel says.
fn virtme_ng(kernel: &str, command: &str) -> Vec<String> {
    let options = "--root /mnt --disable-kvm --force-9p --cpus 1 --memory 512M --verbose --";
    let words = ["vng", "--run", kernel].into_iter().chain(options.split(' ')).chain([command]);
    words.map(str::to_owned).collect()
}

/// It takes processors and memory from a file alone.
fn vmtest(kernel: &str, command: &str) -> Vec<String> {
    let file = format!(
        "[[target]]\nname = 'one'\nkernel = '{kernel}'\nrootfs = '/mnt'\nkernel_args = 'ro'\ncommand = '{command}'\n\
         [target.vm]\nnum_cpus = 1\nmemory = '512M'\n"
    );
    let script = "printf %s \"$1\" >vmtest.toml && exec vmtest";
    ["sh", "-c", script, "sh", &file].map(str::to_owned).to_vec()
}

/// A kernel where the programs are run.
struct Sealed {
    /// The kernel as they want to find it, if any of them is there.
    tree: TempDir,
    release: String,
}

impl Sealed {
    fn run(&self, contender: &Contender, command: &str) -> Output {
        let kernel = format!("/mnt/boot/vmlinuz-{}", self.release);
        let mut process = bounded(SCRIPT);
        process.arg("sealed").arg(self.tree.path()).args((contender.words)(&kernel, command));
        process.stdin(Stdio::null()).output().expect("ci/contenders.sh")
    }

    fn try_once(&self, contender: &Contender) -> Result<(), String> {
        let output = self.run(contender, QUESTION);
        let ran = text(&output).contains(&format!("it ran on {}", self.release));
        if ran && output.status.success() { Ok(()) } else { Err(reason(&output)) }
    }

    fn measure(&self, contender: &Contender) -> Result<Duration, String> {
        let began = Instant::now();
        let output = self.run(contender, "true");
        let took = began.elapsed();
        if output.status.success() { Ok(took) } else { Err(reason(&output)) }
    }
}

/// All of them on one kernel.
pub(crate) struct Contest {
    sealed: Sealed,
    lanes: Vec<Lane>,
}

struct Lane {
    contender: &'static Contender,
    times: Vec<Duration>,
    /// Why it is not measured.
    out: Option<String>,
}

impl Contest {
    /// Has each try the kernel once.
    pub(crate) fn new(package: &Path, kernel: &Kernel) -> Self {
        let tree = tempfile::tempdir().expect("a temporary folder");
        let sealed = Sealed { tree, release: kernel.release.clone() };
        let lanes =
            ALL.iter().map(|contender| Lane { contender, times: Vec::new(), out: missing(contender) });
        let mut contest = Self { lanes: lanes.collect(), sealed };
        if contest.lanes.iter().any(|lane| lane.out.is_none()) {
            lay_out(package, kernel, contest.sealed.tree.path());
        }
        for lane in contest.lanes.iter_mut().filter(|lane| lane.out.is_none()) {
            lane.out = contest.sealed.try_once(lane.contender).err();
        }
        contest
    }

    /// Measures those that boot the kernel once more, if it is not often enough already. One that fails now is out.
    pub(crate) fn round(&mut self) {
        let due = |lane: &&mut Lane| lane.out.is_none() && lane.times.len() < TIMES;
        for lane in self.lanes.iter_mut().filter(due) {
            match self.sealed.measure(lane.contender) {
                Ok(time) => lane.times.push(time),
                Err(why) => lane.out = Some(why),
            }
        }
    }

    /// What the table says of each.
    pub(crate) fn cells(self) -> Vec<String> {
        self.lanes.into_iter().map(|lane| lane.out.unwrap_or_else(|| seconds(median(lane.times)))).collect()
    }
}

/// Why it cannot be run here at all.
fn missing(contender: &Contender) -> Option<String> {
    if !nix::unistd::geteuid().is_root() {
        return Some("not measured: only root can seal it off from the host".to_owned());
    }
    let found = bounded(SCRIPT).args(["has", contender.program]).status().expect("ci/contenders.sh");
    (!found.success()).then(|| "not measured: `ci/contenders.sh install` installs it".to_owned())
}

fn lay_out(package: &Path, kernel: &Kernel, tree: &Path) {
    let mut command = bounded(SCRIPT);
    command.arg("tree").arg(package).arg(&kernel.image).arg(tree).arg(&kernel.release);
    let status = command.status().expect("ci/contenders.sh");
    assert!(status.success(), "{}: its package cannot be laid out", kernel.release);
}

fn text(output: &Output) -> String {
    String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr)
}

/// Why it failed; a program that hangs was killed by `timeout`, which kills itself with its group.
fn reason(output: &Output) -> String {
    let text = text(output);
    let why = panic(&text).or_else(|| last_line(&text)).unwrap_or("it says nothing");
    let ended = if output.status.code().is_none() { "hangs" } else { "fails" };
    format!("{ended}: {}", why.replace('|', "/"))
}

/// What the kernel gave up over. If that is the end of the first process, then what this said last: kernels begin lines with the time.
fn panic(text: &str) -> Option<&str> {
    let (before, why) = text.split_once("Kernel panic - not syncing: ")?;
    let why = why.lines().next()?.trim();
    let mut said = before.lines().map(str::trim).filter(|line| !line.is_empty() && !line.starts_with('['));
    if why.starts_with("Attempted to kill init") { said.next_back().or(Some(why)) } else { Some(why) }
}

fn last_line(text: &str) -> Option<&str> {
    text.lines().map(str::trim).rfind(|line| !line.is_empty())
}
