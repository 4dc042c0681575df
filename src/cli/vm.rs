//! `airtight vm`

use std::io::{IsTerminal, stdin, stdout};
use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Args, Subcommand};

use super::{Exit, end_cleanly_on_signals, visit};
use crate::image::cache_folder;
use crate::sandbox::Nursery;
use crate::sys::terminal::Raw;
use crate::vm::fleet::{Left, Visitor, Watch};
use crate::vm::kernel::{self, Choice as Kernels, Kernel};

/// Kernels in VMs
#[derive(Debug, Args)]
pub(super) struct Vm {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// A shell, as root, on a kernel as each scenario finds it: restored from when it was ready, and gone afterwards. `airtight` is on the PATH, the
    /// specs are in the folder `specs`. On a terminal each key goes there, Ctrl-C too, and Ctrl-] ends it at once; commands can also come from a pipe.
    /// Exits as the shell does; with 1 where the kernel has died, and 4 where there was no VM
    Shell(Shell),
}

#[derive(Debug, Args)]
struct Shell {
    /// Spec files, or folders of them, that are to be at hand, with the images that they name
    specs: Vec<PathBuf>,
    /// The kernel, as `airtight run` takes it
    #[arg(long = "kernel", value_name = "KERNEL")]
    kernel: Option<String>,
    /// A list that names kernels
    #[arg(long = "kernels", value_name = "FILE")]
    kernel_list: Option<PathBuf>,
    #[command(flatten)]
    watch: Watch,
}

/// Does it.
pub(super) fn run(arguments: &Vm) -> ExitCode {
    let Command::Shell(shell) = &arguments.command;
    enter_and_leave(shell).unwrap_or_else(ExitCode::from)
}

fn enter_and_leave(arguments: &Shell) -> Result<ExitCode, Exit> {
    // Before the first thread.
    let nursery = Nursery::start().map_err(|error| Exit::Broken.telling(&error))?;
    end_cleanly_on_signals(&nursery).map_err(|error| Exit::Broken.telling(&error))?;
    let kernel = kernel(arguments)?;
    let (tests, files) = visit::specs(&arguments.specs)?;
    let name = kernel.name.clone();
    let visitor = Visitor { files, script: None, terminal: terminal() };
    let left = visit::visit(&nursery, kernel, &tests, &visitor, &arguments.watch, || enter(&name, &visitor))?;
    end(left, visitor.terminal.is_some())
}

/// What the user's terminal is like, if both ends are one.
fn terminal() -> Option<(u16, u16, String)> {
    let is_one = stdin().is_terminal() && stdout().is_terminal();
    let size = rustix::termios::tcgetwinsize(stdout()).ok().filter(|_| is_one)?;
    Some((size.ws_row, size.ws_col, std::env::var("TERM").unwrap_or_else(|_| "dumb".to_owned())))
}

/// From now on keys go to the VM.
fn enter(kernel: &str, visitor: &Visitor) -> Option<Raw> {
    visitor.terminal.as_ref()?;
    let specs = if visitor.files.is_empty() { "" } else { " The specs are in specs: `airtight run specs`." };
    anstream::eprintln!("A shell on {kernel}, in a VM. Ctrl-] ends it.{specs}");
    // Without it, it is a worse shell.
    Raw::begin().ok()
}

fn end(left: Left, was_terminal: bool) -> Result<ExitCode, Exit> {
    match left {
        Left::Shell(code, complaint) => {
            if let Some(complaint) = complaint {
                anstream::eprintln!("the kernel complained\n{complaint}");
            }
            Ok(u8::try_from(code).unwrap_or(u8::MAX).into())
        }
        Left::Visitor => {
            if was_terminal {
                anstream::eprintln!("\nleft the VM, which is gone");
            }
            Ok(ExitCode::SUCCESS)
        }
        Left::Vm(reason) => Err(Exit::Failed.telling(&reason)),
        Left::NoVm(reason) => Err(Exit::Broken.telling(&reason)),
    }
}

/// The one that is asked for.
fn kernel(arguments: &Shell) -> Result<Kernel, Exit> {
    let cache = cache_folder().map_err(|error| Exit::Broken.telling(&error))?.join("kernels");
    let words: Vec<String> = arguments.kernel.iter().cloned().collect();
    let found = kernel::find(&words, arguments.kernel_list.as_deref(), &cache);
    let mut found = found.map_err(|error| Exit::Wrong.telling(&error))?;
    match (found.pop(), found.len()) {
        (Some(Kernels::Vm(kernel)), 0) => Ok(*kernel),
        (Some(Kernels::Host), 0) => {
            Err(Exit::Wrong.telling(&"the host's own kernel is in no VM: its shell is this one"))
        }
        (None, _) => {
            Err(Exit::Wrong.telling(&"no kernel is named: --kernel takes what `airtight run` takes"))
        }
        (Some(last), more) => {
            let reason = format!("these are {} kernels, `{}` among them: name one", more + 1, last.name());
            Err(Exit::Wrong.telling(&reason))
        }
    }
}
