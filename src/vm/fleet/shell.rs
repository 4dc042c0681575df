//! A shell in a VM, on the host's side: between the VM and whoever types.

use std::collections::BTreeMap;
use std::io::{Write, stderr, stdout};
use std::os::fd::{AsFd, BorrowedFd};
use std::time::Duration;

use super::complaints::complaint;
use super::errand::images;
use super::kernels::Fleet;
use super::readied::Readied;
use super::sortie::{clock, seed, tail};
use crate::engine::Errand;
use crate::vm::kernel::Kernel;
use crate::vm::machine::{Allowance, Fate, Machine};
use crate::vm::wire::{FromGuest, Shell, Size, ToGuest, bytes_of, text_of};

/// Ctrl-], as telnet(1) has it.
pub(crate) const ESCAPE: u8 = 0x1d;

/// How much is sent at a time. The line to the guest carries half a MiB in a second.
const CHUNK: usize = 2048;

/// How much is read ahead of a guest that takes nothing in: the key that ends it must be seen behind that.
const AHEAD: usize = 64 << 10;

/// What a VM may take in which nobody looks at what goes on: some proofs say nothing for many minutes.
const UNATTENDED: Allowance = Allowance {
    word: Duration::from_hours(2),
    record: Duration::from_hours(12),
    idle: Duration::from_mins(2),
    said: usize::MAX,
};

/// Who visits.
#[derive(Debug)]
pub(crate) struct Visitor {
    /// Specs and what they name, by their paths.
    pub(crate) files: BTreeMap<String, String>,
    /// What is typed, where it is not what standard input says: then the VM ends too that hangs.
    pub(crate) script: Option<String>,
    /// The terminal, if there is one: then each key is passed on, and one ends the visit.
    pub(crate) terminal: Option<(u16, u16, String)>,
}

/// How a visit ended.
#[derive(Debug)]
pub(crate) enum Left {
    /// The shell has ended with this code, and the kernel complained of this meanwhile.
    Shell(i32, Option<String>),
    /// The visitor has left by the key for it, or does not read any more.
    Visitor,
    /// The VM has ended, or hangs; with the kernel's last words.
    Vm(String),
    /// There was none.
    NoVm(String),
}

impl Fleet {
    /// A shell on the kernel of an errand, whose tests say which images are wanted. `entered` is called once it is there, and what it gives is
    /// kept until the visit is over.
    pub(crate) fn shell<T>(
        &self,
        errand: &Errand<'_>,
        visitor: &Visitor,
        entered: impl FnOnce() -> T,
    ) -> Left {
        let no_vm = |reason: &dyn std::fmt::Display| Left::NoVm(reason.to_string());
        let Some(kernel) = self.kernel(errand.kernel) else {
            return no_vm(&format!("there is no kernel {}", errand.kernel));
        };
        let images = match images(errand) {
            Ok(images) => images,
            Err((name, reason)) => return no_vm(&format!("the image {name}: {reason}")),
        };
        let cargo = match self.cargo(errand, &images) {
            Ok(cargo) => cargo,
            Err(reason) => return no_vm(&reason),
        };
        let readied = match Readied::new(errand.nursery, kernel, &images.base, &cargo, self.watch()) {
            Ok(readied) => readied,
            Err(not_ready) => {
                return no_vm(&format!("{}\n{}", not_ready.reason, tail(&not_ready.console)));
            }
        };
        let shell = match asked(visitor, images.places()) {
            Ok(shell) => shell,
            Err(reason) => return no_vm(&reason),
        };
        let allowed = visitor.script.as_ref().map(|_| UNATTENDED);
        let machine = match readied.restore(errand.nursery, allowed) {
            Ok(machine) => machine,
            Err(fate) => {
                readied.spoil();
                return no_vm(&fate);
            }
        };
        let _entered = entered();
        Visit {
            machine,
            typed: visitor.script.clone().unwrap_or_default().into_bytes(),
            at_end: visitor.script.is_some(),
            awaiting: false,
            escapes: visitor.terminal.is_some(),
        }
        .run(shell, kernel)
    }
}

fn asked(visitor: &Visitor, images: BTreeMap<String, String>) -> Result<Shell, String> {
    let size = |(rows, columns, kind): &(u16, u16, String)| Size {
        rows: *rows,
        columns: *columns,
        kind: kind.clone(),
    };
    Ok(Shell {
        clock: clock(),
        seed: seed()?,
        files: visitor.files.clone(),
        images,
        terminal: visitor.terminal.as_ref().map(size),
    })
}

/// A visit that goes on.
struct Visit {
    machine: Machine,
    /// What was typed and not sent yet.
    typed: Vec<u8>,
    /// Whether nothing more is typed.
    at_end: bool,
    /// Whether the guest has not yet taken what was sent.
    awaiting: bool,
    /// Whether a key ends the visit.
    escapes: bool,
}

/// What goes on after something was heard or typed.
enum Next {
    More,
    Ended(i32),
    Gone,
}

impl Visit {
    fn run(mut self, shell: Shell, kernel: &Kernel) -> Left {
        let mark = self.machine.console().len();
        let how = self.attend(shell);
        let said = self.machine.console().since(mark);
        match how {
            Ok(Next::Ended(code)) => Left::Shell(code, complaint(&said, (0, 0), &kernel.allowed_messages)),
            Ok(_) => Left::Visitor,
            Err(fate) => Left::Vm(format!("{fate}\n{}", tail(&said)).trim_end().to_owned()),
        }
    }

    fn attend(&mut self, shell: Shell) -> Result<Next, Fate> {
        self.machine.say(&ToGuest::Shell(Box::new(shell)))?;
        self.send()?;
        loop {
            let stdin = std::io::stdin();
            let more = !self.at_end && self.typed.len() < AHEAD;
            let heard = self.machine.hear_or(more.then(|| stdin.as_fd()))?;
            let next = match heard {
                Some(message) => self.take(message)?,
                None => self.read(stdin.as_fd()),
            };
            self.send()?;
            match next {
                Next::More => {}
                Next::Ended(code) => {
                    self.end()?;
                    return Ok(Next::Ended(code));
                }
                Next::Gone => return Ok(Next::Gone),
            }
        }
    }

    fn take(&mut self, message: FromGuest) -> Result<Next, Fate> {
        match message {
            FromGuest::Output { error, text } => Ok(told(error, &bytes_of(&text))),
            FromGuest::Left(code) => Ok(Next::Ended(code)),
            FromGuest::Taken => {
                self.awaiting = false;
                Ok(Next::More)
            }
            other => Err(Fate::Garbled(format!("nobody asked for this: {other:?}"))),
        }
    }

    /// Takes in what was typed.
    fn read(&mut self, stdin: BorrowedFd<'_>) -> Next {
        let mut chunk = [0; CHUNK];
        match nix::unistd::read(stdin, &mut chunk) {
            Ok(0) => self.at_end = true,
            Ok(count) => self.typed.extend_from_slice(chunk.get(..count).unwrap_or_default()),
            Err(nix::errno::Errno::EINTR | nix::errno::Errno::EAGAIN) => {}
            // The terminal has gone.
            Err(_) => self.at_end = true,
        }
        if self.escapes && self.typed.contains(&ESCAPE) { Next::Gone } else { Next::More }
    }

    /// Sends a part of what was typed, once the guest has taken what was sent before; at the end, that there is no more.
    fn send(&mut self) -> Result<(), Fate> {
        let is_over = self.at_end && self.typed.is_empty();
        if self.awaiting || (self.typed.is_empty() && !is_over) {
            return Ok(());
        }
        // Nothing stands for the end, and is not answered.
        self.awaiting = true;
        let length = self.typed.len().min(CHUNK);
        let part: Vec<u8> = self.typed.drain(..length).collect();
        self.machine.say(&ToGuest::Input(text_of(&part)))
    }

    fn end(&mut self) -> Result<(), Fate> {
        self.machine.say(&ToGuest::End)?;
        loop {
            match self.machine.hear()? {
                FromGuest::End => return self.machine.wait(),
                // It was typed too late to be read.
                FromGuest::Taken => {}
                other => return Err(Fate::Garbled(format!("{other:?} after the end"))),
            }
        }
    }
}

/// Whether anybody still reads what the shell says.
fn told(error: bool, bytes: &[u8]) -> Next {
    let written = if error {
        stderr().lock().write_all(bytes)
    } else {
        let mut out = stdout().lock();
        out.write_all(bytes).and_then(|()| out.flush())
    };
    if written.is_ok() { Next::More } else { Next::Gone }
}
