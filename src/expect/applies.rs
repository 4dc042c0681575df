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
