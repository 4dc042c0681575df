//! Many reasons as one: a diff of a nested value that shows only what differs.

use crate::fact::Value;

use super::check::{Check, Miss};
use super::describe::show;

/// What is expected of a field that should not be there.
pub(crate) const NOTHING: &str = "nothing";

/// How many lines of the diff are told.
const LONGEST: usize = 80;

/// How many fields the label names; the diff has all of them.
const NAMED: usize = 4;

impl Check {
    /// The same, with one reason in the place of several: a diff, by the fields' names, with only what differs.
    pub(crate) fn in_one(self) -> Self {
        match self {
            Self::Fails(misses) if misses.len() > 1 || misses.iter().any(Miss::is_several) => {
                Self::Fails(vec![in_one(misses.into_iter().flat_map(Miss::apart).collect())])
            }
            other => other,
        }
    }

    /// Whether a part of it has already been told in one.
    pub(crate) fn has_several(&self) -> bool {
        matches!(self, Self::Fails(misses) if misses.iter().any(Miss::is_several))
    }
}

impl Miss {
    /// Whether it stands for several.
    pub(crate) const fn is_several(&self) -> bool {
        !self.several.is_empty()
    }

    /// The reasons that it stands for, each of its field; itself where it stands for no other.
    fn apart(mut self) -> Vec<Self> {
        let several = std::mem::take(&mut self.several);
        if several.is_empty() {
            return vec![self];
        }
        let below = |mut miss: Self| {
            miss.path.splice(0..0, self.path.iter().cloned());
            miss
        };
        several.into_iter().map(below).collect()
    }
}

fn in_one(misses: Vec<Miss>) -> Miss {
    let names: Vec<String> = misses.iter().map(|miss| miss.path.join(".")).collect();
    let more = if names.len() > NAMED { ", …" } else { "" };
    let named = names.iter().take(NAMED).map(String::as_str).collect::<Vec<_>>().join(", ");
    let label = format!("{} fields are not as expected: {named}{more}", names.len());
    let at = misses.first().map(|miss| miss.at).unwrap_or_default();
    let diff = Some(diff(&misses));
    Miss { diff, several: misses, ..Miss::labelled(at, label, "what the diff shows".to_owned(), None) }
}

/// The lines: `-` what is expected, `+` what is observed, and above them the fields in which they stand.
fn diff(misses: &[Miss]) -> String {
    let mut sorted: Vec<&Miss> = misses.iter().collect();
    sorted.sort_by(|left, right| left.path.cmp(&right.path));
    let mut lines = vec!["--- expected".to_owned(), "+++ observed".to_owned()];
    let mut above: &[String] = &[];
    for miss in sorted {
        let (name, fields) =
            miss.path.split_last().map_or(("", &[][..]), |(name, fields)| (name.as_str(), fields));
        let same = fields.iter().zip(above).take_while(|(field, known)| field == known).count();
        for (depth, field) in fields.iter().enumerate().skip(same) {
            lines.push(line(' ', depth, field, ""));
        }
        differing(miss, name, fields.len(), &mut lines);
        above = fields;
    }
    let more = lines.len().saturating_sub(LONGEST);
    if more > 0 {
        lines.truncate(LONGEST);
        lines.push(format!("… and {more} more lines"));
    }
    lines.join("\n")
}

/// Of a list only the elements that are missing or there besides; of everything else both values, where there are both.
fn differing(miss: &Miss, name: &str, depth: usize, lines: &mut Vec<String>) {
    let in_list = !miss.missing.is_empty() || !miss.extra.is_empty();
    if in_list {
        lines.push(line(' ', depth, name, ""));
        lines.extend(miss.missing.iter().map(|value| line('-', depth + 1, "", &show(value))));
        lines.extend(miss.extra.iter().map(|value| line('+', depth + 1, "", &show(value))));
        return;
    }
    if miss.expected != NOTHING {
        lines.push(line('-', depth, name, &miss.expected));
    }
    if let Some(actual) = &miss.actual {
        all_of(actual, name, depth, lines);
    }
}

/// An observed value, with a line for each of its fields where one for all of them would be cut.
fn all_of(value: &Value, name: &str, depth: usize, lines: &mut Vec<String>) {
    match value.as_object() {
        Some(fields) if show(value).ends_with('…') => {
            lines.push(line('+', depth, name, ""));
            for (name, field) in fields {
                all_of(field, name, depth + 1, lines);
            }
        }
        _ => lines.push(line('+', depth, name, &show(value))),
    }
}

fn line(sign: char, depth: usize, name: &str, text: &str) -> String {
    let name = if name.is_empty() { String::new() } else { format!("{name}: ") };
    format!("{sign} {}{name}{text}", "  ".repeat(depth)).trim_end().to_owned()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::expect::Span;

    fn miss(path: &[&str], expected: &str, actual: &Value) -> Miss {
        let label = String::new();
        let path = path.iter().map(|name| (*name).to_owned()).collect();
        let actual = (!actual.is_null()).then_some(actual);
        Miss { path, ..Miss::labelled(Span::default(), label, expected.to_owned(), actual) }
    }

    #[test]
    fn only_what_differs_is_shown_below_its_fields() {
        let bounding = Miss {
            missing: vec![json!("chown")],
            extra: vec![json!("sys_admin"), json!("sys_time")],
            ..miss(&["capabilities", "bounding"], "[chown]", &json!(["sys_admin", "sys_time"]))
        };
        let misses = vec![
            miss(&["umask"], "\"0022\"", &json!("0077")),
            miss(&["namespaces", "pid"], "\"new\"", &json!("inherited")),
            miss(&["namespaces", "net"], "\"new\"", &json!("inherited")),
            miss(&["fds", "directory"], "nothing", &json!(1)),
            miss(&["mounts", "/proc", "type"], "\"proc\"", &Value::Null),
            bounding,
        ];
        let Check::Fails(told) = Check::Fails(misses).in_one() else { panic!() };
        assert_eq!(
            told[0].label,
            "6 fields are not as expected: umask, namespaces.pid, namespaces.net, fds.directory, …"
        );
        let expected = "\
--- expected
+++ observed
  capabilities:
    bounding:
-     \"chown\"
+     \"sys_admin\"
+     \"sys_time\"
  fds:
+   directory: 1
  mounts:
    /proc:
-     type: \"proc\"
  namespaces:
-   net: \"new\"
+   net: \"inherited\"
-   pid: \"new\"
+   pid: \"inherited\"
- umask: \"0022\"
+ umask: \"0077\"";
        assert_eq!(told[0].diff.as_deref(), Some(expected));
        assert_eq!((told.len(), told[0].is_several()), (1, true));
    }

    #[test]
    fn one_reason_stays_as_it_is() {
        let check = Check::Fails(vec![miss(&["umask"], "\"0022\"", &json!("0077"))]);
        assert_eq!(check.clone().in_one(), check);
    }

    fn told(check: Check) -> (String, String) {
        let Check::Fails(misses) = check.in_one() else { panic!("it fails") };
        assert_eq!(misses.len(), 1);
        (misses[0].label.clone(), misses[0].diff.clone().unwrap_or_default())
    }

    /// A part that is held as a whole has its reasons in one already, and may be a part of a whole itself.
    #[test]
    fn what_was_told_in_one_is_told_in_a_larger_one() {
        let core = vec![miss(&["soft"], "0", &json!(1)), miss(&["hard"], "0", &json!(2))];
        let core = Check::Fails(core);
        assert!(!core.has_several());
        let core = core.in_one().within("core");
        assert!(core.has_several());
        let label = "2 fields are not as expected: core.soft, core.hard";
        let diff = "--- expected\n+++ observed\n  core:\n-   hard: 0\n+   hard: 2\n-   soft: 0\n+   soft: 1";
        assert_eq!(told(core.clone()), (label.to_owned(), diff.to_owned()));
        let all = Check::all([core, Check::Fails(vec![miss(&["umask"], "1", &json!(2))])]);
        let label = "3 fields are not as expected: core.soft, core.hard, umask";
        assert_eq!(told(all), (label.to_owned(), format!("{diff}\n- umask: 1\n+ umask: 2")));
    }

    #[test]
    fn of_a_list_only_the_elements_that_differ_are_shown() {
        let check = |missing: &[u8], extra: &[u8], expected: &[&str]| {
            let values = |list: &[u8]| list.iter().map(|number| json!(number)).collect();
            let list =
                Miss { missing: values(missing), extra: values(extra), ..miss(&["a"], "[9]", &json!([8])) };
            let (_, diff) = told(Check::Fails(vec![list, miss(&["b"], "1", &Value::Null)]));
            assert_eq!(diff.lines().skip(2).collect::<Vec<_>>(), expected);
        };
        check(&[9], &[], &["  a:", "-   9", "- b: 1"]);
        check(&[], &[8], &["  a:", "+   8", "- b: 1"]);
        check(&[], &[], &["- a: [9]", "+ a: [8]", "- b: 1"]);
    }

    /// One line for all of it would be cut in the middle.
    #[test]
    fn a_long_mapping_has_a_line_for_each_of_its_fields() {
        let mount = json!({ "type": "tmpfs", "flags": ["rw", "nosuid", "nodev", "noexec"], "propagation": "private" });
        let found = vec![
            miss(&["mounts", "/a"], NOTHING, &mount),
            miss(&["mounts", "/b"], NOTHING, &json!({ "type": "proc" })),
        ];
        let expected = "\
--- expected
+++ observed
  mounts:
+   /a:
+     type: \"tmpfs\"
+     flags: [\"rw\", \"nosuid\", \"nodev\", \"noexec\"]
+     propagation: \"private\"
+   /b: { type: \"proc\" }";
        assert_eq!(told(Check::Fails(found)).1, expected);
    }

    #[test]
    fn a_long_diff_and_many_names_are_cut() {
        let check = |fields: usize, names: &str, lines: usize, last: &str| {
            let names_of: Vec<String> = (0..fields).map(|number| format!("{number:02}")).collect();
            let all = names_of.iter().map(|name| miss(&[name], "1", &json!(2))).collect();
            let (label, diff) = told(Check::Fails(all));
            assert_eq!(label, format!("{fields} fields are not as expected: {names}"));
            assert_eq!((diff.lines().count(), diff.lines().last()), (lines, Some(last)));
        };
        check(4, "00, 01, 02, 03", 10, "+ 03: 2");
        check(5, "00, 01, 02, 03, …", 12, "+ 04: 2");
        check(39, "00, 01, 02, 03, …", 80, "+ 38: 2");
        check(40, "00, 01, 02, 03, …", 81, "… and 2 more lines");
    }
}
