//! Where kernels differ, told kernel by kernel in the order in which they were asked for: the first on which something changes is what
//! is looked for.

use indexmap::IndexMap;

use super::table::{Cell, Mark, Matrix, Row};

/// What stands for the kernel of the machine itself.
pub const HOST: &str = "this machine's kernel";

/// What kernels do not agree on.
#[derive(Debug, Default)]
pub struct BetweenKernels<'a> {
    /// The claims in which kernels disagree under the same runtime, each with its sentences.
    pub differing: Vec<(&'a Row, Vec<String>)>,
    /// What was measured on one kernel and not on another, kernel and reason, with how often. That is no difference: it says nothing of
    /// the kernel that it was not measured on.
    pub skipped: IndexMap<String, usize>,
}

impl<'a> BetweenKernels<'a> {
    /// Of a matrix; empty where it has but one kernel.
    pub fn of(matrix: &'a Matrix) -> Self {
        let mut found = Self::default();
        if !matrix.has_kernels() {
            return found;
        }
        let runtimes = matrix.runtimes();
        for row in &matrix.rows {
            let mut sentences = Vec::new();
            for runtime in &runtimes {
                let cells = cells(matrix, row, runtime);
                let before = if runtimes.len() > 1 { format!("{runtime}: ") } else { String::new() };
                sentences.extend(changes(&cells).into_iter().map(|change| format!("{before}{change}")));
                found.skip(&cells);
            }
            if !sentences.is_empty() {
                found.differing.push((row, sentences));
            }
        }
        found
    }

    fn skip(&mut self, cells: &[(&str, &Cell)]) {
        if cells.iter().any(|(_, cell)| cell.mark.is_verdict()) {
            for reason in unmeasured(cells) {
                *self.skipped.entry(reason).or_default() += 1;
            }
        }
    }
}

/// The cells of a row under one runtime, with their kernels.
fn cells<'a>(matrix: &'a Matrix, row: &'a Row, runtime: &str) -> Vec<(&'a str, &'a Cell)> {
    let columns = matrix.columns.iter().zip(&row.cells).filter(|(column, _)| column.runtime == runtime);
    columns
        .filter_map(|(column, cell)| Some((column.kernel.as_deref().unwrap_or(HOST), cell.as_ref()?)))
        .collect()
}

/// A sentence for each pair of neighbours that differ, and then why it was not measured elsewhere; nothing where none differ.
fn changes(cells: &[(&str, &Cell)]) -> Vec<String> {
    let verdicts: Vec<(&str, Mark)> = cells
        .iter()
        .filter(|(_, cell)| cell.mark.is_verdict())
        .map(|(kernel, cell)| (*kernel, cell.mark))
        .collect();
    let mut sentences: Vec<String> = verdicts
        .windows(2)
        .filter(|pair| pair[0].1 != pair[1].1)
        .map(|pair| format!("{} on {}, {} on {}", past(pair[0].1), pair[0].0, present(pair[1].1), pair[1].0))
        .collect();
    if !sentences.is_empty() {
        sentences.extend(unmeasured(cells).map(|reason| format!("not measured on {reason}")));
    }
    sentences
}

fn unmeasured<'a>(cells: &'a [(&str, &Cell)]) -> impl Iterator<Item = String> + 'a {
    let skipped = cells.iter().filter(|(_, cell)| !cell.mark.is_verdict());
    skipped.map(|(kernel, cell)| format!("{kernel}: {}", cell.reason.as_deref().unwrap_or(cell.mark.word())))
}

const fn past(mark: Mark) -> &'static str {
    match mark {
        Mark::Passed => "held",
        Mark::Failed => "failed",
        Mark::Crashed => "the kernel crashed",
        Mark::KnownIssue => "failed as is known",
        _ => "could not be observed",
    }
}

const fn present(mark: Mark) -> &'static str {
    match mark {
        Mark::Passed => "holds",
        Mark::Failed => "fails",
        Mark::Crashed => "the kernel crashes",
        Mark::KnownIssue => "fails as is known",
        _ => "cannot be observed",
    }
}

#[cfg(test)]
mod tests {
    use Mark::{Broken, Crashed, Failed, KnownIssue, Passed, Skipped};

    use super::*;
    use crate::report::matrix::Column;

    const KERNELS: [&str; 3] = ["5.10", "6.1.0-55", "6.1.0-56"];

    fn matrix(marks: [Option<Mark>; 3]) -> Matrix {
        let columns = KERNELS.map(|kernel| Column::new("native", Some(kernel))).into();
        let reason = |mark| (mark == Skipped).then(|| "kernel >= 5.13: the kernel is 5.10.0".to_owned());
        let cell = |mark| Cell { reason: reason(mark), ..Cell::of(mark) };
        let row = Row { cells: marks.map(|mark| mark.map(cell)).into(), ..Row::default() };
        Matrix { columns, rows: vec![row], ..Matrix::default() }
    }

    #[test]
    fn neighbours_that_differ_are_told() {
        let check = |marks: [Option<Mark>; 3], expected: &[&str]| {
            let matrix = matrix(marks);
            let found = BetweenKernels::of(&matrix);
            let sentences: Vec<&String> =
                found.differing.iter().flat_map(|(_, sentences)| sentences).collect();
            assert_eq!(sentences, expected, "{marks:?}");
        };
        check([Some(Passed), Some(Passed), Some(Failed)], &["held on 6.1.0-55, fails on 6.1.0-56"]);
        check(
            [Some(Passed), Some(Failed), Some(Passed)],
            &["held on 5.10, fails on 6.1.0-55", "failed on 6.1.0-55, holds on 6.1.0-56"],
        );
        check([Some(Passed), None, Some(Crashed)], &["held on 5.10, the kernel crashes on 6.1.0-56"]);
        check(
            [Some(KnownIssue), Some(Broken), Some(Broken)],
            &["failed as is known on 5.10, cannot be observed on 6.1.0-55"],
        );
        check(
            [Some(Skipped), Some(Passed), Some(Failed)],
            &[
                "held on 6.1.0-55, fails on 6.1.0-56",
                "not measured on 5.10: kernel >= 5.13: the kernel is 5.10.0",
            ],
        );
        check([Some(Skipped), Some(Passed), Some(Passed)], &[]);
        check([Some(Failed), Some(Failed), Some(Failed)], &[]);
    }

    #[test]
    fn a_skip_is_told_with_its_reason_where_others_measured() {
        let check = |marks: [Option<Mark>; 3], expected: &[&str]| {
            let matrix = matrix(marks);
            let found = BetweenKernels::of(&matrix);
            assert_eq!(found.skipped.keys().collect::<Vec<_>>(), expected, "{marks:?}");
        };
        check([Some(Skipped), Some(Passed), None], &["5.10: kernel >= 5.13: the kernel is 5.10.0"]);
        check([Some(Skipped), Some(Skipped), None], &[]);
        check([Some(Passed), Some(Passed), Some(Failed)], &[]);
    }

    #[test]
    fn runtimes_are_told_apart_and_one_kernel_has_no_neighbours() {
        let mut one = matrix([Some(Passed), Some(Failed), Some(Passed)]);
        one.columns = ["runc", "crun", "bwrap"].map(|name| Column::new(name, Some("6.1"))).into();
        assert!(BetweenKernels::of(&one).differing.is_empty());
        one.columns[1] = Column::new("runc", None);
        let found = BetweenKernels::of(&one);
        assert_eq!(found.differing[0].1, ["runc: held on 6.1, fails on this machine's kernel"]);
    }
}
