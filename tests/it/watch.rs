//! A run of `airtight` in a place of its own, watched from outside: what belongs to it, and what is left of it.

use std::collections::HashSet;
use std::fs::{self, File};
use std::os::fd::{AsFd, OwnedFd};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use rustix::process::{PidfdFlags, pidfd_open};
use tempfile::TempDir;

/// Long enough for a busy machine; no test waits for it unless it fails.
const PATIENCE: Duration = Duration::from_secs(30);

/// A place for runs: their specs, their temporary files, their evidence.
pub(crate) struct Place {
    directory: TempDir,
    /// How long the sleeping processes of these runs sleep: no others do.
    pub(crate) mark: String,
}

/// A run that goes on.
pub(crate) struct Watched<'a> {
    place: &'a Place,
    child: Child,
    pidfd: OwnedFd,
    seen: Vec<Member>,
}

/// A process of a run.
pub(crate) struct Member {
    /// Its PID.
    pub(crate) pid: i32,
    parent: i32,
    pidfd: OwnedFd,
    namespaces: HashSet<PathBuf>,
}

/// A run that has ended.
pub(crate) struct Over {
    /// Its exit code; none if a signal ended it.
    pub(crate) code: Option<i32>,
    /// What it wrote on both streams.
    pub(crate) said: String,
    pid: i32,
    /// The most memory that the runner had, in KiB.
    pub(crate) peak: u64,
    seen: Vec<Member>,
}

impl Place {
    pub(crate) fn new() -> Self {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let directory = tempfile::tempdir().unwrap();
        fs::create_dir(directory.path().join("tmp")).unwrap();
        let mark = format!("86{}.{}", std::process::id(), 1000 + COUNT.fetch_add(1, Ordering::Relaxed));
        Self { directory, mark }
    }

    /// Where the runs' temporary files are.
    pub(crate) fn tmp(&self) -> PathBuf {
        self.directory.path().join("tmp")
    }

    /// A file beside the spec.
    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    /// The command of a run of this spec, in which `MARK` stands for the mark.
    pub(crate) fn command(&self, spec: &str, runtime: &str) -> Command {
        let path = self.path("spec.yaml");
        fs::write(&path, spec.replace("MARK", &self.mark)).unwrap();
        let mut command = Command::new(env!("CARGO_BIN_EXE_airtight"));
        command
            .args(["run", "--allow-risky", "--runtime", runtime])
            .arg(path)
            .current_dir(self.directory.path());
        command.env("TMPDIR", self.tmp()).env("XDG_STATE_HOME", self.path("state"));
        command.env_remove("AIRTIGHT_REQUIRE").stdin(Stdio::null());
        command
    }

    /// Starts it, with its output in a file. Under nohup(1) it hears of hangups nevertheless, and of Ctrl-C where a shell has put the tests
    /// into the background.
    pub(crate) fn start(&self, spec: &str, runtime: &str) -> Watched<'_> {
        self.begin(&self.command(spec, runtime))
    }

    /// Starts such a command, which may have further arguments.
    pub(crate) fn begin(&self, run: &Command) -> Watched<'_> {
        let output = File::create(self.path("output")).unwrap();
        let mut command = Command::new("env");
        command.arg("--default-signal=HUP,INT").arg(run.get_program()).args(run.get_args());
        command.envs(run.get_envs().filter_map(|(name, value)| Some((name, value?))));
        command.env_remove("AIRTIGHT_REQUIRE").stdin(Stdio::null()).current_dir(self.directory.path());
        self.watch(command.stdout(output.try_clone().unwrap()).stderr(output))
    }

    /// Watches a command.
    pub(crate) fn watch(&self, command: &mut Command) -> Watched<'_> {
        let child = command.spawn().unwrap();
        let pidfd = open(i32::try_from(child.id()).unwrap()).unwrap();
        Watched { place: self, child, pidfd, seen: Vec::new() }
    }

    /// Runs it to its end.
    pub(crate) fn run(&self, spec: &str, runtime: &str) -> Over {
        self.start(spec, runtime).end()
    }

    /// The processes whose command line has the mark, be it in a shell's script.
    fn marked(&self) -> Vec<i32> {
        let has = |line: &[u8]| line.windows(self.mark.len()).any(|part| part == self.mark.as_bytes());
        processes().into_iter().filter(|pid| has(&command_line(*pid))).collect()
    }

    /// The processes that sleep for as long as the mark says.
    pub(crate) fn sleeping(&self) -> Vec<i32> {
        let line = format!("sleep\0{}\0", self.mark).into_bytes();
        processes().into_iter().filter(|pid| command_line(*pid) == line).collect()
    }

    /// Holds that nothing of this run is left: no process, namespace, mount, cgroup or temporary file.
    pub(crate) fn assert_untouched(&self, over: &Over, what: &str) {
        let gone = |member: &Member| readable(&member.pidfd, Instant::now() + PATIENCE);
        let left: Vec<i32> =
            over.seen.iter().filter(|member| !gone(member)).map(|member| member.pid).collect();
        assert!(left.is_empty(), "{what}: processes {left:?} are left\n{}", over.said);
        eventually(&format!("{what}: no process with the mark is left"), || self.marked().is_empty());
        let files =
            || fs::read_dir(self.tmp()).unwrap().flatten().map(|entry| entry.path()).collect::<Vec<_>>();
        eventually(&format!("{what}: no file is left in {}", self.tmp().display()), || files().is_empty());
        let mounts = fs::read_to_string("/proc/self/mountinfo").unwrap();
        let mounted = mounts.contains(self.directory.path().to_str().unwrap());
        assert!(!mounted, "{what}: a mount is left: {mounts}");
        eventually(&format!("{what}: no cgroup of {} is left: {:?}", over.pid, cgroups(over.pid)), || {
            cgroups(over.pid).is_empty()
        });
        let own: HashSet<&PathBuf> = over.seen.iter().flat_map(|member| &member.namespaces).collect();
        let holds = |pid: &i32| namespaces(*pid).iter().any(|namespace| own.contains(namespace));
        eventually(&format!("{what}: no namespace is left"), || !processes().iter().any(holds));
    }
}

impl Watched<'_> {
    /// Its PID.
    pub(crate) fn pid(&self) -> i32 {
        i32::try_from(self.child.id()).unwrap()
    }

    /// Waits until so many processes sleep, and notes all that belongs to the run by then.
    pub(crate) fn until_asleep(&mut self, count: usize, what: &str) {
        let place = self.place;
        let said = || fs::read_to_string(place.path("output")).unwrap_or_default();
        let ended = |pidfd: &OwnedFd| readable(pidfd, Instant::now());
        eventually(&format!("{what}: {count} processes sleep"), || {
            assert!(!ended(&self.pidfd), "the run ended too early: {}", said());
            place.sleeping().len() >= count
        });
        self.seen = tree(self.pid());
        let (seen, sleeping) =
            (self.seen.iter().map(|member| member.pid).collect::<Vec<_>>(), place.sleeping());
        assert!(sleeping.iter().all(|pid| seen.contains(pid)), "{sleeping:?} are not all of {seen:?}");
    }

    /// Waits until so many processes sleep, some of which may be a daemon's children, and notes what belongs to the run by then.
    pub(crate) fn until_started(&mut self, count: usize, what: &str) {
        let place = self.place;
        eventually(&format!("{what}: {count} processes sleep"), || {
            let said = || fs::read_to_string(place.path("output")).unwrap_or_default();
            assert!(!readable(&self.pidfd, Instant::now()), "the run ended too early: {}", said());
            place.sleeping().len() >= count
        });
        self.seen = tree(self.pid());
    }

    /// The nursery: the runner's only child.
    pub(crate) fn nursery(&self) -> i32 {
        let children: Vec<i32> =
            self.seen.iter().filter(|member| member.parent == self.pid()).map(|member| member.pid).collect();
        assert_eq!(children.len(), 1, "{children:?}");
        children[0]
    }

    /// Sends it a signal.
    pub(crate) fn signal(&self, signal: Signal) {
        kill(Pid::from_raw(self.pid()), signal).unwrap();
    }

    /// Waits for its end.
    pub(crate) fn end(mut self) -> Over {
        let deadline = Instant::now() + PATIENCE;
        let (mut ended, mut peak) = (false, 0);
        while !ended && Instant::now() < deadline {
            peak = peak_memory(self.pid()).unwrap_or(peak);
            ended = readable(&self.pidfd, Instant::now() + Duration::from_millis(10));
        }
        if !ended {
            // Nothing else would end it, and the nursery clears up after it.
            self.child.kill().unwrap();
        }
        let pid = self.pid();
        let status = self.child.wait().unwrap();
        let said = fs::read_to_string(self.place.path("output")).unwrap_or_default();
        assert!(ended, "the run did not end: {said}");
        Over { code: status.code(), said, pid, peak, seen: std::mem::take(&mut self.seen) }
    }
}

impl Drop for Watched<'_> {
    /// A test that fails ends its run all the same; one that has been waited for is not signalled.
    fn drop(&mut self) {
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

/// Waits until it is so, looking again and again.
pub(crate) fn eventually(what: &str, mut holds: impl FnMut() -> bool) {
    let deadline = Instant::now() + PATIENCE;
    while !holds() {
        assert!(Instant::now() < deadline, "not so in time: {what}");
        let _ = poll(&mut [], PollTimeout::from(5_u8));
    }
}

fn readable(fd: &OwnedFd, deadline: Instant) -> bool {
    let left = deadline.saturating_duration_since(Instant::now());
    let left = PollTimeout::try_from(left.as_millis()).unwrap();
    poll(&mut [PollFd::new(fd.as_fd(), PollFlags::POLLIN)], left).unwrap() == 1
}

impl Over {
    /// Waits until one of its processes is gone.
    pub(crate) fn wait_for(&self, pid: i32) {
        let member = self.seen.iter().find(|member| member.pid == pid).unwrap();
        assert!(readable(&member.pidfd, Instant::now() + PATIENCE), "process {pid} does not end");
    }
}

fn open(pid: i32) -> Option<OwnedFd> {
    pidfd_open(rustix::process::Pid::from_raw(pid)?, PidfdFlags::empty()).ok()
}

/// All descendants of a process.
fn tree(root: i32) -> Vec<Member> {
    let parents: Vec<(i32, i32)> =
        processes().into_iter().filter_map(|pid| Some((pid, parent(pid)?))).collect();
    let mut known = vec![root];
    let mut next = 0;
    while let Some(of) = known.get(next).copied() {
        known.extend(parents.iter().filter(|(_, parent)| *parent == of).map(|(pid, _)| *pid));
        next += 1;
    }
    let member = |pid: i32| {
        Some(Member { pid, parent: parent(pid)?, pidfd: open(pid)?, namespaces: foreign_namespaces(pid) })
    };
    known.into_iter().skip(1).filter_map(member).collect()
}

/// In KiB, as long as the process lives.
fn peak_memory(pid: i32) -> Option<u64> {
    let status = fs::read_to_string(format!("/proc/{pid}/status")).ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"))?;
    line.trim().trim_end_matches(" kB").parse().ok()
}

fn command_line(pid: i32) -> Vec<u8> {
    fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default()
}

fn parent(pid: i32) -> Option<i32> {
    let text = fs::read(format!("/proc/{pid}/stat")).ok()?;
    String::from_utf8_lossy(&text).rsplit(')').next()?.split_ascii_whitespace().nth(1)?.parse().ok()
}

fn foreign_namespaces(pid: i32) -> HashSet<PathBuf> {
    let own = namespaces(i32::try_from(std::process::id()).unwrap());
    namespaces(pid).difference(&own).cloned().collect()
}

fn namespaces(pid: i32) -> HashSet<PathBuf> {
    let links = fs::read_dir(format!("/proc/{pid}/ns")).into_iter().flatten().flatten();
    links.filter_map(|link| fs::read_link(link.path()).ok()).collect()
}

/// An ordinary user's podman has one user namespace for all of his containers, which whoever comes first makes and any of them holds: who holds that
/// nothing of a run is left must be alone with it.
pub(crate) fn alone_with_podman() -> MutexGuard<'static, ()> {
    static TURN: Mutex<()> = Mutex::new(());
    TURN.lock().unwrap_or_else(PoisonError::into_inner)
}

pub(crate) fn processes() -> Vec<i32> {
    let entries = fs::read_dir("/proc").unwrap().flatten();
    entries.filter_map(|entry| entry.file_name().to_str()?.parse().ok()).collect()
}

/// The cgroups of a runner, which carry its PID.
fn cgroups(runner: i32) -> Vec<PathBuf> {
    let prefixes = [format!("airtight-{runner}-"), format!("airtight-probe-{runner}.")];
    let mut found = Vec::new();
    let mut rest = vec![Path::new("/sys/fs/cgroup").to_owned()];
    while let Some(directory) = rest.pop() {
        let name = directory.file_name().unwrap().to_string_lossy().into_owned();
        if prefixes.iter().any(|prefix| name.contains(prefix)) {
            found.push(directory.clone());
        }
        let entries = fs::read_dir(&directory).into_iter().flatten().flatten();
        rest.extend(
            entries
                .filter(|entry| entry.file_type().is_ok_and(|kind| kind.is_dir()))
                .map(|entry| entry.path()),
        );
    }
    found
}
