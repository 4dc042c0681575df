//! Whether a process is airtight's own agent, as the host sees it: what an image brings along can repeat a token, a nonce, and
//! whatever an honest agent would say.

use std::fs;
use std::io::Read;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::linux::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::time::Instant;

use nix::poll::PollFlags;

use crate::agent::Vouch;
use crate::agent::protocol::Hello;
use crate::fact::{Subject, find};
use crate::sys::{errno_name, pipe};

/// The longest table of mappings that is read: some thousand lines.
const TABLE_CAP: u64 = 1 << 20;

/// This program's files as a runtime was given them, where it could not be given the ones that are being run.
#[derive(Debug, Clone)]
pub(super) struct Brought {
    /// A copy of this program.
    pub(super) program: PathBuf,
    /// A copy of its dynamic loader, if it needs one.
    pub(super) loader: Option<PathBuf>,
}

/// The process that the host started as an agent.
#[derive(Debug)]
pub(super) struct Known {
    pid: i32,
    /// It tells an end of the process, after which the PID may mean another.
    pidfd: OwnedFd,
}

impl Known {
    pub(super) const fn new(pid: i32, pidfd: OwnedFd) -> Self {
        Self { pid, pidfd }
    }
}

impl Vouch for Known {
    fn vouch(&self, hello: &Hello) -> Result<(), String> {
        vouch(self.pid, self.pidfd.as_fd(), hello.pid, None)
    }
}

/// Holds that the process runs this very program, and has the PID that it reported. `brought` are its copies that the process may run
/// instead; a loader by which it was started is then what the process executes.
///
/// Both need the right to read the process's links (`PTRACE_MODE_READ_FSCREDS`, ptrace(2)): root has it, and an ordinary user of a
/// user namespace that he made. Where it is missing there is no telling, and that is an error too.
pub(super) fn vouch(
    pid: i32,
    pidfd: BorrowedFd<'_>,
    reported: i32,
    brought: Option<&Brought>,
) -> Result<(), String> {
    let checked = is_numbered(pid, reported).and_then(|()| runs_this_program(pid, brought));
    // Only of a process that still lives was all that read: the PID cannot have come to mean another meanwhile.
    let ended =
        pipe::wait(pidfd, PollFlags::POLLIN, Instant::now()).map_err(|failure| failure.to_string())?;
    if ended { Err(format!("process {pid} has ended")) } else { checked }
}

/// The PID that a process sees is the last of its `NSpid` (proc(5)).
fn is_numbered(pid: i32, reported: i32) -> Result<(), String> {
    let numbers = find("nspid").map(|fact| (fact.observe)(&Subject::other(pid, None), ""));
    let Some(Ok(numbers)) = numbers else { return Err(format!("the NSpid of process {pid} cannot be read")) };
    let seen = numbers.value.as_array().and_then(|numbers| numbers.last()?.as_i64());
    if seen == Some(reported.into()) {
        return Ok(());
    }
    let seen = seen.map_or_else(|| "nothing".to_owned(), |seen| seen.to_string());
    Err(format!("the NSpid of process {pid} ends in {seen}, and it says that its PID is {reported}"))
}

fn runs_this_program(pid: i32, brought: Option<&Brought>) -> Result<(), String> {
    let link = PathBuf::from(format!("/proc/{pid}/exe"));
    let program = file(&link)?;
    let is = |path: &Path| file(path).is_ok_and(|file| file == program);
    if is(Path::new("/proc/self/exe")) || brought.is_some_and(|brought| is(&brought.program)) {
        return Ok(());
    }
    if let Some(Brought { program, loader: Some(loader) }) = brought
        && is(loader)
        && maps_this_program(pid, program)?
    {
        return Ok(());
    }
    let named = fs::read_link(&link).unwrap_or_default();
    Err(format!("process {pid} runs {}, which is not this program", named.display()))
}

/// Which file it is, behind all links.
fn file(path: &Path) -> Result<(u64, u64), String> {
    let failed = |error: std::io::Error| {
        let errno = error.raw_os_error().map_or_else(|| error.to_string(), errno_name);
        format!("{} cannot be read: {errno}", path.display())
    };
    fs::metadata(path).map(|found| (found.st_dev(), found.st_ino())).map_err(failed)
}

/// Whether it executes code of the file that this code is in, or of the copy of it.
fn maps_this_program(pid: i32, copy: &Path) -> Result<bool, String> {
    let own =
        code("self")?.into_iter().find(|mapping| mapping.holds(runs_this_program as fn(_, _) -> _ as usize));
    let own = own.ok_or("this program does not find itself in /proc/self/maps")?;
    let (device, inode) = file(copy)?;
    let copy = (format!("{:02x}:{:02x}", libc::major(device), libc::minor(device)), inode.to_string());
    Ok(code(&pid.to_string())?.iter().any(|mapping| mapping.file == own.file || mapping.file == copy))
}

/// A mapping of code.
struct Mapping {
    start: usize,
    end: usize,
    /// Device and inode, as the table has them.
    file: (String, String),
}

impl Mapping {
    const fn holds(&self, address: usize) -> bool {
        self.start <= address && address < self.end
    }
}

/// The executable mappings in `/proc/PID/maps` (`proc_pid_maps(5)`).
fn code(process: &str) -> Result<Vec<Mapping>, String> {
    let path = format!("/proc/{process}/maps");
    let mut text = String::new();
    let table = fs::File::open(&path).and_then(|table| table.take(TABLE_CAP).read_to_string(&mut text));
    table.map_err(|error| format!("{path} cannot be read: {error}"))?;
    Ok(text.lines().filter_map(mapping).collect())
}

/// `5581c0000000-5581c0f00000 r-xp 00100000 fe:01 131123 /usr/bin/airtight`
fn mapping(line: &str) -> Option<Mapping> {
    let words: Vec<&str> = line.split_ascii_whitespace().collect();
    let [range, rights, _, device, inode, ..] = words[..] else { return None };
    let (start, end) = range.split_once('-')?;
    let (start, end) = (usize::from_str_radix(start, 16).ok()?, usize::from_str_radix(end, 16).ok()?);
    let is_code = rights.contains('x') && inode != "0";
    is_code.then(|| Mapping { start, end, file: (device.to_owned(), inode.to_owned()) })
}

#[cfg(test)]
mod tests {
    use std::process::{Command, Stdio};

    use rustix::process::{PidfdFlags, pidfd_open};

    use super::*;

    fn said_of(pid: i32, reported: i32, brought: Option<&Brought>) -> Result<(), String> {
        let named = rustix::process::Pid::from_raw(pid).unwrap();
        let pidfd = pidfd_open(named, PidfdFlags::empty()).unwrap();
        vouch(pid, pidfd.as_fd(), reported, brought)
    }

    #[test]
    fn this_program_is_itself_under_its_own_pid() {
        let own = i32::try_from(std::process::id()).unwrap();
        assert_eq!(said_of(own, own, None), Ok(()));
        let expected = format!("the NSpid of process {own} ends in {own}, and it says that its PID is 1");
        assert_eq!(said_of(own, 1, None), Err(expected));
    }

    #[test]
    fn this_program_finds_its_own_code() {
        let own = std::env::current_exe().unwrap();
        assert_eq!(maps_this_program(i32::try_from(std::process::id()).unwrap(), &own), Ok(true));
    }

    #[test]
    fn another_program_is_not_this_one() {
        let mut child = Command::new("cat").stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
        let pid = i32::try_from(child.id()).unwrap();
        // A loader that the process really runs is not enough: the program must be this one.
        let loader = fs::read_link(format!("/proc/{pid}/exe")).ok();
        let brought = Brought { program: std::env::current_exe().unwrap(), loader };
        for brought in [None, Some(&brought)] {
            let said = said_of(pid, pid, brought).unwrap_err();
            assert!(said.ends_with("which is not this program"), "{said}");
        }
        drop(child.stdin.take());
        let named = rustix::process::Pid::from_raw(pid).unwrap();
        let pidfd = pidfd_open(named, PidfdFlags::empty()).unwrap();
        child.wait().unwrap();
        assert_eq!(vouch(pid, pidfd.as_fd(), pid, None), Err(format!("process {pid} has ended")));
    }
}
