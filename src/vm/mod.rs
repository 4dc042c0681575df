//! Kernels in VMs: the same claims on kernels that are not the host's.

mod cgroups;
pub(crate) mod fleet;
mod guest;
mod initramfs;
pub mod kernel;
mod layout;
mod log;
mod machine;
mod wire;

pub use cgroups::Cgroups;
pub use guest::is_guest;
pub(crate) use guest::{
    CORE, ENGINE, INIT, INSIDE, VISITOR, brought_images, run_core, run_engine, run_init, run_inside,
    run_visitor,
};
pub use machine::emulated_cpu;
pub(crate) use machine::{KVM, play_kvm};

/// Why VMs are run by software emulation, if they are.
pub(crate) fn without_kvm() -> Option<&'static str> {
    machine::kvm_usable().err()
}
