//! Text to [`Spec`]: the size cap, the outline of positions, decoding, spec errors.

mod about;
mod arguments;
mod blocks;
mod checks;
mod claims;
mod decode;
mod document;
mod expectations;
mod head;
mod load;
mod model;
mod outline;
mod plain;
mod problem;
mod rows;
mod runtimes;
mod scalar;
mod scenarios;
mod schema;
mod schema_kinds;
mod scope;
mod seen;
mod settings;
mod source;
mod steps;
mod suggest;
mod tree;
mod values;

pub(crate) use about::NEEDS;
pub(crate) use load::{Fault, load_as};
pub use load::{load, parse};
pub use model::{
    About, Action, Asked, Claim, Command, Expected, Kill, KnownIssue, Need, NeedKind, Pace, Row, RuntimeName,
    Scenario, Seen, Sender, Spec, Step, TIMEOUT, Words,
};
pub(crate) use problem::bytes;
pub use problem::{Problem, Problems};
pub use runtimes::check_runtimes;
pub(crate) use scalar::Span;
pub use scalar::{Percent, Size};
pub use schema::schema;
pub use settings::{
    Capabilities, IdRange, Launcher, Limits, Mount, Namespace, Namespaces, Network, Plant, Profile, Root,
    Settings, User,
};
pub use source::Source;
pub use steps::{EXIT, OUTPUT, SIGNAL};
pub(crate) use suggest::one_of;
pub(crate) use tree::Down;
