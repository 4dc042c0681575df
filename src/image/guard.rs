//! The hidden role around a foreign program that builds an image: whatever it starts or mounts ends with it.
//!
//! The role is played twice. The outer process makes a PID namespace and a mount namespace; the inner one is the first process
//! of the PID namespace and runs the program. When the builder dies, the kernel kills both, and with the inner one
//! everything in its namespace (`pid_namespaces(7)`); the mounts go with the mount namespace. An ordinary user has no right to
//! namespaces of root's kind; there only the program itself dies with the builder.

use std::ffi::OsString;
use std::os::unix::process::{CommandExt as _, ExitStatusExt as _};
use std::process::{Command, ExitCode, ExitStatus};

use nix::mount::{MsFlags, mount};
use nix::sched::{CloneFlags, unshare};

/// The first argument that asks for the role. What follows is the program with its arguments.
pub(crate) const WORD: &str = "airtight-role-guard";

/// Before the program, for the inner process.
const INNER: &str = "--inner";

/// The variable that names the folder which is `/tmp` for the program: what it leaves there is deleted with the folder.
pub(crate) const SCRATCH: &str = "AIRTIGHT_GUARD_TMP";

/// Plays the role: runs the program and ends as it does.
pub(crate) fn play(arguments: impl Iterator<Item = OsString>) -> ExitCode {
    let arguments: Vec<OsString> = arguments.collect();
    match perform(&arguments) {
        Ok(status) => ExitCode::from(
            u8::try_from(status.code().or_else(|| Some(128 + status.signal()?)).unwrap_or(1)).unwrap_or(1),
        ),
        Err(why) => {
            eprintln!("airtight: the image's builder cannot be started: {why}");
            ExitCode::from(127)
        }
    }
}

fn perform(arguments: &[OsString]) -> Result<ExitStatus, String> {
    nix::sys::prctl::set_pdeathsig(nix::sys::signal::Signal::SIGKILL).map_err(|errno| errno.to_string())?;
    match arguments.split_first() {
        None => Err("no program is named".to_owned()),
        Some((first, program)) if first == INNER => inner(program),
        Some(_) if nix::unistd::geteuid().is_root() => outer(arguments),
        Some((program, rest)) => Err(Command::new(program).args(rest).exec().to_string()),
    }
}

/// The next child is the first process of the PID namespace; this process itself stays where it is.
fn outer(arguments: &[OsString]) -> Result<ExitStatus, String> {
    unshare(CloneFlags::CLONE_NEWNS | CloneFlags::CLONE_NEWPID)
        .map_err(|errno| format!("unshare(CLONE_NEWNS | CLONE_NEWPID) failed: {errno}"))?;
    let mut command = crate::role::command(WORD)?;
    command.arg(INNER).args(arguments).status().map_err(|error| error.to_string())
}

/// Runs the program below itself and not in its own place: a PID 1 would have to reap what the program leaves behind, and would
/// not die of its own signals. When it exits, all the rest is killed.
fn inner(arguments: &[OsString]) -> Result<ExitStatus, String> {
    let none = None::<&str>;
    mount(none, "/", none, MsFlags::MS_REC | MsFlags::MS_PRIVATE, none).map_err(|errno| errno.to_string())?;
    if let Some(folder) = std::env::var_os(SCRATCH) {
        mount(Some(&*folder), "/tmp", none, MsFlags::MS_BIND, none).map_err(|errno| errno.to_string())?;
    }
    // The builder looks for its own processes in /proc.
    mount(Some("proc"), "/proc", Some("proc"), MsFlags::empty(), none).map_err(|errno| errno.to_string())?;
    let (program, rest) = arguments.split_first().ok_or_else(|| "no program is named".to_owned())?;
    Command::new(program)
        .args(rest)
        .env_remove(SCRATCH)
        .status()
        .map_err(|error| format!("{}: {error}", program.display()))
}
