//! What a runtime takes along to another machine: its programs, and the files that these need.

use std::path::PathBuf;

/// What a runtime has of the host where it is run in a VM. Nothing, if it is the built-in one: that is in airtight itself.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Parcel {
    /// Its programs: where each is on the host, and where in the VM. What they need to be run is not among them.
    pub programs: Vec<(PathBuf, PathBuf)>,
    /// Files and directories of the host that are in the VM at the same place.
    pub copies: Vec<PathBuf>,
    /// Further files, with their text.
    pub files: Vec<(PathBuf, String)>,
    /// Modules that the kernel must have loaded, where it is not built with them.
    pub modules: Vec<String>,
    /// The runtime's own file, where it is none that comes with airtight.
    pub definition: Option<String>,
}
