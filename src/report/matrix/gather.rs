//! From the events of a run to its matrix.

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::time::Duration;

use super::table::{About, Cell, Mark, Matrix, Row};
use crate::engine::{Event, Outcome, Summary};
use crate::judge::{Evidence, Observations, readings};
use crate::plan::{Entry, Plan, Test};
use crate::report::trouble;

/// Puts together what became of each claim on each runtime.
#[derive(Debug, Default)]
pub struct Gather {
    matrix: Matrix,
    /// The row of each claim, by its name.
    rows: HashMap<String, usize>,
    /// The folder of each row's spec.
    folders: Vec<PathBuf>,
}

impl Gather {
    /// For this plan; its columns are these runtimes, and further ones that specs name by themselves.
    pub fn new(plan: &Plan, runtimes: &[&str]) -> Self {
        let mut gather = Self::default();
        gather.matrix.runtimes = runtimes.iter().map(|name| (*name).to_owned()).collect();
        for entry in &plan.entries {
            let runtime = entry.runtime().name();
            if !gather.matrix.runtimes.iter().any(|known| known == runtime) {
                gather.matrix.runtimes.push(runtime.to_owned());
            }
            gather.add_row(entry.claim());
        }
        let columns = gather.matrix.runtimes.len();
        gather.matrix.rows.iter_mut().for_each(|row| row.cells.resize(columns, None));
        gather
    }

    fn add_row(&mut self, name: &str) {
        if !self.rows.contains_key(name) {
            self.rows.insert(name.to_owned(), self.matrix.rows.len());
            self.matrix.rows.push(Row { name: name.to_owned(), ..Row::default() });
            self.folders.push(PathBuf::new());
        }
    }

    /// Takes in what became of a test; with the end of the run the whole, and nothing more is taken in.
    pub fn hear(&mut self, event: &Event<'_>) -> Option<Matrix> {
        match event {
            Event::Started { .. } => None,
            Event::Ended { entry, test, outcome, observed, took } => {
                self.end(entry, *test, cell(*test, outcome, observed, *took));
                None
            }
            Event::Finished { summary, took } => Some(self.finish(summary, *took)),
        }
    }

    fn end(&mut self, entry: &Entry, test: Option<&Test>, cell: Cell) {
        let runtime = entry.runtime().name();
        let column = self.matrix.runtimes.iter().position(|name| name == runtime);
        let (Some(place), Some(column)) = (self.rows.get(entry.claim()).copied(), column) else { return };
        let row = &mut self.matrix.rows[place];
        row.cells[column] = Some(cell);
        if let (None, Some(test)) = (&row.about, test) {
            row.about = Some(about(test));
            test.directory().clone_into(&mut self.folders[place]);
        }
    }

    fn finish(&mut self, summary: &Summary, took: Duration) -> Matrix {
        let mut matrix = std::mem::take(&mut self.matrix);
        let known = || self.folders.iter().filter(|folder| !folder.as_os_str().is_empty());
        let shared = shared(known().map(PathBuf::as_path));
        for (row, folder) in matrix.rows.iter_mut().zip(&self.folders) {
            if let Some(about) = &mut row.about {
                about.area = area(folder, &shared);
            }
        }
        Matrix { summary: summary.clone(), took, ..matrix }
    }
}

fn cell(test: Option<&Test>, outcome: &Outcome, observed: &Observations, took: Duration) -> Cell {
    let reason = match outcome {
        Outcome::Skipped(skip) => Some(format!("{}: {}", skip.need, skip.reason)),
        Outcome::NotMeasured(reason) => Some(reason.clone()),
        _ => None,
    };
    let trouble = outcome.trouble();
    let draw = |test: &Test| trouble.map(|trouble| trouble::render(test, outcome.ended(), trouble, false));
    Cell {
        mark: Mark::of(outcome),
        reason,
        trouble: trouble.cloned(),
        drawn: test.and_then(draw),
        observed: test.map(|test| observed_of(test, observed)).unwrap_or_default(),
        took,
    }
}

fn observed_of(test: &Test, observed: &Observations) -> Vec<Evidence> {
    readings(test.claim().given.iter().chain(test.claim().steps.iter().flat_map(|step| &step.seen)), observed)
}

fn about(test: &Test) -> About {
    let (scenario, claim) = (test.scenario(), test.claim());
    let with_row =
        |name: &str, row: &str| if row.is_empty() { name.to_owned() } else { format!("{name} ({row})") };
    let both = |of_scenario: &[String], of_claim: &[String]| [of_scenario, of_claim].concat();
    About {
        area: String::new(),
        file: test.spec.path.display().to_string(),
        line: claim.at.line,
        scenario: with_row(&scenario.name, &scenario.row),
        claim: with_row(&claim.name, &claim.row),
        why: claim.about.why.clone().or_else(|| scenario.about.why.clone()),
        see: both(&scenario.about.see, &claim.about.see),
        tags: both(&scenario.about.tags, &claim.about.tags),
    }
}

/// The deepest folder that all of these are in.
fn shared<'a>(mut folders: impl Iterator<Item = &'a Path>) -> PathBuf {
    let first = folders.next().unwrap_or(Path::new("")).to_owned();
    folders.fold(first, |shared, folder| {
        let alike = shared.components().zip(folder.components()).take_while(|(one, other)| one == other);
        alike.map(|(part, _)| part).collect()
    })
}

/// The folder below the shared one; its own name where it is that.
fn area(folder: &Path, shared: &Path) -> String {
    let below = folder.strip_prefix(shared).unwrap_or(folder);
    let own = || folder.file_name().map_or(folder, Path::new);
    let area = if below.as_os_str().is_empty() { own() } else { below };
    area.display().to_string()
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::{area, shared};

    #[test]
    fn an_area_is_the_folder_below_what_is_shared() {
        let check = |folders: &[&str], expected: &[&str]| {
            let shared = shared(folders.iter().map(Path::new));
            let areas: Vec<String> = folders.iter().map(|folder| area(Path::new(folder), &shared)).collect();
            assert_eq!(areas, expected);
        };
        check(&["specs/pid", "specs/mount", "specs/pid"], &["pid", "mount", "pid"]);
        check(&["specs/pid", "specs/pid"], &["pid", "pid"]);
        check(&["specs", "specs/pid/deep"], &["specs", "pid/deep"]);
        check(&["/a/specs/pid", "/b/specs/pid"], &["a/specs/pid", "b/specs/pid"]);
        check(&["."], &["."]);
    }
}
