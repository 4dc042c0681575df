//! A VM: QEMU, started, listened to, spoken to, and always ended.

mod answer;
mod budget;
mod command;
mod console;
mod cpu;
mod debugger;
mod echo;
mod fate;
mod kvm;
mod lines;
mod qmp;
mod running;
mod started;

pub(super) use budget::Allowance;
pub(super) use command::{Hardware, QEMU, Saved, Start};
pub use cpu::emulated as emulated_cpu;
pub(super) use echo::Echo;
pub(super) use fate::Fate;
pub(super) use kvm::usable as kvm_usable;
pub(crate) use kvm::{ROLE as KVM, play as play_kvm};
#[cfg(test)]
pub(super) use lines::Lines;
pub(super) use running::{Machine, Seen};
