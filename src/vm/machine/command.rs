//! QEMU's command line.

use std::path::{Path, PathBuf};

use super::cpu;
use crate::vm::cgroups::Cgroups;

/// The program.
pub(in crate::vm) const QEMU: &str = "qemu-system-x86_64";

/// What a VM is made of. A snapshot fits only the same.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::vm) struct Hardware {
    /// What is booted.
    pub(in crate::vm) kernel: PathBuf,
    /// What it is booted with.
    pub(in crate::vm) initramfs: PathBuf,
    /// Memory in MiB.
    pub(in crate::vm) memory: u64,
    /// Whether KVM runs the code, and not QEMU itself.
    pub(in crate::vm) kvm: bool,
    /// Further words of the kernel's command line.
    pub(in crate::vm) append: Vec<String>,
    /// How the guest is to have its cgroups.
    pub(in crate::vm) cgroups: Cgroups,
}

/// How a VM begins.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::vm) enum Start {
    /// From the beginning.
    Cold,
    /// From the beginning, to be saved: its memory is this file.
    ToSave(PathBuf),
    /// As it was saved. What it writes to its memory is its own.
    From(Saved),
}

/// The files of a saved VM.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::vm) struct Saved {
    /// The devices, which QEMU has as its standard input.
    pub(in crate::vm) state: PathBuf,
    /// The memory, byte by byte: whoever restores it takes from it what is read, when it is read.
    pub(in crate::vm) memory: PathBuf,
}

/// The kernel's command line. It is never quiet: what it says costs nothing, and is what a failure is explained by.
/// An NMI that nobody knows makes it panic, so that one that hangs can be asked where.
const APPEND: &str = "console=ttyS0 earlyprintk=serial loglevel=7 printk.devkmsg=on log_buf_len=4M panic=-1 \
                      unknown_nmi_panic=1";

/// Where isa-debug-exit listens: see [`crate::sys::machine`].
const DEBUG_EXIT: &str = "isa-debug-exit,iobase=0x501,iosize=2";

/// The sockets that QEMU connects to, in the VM's folder.
pub(super) const CONSOLE: &str = "console";
pub(super) const RESULTS: &str = "results";
pub(super) const CONTROL: &str = "control";

impl Hardware {
    /// The words of QEMU's command line, with sockets in this folder.
    pub(in crate::vm) fn argv(&self, folder: &Path, start: &Start) -> Vec<String> {
        let mut words: Vec<String> = self.machine();
        for name in [CONSOLE, RESULTS, CONTROL] {
            words.push("-chardev".to_owned());
            words.push(format!("socket,id={name},path={}", escaped(&folder.join(name))));
        }
        let rest = [
            "-serial",
            "chardev:console",
            "-serial",
            "chardev:results",
            "-mon",
            "chardev=control,mode=control",
        ];
        words.extend(rest.map(str::to_owned));
        words.extend(self.memory(start));
        words
    }

    /// Where the memory is, and what is done with it when the VM is saved: nothing, since it is in a file already.
    fn memory(&self, start: &Start) -> Vec<String> {
        let (file, shared) = match start {
            Start::Cold => return Vec::new(),
            Start::ToSave(file) => (file, "on"),
            Start::From(saved) => (&saved.memory, "off"),
        };
        let object = format!(
            "memory-backend-file,id=ram,size={}M,share={shared},mem-path={}",
            self.memory,
            escaped(file)
        );
        let mut words = ["-object", &object, "-machine", "memory-backend=ram"].map(str::to_owned).to_vec();
        if let Start::From(_) = start {
            words.extend(["-incoming", "defer"].map(str::to_owned));
        }
        words
    }

    /// The machine itself: q35, which has the timers by which a kernel measures its clock also where it is given little time; no
    /// device but two serial ports.
    pub(in crate::vm) fn machine(&self) -> Vec<String> {
        let (accel, cpu) = if self.kvm { ("kvm", "host") } else { ("tcg", cpu::emulated()) };
        let memory = self.memory.to_string();
        let append = self.command_line();
        let (kernel, initramfs) = (self.kernel.to_string_lossy(), self.initramfs.to_string_lossy());
        [
            QEMU,
            "-accel",
            accel,
            "-machine",
            "q35",
            "-cpu",
            cpu,
            "-smp",
            "1",
            "-m",
            &memory,
            "-nodefaults",
            "-no-user-config",
            "-display",
            "none",
            "-no-reboot",
            "-device",
            DEBUG_EXIT,
            "-kernel",
            &kernel,
            "-initrd",
            &initramfs,
            "-append",
            &append,
        ]
        .map(str::to_owned)
        .to_vec()
    }

    /// What the kernel is told. The check of the timer's interrupt fails where the host takes the CPU away for long.
    pub(in crate::vm) fn command_line(&self) -> String {
        let own = if self.kvm { "" } else { " no_timer_check mitigations=off" };
        let further = [&[String::new()], self.append.as_slice()].concat().join(" ");
        format!("{APPEND}{own}{further} -- {} {}", crate::vm::INIT, self.cgroups.word())
    }
}

/// QEMU takes a comma for the end of an option's value, and two for one.
pub(super) fn escaped(path: &Path) -> String {
    path.to_string_lossy().replace(',', ",,")
}
