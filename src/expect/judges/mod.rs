//! What each matcher of the table does, by area.

pub(super) mod isolation;
pub(super) mod lists;
pub(super) mod logic;
pub(super) mod numbers;
pub(super) mod paths;
pub(super) mod texts;
pub(super) mod whole;
