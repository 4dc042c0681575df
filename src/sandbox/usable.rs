//! Which runtimes are usable here: the one place that decides what `--runtime all` stands for.

use super::runtime::{Cannot, Runtime, by_name, names};
use crate::spec::Settings;

/// All runtimes that isolate, each with what keeps it from making a sandbox for which nothing is asked. What does not isolate is no
/// runtime that anybody means without naming it.
pub fn usable() -> Vec<(&'static dyn Runtime, Result<(), Cannot>)> {
    let all = names().into_iter().filter_map(|name| by_name(&name)).filter(|runtime| runtime.isolates());
    all.map(|runtime| (runtime, runtime.check(&Settings::default()))).collect()
}
