//! The names of runtimes in a spec, held against those that there are.

use super::model::{RuntimeName, Spec};
use super::problem::{Notes, Problems};
use super::suggest::one_of;

/// Says which runtimes a spec names that are none; `names` are those to choose from.
///
/// # Errors
/// There are such names.
pub fn check_runtimes(spec: &Spec, is_one: impl Fn(&str) -> bool, names: &[String]) -> Result<(), Problems> {
    let abouts = spec.scenarios.iter().flat_map(|scenario| {
        [&scenario.about].into_iter().chain(scenario.claims.iter().map(|claim| &claim.about))
    });
    let unknown = abouts.flat_map(|about| &about.runtimes).filter(|runtime| !is_one(&runtime.name));
    let mut all: Option<Notes> = None;
    for RuntimeName { name, at, source } in unknown {
        let mut notes = Notes::new(source.clone());
        let problem = notes.error(*at, format!("unknown runtime `{name}`"), "");
        problem.help(one_of(name, names.iter().map(String::as_str).collect::<Vec<_>>()));
        match &mut all {
            Some(all) => all.absorb(notes),
            None => all = Some(notes),
        }
    }
    all.map_or(Ok(()), |notes| Err(notes.into_problems()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::spec::parse;

    #[test]
    fn a_runtime_that_is_none_is_told_with_its_place() {
        let spec = "scenario: A box
runtimes: [native, rnc]
sandbox: { image: base }
claims:
  is closed: { runtimes: [bwrapp], inside: { uid: 0 } }
";
        let spec = parse(std::path::Path::new("box.yaml"), spec.to_owned()).unwrap();
        let known = ["native", "runc", "bwrap"].map(str::to_owned);
        let problems = check_runtimes(&spec, |name| name == "native", &known).unwrap_err().to_string();
        for told in
            ["unknown runtime `rnc`", "box.yaml:2:20", "did you mean `runc`?", "box.yaml:5:27", "`bwrap`?"]
        {
            assert!(problems.contains(told), "{told} is not told: {problems}");
        }
        assert!(check_runtimes(&spec, |_| true, &known).is_ok());
    }
}
