//! `airtight merge`

use std::path::PathBuf;

use clap::Args;

use super::Exit;
use crate::report::file::{self, Place, ReadError};
use crate::report::matrix::Matrix;
use crate::report::merge::{Merged, Note, merge};
use crate::report::{terminal_width, whole};

/// Put the JSON reports of parts together, and tell them as one run
#[derive(Debug, Args)]
#[command(after_help = HELP)]
pub(super) struct Merge {
    /// What `airtight run --report json=FILE` has written: the parts of `--partition`, or runs on other kernels, runtimes or
    /// machines
    #[arg(required = true, value_name = "PART.json")]
    parts: Vec<PathBuf>,
    #[arg(long = "report", value_name = "FORMAT=FILE", help = file::help())]
    reports: Vec<Place>,
}

const HELP: &str = "Exit codes: those of `airtight run`, for all parts together. A part that is missing makes it 3 at least, and a \
claim that came out differently in two files 4; 2 if a file is no report of this version, or the parts do not fit together.";

/// How many conflicts are told one by one.
const TOLD: usize = 20;

/// Does it.
pub(super) fn run(arguments: &Merge) -> Exit {
    try_merge(arguments).unwrap_or_else(|exit| exit)
}

fn try_merge(arguments: &Merge) -> Result<Exit, Exit> {
    let reports = read(&arguments.parts)?;
    let merged = merge(reports).map_err(|error| Exit::Wrong.telling(&error))?;
    let printed = print(&merged.matrix);
    let exit = tell(&merged);
    let written = file::write(&arguments.reports, &merged.matrix);
    Ok(match printed.and(written) {
        Err(error) => exit.or_broken().telling(&format!("the report could not be written: {error}")),
        Ok(()) => exit,
    })
}

/// All of them, or what is wrong with any.
fn read(parts: &[PathBuf]) -> Result<Vec<(PathBuf, Matrix)>, Exit> {
    let read: Vec<Result<(PathBuf, Matrix), ReadError>> =
        parts.iter().map(|path| file::read(path).map(|matrix| (path.clone(), matrix))).collect();
    let mut all = Ok(());
    for error in read.iter().filter_map(|report| report.as_ref().err()) {
        all = Err(Exit::Wrong.telling(error));
    }
    all.map(|()| read.into_iter().flatten().collect())
}

fn print(matrix: &Matrix) -> Result<(), std::io::Error> {
    let mut output = crate::report::Output::default();
    for line in whole(matrix, terminal_width()) {
        output.line(&line);
    }
    output.into_result()
}

/// Says on standard error how the parts fit together, and how all of it ends.
fn tell(merged: &Merged) -> Exit {
    let mut exit = Exit::of(&merged.matrix.summary);
    let mut conflicts = 0;
    for note in &merged.notes {
        match note {
            Note::Twice { .. } => anstream::eprintln!("note: {note}"),
            Note::Missing { .. } => exit = exit.worse(Exit::Unmeasured).telling(note),
            Note::Conflict { .. } => {
                conflicts += 1;
                exit = exit.worse(Exit::Broken);
                if conflicts <= TOLD {
                    exit = exit.telling(&crate::report::in_one_line(&note.to_string()));
                }
            }
        }
    }
    if conflicts > TOLD {
        exit = exit.telling(&format!("{} further claims conflict", conflicts - TOLD));
    }
    exit
}
