//! Expectations: a tree of matchers over a fact's value. One table of matchers, in the same form as the facts'.

mod applies;
mod check;
#[cfg(test)]
mod decoded;
mod describe;
mod diff;
mod evaluate;
mod expectation;
mod judges;
mod matcher;
mod table;

pub use check::{Check, Miss, Scene};
pub(crate) use describe::describe_view;
pub use describe::{describe, show};
pub use evaluate::evaluate;
pub use expectation::{Argument, Comparison, Expectation, Matching, Pattern, Span, Term};
pub use judges::isolation::REFUSALS;
pub(crate) use judges::numbers::compare;
pub(crate) use judges::texts::leading_version;
pub use matcher::{Matcher, Sample, Shape, find};
pub use table::{IS, TABLE};
