//! Parts are disjoint, are the whole together, and split no scenario.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use super::*;

/// Scenarios of so many claims, each on the host's kernel and on another.
fn plan(sizes: &[usize]) -> Plan {
    let mut plan = Plan::default();
    for (number, size) in sizes.iter().enumerate() {
        let claims: Vec<String> =
            (0..*size).map(|claim| format!("  holds {claim}: {{ inside: {{ pid: 1 }} }}\n")).collect();
        let claims = claims.concat();
        let text = format!("scenario: Number {number}\nsandbox: {{ image: base }}\nclaims:\n{claims}");
        let spec = crate::spec::parse(Path::new("one.yaml"), text).unwrap();
        plan.add(&Arc::new(spec), &format!("spec-{number}")).unwrap();
    }
    let kernel: Arc<str> = Arc::from("6.12");
    let moved: Vec<Entry> = plan.entries.iter().map(|entry| entry.on_kernel(&kernel)).collect();
    plan.entries.extend(moved);
    plan
}

fn names(plan: &Plan) -> Vec<String> {
    plan.entries.iter().map(|entry| entry.name.clone()).collect()
}

fn part(sizes: &[usize], how: How, number: usize, of: usize) -> Plan {
    let mut plan = plan(sizes);
    plan.leave_part(&Partition { how, number, of });
    plan
}

#[test]
fn parts_are_disjoint_and_together_the_whole() {
    let sizes = [1, 7, 2, 2, 30, 1, 1, 5, 3];
    let mut whole = names(&plan(&sizes));
    whole.sort();
    for of in 1..=25 {
        for how in [How::Count, How::Hash] {
            let parts: Vec<Plan> = (1..=of).map(|number| part(&sizes, how, number, of)).collect();
            let mut all: Vec<String> = parts.iter().flat_map(names).collect();
            all.sort();
            assert_eq!(all, whole, "{how:?} of {of}");
            let mut homes: BTreeMap<String, usize> = BTreeMap::new();
            for (number, part) in parts.iter().enumerate() {
                for entry in &part.entries {
                    let unit = format!("{} {}", entry.scenario(), entry.column().name);
                    assert_eq!(
                        *homes.entry(unit).or_insert(number),
                        number,
                        "{how:?} of {of} splits {}",
                        entry.name
                    );
                }
            }
            let plans: Vec<_> = parts.iter().map(|part| part.parts.clone().unwrap().plan).collect();
            assert!(plans.iter().all(|plan| *plan == plans[0]));
        }
    }
}

#[test]
fn parts_are_even() {
    let check = |sizes: &[usize], of, expected: &[usize]| {
        let counts: Vec<usize> =
            (1..=of).map(|number| part(sizes, How::Count, number, of).entries.len()).collect();
        assert_eq!(counts, expected, "{sizes:?}");
    };
    // Each scenario is there twice, on two kernels.
    check(&[3, 3], 4, &[3, 3, 3, 3]);
    check(&[5, 1, 1, 1, 1, 1], 2, &[10, 10]);
    check(&[5, 1, 1, 1, 1, 1], 3, &[7, 7, 6]);
    check(&[1], 4, &[1, 1, 0, 0]);
}

#[test]
fn a_hash_keeps_a_scenario_where_it_is() {
    let (few, many) = ([2, 2, 2, 2], [2, 2, 2, 2, 9, 1, 4]);
    for number in 1..=3 {
        let (few, many) = (part(&few, How::Hash, number, 3), part(&many, How::Hash, number, 3));
        assert!(names(&few).iter().all(|name| names(&many).contains(name)));
    }
}

#[test]
fn a_part_is_asked_for_as_of_nextest() {
    let check = |text: &str, expected: Result<(How, usize, usize), &str>| {
        let found = text.parse::<Partition>().map(|found| (found.how, found.number, found.of));
        assert_eq!(found.map_err(|error| error.to_string()), expected.map_err(str::to_owned), "{text}");
    };
    check("1/3", Ok((How::Count, 1, 3)));
    check("count:3/3", Ok((How::Count, 3, 3)));
    check("slice:1/2", Ok((How::Count, 1, 2)));
    check("hash:2/18446744073709551615", Ok((How::Hash, 2, usize::MAX)));
    check("0/3", Err("there is no part 0 of 3: parts are counted from 1 to 3"));
    check("4/3", Err("there is no part 4 of 3: parts are counted from 1 to 3"));
    check("hash:1/0", Err("there cannot be 0 parts: 1/1 is the whole"));
    for text in
        ["", "1", "1/", "/3", "1/3/5", "a/b", "-1/3", "+1/3", "1/ 3", "odd:1/3", "1/99999999999999999999"]
    {
        assert!(matches!(text.parse::<Partition>(), Err(PartitionError::Form(_))), "{text}");
    }
}

#[test]
fn a_million_parts_take_no_time() {
    let plan = part(&[3, 2], How::Count, 1_000_000_000_000, 1_000_000_000_000);
    assert!(plan.entries.is_empty());
    assert_eq!(plan.parts.unwrap().numbers, [1_000_000_000_000]);
}
