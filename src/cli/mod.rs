//! The command line: one file per command.

mod check;
mod clean;
mod diff;
mod exit;
mod explain;
pub mod image;
mod interrupt;
mod kernels;
mod list;
mod loading;
mod merge;
mod named;
mod partial;
mod probe;
mod prove;
mod prove_in_vm;
mod run;
mod runtime;
mod schema;
mod verify;
mod visit;
mod vm;

use std::ffi::OsString;
use std::io::IsTerminal;
use std::path::PathBuf;
use std::process::ExitCode;

use clap::{CommandFactory, Parser, Subcommand};

use crate::sandbox;
use crate::spec::Problems;

pub use exit::Exit;
pub(crate) use interrupt::end_cleanly_on_signals;
use interrupt::end_cleanly_telling;
pub(crate) use kernels::{on_kernels, on_kernels_of_environment};
pub(crate) use loading::{Loaded, load};

/// Verifies the isolation of Linux sandboxes: specs in YAML say what must hold, and airtight says of each claim whether it
/// held.
#[derive(Debug, Parser)]
#[command(name = "airtight", version, about, after_help = exit::HELP)]
struct Arguments {
    /// A file that describes a runtime, besides those that are known
    #[arg(long = "runtime-file", value_name = "FILE", global = true)]
    runtime_files: Vec<PathBuf>,
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Judge the claims of specs on real sandboxes
    Run(run::Run),
    /// Judge the claims that only look on a container that runs already, and change nothing in it
    Verify(verify::Verify),
    /// Judge the claims of specs on two runtimes, and say only where these differ
    Diff(diff::Compare),
    /// Put the JSON reports of parts together, and tell them as one run
    Merge(merge::Merge),
    /// Judge every claim again in sandboxes broken on purpose, and say what each of them catches
    Prove(prove::Prove),
    /// Read specs and say what is wrong with them, without running anything
    Check(check::Check),
    /// List the tests that specs make
    List(list::List),
    /// Explain a fact, an attempt, a matcher, or all of them
    Explain(explain::Explain),
    /// Print the JSON schema of specs, for editors
    Schema,
    /// The images that sandboxes start from
    Image(image::Image),
    /// The runtimes that make sandboxes, and whether they can be used here
    Runtime(runtime::Runtime),
    /// Print every fact of a sandbox, or of where airtight is run
    Probe(probe::Probe),
    /// Write what a sandbox is like as a spec, to be edited
    Record(probe::Record),
    /// Kernels in VMs: a shell in one
    Vm(vm::Vm),
    /// Remove what is kept from run to run with container engines: images, containers of runs that have died
    Clean,
}

/// What the command line can say, as clap has it.
pub fn command() -> clap::Command {
    Arguments::command()
}

/// Reads the command line and does what it says.
pub fn main() -> ExitCode {
    main_with(std::env::args_os())
}

/// The same with other words, the first of which is the program's name.
pub(crate) fn main_with(words: impl IntoIterator<Item = OsString>) -> ExitCode {
    let arguments = match Arguments::try_parse_from(words) {
        Ok(arguments) => arguments,
        Err(error) if error.use_stderr() && run::Run::wrong_for_bisect() => {
            // Nothing else can be done where the terminal is not there.
            let _ = error.print();
            return ExitCode::from(Exit::Wrong.for_bisect());
        }
        Err(error) => error.exit(),
    };
    if let Err(problems) = add_runtimes(&arguments.runtime_files) {
        anstream::eprintln!("{}", problems.render(std::io::stderr().is_terminal()));
        return Exit::Wrong.into();
    }
    let exit = match &arguments.command {
        Command::Run(run) => return run::run(run),
        Command::Verify(verify) => verify::run(verify),
        Command::Merge(merge) => merge::run(merge),
        Command::Diff(compare) => diff::run(compare),
        Command::Prove(prove) => return prove::run(prove, &arguments.runtime_files),
        Command::Check(check) => check::run(check),
        Command::List(list) => list::run(list),
        Command::Explain(explain) => explain::run(explain),
        Command::Schema => schema::run(),
        Command::Image(image) => images(image),
        Command::Runtime(runtime) => runtime::run(runtime),
        Command::Probe(probe) => probe::probe(probe),
        Command::Record(record) => probe::record(record),
        Command::Vm(vm) => return vm::run(vm),
        Command::Clean => clean::run(),
    };
    exit.into()
}

/// The user's own, and those of the command line.
fn add_runtimes(files: &[PathBuf]) -> Result<(), Problems> {
    sandbox::add_users_runtimes()?;
    files.iter().try_for_each(|file| sandbox::add_runtime(file).map(drop))
}

fn images(image: &image::Image) -> Exit {
    match image::run(image, &mut anstream::stdout()) {
        Ok(()) => Exit::Held,
        Err(error) => {
            anstream::eprintln!("error: {error}");
            Exit::Broken
        }
    }
}
