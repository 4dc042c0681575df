//! Every entry of the tables: its example decodes, and a matcher's holds of one observation and not of another.

use std::path::Path;

use airtight::expect::{IS, Matcher, Sample, TABLE};
use airtight::fact::{self, Query, Reading, Vantage, View};
use airtight::judge::{Observations, Verdict, judge, queries};
use airtight::spec::{Seen, parse};

#[test]
fn every_matcher_holds_of_one_sample_and_not_of_the_other() {
    for matcher in TABLE.iter().chain([&IS]) {
        let seen = decoded("inside", matcher.example);
        let holds = verdict(&seen, &matcher.holds);
        assert_eq!(holds, Verdict::Held, "{}", matcher.name);
        let fails = verdict(&seen, &matcher.fails);
        assert!(matches!(fails, Verdict::Failed(_)), "{}: {fails:?}", matcher.name);
    }
}

/// What was not observed never passes, whatever is expected of it; and neither does its opposite.
#[test]
fn nothing_observed_is_broken() {
    let check = |example: &str, matcher: &Matcher| {
        let seen = decoded("inside", example);
        let verdict = judge(&seen, &Observations::default());
        assert!(matches!(verdict, Verdict::Broken(_)), "{}: {verdict:?}", matcher.name);
    };
    for matcher in TABLE {
        check(matcher.example, matcher);
    }
    check("pid: { not: { not: { not: 1 } } }", &IS);
}

/// Where a matcher compares with another viewpoint, that too must have been observed.
#[test]
fn nothing_to_compare_with_is_broken() {
    for matcher in TABLE.iter().filter(|matcher| !matcher.holds.other.is_empty()) {
        let seen = decoded("inside", matcher.example);
        let mut observations = Observations::default();
        let own = queries(&seen).into_iter().next().unwrap();
        observations.insert(own.0, own.1, Ok(reading(matcher.holds.value)));
        let verdict = judge(&seen, &observations);
        assert!(matches!(verdict, Verdict::Broken(_)), "{}: {verdict:?}", matcher.name);
    }
}

#[test]
fn every_example_of_a_fact_decodes() {
    for fact in fact::TABLE {
        let view = match fact.views[0] {
            Vantage::Inside => "inside",
            Vantage::Outside => "outside",
            Vantage::Host => "host",
        };
        assert!(!decoded(view, fact.example).is_empty(), "{}", fact.name);
    }
    for attempt in fact::ATTEMPTS {
        assert!(!decoded("inside", attempt.example).is_empty(), "{}", attempt.name);
    }
}

fn decoded(view: &str, example: &str) -> Vec<Seen> {
    let example = example.replace('\n', "\n        ");
    let text = format!(
        "scenario: An example\nclaims:\n  holds:\n    inside: {{ pid: 1 }}\n    given:\n      {view}:\n        {example}\n"
    );
    let spec = parse(Path::new("example.yaml"), text).unwrap_or_else(|problems| panic!("{problems}"));
    spec.scenarios[0].claims[0].given.clone()
}

fn verdict(seen: &[Seen], sample: &Sample) -> Verdict {
    let mut observations = Observations::default();
    for (view, query) in queries(seen) {
        let value = if view == View::Inside("inside".to_owned()) { sample.value } else { sample.other };
        // A fact that is held against the host's is, even where the example does not compare.
        let value = if value.is_empty() { sample.value } else { value };
        insert(&mut observations, view, query, value);
    }
    judge(seen, &observations)
}

fn insert(observations: &mut Observations, view: View, query: Query, value: &str) {
    observations.insert(view, query, Ok(reading(value)));
}

fn reading(value: &str) -> Reading {
    let value = serde_json::from_str(value).unwrap_or_else(|error| panic!("{value}: {error}"));
    Reading { value, raw: String::new() }
}
