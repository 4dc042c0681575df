//! Reading the JSON of a run again. A report may come from another machine, or from somebody else: what it says of itself is checked.

use std::collections::{BTreeMap, HashMap};
use std::fs::File;
use std::io::Read as _;
use std::path::{Path, PathBuf};
use std::time::Duration;

use serde::Deserialize;

use super::json::{Claim, Document, VERSION};
use crate::engine::{Ended, Summary};
use crate::plan::{Column, Parts};
use crate::report::matrix::{Cell, Matrix, Row};

/// The longest report that is read, in bytes: some hundred times what this project's own specs give on all runtimes.
const LONGEST: u64 = 1 << 30;

/// Why a file is no report that can be read.
#[derive(Debug, thiserror::Error)]
pub enum ReadError {
    /// The file cannot be read.
    #[error("{path}: {error}")]
    File {
        /// The file.
        path: PathBuf,
        /// Why.
        error: std::io::Error,
    },
    /// It is too long to be one.
    #[error("{0}: it is longer than {LONGEST} bytes, which no report is")]
    Long(PathBuf),
    /// It ends too early.
    #[error("{0}: it ends in the middle: it was cut off when it was written or sent; run that part again")]
    Cut(PathBuf),
    /// It is something else.
    #[error("{path}: it is no report of `airtight run --report json=FILE`: {error}")]
    NoReport {
        /// The file.
        path: PathBuf,
        /// Where it differs.
        error: String,
    },
    /// It has another form.
    #[error(
        "{path}: its form has version {version} (airtight {airtight}), and this airtight {} reads version {VERSION}: \
         run all parts with one airtight", env!("CARGO_PKG_VERSION")
    )]
    Version {
        /// The file.
        path: PathBuf,
        /// Its version.
        version: u64,
        /// Who wrote it.
        airtight: String,
    },
    /// It contradicts itself.
    #[error("{path}: it contradicts itself: {what}")]
    Contradiction {
        /// The file.
        path: PathBuf,
        /// How.
        what: String,
    },
}

/// What every version has.
#[derive(Deserialize)]
struct Head {
    version: u64,
    airtight: String,
}

/// The run that a file tells of.
pub fn read(path: &Path) -> Result<Matrix, ReadError> {
    let failed = |error| ReadError::File { path: path.to_owned(), error };
    let mut bytes = Vec::new();
    File::open(path).map_err(failed)?.take(LONGEST + 1).read_to_end(&mut bytes).map_err(failed)?;
    if bytes.len() as u64 > LONGEST {
        return Err(ReadError::Long(path.to_owned()));
    }
    parse(path, &bytes)
}

fn parse(path: &Path, bytes: &[u8]) -> Result<Matrix, ReadError> {
    let wrong = |error: serde_json::Error| match error.classify() {
        serde_json::error::Category::Eof if !bytes.is_empty() => ReadError::Cut(path.to_owned()),
        _ => ReadError::NoReport { path: path.to_owned(), error: error.to_string() },
    };
    let head: Head = serde_json::from_slice(bytes).map_err(wrong)?;
    if head.version != u64::from(VERSION) {
        let (path, airtight) = (path.to_owned(), head.airtight);
        return Err(ReadError::Version { path, version: head.version, airtight });
    }
    let document = serde_json::from_slice(bytes).map_err(wrong)?;
    matrix(document).map_err(|what| ReadError::Contradiction { path: path.to_owned(), what })
}

fn matrix(document: Document<'_>) -> Result<Matrix, String> {
    let columns = columns(&document)?;
    let places: HashMap<&str, usize> =
        columns.iter().enumerate().map(|(place, column)| (column.name.as_str(), place)).collect();
    let mut names = std::collections::HashSet::new();
    let mut rows = Vec::with_capacity(document.claims.len());
    for claim in document.claims {
        let row = row(claim, &places)?;
        if !names.insert(row.name.clone()) {
            return Err(format!("it has the claim `{}` twice", row.name));
        }
        rows.push(row);
    }
    let numbers = document.summary;
    let summary = Summary {
        counts: numbers.counts.into_owned(),
        reasons: numbers.reasons.into_owned(),
        required: numbers.required,
        sandboxes: numbers.sandboxes,
        controls: numbers.controls,
    };
    let took = Duration::from_millis(numbers.milliseconds);
    let parts = document.partitions.into_owned();
    parts.iter().try_for_each(check_parts)?;
    let matrix = Matrix { columns, rows, summary, took, machines: document.machines.into_owned(), parts };
    check_counts(&matrix)?;
    Ok(matrix)
}

fn columns(document: &Document<'_>) -> Result<Vec<Column>, String> {
    let mut columns: Vec<Column> = Vec::new();
    for counted in &document.columns {
        let column = Column::new(&counted.runtime, counted.kernel.as_deref());
        if column.name != counted.name || columns.contains(&column) {
            return Err(format!("its column `{}` is there twice, or has another name", counted.name));
        }
        columns.push(column);
    }
    Ok(columns)
}

fn row(claim: Claim<'_>, places: &HashMap<&str, usize>) -> Result<Row, String> {
    let mut cells: Vec<Option<Cell>> = vec![None; places.len()];
    for (column, cell) in claim.on {
        let place = places.get(column.as_ref());
        let place =
            place.ok_or_else(|| format!("`{}` is told of `{column}`, which is no column", claim.name))?;
        cells[*place] = Some(cell.into_owned());
    }
    let about = claim.spec.map(std::borrow::Cow::into_owned);
    Ok(Row { name: claim.name.into_owned(), place: claim.place, about, cells })
}

fn check_parts(parts: &Parts) -> Result<(), String> {
    let ascending = parts.numbers.windows(2).all(|pair| pair[0] < pair[1]);
    let there = parts.numbers.iter().all(|number| (1..=parts.of).contains(number));
    let fit = ascending && there && !parts.numbers.is_empty();
    if fit { Ok(()) } else { Err(format!("it is said to be part {:?} of {}", parts.numbers, parts.of)) }
}

/// The numbers are those of the claims, so that one that was lost is missed.
fn check_counts(matrix: &Matrix) -> Result<(), String> {
    let mut counts: BTreeMap<Ended, usize> = BTreeMap::new();
    for cell in matrix.rows.iter().flat_map(|row| row.cells.iter().flatten()) {
        *counts.entry(cell.mark.ended()).or_default() += 1;
    }
    for ended in Ended::ALL {
        let (said, found) = (matrix.summary.of(ended), counts.get(&ended).copied().unwrap_or(0));
        if said != found {
            return Err(format!("it says that {said} claims are {}, and {found} are", ended.word()));
        }
    }
    Ok(())
}

#[cfg(test)]
#[path = "read_tests.rs"]
mod tests;
