//! `airtight vm`

use std::collections::BTreeMap;
use std::io::{IsTerminal, stdin, stdout};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;

use clap::{Args, Subcommand};

use super::{Exit, Loaded, end_cleanly_on_signals, load};
use crate::engine::Errand;
use crate::image::{Store, cache_folder};
use crate::plan::{Choice, Plan, Test, spec_files};
use crate::sandbox::Nursery;
use crate::sys::terminal::Raw;
use crate::vm::fleet::{Fleet, Isolation, Left, Visitor, Watch, beside};
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
    visit(shell).unwrap_or_else(ExitCode::from)
}

fn visit(arguments: &Shell) -> Result<ExitCode, Exit> {
    // Before the first thread.
    let nursery = Nursery::start().map_err(|error| Exit::Broken.telling(&error))?;
    end_cleanly_on_signals(&nursery).map_err(|error| Exit::Broken.telling(&error))?;
    let kernel = kernel(arguments)?;
    let (tests, files) = specs(&arguments.specs)?;
    let store = Store::open().map_err(|error| Exit::Broken.telling(&error))?;
    let name = kernel.name.clone();
    let errand = Errand {
        kernel: &name,
        prefix: "",
        tests: &tests,
        nursery: &nursery,
        image: &|name, directory| {
            let found = store.rootfs(name, directory);
            found.map(|rootfs| rootfs.path.clone()).map_err(|error| error.to_string())
        },
    };
    let visitor = Visitor { files, terminal: terminal() };
    let fleet = Fleet::new(vec![kernel], Isolation::Fresh).watched(arguments.watch.clone());
    let left = fleet.shell(&errand, &visitor, || enter(&name, &visitor));
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

type Specs = (Vec<(usize, Arc<Test>)>, BTreeMap<String, String>);

/// The tests of these specs, and their files by where they are put.
fn specs(places: &[PathBuf]) -> Result<Specs, Exit> {
    let mut plan = Plan::new(Choice::default());
    let mut files = BTreeMap::new();
    for place in places {
        let before = plan.entries.len();
        load(std::slice::from_ref(place), |Loaded { spec, prefix }| plan.add(&spec, &prefix))?;
        let opened = plan.entries.iter().skip(before).map(|entry| entry.open().map(Arc::new));
        let tests: Vec<Arc<Test>> =
            opened.collect::<Result<_, _>>().map_err(|error| Exit::Wrong.telling(&error))?;
        let found =
            names(place).map_err(|error| Exit::Wrong.telling(&format!("{}: {error}", place.display())))?;
        for (path, name) in found {
            lay(&path, &name, &tests, &mut files).map_err(|error| Exit::Wrong.telling(&error))?;
        }
    }
    let tests = plan.entries.iter().enumerate();
    let tests = tests.filter_map(|(at, entry)| Some((at, Arc::new(entry.open().ok()?)))).collect();
    Ok((tests, files))
}

/// The spec files of a place, with the paths that they are to have: below the folder's own name, if it is one.
fn names(place: &Path) -> std::io::Result<Vec<(PathBuf, PathBuf)>> {
    let place = place.canonicalize()?;
    let above = place.parent().unwrap_or(&place);
    let named = |path: PathBuf| path.strip_prefix(above).map(|name| (path.clone(), name.to_owned())).ok();
    Ok(spec_files(&place)?.into_iter().filter_map(|(path, _)| named(path)).collect())
}

/// Adds a spec with the files that it names.
fn lay(
    path: &Path,
    name: &Path,
    tests: &[Arc<Test>],
    files: &mut BTreeMap<String, String>,
) -> Result<(), String> {
    let read =
        |path: &Path| std::fs::read_to_string(path).map_err(|error| format!("{}: {error}", path.display()));
    let text = |path: &Path| path.to_string_lossy().into_owned();
    let own = tests.iter().find(|test| test.spec.path.canonicalize().is_ok_and(|spec| spec == path));
    for (beside, content) in own.map_or(Ok(BTreeMap::new()), |test| beside(test, read))? {
        files.insert(text(&name.with_file_name(beside)), content);
    }
    match files.insert(text(name), read(path)?) {
        Some(_) => Err(format!("two of the specs would be {} in the VM", name.display())),
        None => Ok(()),
    }
}
