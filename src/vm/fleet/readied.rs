//! A kernel booted once, and saved when it was ready.

use std::path::{Path, PathBuf};
use std::time::Duration;

use super::cores::{Cores, plain};
use super::keep::{folder_name, keep};
use super::pool::Pool;
use super::snapshot::{About, Key, Snapshot};
use super::sparse::make_sparse;
use super::watch::Watch;
use crate::plan::Test;
use crate::sandbox::{Nursery, program};
use crate::vm::initramfs::{self, Content, Contents, Piece};
use crate::vm::kernel::{Kernel, Module};
use crate::vm::machine::{Allowance, Echo, Fate, Hardware, Machine, QEMU, Saved, Seen, Start, kvm_usable};
use crate::vm::wire::FromGuest;

/// What a kernel with no images but `base` may take until it is ready: 30 times what the slowest takes in all, and ten times from one word to the next. One that boots
/// has always something to do, and says some hundred KiB.
const BOOT: Allowance = Allowance {
    word: Duration::from_secs(30),
    record: Duration::from_mins(3),
    idle: Duration::from_secs(20),
    said: 4 << 20,
};

/// Memory in MiB: what a kernel and its programs take, and what claims may.
const MEMORY: u64 = 512;

/// What claims need of a kernel, and many build as modules.
const WANTED: &[&str] =
    &["overlay", "veth", "dummy", "bridge", "tun", "fuse", "nf_tables", "vsock", "af_alg"];

/// An image of the host as the guest has it: its digest and its root.
pub(super) type Image = (String, PathBuf);

/// What a VM has besides what all have.
#[derive(Debug, Clone, Default, PartialEq, Eq, Hash)]
pub(super) struct Cargo {
    /// Further images, each once, sorted.
    pub(super) images: Vec<Image>,
    /// Files of a runtime.
    pub(super) pieces: Vec<Piece>,
    /// Modules that it needs.
    pub(super) modules: Vec<String>,
}

/// A VM that can be had at once.
#[derive(Debug)]
pub(super) struct Readied {
    /// The kernel's name.
    name: String,
    hardware: Hardware,
    snapshot: Snapshot,
    about: About,
    watch: Watch,
    /// Those that scenarios share.
    pub(super) pool: Pool,
}

/// Why a kernel is never ready.
#[derive(Debug, Clone)]
pub(super) struct NotReady {
    pub(super) reason: String,
    /// What it said until then.
    pub(super) console: String,
    /// Whether QEMU was there, so that it may be for the kernel to mend.
    ran: bool,
}

impl Readied {
    /// The kernel with these images, from the cache or booted now.
    pub(super) fn new(
        nursery: &Nursery,
        kernel: &Kernel,
        base: &Image,
        cargo: &Cargo,
        watch: &Watch,
    ) -> Result<Self, NotReady> {
        if program::on_path(QEMU).is_none() {
            return Err(NotReady::because(format!(
                "there is no program {QEMU}: in Debian the package qemu-system-x86 has it"
            )));
        }
        let wanted: Vec<&str> =
            WANTED.iter().copied().chain(cargo.modules.iter().map(String::as_str)).collect();
        let modules = kernel.modules(&wanted).map_err(NotReady::because)?.load;
        let snapshot = Snapshot::open(&key(kernel, &modules, base, cargo)).map_err(NotReady::because)?;
        let hardware = |from: &Path| Hardware {
            kernel: from.to_owned(),
            initramfs: snapshot.initramfs(),
            memory: MEMORY + extra(cargo),
            kvm: kvm_usable().is_ok(),
            append: kernel.append.clone(),
            cgroups: kernel.cgroups.unwrap_or_default(),
        };
        if let Some(about) = snapshot.about() {
            let hardware = hardware(&about.kernel);
            keep_if_asked(watch, &kernel.name, &hardware)?;
            if watch.console {
                Echo::new(&kernel.name).feed(about.console.as_bytes());
            }
            return Ok(Self::shared(&kernel.name, hardware, snapshot, about, watch));
        }
        let config = kernel.config.as_deref().map(|text| (kernel.release.as_str(), text));
        let Cargo { images, pieces, .. } = cargo;
        let contents = Contents { base: (&base.0, &base.1), images, pieces, modules: &modules, config };
        initramfs::write(&snapshot.initramfs(), &contents).map_err(NotReady::because)?;
        let packed = Some(&kernel.image).filter(|image| kernel.entry.as_ref() != Some(image));
        let mut ways = kernel.entry.iter().chain(packed).peekable();
        while let Some(way) = ways.next() {
            let hardware = hardware(way);
            // Before it is booted: who has waited long enough ends airtight.
            keep_if_asked(watch, &kernel.name, &hardware)?;
            let seen = Seen { name: &kernel.name, console: watch.console, debugger: false };
            match boot_and_save(nursery, &hardware, &snapshot, seen) {
                Ok(about) => return Ok(Self::shared(&kernel.name, hardware, snapshot, about, watch)),
                // The kernel was not entered at all: as it is packed it may be.
                Err(failed) if failed.ran && failed.console.trim().is_empty() && ways.peek().is_some() => {}
                Err(failed) => {
                    snapshot.abandon();
                    return Err(failed);
                }
            }
        }
        Err(NotReady::because("there is nothing to boot"))
    }

    fn shared(name: &str, hardware: Hardware, snapshot: Snapshot, about: About, watch: &Watch) -> Self {
        snapshot.share();
        Self { name: name.to_owned(), hardware, snapshot, about, watch: watch.clone(), pool: Pool::default() }
    }

    /// A VM with the kernel as it was when it had just become ready.
    pub(super) fn restore(&self, nursery: &Nursery, allowed: Option<Allowance>) -> Result<Machine, Fate> {
        let start = Start::From(Saved { state: self.snapshot.state(), memory: self.snapshot.memory() });
        Machine::start(nursery, &self.hardware, &start, self.about.spoken, allowed, self.seen())
    }

    /// A VM that was booted just now, and is ready.
    pub(super) fn boot(&self, nursery: &Nursery, allowed: Allowance) -> Result<Machine, Fate> {
        let mut machine = Machine::start(
            nursery,
            &self.hardware,
            &Start::Cold,
            0,
            Some(until_ready(&self.hardware)),
            self.seen(),
        )?;
        match machine.hear()? {
            FromGuest::Ready(_) => {
                machine.allow(allowed);
                Ok(machine)
            }
            other => Err(Fate::Garbled(format!("{other:?} before it was ready"))),
        }
    }

    /// Whether core dumps are to be brought out of it.
    pub(super) const fn wants_cores(&self) -> bool {
        self.watch.keep.is_some()
    }

    /// Leaves the core dumps of a test's scenario beside what the VM was booted from, and says so.
    pub(super) fn leave_cores(&self, test: &Test, cores: &Cores) {
        let Some(folder) = &self.watch.keep else { return };
        let folder = folder.join(folder_name(&self.name, &self.hardware)).join("cores");
        let scenario = &test.scenario().name;
        match cores.leave(&folder.join(plain(scenario))) {
            Ok(left) => left.iter().for_each(|path| {
                let scenario = crate::report::in_one_line(scenario);
                anstream::eprintln!(
                    "note: {} is of a process that died while `{scenario}` was judged",
                    path.display()
                );
            }),
            Err(error) => {
                anstream::eprintln!("note: core dumps could not be left in {}: {error}", folder.display());
            }
        }
    }

    /// Says for which scenario a debugger is waited for.
    pub(super) fn announce(&self, test: &Test) {
        if self.watch.gdb {
            anstream::eprintln!("scenario {}", crate::report::in_one_line(&test.scenario().name));
        }
    }

    fn seen(&self) -> Seen<'_> {
        Seen { name: &self.name, console: self.watch.console, debugger: self.watch.gdb }
    }

    /// The saved VM cannot be restored: the next run boots it again.
    pub(super) fn spoil(&self) {
        self.snapshot.spoil();
    }
}

impl NotReady {
    fn because(reason: impl std::fmt::Display) -> Self {
        Self { reason: reason.to_string(), console: String::new(), ran: false }
    }
}

/// Leaves behind what the VM is booted from, where that was asked for.
fn keep_if_asked(watch: &Watch, name: &str, hardware: &Hardware) -> Result<(), NotReady> {
    let Some(folder) = &watch.keep else { return Ok(()) };
    let script = keep(folder, name, hardware).map_err(NotReady::because)?;
    anstream::eprintln!("note: {} boots {name} again", script.display());
    Ok(())
}

fn boot_and_save(
    nursery: &Nursery,
    hardware: &Hardware,
    snapshot: &Snapshot,
    seen: Seen<'_>,
) -> Result<About, NotReady> {
    let start = Start::ToSave(snapshot.memory());
    let mut machine = Machine::start(nursery, hardware, &start, 0, Some(until_ready(hardware)), seen)
        .map_err(NotReady::because)?;
    let facts = match machine.hear() {
        Ok(FromGuest::Ready(facts)) => facts,
        Ok(other) => return Err(NotReady::because(format!("the guest said {other:?} before it was ready"))),
        Err(fate) => {
            return Err(NotReady {
                reason: fate.to_string(),
                console: machine.console().since(0),
                ran: true,
            });
        }
    };
    let spoken = machine.spoken();
    let console = machine.save(&snapshot.state()).map_err(NotReady::because)?.since(0);
    let size = std::fs::metadata(snapshot.state()).map_err(NotReady::because)?.len();
    // Where the disk cannot leave zeros out, they are written on it.
    let _ = make_sparse(&snapshot.memory());
    let about = About { facts, spoken, kernel: hardware.kernel.clone(), size, console };
    snapshot.finish(&about).map_err(NotReady::because)?;
    Ok(about)
}

/// More for what has more to unpack, and silently hands each image to its runtime's store: podman computes for more than 40 s to take 180 MB.
fn until_ready(hardware: &Hardware) -> Allowance {
    let more = Duration::from_secs(hardware.memory.saturating_sub(MEMORY) / 16);
    Allowance { word: BOOT.word + more, record: BOOT.record + more, ..BOOT }
}

/// Images are in memory twice while they are unpacked, and so are a runtime's programs.
fn extra(cargo: &Cargo) -> u64 {
    let sizes = cargo.pieces.iter().map(|piece| match &piece.content {
        Content::Of(source) => std::fs::metadata(source).map_or(0, |found| found.len()),
        Content::Text(_) | Content::Link(_) | Content::Directory => 0,
    });
    cargo.images.len() as u64 * 768 + 2 * sizes.sum::<u64>().div_ceil(1 << 20)
}

fn key(kernel: &Kernel, modules: &[Module], base: &Image, cargo: &Cargo) -> String {
    let mut key = Key::default();
    key.word(&kernel.digest).file(Path::new("/proc/self/exe")).word(&base.0);
    key.word(kernel.config.as_deref().unwrap_or_default());
    key.word(if kernel.entry.is_some() { "unpacked" } else { "packed" });
    for word in kernel.append.iter().chain(cargo.images.iter().map(|(digest, _)| digest)) {
        key.word(word);
    }
    for Piece { place, content } in &cargo.pieces {
        key.word(&place.to_string_lossy());
        match content {
            Content::Of(source) => key.file(source),
            Content::Text(text) => key.word(text),
            Content::Link(target) => key.word(&target.to_string_lossy()),
            Content::Directory => key.word("a directory"),
        };
    }
    for module in modules {
        key.word(&module.name).bytes(&module.bytes);
    }
    if let Some(qemu) = program::on_path(QEMU) {
        key.file(&qemu);
    }
    let hardware = Hardware {
        kernel: PathBuf::new(),
        initramfs: PathBuf::new(),
        memory: MEMORY,
        kvm: kvm_usable().is_ok(),
        append: Vec::new(),
        cgroups: kernel.cgroups.unwrap_or_default(),
    };
    key.word(&hardware.machine().join(" "));
    if hardware.kvm {
        // Its CPU is the host's, and is saved with it.
        key.word(&processor());
    }
    key.finish()
}

/// What the first processor of this machine is, and can do.
fn processor() -> String {
    let told = std::fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let says = |line: &&str| ["model name", "microcode", "flags"].iter().any(|word| line.starts_with(word));
    told.split("\n\n").next().unwrap_or_default().lines().filter(says).collect::<Vec<_>>().join("\n")
}
