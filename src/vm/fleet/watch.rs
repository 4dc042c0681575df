//! What somebody who looks for the reason of a failure has shown and kept of VMs.

use std::path::PathBuf;

use clap::Args;

/// What is to be seen of VMs besides the verdicts.
#[derive(Debug, Clone, Default, Args)]
pub(crate) struct Watch {
    /// Leave in this folder what each kernel was booted from, with `repro.sh`, which boots it again by QEMU alone. Each has a folder of its own
    /// there; what is there of an earlier run is overwritten. Core dumps of processes in the guest are left there too, by the scenario's name, packed
    /// by gzip
    #[arg(long = "keep-vm", value_name = "FOLDER")]
    pub(crate) keep: Option<PathBuf>,
    /// Tell what the kernels say on their consoles as they say it, on standard error, each line with the kernel's name
    #[arg(long)]
    pub(crate) console: bool,
    /// Have each VM wait for gdb before the next scenario goes on, and say how gdb is started. One after another, and no VM is taken for one that hangs
    #[arg(long)]
    pub(crate) gdb: bool,
}

impl Watch {
    /// Whether anything is.
    pub(crate) const fn is_asked(&self) -> bool {
        self.keep.is_some() || self.console || self.gdb
    }
}
