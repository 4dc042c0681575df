//! The built-in runtime: sandboxes from our own namespaces.

mod birth;
mod blueprint;
mod breakage;
mod careless;
pub(in crate::sandbox) mod cgroup;
mod confine;
mod control;
mod copy;
mod default_filter;
mod defaults;
mod defects;
mod furnish;
mod hardened;
mod identity;
mod oci_profile;
mod options;
pub(in crate::sandbox) mod plant;
pub(in crate::sandbox) mod poison;
mod resolve;
pub(in crate::sandbox) mod root;
mod runtime;
mod seccomp;
mod shift;
mod subordinate;
mod survey;
mod sysctl;

pub(in crate::sandbox) use birth::{
    Birth, c_strings, first, further, heard, root_shown, show_root, wait_for_go,
};
pub use blueprint::{
    Blueprint, CgroupLimits, Confinement, IdMap, Identity, MountPlan, Role, RootPlan, Seccomp,
};
pub use breakage::Breakage;
pub(in crate::sandbox) use cgroup::{Cgroup, enter_cgroups_of};
pub use control::without_restrictions;
pub use default_filter::REFUSED_BY_DEFAULT;
pub use defects::Defect;
pub(in crate::sandbox) use identity::write_maps;
pub(in crate::sandbox) use oci_profile::default_profile;
pub use poison::Poison;
pub use runtime::Native;
pub(in crate::sandbox) use runtime::{NativeDoor, start_agent_on};
pub use seccomp::{ProfileError, compile as compile_seccomp};
pub(in crate::sandbox) use shift::shifted;
pub use survey::kernel_has;
