//! The run: sharing, parallelism, time limits, and what became of each claim, told as events.

mod action;
mod claim;
mod confirm;
mod control;
pub mod date;
mod elsewhere;
mod event;
mod hostile;
mod idle;
mod images;
mod keep;
mod outcome;
mod repeat;
mod run;
mod stage;
mod trial;

pub use elsewhere::{Elsewhere, Errand, News};
pub use event::{Event, Listener};
pub use keep::Keep;
pub use outcome::{Ended, Outcome, Summary, Trouble};
pub use run::{Engine, Options};
pub use trial::{Making, Trial};
