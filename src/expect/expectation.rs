//! What a spec expects of a value, decoded: a tree of terms.

use crate::fact::{Value, View};

use super::matcher::Matcher;

/// Where something stands in a spec: 1-based line and column in characters, and the length to underline.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Default, serde::Serialize, serde::Deserialize,
)]
pub struct Span {
    /// The line, from 1.
    pub line: usize,
    /// The column, from 1, in characters.
    pub column: usize,
    /// How many characters it covers; at least 1.
    pub length: usize,
}

/// What is expected of one value: all terms must hold. Never empty.
#[derive(Debug, Clone)]
pub struct Expectation {
    /// Where its value stands in the spec.
    pub at: Span,
    /// The terms.
    pub terms: Vec<Term>,
}

impl Expectation {
    /// Whether only an attempt that failed can meet it.
    pub fn wants_refusal(&self) -> bool {
        let refusal = |term: &Term| matches!(term, Term::Match(matching) if ["denied", "fails", "out_of_reach"].contains(&matching.matcher.name));
        self.terms.iter().any(refusal)
    }

    /// Whether the attempt must be refused by policy.
    pub fn is_denied(&self) -> bool {
        let denied = |term: &Term| matches!(term, Term::Match(matching) if matching.matcher.name == "denied");
        self.terms.iter().any(denied)
    }

    /// Whether it has this matcher anywhere within.
    pub fn mentions(&self, matcher: &str) -> bool {
        let within = |argument: &Argument| match argument {
            Argument::Expectation(inner) => inner.mentions(matcher),
            Argument::Alternatives(all) => all.iter().any(|one| one.mentions(matcher)),
            Argument::Pointers(all) => all.iter().any(|(_, one)| one.mentions(matcher)),
            _ => false,
        };
        self.terms.iter().any(|term| match term {
            Term::Field { expectation, .. } => expectation.mentions(matcher),
            Term::Match(matching) => matching.matcher.name == matcher || within(&matching.argument),
        })
    }
}

/// One term of an expectation.
#[derive(Debug, Clone)]
pub enum Term {
    /// A matcher holds of the value itself.
    Match(Matching),
    /// An expectation holds of a field of a record or of a map.
    Field {
        /// The field's name.
        name: String,
        /// Where the name stands.
        at: Span,
        /// What is expected of it.
        expectation: Expectation,
    },
}

impl Term {
    /// The name of the field that it is of.
    pub(crate) fn field(&self) -> Option<&str> {
        if let Self::Field { name, .. } = self { Some(name) } else { None }
    }
}

/// A matcher with its argument.
#[derive(Debug, Clone)]
pub struct Matching {
    /// The matcher's entry in the table.
    pub matcher: &'static Matcher,
    /// What the spec gave it.
    pub argument: Argument,
    /// Where it stands.
    pub at: Span,
}

/// A matcher's argument, as decoded for the kind of the value it is held against.
#[derive(Debug, Clone)]
pub enum Argument {
    /// None: `masked`.
    Nothing,
    /// One value of the fact's kind.
    Value(Value),
    /// Several.
    Values(Vec<Value>),
    /// A compiled regular expression or glob, with its text.
    Pattern(Pattern),
    /// A nested expectation: `not`, `each`, `count`.
    Expectation(Box<Expectation>),
    /// Alternatives: `any_of`.
    Alternatives(Vec<Expectation>),
    /// Other viewpoints: `same_as`, `differs_from`.
    Views(Vec<View>),
    /// An errno's number.
    Errno(i32),
    /// Death by SIGSYS: what a seccomp filter that kills does to an attempt.
    KilledBySeccomp,
    /// Expectations by JSON pointer: `json`.
    Pointers(Vec<(String, Expectation)>),
    /// A comparison with a dotted version: `version`.
    Version(Comparison, Vec<u64>),
}

/// How a version is compared.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Comparison {
    /// `=`
    Equal,
    /// `>=`
    AtLeast,
    /// `<=`
    AtMost,
    /// `>`
    Above,
    /// `<`
    Below,
}

/// A compiled pattern.
#[derive(Debug, Clone)]
pub struct Pattern {
    /// As written.
    pub text: String,
    /// Compiled; a glob is translated.
    pub regex: regex::Regex,
}

#[cfg(test)]
mod tests {
    use crate::expect::decoded::decoded;

    #[test]
    fn some_expectations_are_only_met_by_an_attempt_that_failed() {
        let check = |expected: &str, wants: bool| {
            let expectation = decoded(&format!("attempts: {{ open: {{ \"{{bait.file}}\": {expected} }} }}"));
            assert_eq!(expectation.wants_refusal(), wants, "{expected}");
        };
        for refused in [
            "denied",
            "{ denied: EPERM }",
            "{ fails: ENOENT }",
            "out_of_reach",
            "{ denied: EPERM, not: allowed }",
        ] {
            check(refused, true);
        }
        for either in ["allowed", "{ not: denied }", "{ any_of: [denied, allowed] }"] {
            check(either, false);
        }
    }

    #[test]
    fn a_matcher_is_found_wherever_it_stands() {
        let check =
            |fact: &str, found: bool| assert_eq!(decoded(fact).mentions("less_than"), found, "{fact}");
        check("pid: 1", false);
        check("pid: { at_least: 1, less_than: 9 }", true);
        check("pid: { not: { less_than: 9 } }", true);
        check("pid: { any_of: [1, { less_than: 0 }] }", true);
        check("groups: { each: { at_least: 9 } }", false);
        check("fds: { count: { less_than: 9 } }", true);
        check("files: { /a: { json: { /b: 1, /c: { less_than: 2 } } } }", true);
        check("files: { /a: { json: { /b: 1, /c: 2 } } }", false);
        check("limits: { core: { soft: { less_than: 1 } } }", true);
        check("limits: { core: { soft: 1 } }", false);
    }
}
