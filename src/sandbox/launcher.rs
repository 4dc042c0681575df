//! The process that becomes a runtime's own command line. It prepares the root that the runtime is given, in a mount
//! namespace of its own: what the runtime does to it is gone with the processes.

use std::ffi::CString;
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

use nix::errno::Errno;
use nix::mount::MsFlags;
use nix::sched::{CloneFlags, unshare};
use nix::unistd::{execvpe, setsid};

use super::native::poison::pour_all;
use super::native::root::{Place, ROOT, bind_host, lay_image, raise_root, raise_stage};
use super::native::{Identity, c_strings, show_root, wait_for_go};
use super::nursery::{Launch, MARK, PreparedRoot, Report};
use super::run_directory::RunDirectory;
use crate::sys::{self, Failure, Result};

/// Stands for the prepared root's path in a launch's words.
pub(super) const ROOTFS: &str = "{rootfs}";

/// Prepares and executes; what goes wrong is reported.
pub(super) fn launch(launch: &Launch, run: &RunDirectory, fds: Vec<OwnedFd>) -> ! {
    let mut fds = fds.into_iter();
    let (Some(report), Some(line)) = (fds.next(), fds.next()) else { sys::exit_now(125) };
    let prepared = prepare(launch, &line).and_then(|()| poison(run, fds.next()));
    let prepared = prepared.and_then(|()| Report::Ready.send(report.as_fd(), &[]));
    let failure = match prepared {
        Ok(()) => execute(launch, run.tag()),
        Err(failure) => failure,
    };
    // If nobody listens any more there is nobody to tell.
    let _ = Report::Failed(failure).send(report.as_fd(), &[]);
    sys::exit_now(125)
}

fn prepare(launch: &Launch, line: &OwnedFd) -> Result<()> {
    drop(wait_for_go(line)?);
    if !launch.poisoned {
        // A session of its own: the terminal's signals are for the runner.
        setsid().map_err(|errno| Failure::new("setsid", &[], errno))?;
    }
    let Some(root) = &launch.root else { return Ok(()) };
    unshare(CloneFlags::CLONE_NEWNS).map_err(|errno| Failure::new("unshare", &[&"CLONE_NEWNS"], errno))?;
    raise_stage(&root.stage, &Identity::default())?;
    lay_image(&root.image)?;
    let rootfs = raise_root(&root.stage, false)?;
    for (source, target) in &root.binds {
        bind_host(&rootfs, &source.to_string_lossy(), target, place_of(source), MsFlags::empty())?;
    }
    show_root(line, &root.stage.join(ROOT))
}

/// Takes on all that must not be inherited, if there is a terminal for it: to keep it from the sandbox is for the runtime.
fn poison(run: &RunDirectory, terminal: Option<OwnedFd>) -> Result<()> {
    terminal.map_or(Ok(()), |terminal| pour_all(run, terminal.as_fd()))
}

fn place_of(source: &Path) -> Place {
    if source.is_dir() { Place::Directory } else { Place::File }
}

/// Returns only when it could not.
fn execute(launch: &Launch, tag: &str) -> Failure {
    let rootfs = launch.root.as_ref().map(PreparedRoot::path).unwrap_or_default();
    let words: Vec<String> = launch.argv.iter().map(|word| word.replace(ROOTFS, &rootfs)).collect();
    let program = words.first().cloned().unwrap_or_default();
    match c_strings(&words) {
        Ok(words) if !words.is_empty() => match execvpe(&words[0], &words, &environment(tag)) {
            Err(errno) => Failure::new("execve", &[&program], errno),
        },
        _ => Failure::new("execve", &[&program], Errno::EINVAL),
    }
}

/// The runner's own, with the run's mark: by it a later run finds what this one could not end.
fn environment(tag: &str) -> Vec<CString> {
    let own = std::env::vars_os().filter(|(name, _)| name != MARK);
    let entries = own.map(|(name, value)| [name.as_bytes(), b"=", value.as_bytes()].concat());
    entries
        .chain([format!("{MARK}={tag}").into_bytes()])
        .filter_map(|entry| CString::new(entry).ok())
        .collect()
}

impl PreparedRoot {
    fn path(&self) -> String {
        self.stage.join(ROOT).to_string_lossy().into_owned()
    }
}
