//! Runs the tool, bounded in time, and takes what it makes.

use std::fs::File;
use std::io::{Read as _, Seek as _, SeekFrom};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use nix::errno::Errno;
use nix::fcntl::{OFlag, open};
use nix::sys::stat::Mode;
use nix::unistd::{UnlinkatFlags, unlinkat};

use super::mirror::{configured, probe};
use super::tool::Tool;
use crate::image::archive::feed;
use crate::image::error::{ImageError, Result, io};
use crate::image::recipe::{DebianSource, Limits};
use crate::image::report::Report;
use crate::image::run::ends_by;
use crate::image::unpack::Order;
use crate::image::{delete, guard, skeleton};

/// A minimal suite takes 15 s from a mirror nearby; this is for a slow one.
const LONGEST: Duration = Duration::from_mins(30);

/// How much of the tool's output an error shows.
const SHOWN: u64 = 4096;

/// Says why the suite cannot be made here: a program is missing, the mirror does not answer.
pub(in super::super) fn available(source: &DebianSource) -> std::result::Result<(), String> {
    Tool::choose()?;
    probe(&mirror_of(source), &source.suite)
}

fn mirror_of(source: &DebianSource) -> String {
    source.mirror.clone().unwrap_or_else(configured)
}

/// Makes the image in the empty directory `root`.
pub(in super::super) fn build(name: &str, source: &DebianSource, root: &Path) -> Result<Report> {
    let tool = Tool::choose().map_err(|why| ImageError::Unavailable { name: name.to_owned(), why })?;
    let words = tool.command(source, &mirror_of(source), root);
    let shown = words.iter().map(|word| word.to_string_lossy()).collect::<Vec<_>>().join(" ");
    let mut command = crate::role::command(guard::WORD)
        .map_err(|why| ImageError::Unavailable { name: name.to_owned(), why })?;
    let log = tempfile::tempfile().map_err(io("open", Path::new("/tmp")))?;
    let writer = log.try_clone().map_err(io("dup", root))?;
    let system = std::env::var("PATH").unwrap_or_default() + ":/usr/sbin:/sbin";
    command.args(&words).env("PATH", system).env("LC_ALL", "C").stdin(Stdio::null()).stderr(writer);
    let run = Run { shown, log };
    let report = match tool {
        Tool::Mmdebstrap => run.with_mmdebstrap(&mut command, root),
        Tool::Debootstrap => run.with_debootstrap(&mut command, root),
    }?;
    forget_builder(root)?;
    Ok(report)
}

/// What both tools copy from the machine that they run on, so that programs at work in the new root find it: its name, and its name
/// servers. A container must not know where its image was built.
const COPIED: [&str; 2] = ["hostname", "resolv.conf"];

/// Takes the copies away again. The suite's `/etc` is a directory; where it is none, nothing is followed.
fn forget_builder(root: &Path) -> Result<()> {
    let path = root.join("etc");
    let flags = OFlag::O_PATH | OFlag::O_DIRECTORY | OFlag::O_NOFOLLOW | OFlag::O_CLOEXEC;
    let failed = |path: &Path, errno: Errno| io("unlink", path)(errno.into());
    let etc = open(&path, flags, Mode::empty()).map_err(|errno| failed(&path, errno))?;
    for name in COPIED {
        match unlinkat(&etc, name, UnlinkatFlags::NoRemoveDir) {
            Ok(()) | Err(Errno::ENOENT) => {}
            Err(errno) => return Err(failed(&path.join(name), errno)),
        }
    }
    Ok(())
}

/// A folder beside the root for what the tool keeps while it works. Under its real path, below a cache that only its owner may
/// enter, the user `_apt` could not reach it; the guard shows it as `/tmp`.
fn scratch(root: &Path) -> Result<std::path::PathBuf> {
    let folder = root.with_file_name("scratch");
    std::fs::create_dir(&folder).map_err(io("mkdir", &folder))?;
    let mode = std::os::unix::fs::PermissionsExt::from_mode(0o1777);
    std::fs::set_permissions(&folder, mode).map_err(io("chmod", &folder))?;
    Ok(folder)
}

/// A tool at work, and what it says.
struct Run {
    shown: String,
    log: File,
}

impl Run {
    fn with_mmdebstrap(&self, command: &mut Command, root: &Path) -> Result<Report> {
        let scratch = scratch(root)?;
        command.env(guard::SCRATCH, &scratch).env("TMPDIR", "/tmp").stdout(Stdio::piped());
        let report = self.tar(command.spawn(), root)?;
        delete::tree(&scratch)?;
        Ok(report)
    }

    fn with_debootstrap(&self, command: &mut Command, root: &Path) -> Result<Report> {
        let also = self.log.try_clone().map_err(io("dup", root))?;
        let mut child = command.stdout(also).spawn().map_err(io("execve", Path::new("/proc/self/exe")))?;
        self.wait(&mut child, Instant::now() + LONGEST)?;
        skeleton::complete(root)?;
        Ok(Report::default())
    }

    /// Feeds the tar that the tool writes to the unpacker, on this thread; another one stops the tool when its time is over.
    fn tar(&self, child: std::io::Result<Child>, root: &Path) -> Result<Report> {
        let mut child = child.map_err(io("execve", Path::new("/proc/self/exe")))?;
        let stdout = child.stdout.take();
        let order = Order { root: root.to_owned(), layer: false, limits: Limits::default() };
        let mut report = Report::default();
        std::thread::scope(|scope| {
            let waiting = scope.spawn(|| self.wait(&mut child, Instant::now() + LONGEST));
            let fed = stdout.map(|stdout| feed(stdout, &order, &mut report));
            let waited = waiting.join();
            // The tool's own failure comes first: a cut tar is what follows from it.
            waited.unwrap_or_else(|_| Err(self.failed("could not be waited for")))?;
            match fed {
                Some(Ok(_)) => Ok(()),
                Some(Err(why)) => Err(ImageError::Archive { archive: self.shown.clone(), why }),
                None => Err(self.failed("has no standard output")),
            }
        })?;
        Ok(report)
    }

    /// Waits until the tool ends well; stops it at the deadline.
    fn wait(&self, child: &mut Child, deadline: Instant) -> Result<()> {
        let ended = ends_by(child, deadline);
        if !ended {
            child.kill().map_err(io("kill", Path::new(&self.shown)))?;
        }
        let status = child.wait().map_err(io("wait", Path::new(&self.shown)))?;
        match (ended, status.success()) {
            (false, _) => Err(self.failed(&format!("was stopped after {} s", LONGEST.as_secs()))),
            (true, true) => Ok(()),
            (true, false) => Err(self.failed(&format!("failed ({status})"))),
        }
    }

    fn failed(&self, how: &str) -> ImageError {
        ImageError::Builder {
            command: self.shown.clone(),
            how: how.to_owned(),
            output: self.tail().unwrap_or_default(),
        }
    }

    /// The end of what the tool said, where the reason is.
    fn tail(&self) -> std::io::Result<String> {
        let mut log = self.log.try_clone()?;
        let length = log.seek(SeekFrom::End(0))?;
        log.seek(SeekFrom::Start(length.saturating_sub(SHOWN)))?;
        let mut text = Vec::new();
        log.take(SHOWN).read_to_end(&mut text)?;
        Ok(String::from_utf8_lossy(&text).into_owned())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_was_copied_is_forgotten() {
        let root = tempfile::tempdir().unwrap();
        let etc = root.path().join("etc");
        std::fs::create_dir(&etc).unwrap();
        std::fs::write(etc.join("hostname"), "builder\n").unwrap();
        std::fs::write(etc.join("hosts"), "kept\n").unwrap();
        std::os::unix::fs::symlink("../kept", etc.join("resolv.conf")).unwrap();
        std::fs::write(root.path().join("kept"), "").unwrap();
        for _time in ["first", "second"] {
            forget_builder(root.path()).unwrap();
            let left: Vec<_> =
                std::fs::read_dir(&etc).unwrap().map(|entry| entry.unwrap().file_name()).collect();
            assert_eq!(left, ["hosts"]);
            assert!(root.path().join("kept").exists());
        }
    }
}
