//! A shell in the VM: the first process starts it, and hands on what is typed and what it says.

use std::fs;
use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::{Child, Command, Stdio};

use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sys::wait::{WaitPidFlag, WaitStatus, waitpid};
use rustix::termios::{Winsize, tcsetwinsize};

use super::inside::{AIRTIGHT, WRAPPER, note_images};
use super::serial::Serial;
use super::supervise::{in_roots_cgroup, is_readable};
use super::visitor;
use crate::sys::{Failure, Result, pipe, terminal};
use crate::vm::wire::{FromGuest, Shell, ToGuest, bytes_of, text_of};

/// Where the specs are put.
const SPECS: &str = "/root/specs";

/// How long the first process sleeps at most, in milliseconds.
const NAP: u16 = 200;

/// How much is handed on at a time.
const CHUNK: usize = 4096;

/// Serves the shell until it has ended, and says how.
pub(super) fn serve(serial: &mut Serial, shell: &Shell) -> Result<()> {
    lay_out(shell).map_err(|error| Failure::from_io("write", &[&SPECS], &error))?;
    let code = Visit::start(shell)?.attend(serial)?;
    serial.say(&FromGuest::Left(code))
}

/// The specs, and airtight on the PATH.
fn lay_out(shell: &Shell) -> io::Result<()> {
    note_images(&shell.images)?;
    for (name, text) in &shell.files {
        let path = Path::new(SPECS).join(name);
        fs::create_dir_all(path.parent().unwrap_or(&path))?;
        fs::write(path, text)?;
    }
    fs::create_dir_all("/root")?;
    fs::create_dir_all(Path::new(AIRTIGHT).parent().unwrap_or(Path::new("/")))?;
    fs::write(AIRTIGHT, WRAPPER)?;
    fs::set_permissions(AIRTIGHT, fs::Permissions::from_mode(0o755))
}

/// A shell that runs.
struct Visit {
    process: Child,
    /// What it reads, until that is at its end.
    input: Option<OwnedFd>,
    /// What was typed and not read yet.
    typed: Vec<u8>,
    /// What it says, and whether that is its standard error.
    outputs: Vec<(OwnedFd, bool)>,
}

impl Visit {
    fn start(shell: &Shell) -> Result<Self> {
        let mut command = Command::new("/init");
        command.arg(visitor::ROLE).env_clear().current_dir("/root");
        for (name, value) in [
            ("PATH", "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"),
            ("LANG", "C.UTF-8"),
            ("HOME", "/root"),
            ("USER", "root"),
        ] {
            command.env(name, value);
        }
        let visit = match &shell.terminal {
            None => Self::on_pipes(command),
            Some(size) => {
                command.env("TERM", &size.kind).env("PS1", format!("{} # ", release()));
                Self::on_terminal(command, size.rows, size.columns)
            }
        }?;
        for fd in visit.outputs.iter().map(|(fd, _)| fd).chain(&visit.input) {
            pipe::set_nonblocking(fd)?;
        }
        Ok(visit)
    }

    fn on_pipes(mut command: Command) -> Result<Self> {
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut process = spawn(command)?;
        let outputs = [
            process.stdout.take().map(|end| (OwnedFd::from(end), false)),
            process.stderr.take().map(|end| (OwnedFd::from(end), true)),
        ];
        let input = process.stdin.take().map(OwnedFd::from);
        Ok(Self { process, input, typed: Vec::new(), outputs: outputs.into_iter().flatten().collect() })
    }

    fn on_terminal(mut command: Command, rows: u16, columns: u16) -> Result<Self> {
        let (master, slave) = terminal::new_terminal()?;
        // A shell can live with the wrong size.
        let _ = tcsetwinsize(&master, Winsize { ws_row: rows, ws_col: columns, ws_xpixel: 0, ws_ypixel: 0 });
        let copy = |fd: &OwnedFd| fd.try_clone().map_err(|error| Failure::from_io("dup", &[], &error));
        command.stdin(copy(&slave)?).stdout(copy(&slave)?).stderr(slave);
        let process = spawn(command)?;
        Ok(Self { process, input: Some(copy(&master)?), typed: Vec::new(), outputs: vec![(master, false)] })
    }

    /// Hands on both ways until the shell has ended and what it said is out; how it ended, as shells tell it.
    fn attend(mut self, serial: &mut Serial) -> Result<i32> {
        let mut ended = None;
        loop {
            self.hear(serial)?;
            self.feed(serial)?;
            self.wait(serial);
            // First its end, then what it has said before.
            ended = ended.or_else(|| self.reap());
            let said = self.pass_on(serial)?;
            if let Some(code) = ended.filter(|_| !said) {
                return Ok(code);
            }
        }
    }

    fn wait(&self, serial: &Serial) {
        let mut fds = vec![PollFd::new(serial.as_fd(), PollFlags::POLLIN)];
        fds.extend(self.outputs.iter().map(|(fd, _)| PollFd::new(fd.as_fd(), PollFlags::POLLIN)));
        if let Some(input) = self.input.as_ref().filter(|_| !self.typed.is_empty()) {
            fds.push(PollFd::new(input.as_fd(), PollFlags::POLLOUT));
        }
        // Interrupted or failed, the loop looks again.
        let _ = poll(&mut fds, PollTimeout::from(NAP));
    }

    /// Waits for whatever has lost its parent, as a first process must; the shell's own end, if it was among them.
    fn reap(&self) -> Option<i32> {
        let own = i32::try_from(self.process.id()).unwrap_or(0);
        loop {
            match waitpid(None, Some(WaitPidFlag::WNOHANG)) {
                Ok(WaitStatus::Exited(pid, code)) if pid.as_raw() == own => return Some(code),
                Ok(WaitStatus::Signaled(pid, signal, _)) if pid.as_raw() == own => {
                    return Some(128 + signal as i32);
                }
                Ok(WaitStatus::StillAlive) | Err(_) => return None,
                Ok(_) => {}
            }
        }
    }

    /// Hands on what the shell has said; whether there was anything.
    fn pass_on(&mut self, serial: &mut Serial) -> Result<bool> {
        let mut chunk = [0; CHUNK];
        let mut said = false;
        let mut over = Vec::new();
        for (place, (fd, error)) in self.outputs.iter().enumerate() {
            match nix::unistd::read(fd, &mut chunk) {
                Err(nix::errno::Errno::EAGAIN | nix::errno::Errno::EINTR) => {}
                // A terminal whose last process has gone gives EIO.
                Ok(0) | Err(_) => over.push(place),
                Ok(count) => {
                    let text = text_of(chunk.get(..count).unwrap_or_default());
                    serial.say(&FromGuest::Output { error: *error, text })?;
                    said = true;
                }
            }
        }
        over.iter().rev().for_each(|place| drop(self.outputs.remove(*place)));
        Ok(said)
    }

    /// Gives the shell what was typed, as much as it takes. Only when it has taken all of it, more is sent.
    fn feed(&mut self, serial: &mut Serial) -> Result<()> {
        if self.typed.is_empty() {
            return Ok(());
        }
        let taken =
            self.input.as_ref().map_or(Ok(self.typed.len()), |fd| nix::unistd::write(fd, &self.typed));
        match taken {
            Ok(count) => drop(self.typed.drain(..count)),
            Err(nix::errno::Errno::EAGAIN | nix::errno::Errno::EINTR) => {}
            // Nobody reads it any more.
            Err(_) => self.typed.clear(),
        }
        if self.typed.is_empty() { serial.say(&FromGuest::Taken) } else { Ok(()) }
    }

    /// Takes in what was typed. Some of it may have come together with what asked for the shell.
    fn hear(&mut self, serial: &mut Serial) -> Result<()> {
        if is_readable(serial) {
            serial.take_in()?;
        }
        while let Some(heard) = serial.heard() {
            match heard {
                Ok(ToGuest::Input(text)) if text.is_empty() => self.input = None,
                Ok(ToGuest::Input(text)) => self.typed = bytes_of(&text),
                Ok(_) => serial.say(&FromGuest::Stuck("a shell is there already".to_owned()))?,
                Err(reason) => serial.say(&FromGuest::Stuck(reason))?,
            }
        }
        Ok(())
    }
}

/// In the cgroup of root's engine, which may limit what is below it.
fn spawn(mut command: Command) -> Result<Child> {
    in_roots_cgroup(|| command.spawn()).map_err(|error| Failure::from_io("execve", &[&"/init"], &error))
}

fn release() -> String {
    let text = fs::read_to_string("/proc/sys/kernel/osrelease").unwrap_or_default();
    text.trim().to_owned()
}
