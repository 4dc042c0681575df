//! Choosing among the tests.

use super::test::Test;
use crate::sandbox::Runtime;

/// What to choose by; all that is given must hold.
#[derive(Debug, Clone, Default)]
pub struct Choice {
    /// Parts of a claim's name, of which one must be in it; a glob if it has a `*`.
    pub claims: Vec<String>,
    /// Tags, of which the scenario or the claim must have one.
    pub tags: Vec<String>,
    /// The runtimes; none: each claim's own choice.
    pub runtimes: Vec<&'static dyn Runtime>,
    /// Whether claims that act may do so where nothing isolates the host from it.
    pub allow_risky: bool,
}

/// Whether a test is chosen.
pub fn choose(test: &Test, choice: &Choice) -> bool {
    let claim = by(&choice.claims, |pattern| fits(pattern, test));
    let has_tag =
        |tag: &String| test.scenario().about.tags.contains(tag) || test.claim().about.tags.contains(tag);
    claim && by(&choice.tags, has_tag)
}

fn by(wanted: &[String], holds: impl FnMut(&String) -> bool) -> bool {
    wanted.is_empty() || wanted.iter().any(holds)
}

/// Against the claim's sentence, or the test's whole name where the pattern goes across it.
fn fits(pattern: &str, test: &Test) -> bool {
    let text = if pattern.contains("::") { &test.name } else { &test.claim().name };
    match glob::Pattern::new(pattern) {
        Ok(glob) if pattern.contains('*') => glob.matches(text),
        _ => text.contains(pattern),
    }
}
