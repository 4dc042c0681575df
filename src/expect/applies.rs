//! To which kinds of values a matcher applies.

use crate::fact::Kind;

pub(super) fn anything(_: &Kind) -> bool {
    true
}

/// All but the outcome of an attempt, which is no state that could stay as it was.
pub(super) fn fact(kind: &Kind) -> bool {
    !attempt(kind)
}

pub(super) fn scalar(kind: &Kind) -> bool {
    textual(kind) || numeric(kind)
}

pub(super) fn numeric(kind: &Kind) -> bool {
    matches!(kind, Kind::Int | Kind::Limit | Kind::Any)
}

pub(super) fn textual(kind: &Kind) -> bool {
    matches!(kind, Kind::Text | Kind::Word(_) | Kind::Origin | Kind::Mode | Kind::Any)
}

pub(super) fn plain_text(kind: &Kind) -> bool {
    matches!(kind, Kind::Text | Kind::Any)
}

pub(super) fn list(kind: &Kind) -> bool {
    matches!(kind, Kind::List(_) | Kind::Set(_) | Kind::Any)
}

pub(super) fn exact(kind: &Kind) -> bool {
    list(kind) || fields(kind)
}

/// What has fields by name, all of which can be known.
pub(super) fn fields(kind: &Kind) -> bool {
    matches!(kind, Kind::Record(_) | Kind::Map(_))
}

pub(super) fn keyed(kind: &Kind) -> bool {
    matches!(kind, Kind::Map(_) | Kind::Any)
}

pub(super) fn collection(kind: &Kind) -> bool {
    list(kind) || keyed(kind)
}

pub(super) fn text_or_list(kind: &Kind) -> bool {
    textual(kind) || list(kind)
}

pub(super) fn text_or_collection(kind: &Kind) -> bool {
    textual(kind) || collection(kind)
}

pub(super) fn path(kind: &Kind) -> bool {
    matches!(kind, Kind::Path(_))
}

pub(super) fn attempt(kind: &Kind) -> bool {
    matches!(kind, Kind::Attempt)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::expect::TABLE;

    /// In the order of the manual.
    #[test]
    fn each_kind_has_its_matchers() {
        let check = |kind: Kind, expected: &[&str]| {
            let found = TABLE.iter().filter(|matcher| (matcher.applies)(&kind)).map(|matcher| matcher.name);
            let expected: Vec<&str> = expected.iter().flat_map(|words| words.split(' ')).collect();
            assert_eq!(found.collect::<Vec<_>>(), expected, "{kind:?}");
        };
        let (any, fact) = ("not any_of", "same_as differs_from unchanged");
        let numbers = "one_of at_least at_most more_than less_than between";
        let texts = "starts_with ends_with matches like empty";
        check(Kind::Bool, &[any, fact]);
        for kind in [Kind::Int, Kind::Limit] {
            check(kind, &[any, numbers, fact]);
        }
        check(Kind::Text, &[any, "one_of contains", texts, "json version", fact]);
        for kind in [Kind::Word(&["a"]), Kind::Origin, Kind::Mode] {
            check(kind, &[any, "one_of contains", texts, fact]);
        }
        for kind in [Kind::List(&Kind::Int), Kind::Set(&Kind::Int)] {
            check(kind, &[any, "contains empty count some each none contains_all exactly", fact]);
        }
        check(Kind::Map(&Kind::Int), &[any, "empty count some each none exactly others has_key", fact]);
        check(Kind::Record(&[]), &[any, "exactly others", fact]);
        check(Kind::Path(&[]), &[any, fact, "masked read_only absent readable writable"]);
        check(Kind::Attempt, &[any, "denied allowed fails gives out_of_reach"]);
        let lists = "count some each none contains_all exactly has_key";
        check(Kind::Any, &[any, numbers, "contains", texts, lists, "json version", fact]);
    }
}
