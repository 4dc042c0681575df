//! Every fact of a sandbox, or of where airtight is run; and from it a spec to begin with.

mod measure;
mod record;

pub use measure::{ProbeError, Probed, host, sandbox};
pub use record::record;
